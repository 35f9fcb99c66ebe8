// Find models that depend on given licenses
//
// Follows parent models and derived datasets, over any number of steps, to datasets with one of the
// licenses. Datasets without a license are left out.
//
// Parameters:
//   licenses (list of strings): the licenses, in upper or lower case
// Supplied by ask:
//   licensed_datasets (list): the datasets with one of the licenses, in upper or lower case, or some
//     of them: the statement runs for some datasets at a time, so that the first rows come soon
//   derived_datasets (map): the datasets derived from a dataset, over any number of steps, by its uid
//   derived_models (map): the models derived from a model, over any number of steps, by its uid
// Columns:
//   model: a model that was trained on the dataset or on one derived from it, or a descendant of
//     such a model
//   dataset: the dataset with the license
//   license: the license of the dataset

UNWIND $licensed_datasets AS licensed
MATCH (d:Dataset {uid: licensed})
UNWIND [licensed] + coalesce($derived_datasets[licensed], []) AS derived
MATCH (:Dataset {uid: derived})<-[data:TRAINED_ON]-(trained:Model)
WHERE coalesce(data.role, 'training') = 'training'
WITH DISTINCT d, toStringOrNull(trained.uid) AS trained
UNWIND [trained] + coalesce($derived_models[trained], []) AS model
RETURN DISTINCT model, d.uid AS dataset, d.license AS license
ORDER BY dataset, model;
