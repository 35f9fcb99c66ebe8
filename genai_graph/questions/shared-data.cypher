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
UNWIND datasets AS dataset
WITH dataset, collect({uid: model, size: size(datasets)}) AS models
UNWIND models AS a
UNWIND models AS b
WITH a, b
WHERE a.uid < b.uid
WITH a, b, count(*) AS shared
WHERE shared >= $min_shared
RETURN a.uid AS model_a, b.uid AS model_b, shared,
       1.0 * shared / (a.size + b.size - shared) AS jaccard
ORDER BY shared DESC, jaccard DESC, model_a, model_b;
