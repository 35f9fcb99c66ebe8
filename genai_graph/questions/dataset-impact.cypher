// Count the dependants of a dataset
//
// Counts the runs of every status, with their scores.
//
// Parameters:
//   dataset (uid of a Dataset): the dataset
// Supplied by ask:
//   derived_datasets (map): the datasets derived from a dataset, over any number of steps, by its uid
//   derived_models (map): the models derived from a model, over any number of steps, by its uid
// Columns:
//   datasets: the number of datasets: this one and those derived from it
//   models: the number of models that were trained on these datasets, and of their descendants
//   experiments: the number of experiments that ran these models
//   metrics: the number of scores of these models
//   projects: the projects that contain these models, a list

MATCH (d:Dataset {uid: $dataset})
WITH [d.uid] + coalesce($derived_datasets[d.uid], []) AS datasets
// Not COUNT or COLLECT: in those, each row that DISTINCT keeps on Neo4j includes the whole list.
CALL (datasets) {
  UNWIND datasets AS uid
  MATCH (:Dataset {uid: uid})<-[data:TRAINED_ON]-(trained:Model)
  WHERE coalesce(data.role, 'training') = 'training'
  WITH DISTINCT toStringOrNull(trained.uid) AS trained
  UNWIND [trained] + coalesce($derived_models[trained], []) AS model
  WITH DISTINCT model
  MATCH (m:Model {uid: model})
  RETURN collect(m) AS models
}
CALL (models) {
  UNWIND models AS m
  MATCH (m)<-[:RUN]-(x:Experiment)
  RETURN count(DISTINCT x) AS experiments
}
CALL (models) {
  UNWIND models AS m
  MATCH (m)<-[run:RUN]-(x:Experiment)
  WHERE coalesce(run.role, 'output') = 'output'
     OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
  MATCH (x)-[:HAS]->(score:Metric)
  WHERE NOT EXISTS { MATCH (score)-[:MEASURES]->(:Model) }
  RETURN count(DISTINCT score) AS of_runs
}
CALL (models) {
  UNWIND models AS m
  MATCH (m)<-[:MEASURES]-(score:Metric)<-[:HAS]-(:Experiment)
  RETURN count(DISTINCT score) AS measured
}
CALL (models) {
  UNWIND models AS m
  MATCH (m)<-[:HAS]-(p:Project)
  RETURN collect(DISTINCT p.uid) AS project_uids
}
RETURN size(datasets) AS datasets, size(models) AS models, experiments,
       of_runs + measured AS metrics, COLLECT {
         UNWIND project_uids AS project
         RETURN project ORDER BY project
       } AS projects;
