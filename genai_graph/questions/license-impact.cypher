// Find models that depend on given licenses
//
// Follows parent models and derived datasets to datasets with one of the licenses.
//
// Parameters:
//   licenses (list of strings, from Dataset.license): the licenses, spelled as in the graph
// Columns:
//   model: a model that was trained on the dataset or on one derived from it, or a descendant of
//     such a model
//   dataset: the dataset with the license
//   license: the license of the dataset

// Lineage is followed two steps at a time, with DISTINCT: the number of paths grows exponentially.
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
