// How models rank on a dataset, by a metric: each model with its best score
//
// Parameters:
//   metric (string, as in Metric.name): the metric's name
//   dataset (uid of a Dataset): the dataset that it was taken on
// Given by ask:
//   known_directions (map): whether more is better, by the names of well-known metrics
// Columns:
//   rank: 1 for the best; equal scores share a rank, and the next rank follows without a gap; empty
//     for NaN, and where nobody says whether more or less is better: then all scores are told
//   model: the model that has the score
//   value: the score

MATCH (d:Dataset {uid: $dataset})<-[:EVALUATED_ON]-(score:Metric {name: $metric})
WHERE score.value < 0 OR score.value >= 0 OR score.value <> score.value // a number, or NaN
MATCH (score)<-[:HAS]-(x:Experiment)-[run:RUN]->(m:Model)
WHERE coalesce(run.role, 'output') = 'output'
   OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
WITH collect(score.greater_is_better) AS said,
     collect({model: m.uid, value: score.value}) AS scores
WITH scores,
     CASE WHEN true IN said AND false IN said THEN null
          WHEN true IN said THEN 1 WHEN false IN said THEN -1
          WHEN $known_directions[toLower($metric)] THEN 1
          WHEN NOT $known_directions[toLower($metric)] THEN -1 END AS direction
UNWIND scores AS score
WITH direction, score.model AS model, score.value AS value
ORDER BY isNaN(value), direction * value DESC
WITH direction, model, collect(DISTINCT value) AS values
UNWIND CASE WHEN direction IS NULL THEN values ELSE values[..1] END AS value
WITH direction, value, collect(model) AS models
ORDER BY isNaN(value), direction * value DESC
WITH direction, collect({value: value, models: models}) AS levels
UNWIND range(0, size(levels) - 1) AS place
UNWIND levels[place].models AS model
WITH CASE WHEN direction IS NOT NULL AND NOT isNaN(levels[place].value) THEN place + 1 END AS rank,
     model, levels[place].value AS value
RETURN rank, model, value
ORDER BY rank IS NULL, rank, model, value;
