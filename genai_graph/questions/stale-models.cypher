// Find models trained on outdated datasets
//
// A dataset is outdated if another one is derived from it with the kind version.
//
// Supplied by ask:
//   outdated_datasets (list): the datasets, sorted by name, or some of them: the statement runs for
//     some datasets at a time, so that the first rows come soon
//   newest_versions (map): the newest versions derived from each of these, over any number of steps,
//     by its uid
// Columns:
//   dataset: the name of the dataset
//   trained_on: the version that the models were trained on
//   available: the newest version derived from it
//   stale_models: the models, a list

UNWIND $outdated_datasets AS outdated
MATCH (d:Dataset {uid: outdated})<-[data:TRAINED_ON]-(m:Model)
WHERE coalesce(data.role, 'training') = 'training'
WITH DISTINCT d, m.uid AS model
ORDER BY model
WITH d, collect(model) AS stale_models
UNWIND $newest_versions[d.uid] AS available
RETURN d.name AS dataset, d.uid AS trained_on, available, stale_models
ORDER BY dataset, trained_on, available;
