// Show how many models depend on each dataset
//
// Columns:
//   dataset: a dataset that models were trained on
//   license: the license of the dataset
//   dependants: the number of models that were trained on it, and of their descendants
//   percent: the dependants as a percentage of the models with known training data, their own or
//     that of an ancestor

// Lineage is followed two steps at a time, with DISTINCT: the number of paths grows exponentially.
CALL () {
  MATCH (trained:Model)-[data:TRAINED_ON]->(:Dataset)
  WHERE coalesce(data.role, 'training') = 'training'
  WITH DISTINCT trained
  MATCH (trained)<-[:DERIVED_FROM*0..2]-(m2:Model) WITH DISTINCT m2
  MATCH (m2)<-[:DERIVED_FROM*0..2]-(m4:Model) WITH DISTINCT m4
  MATCH (m4)<-[:DERIVED_FROM*0..2]-(m6:Model) WITH DISTINCT m6
  MATCH (m6)<-[:DERIVED_FROM*0..2]-(m:Model) WITH DISTINCT m
  RETURN count(m) AS known
}
MATCH (trained:Model)-[data:TRAINED_ON]->(:Dataset)
WHERE coalesce(data.role, 'training') = 'training'
WITH DISTINCT known, trained
MATCH (trained)<-[:DERIVED_FROM*0..2]-(m2:Model) WITH DISTINCT known, trained, m2
MATCH (m2)<-[:DERIVED_FROM*0..2]-(m4:Model) WITH DISTINCT known, trained, m4
MATCH (m4)<-[:DERIVED_FROM*0..2]-(m6:Model) WITH DISTINCT known, trained, m6
MATCH (m6)<-[:DERIVED_FROM*0..2]-(m:Model) WITH DISTINCT known, trained, m
MATCH (trained)-[data:TRAINED_ON]->(d:Dataset)
WHERE coalesce(data.role, 'training') = 'training'
WITH known, d, count(DISTINCT m) AS dependants
RETURN d.uid AS dataset, d.license AS license, dependants, 100.0 * dependants / known AS percent
ORDER BY dependants DESC, dataset;
