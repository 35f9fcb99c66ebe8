// Show how many models depend on each dataset
//
// Supplied by ask:
//   derived_models (map): the models derived from a model, over any number of steps, by its uid
// Columns:
//   dataset: a dataset that models were trained on
//   license: the license of the dataset
//   dependants: the number of models that were trained on it, and of their descendants
//   percent: the dependants as a percentage of the models with known training data, their own or
//     that of an ancestor

CALL () {
  MATCH (trained:Model)-[data:TRAINED_ON]->(:Dataset)
  WHERE coalesce(data.role, 'training') = 'training'
  WITH DISTINCT toStringOrNull(trained.uid) AS trained
  UNWIND [trained] + coalesce($derived_models[trained], []) AS model
  RETURN count(DISTINCT model) AS known
}
MATCH (trained:Model)-[data:TRAINED_ON]->(d:Dataset)
WHERE coalesce(data.role, 'training') = 'training'
WITH DISTINCT known, d, toStringOrNull(trained.uid) AS trained
UNWIND [trained] + coalesce($derived_models[trained], []) AS model
WITH known, d, count(DISTINCT model) AS dependants
RETURN d.uid AS dataset, d.license AS license, dependants, 100.0 * dependants / known AS percent
ORDER BY dependants DESC, dataset;
