// Find the best model on each dataset
//
// Compares the scores of one metric, for each split and each unit on its own. Failed and killed runs
// do not count. Whether greater is better is declared by the metrics (greater_is_better), or else
// taken from a table of well-known names.
//
// Parameters:
//   metric (string): the name of the metric
//   split (string, default null): the only split to compare; empty for scores without a split
//   unit (string, default null): the only unit to compare; empty for scores without a unit
// Supplied by ask:
//   known_directions (map): whether greater is better, by the name of a well-known metric
//   split_names (map): the name that spellings of a split have in common, such as val and Validation
// Columns:
//   dataset: a dataset with scores of the metric
//   best_model: the model with the best score, the first by uid among equal ones; empty if it is
//     unknown whether greater is better
//   value: the best score; empty if it is unknown whether greater is better
//   candidates: the number of compared scores, without NaN
//   split: the split of the dataset
//   unit: the unit of the scores
//   experiment: the run that measured the best score
// Not ranked:
//   value: it is unknown whether greater is better, or the scores contradict each other; set
//     greater_is_better

MATCH (score:Metric {name: $metric})-[:EVALUATED_ON]->(d:Dataset)
WITH d, collect(DISTINCT score) AS of_dataset
ORDER BY d.uid
CALL (of_dataset) {
  UNWIND of_dataset AS score
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
  WITH direction, score, coalesce(score.unit, '') AS unit,
       coalesce($split_names[toStringOrNull(score.split)], score.split, '') AS split
  WHERE ($split IS NULL OR split = $split) AND ($unit IS NULL OR unit = $unit)
  WITH direction, split, unit, score,
       coalesce(score.value < 0 OR score.value >= 0, false) AS is_number
  ORDER BY is_number DESC, CASE WHEN is_number THEN direction * score.value + 0.0 END DESC, // -0.0 is equal
           score.model, score.experiment
  WITH direction, split, unit, collect(score) AS scores,
       sum(CASE WHEN is_number THEN 1 ELSE 0 END) AS candidates,
       collect(CASE WHEN is_number AND direction IS NULL THEN score.uid END) AS not_ranked
  RETURN split, unit, scores[0] AS first, candidates, not_ranked,
       CASE WHEN direction IS NOT NULL AND candidates > 0 THEN scores[0] END AS best
  ORDER BY split, unit
}
RETURN d.uid AS dataset, best.model AS best_model, best.value AS value, candidates,
       first.split AS split, first.unit AS unit, best.experiment AS experiment, not_ranked;
