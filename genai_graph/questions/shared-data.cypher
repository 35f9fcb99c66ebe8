// Find models trained on the same datasets
//
// Lists pairs of models.
//
// Parameters:
//   min_shared (integer, default 1): the minimum number of shared datasets
// Columns:
//   model_a: the first model of the pair, by uid
//   model_b: the second model of the pair
//   shared: the number of training datasets that they share
//   jaccard: the shared datasets as a fraction of all training datasets of the pair, from 0 to 1

MATCH (m:Model)-[data:TRAINED_ON]->(d:Dataset)
WHERE coalesce(data.role, 'training') = 'training'
WITH m.uid AS model, collect(DISTINCT d.uid) AS datasets
ORDER BY model
UNWIND datasets AS dataset
WITH dataset, collect({uid: model, size: size(datasets)}) AS models
// Pair each model with the later ones, so that only the pairs of one model are grouped at a time.
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
