// Which model is the best on each dataset, by a metric
//
// Parameters:
//   metric (string, as in Metric.name): the metric's name
// Given by ask:
//   known_directions (map): whether more is better, by the names of well-known metrics
// Columns:
//   dataset: a dataset that the metric was taken on
//   best_model: the model with the best score, of equal ones the first by its uid; empty where
//     nobody says whether more or less is better
//   value: that score; empty likewise
//   candidates: how many scores were compared; NaN is none

MATCH (score:Metric {name: $metric})-[:EVALUATED_ON]->(d:Dataset)
MATCH (score)<-[:HAS]-(x:Experiment)-[run:RUN]->(m:Model)
WHERE coalesce(run.role, 'output') = 'output'
   OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
WITH d.uid AS dataset,
     collect(score.greater_is_better) AS said,
     [one IN collect({model: m.uid, value: score.value}) WHERE one.value < 0 OR one.value >= 0] AS scores
WITH dataset, scores,
     CASE WHEN true IN said AND false IN said THEN null
          WHEN true IN said THEN 1 WHEN false IN said THEN -1
          WHEN $known_directions[toLower($metric)] THEN 1
          WHEN NOT $known_directions[toLower($metric)] THEN -1 END AS direction
UNWIND CASE WHEN scores = [] THEN [null] ELSE scores END AS score
WITH dataset, scores, direction, score
ORDER BY direction * score.value DESC, score.model
WITH dataset, size(scores) AS candidates, direction, head(collect(score)) AS best
RETURN dataset,
       CASE WHEN direction IS NOT NULL THEN best.model END AS best_model,
       CASE WHEN direction IS NOT NULL THEN best.value END AS value,
       candidates
ORDER BY dataset;
