// Find models trained on outdated datasets
//
// A dataset is outdated if another one is derived from it with the kind version.
//
// Columns:
//   dataset: the name of the dataset
//   trained_on: the version that the models were trained on
//   available: the newest version derived from it, in at most 8 steps
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
