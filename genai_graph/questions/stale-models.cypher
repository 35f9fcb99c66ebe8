// Which models were trained on a version of a dataset that has a successor
//
// Columns:
//   dataset: the dataset's name
//   trained_on: the version that models were trained on
//   available: the newest version after it, over at most 8 steps of kind version
//   stale_models: the models, a list

MATCH (newer:Dataset)-[step:DERIVED_FROM]->(d:Dataset)
WHERE step.kind = 'version'
WITH DISTINCT d, d AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest
OPTIONAL MATCH (newest)<-[step:DERIVED_FROM]-(newer:Dataset)
  WHERE step.kind = 'version' AND NOT newer IN [d, newest]
WITH DISTINCT d, coalesce(newer, newest) AS newest WHERE newest <> d
MATCH (d)<-[data:TRAINED_ON]-(m:Model)
WHERE coalesce(data.role, 'training') = 'training'
WITH d, newest, m.uid AS model
ORDER BY model
RETURN d.name AS dataset, d.uid AS trained_on, newest.uid AS available,
       collect(DISTINCT model) AS stale_models
ORDER BY dataset, trained_on, available;
