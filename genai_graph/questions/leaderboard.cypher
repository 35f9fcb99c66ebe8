// Rank models on a dataset by a metric
//
// Each model is ranked by its best score.
//
// Parameters:
//   metric (string, from Metric.name): the name of the metric
//   dataset (uid of a Dataset): the dataset that the metric was measured on
// Supplied by ask:
//   known_directions (map): whether greater is better, by the name of a well-known metric
// Columns:
//   rank: 1 for the best; equal scores share a rank and leave no gap; empty for NaN. If it is not
//     known whether greater is better, all scores are listed, with an empty rank
//   model: the model with the score
//   value: the score

MATCH (d:Dataset {uid: $dataset})<-[:EVALUATED_ON]-(score:Metric {name: $metric})
WHERE score.value < 0 OR score.value >= 0 OR score.value <> score.value // a number, or NaN
MATCH (score)<-[:HAS]-(x:Experiment)-[run:RUN]->(m:Model)
WHERE coalesce(run.role, 'output') = 'output'
   OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
WITH collect(score.greater_is_better) AS declared,
     collect({model: m.uid, value: score.value}) AS scores
WITH scores,
     CASE WHEN true IN declared AND false IN declared THEN null
          WHEN true IN declared THEN 1 WHEN false IN declared THEN -1
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
