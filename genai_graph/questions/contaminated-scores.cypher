// Find scores measured on training data
//
// A score is contaminated if its model, or an ancestor of it, was trained on the dataset that the
// score was measured on, or on one that shares data with it: one is derived from the other, or both
// from a third. Scores of failed and killed runs do not count.
//
// Supplied by ask:
//   ancestors (map): the ancestors of each model, over any number of steps, by uid
//   relatives (map): how datasets are related by derivation, by the uid of the evaluated dataset and
//     that of the other one: related if they share data, else unknown
//   overlaps (map): the verdict on the score, by the relation of the datasets (same, related or
//     unknown), the split of the training and that of the score; none if the splits differ
// Columns:
//   model: the model with the score
//   benchmark: the dataset that the score was measured on
//   metric: the uid of the score
//   value: the value of the score
//   trained_via: the model that was trained on the data: the model itself or an ancestor
//   certainty: certain if training and evaluation used the same dataset and their splits share data;
//     suspected if a split is unknown or unclear, or if one dataset is derived from the other or
//     both from a third
//   trained_on: the dataset that the model was trained on
// Left out:
//   benchmark: a subset of a dataset, another subset of which was training data; they may overlap

MATCH (x:Experiment)-[:HAS]->(score:Metric)-[:EVALUATED_ON]->(d:Dataset)
WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
WITH x, collect({score: score, benchmark: toStringOrNull(d.uid)}) AS measurements
// The models of a run are read once, however many scores it has.
CALL (x) {
  MATCH (x)-[run:RUN]->(ran:Model)
  WHERE coalesce(run.role, 'output') = 'output'
    OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
  RETURN collect(ran) AS of_run
}
UNWIND measurements AS one
WITH one.score AS score, one.benchmark AS benchmark, of_run
OPTIONAL MATCH (score)-[:MEASURES]->(measured:Model)
UNWIND CASE WHEN measured IS NULL THEN of_run ELSE [measured] END AS m
WITH DISTINCT score, benchmark, toStringOrNull(m.uid) AS model
WITH model, benchmark, collect(score) AS scores
// The training data of a model is read once, however many benchmarks the model has scores on.
WITH model, collect({benchmark: benchmark, scores: scores}) AS evaluated
UNWIND [model] + coalesce($ancestors[model], []) AS trained_via
MATCH (trained:Model {uid: trained_via})-[data:TRAINED_ON]->(t:Dataset)
WHERE coalesce(data.role, 'training') = 'training'
WITH model, evaluated, trained_via, toStringOrNull(t.uid) AS trained_on,
     coalesce(toStringOrNull(data.split), '') AS seen
UNWIND evaluated AS one
WITH model, one.benchmark AS benchmark, one.scores AS scores, trained_via, trained_on, seen
WITH *, CASE WHEN trained_on = benchmark THEN 'same' ELSE $relatives[benchmark][trained_on] END
     AS relation
WHERE relation IS NOT NULL
UNWIND scores AS score
WITH model, benchmark, score, trained_via, trained_on,
     $overlaps[relation][seen][coalesce(toStringOrNull(score.split), '')] AS verdict
WHERE verdict IS NOT NULL
// Of several splits that the model was trained on, the worst verdict: certain, suspected, unknown.
WITH model, benchmark, score, trained_via, trained_on, min(verdict) AS certainty
RETURN model, benchmark, score.uid AS metric, score.value AS value, trained_via, certainty,
       trained_on, CASE certainty WHEN 'unknown' THEN 'benchmark' END AS left_out
ORDER BY model, benchmark, metric, trained_via, trained_on;
