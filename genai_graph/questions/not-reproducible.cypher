// Find experiments that can't be repeated
//
// Lists finished experiments with the information that they lack.
//
// Columns:
//   experiment: an experiment with the status FINISHED
//   missing: the missing items, a list of: code version, random seed, environment, model, dataset,
//     digest of a dataset

MATCH (x:Experiment {status: 'FINISHED'})
WITH x
ORDER BY x.uid
WITH x, [one IN [
    CASE WHEN coalesce(x.code_version, '') = '' THEN 'code version' END,
    CASE WHEN x.random_seed IS NULL THEN 'random seed' END,
    CASE WHEN coalesce(x.environment, '{}') = '{}'
           AND size([key IN keys(x) WHERE key STARTS WITH 'environment.']) = 0
         THEN 'environment' END,
    CASE WHEN NOT EXISTS { MATCH (x)-[:RUN]->(:Model) } THEN 'model' END,
    CASE WHEN NOT EXISTS { MATCH (x)-[:USED]->(:Dataset) } THEN 'dataset' END,
    CASE WHEN EXISTS { MATCH (x)-[:USED]->(d:Dataset) WHERE coalesce(d.digest, '') = '' }
         THEN 'digest of a dataset' END
  ] WHERE one IS NOT NULL] AS missing
WHERE missing <> []
RETURN x.uid AS experiment, missing;
