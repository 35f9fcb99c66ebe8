// Which pairs of models were trained on the same datasets
//
// Parameters:
//   min_shared (integer, default 1): the least number of datasets that they share
// Columns:
//   model_a: a model
//   model_b: another, behind it in the order of uids
//   shared: how many training datasets they share
//   jaccard: the share of these in all that either of them was trained on, from 0 to 1

MATCH (m:Model)-[data:TRAINED_ON]->(d:Dataset)
WHERE coalesce(data.role, 'training') = 'training'
WITH m.uid AS model, collect(DISTINCT d.uid) AS datasets
ORDER BY model
UNWIND datasets AS dataset
WITH dataset, collect({uid: model, size: size(datasets)}) AS models
// Each model with those behind it, so that only one model's pairs are grouped at a time.
UNWIND range(0, size(models) - 2) AS i
WITH models[i] AS a, models[i + 1..] AS others
WITH a, collect(others) AS groups
CALL (groups) {
  UNWIND groups AS group
  UNWIND group AS b
  RETURN b, count(*) AS shared
}
WITH a, b, shared
WHERE shared >= $min_shared
RETURN a.uid AS model_a, b.uid AS model_b, shared,
       1.0 * shared / (a.size + b.size - shared) AS jaccard
ORDER BY shared DESC, jaccard DESC, model_a, model_b;
