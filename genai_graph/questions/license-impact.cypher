// Which models rest on datasets of these licenses, also through parent models and derived datasets
//
// Parameters:
//   licenses (list of strings, as in Dataset.license): the licenses, as the datasets have them
// Columns:
//   model: a model that was trained on the dataset or on one derived from it, or a descendant of one
//   dataset: the dataset of that license
//   license: its license

// Lineage is followed two steps at a time, each node once: by all ways at once there are too many.
UNWIND $licenses AS given
MATCH (d:Dataset {license: given})
MATCH (d)<-[:DERIVED_FROM*0..2]-(derived2:Dataset) WITH DISTINCT d, derived2
MATCH (derived2)<-[:DERIVED_FROM*0..2]-(derived4:Dataset) WITH DISTINCT d, derived4
MATCH (derived4)<-[:DERIVED_FROM*0..2]-(derived6:Dataset) WITH DISTINCT d, derived6
MATCH (derived6)<-[:DERIVED_FROM*0..2]-(derived:Dataset) WITH DISTINCT d, derived
MATCH (derived)<-[data:TRAINED_ON]-(trained:Model)
WHERE coalesce(data.role, 'training') = 'training'
WITH DISTINCT d, trained
MATCH (trained)<-[:DERIVED_FROM*0..2]-(m2:Model) WITH DISTINCT d, m2
MATCH (m2)<-[:DERIVED_FROM*0..2]-(m4:Model) WITH DISTINCT d, m4
MATCH (m4)<-[:DERIVED_FROM*0..2]-(m6:Model) WITH DISTINCT d, m6
MATCH (m6)<-[:DERIVED_FROM*0..2]-(m:Model) WITH DISTINCT d, m
RETURN m.uid AS model, d.uid AS dataset, d.license AS license
ORDER BY model, dataset;
