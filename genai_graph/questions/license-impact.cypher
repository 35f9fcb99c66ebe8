// Which models rest on datasets of these licenses, also through parent models and derived datasets
//
// Parameters:
//   licenses (list of strings, as in Dataset.license): the licenses, as the datasets have them
// Columns:
//   model: a model that was trained on the dataset or on one derived from it, or a descendant of one
//   dataset: the dataset of that license
//   license: its license

UNWIND $licenses AS given
MATCH (d:Dataset {license: given})
MATCH (d)<-[:DERIVED_FROM*0..8]-(derived:Dataset)
WITH DISTINCT d, derived
MATCH (derived)<-[data:TRAINED_ON]-(trained:Model)
WHERE coalesce(data.role, 'training') = 'training'
WITH DISTINCT d, trained
MATCH (trained)<-[:DERIVED_FROM*0..8]-(m:Model)
WITH DISTINCT m.uid AS model, d.uid AS dataset, d.license AS license
RETURN model, dataset, license
ORDER BY model, dataset;
