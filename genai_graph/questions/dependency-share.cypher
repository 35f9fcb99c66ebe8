// How much of all models depends on each dataset
//
// Columns:
//   dataset: a dataset that models were trained on
//   license: its license
//   dependants: how many models were trained on it, or are descendants of such models
//   percent: of the models whose training data is known, their own or an ancestor's

CALL () {
  MATCH (m:Model)-[:DERIVED_FROM*0..8]->(trained:Model)
  WHERE EXISTS {
    MATCH (trained)-[data:TRAINED_ON]->(:Dataset) WHERE coalesce(data.role, 'training') = 'training'
  }
  RETURN count(DISTINCT m) AS known
}
MATCH (d:Dataset)<-[data:TRAINED_ON]-(trained:Model)
WHERE coalesce(data.role, 'training') = 'training'
MATCH (trained)<-[:DERIVED_FROM*0..8]-(m:Model)
WITH known, d, count(DISTINCT m) AS dependants
RETURN d.uid AS dataset, d.license AS license, dependants, 100.0 * dependants / known AS percent
ORDER BY dependants DESC, dataset;
