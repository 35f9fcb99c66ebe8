// Rank models on a dataset by a metric
//
// Each model is ranked by its best score. Scores of different splits and units are ranked
// separately. Failed and killed runs do not count.
//
// Parameters:
//   metric (string): the name of the metric
//   dataset (uid of a Dataset): the dataset that the metric was measured on
//   split (string, default null): the only split to rank; empty for scores without a split
//   unit (string, default null): the only unit to rank; empty for scores without a unit
// Supplied by ask:
//   known_directions (map): whether greater is better, by the name of a well-known metric
//   split_names (map): the name that spellings of a split have in common, such as val and Validation
// Columns:
//   rank: 1 for the best of the split and unit; equal scores share a rank and leave no gap; empty
//     for NaN. If it is not known whether greater is better, all scores are listed, with an empty
//     rank
//   model: the model with the score
//   value: the score
//   split: the split of the dataset
//   unit: the unit of the score
//   experiment: the run that measured the score, the first by uid among equal scores
// Not ranked:
//   value: it is unknown whether greater is better, or the scores contradict each other; set
//     greater_is_better

MATCH (d:Dataset {uid: $dataset})<-[:EVALUATED_ON]-(score:Metric {name: $metric})
WHERE score.value < 0 OR score.value >= 0 OR score.value <> score.value // a number, or NaN
MATCH (score)<-[:HAS]-(x:Experiment)
WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
OPTIONAL MATCH (score)-[:MEASURES]->(measured:Model)
OPTIONAL MATCH (x)-[run:RUN]->(ran:Model)
  WHERE measured IS NULL AND (coalesce(run.role, 'output') = 'output'
    OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' })
WITH DISTINCT score, x, coalesce(measured, ran) AS m
WHERE m IS NOT NULL
WITH collect(score.greater_is_better) AS declared,
     collect({uid: score.uid, model: m.uid, value: score.value, split: score.split,
              unit: score.unit, experiment: x.uid}) AS scores
WITH scores,
     CASE WHEN true IN declared AND false IN declared THEN null
          WHEN true IN declared THEN 1 WHEN false IN declared THEN -1
          WHEN $known_directions[$metric] THEN 1
          WHEN NOT $known_directions[$metric] THEN -1 END AS direction
UNWIND scores AS score
WITH direction, score, score.model AS model, coalesce(score.unit, '') AS unit,
     coalesce($split_names[toStringOrNull(score.split)], score.split, '') AS split
WHERE ($split IS NULL OR split = $split) AND ($unit IS NULL OR unit = $unit)
WITH direction, score, split, unit, model
ORDER BY isNaN(score.value), direction * score.value + 0.0 DESC, score.experiment // -0.0 is equal
WITH direction, split, unit, model, collect(score) AS scores
UNWIND CASE WHEN direction IS NULL THEN scores ELSE scores[..1] END AS score
WITH direction, split, unit, score.value + 0.0 AS value, collect(score) AS level
ORDER BY isNaN(value), direction * value DESC
WITH direction, split, unit, collect(level) AS levels
UNWIND range(0, size(levels) - 1) AS place
UNWIND levels[place] AS score
WITH CASE WHEN direction IS NOT NULL AND NOT isNaN(score.value) THEN place + 1 END AS rank,
     split AS split_name, unit AS unit_name, score,
     CASE WHEN direction IS NULL AND NOT isNaN(score.value) THEN [score.uid] END AS not_ranked
RETURN rank, score.model AS model, score.value AS value, score.split AS split, score.unit AS unit,
       score.experiment AS experiment, not_ranked
ORDER BY split_name, unit_name, rank IS NULL, rank, model, value, experiment;
