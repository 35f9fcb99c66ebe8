// Find the best model on each dataset
//
// Compares the scores of one metric. Whether greater is better is declared by the metrics
// (greater_is_better), or else taken from a table of well-known names.
//
// Parameters:
//   metric (string, from Metric.name): the name of the metric
// Supplied by ask:
//   known_directions (map): whether greater is better, by the name of a well-known metric
// Columns:
//   dataset: a dataset with scores of the metric
//   best_model: the model with the best score, the first by uid among equal ones; empty if it is
//     unknown whether greater is better
//   value: the best score; empty if it is unknown whether greater is better
//   candidates: the number of compared scores, without NaN

MATCH (score:Metric {name: $metric})-[:EVALUATED_ON]->(d:Dataset)
MATCH (score)<-[:HAS]-(x:Experiment)-[run:RUN]->(m:Model)
WHERE coalesce(run.role, 'output') = 'output'
   OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
WITH d.uid AS dataset,
     collect(score.greater_is_better) AS declared,
     [one IN collect({model: m.uid, value: score.value}) WHERE one.value < 0 OR one.value >= 0] AS scores
WITH dataset, scores,
     CASE WHEN true IN declared AND false IN declared THEN null
          WHEN true IN declared THEN 1 WHEN false IN declared THEN -1
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
