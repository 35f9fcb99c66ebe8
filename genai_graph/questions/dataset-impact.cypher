// How much rests on a dataset
//
// Parameters:
//   dataset (uid of a Dataset): the dataset
// Columns:
//   datasets: how many datasets: it and those that are derived from it
//   models: how many models were trained on these, or are descendants of such models
//   experiments: how many experiments ran these models
//   metrics: how many scores these models have
//   projects: the projects that have these models, a list

MATCH (:Dataset {uid: $dataset})<-[:DERIVED_FROM*0..8]-(derived:Dataset)
WITH collect(DISTINCT derived) AS datasets
WITH datasets, COLLECT {
  UNWIND datasets AS d
  MATCH (d)<-[data:TRAINED_ON]-(trained:Model)
  WHERE coalesce(data.role, 'training') = 'training'
  WITH DISTINCT trained
  MATCH (trained)<-[:DERIVED_FROM*0..8]-(m:Model)
  RETURN DISTINCT m
} AS models
RETURN size(datasets) AS datasets, size(models) AS models,
  COUNT {
    UNWIND models AS m
    MATCH (m)<-[:RUN]-(x:Experiment)
    RETURN DISTINCT x
  } AS experiments,
  COUNT {
    UNWIND models AS m
    MATCH (m)<-[run:RUN]-(x:Experiment)
    WHERE coalesce(run.role, 'output') = 'output'
       OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
    WITH DISTINCT x
    MATCH (x)-[:HAS]->(score:Metric)
    RETURN DISTINCT score
  } AS metrics,
  COLLECT {
    UNWIND models AS m
    MATCH (m)<-[:HAS]-(p:Project)
    WITH DISTINCT p.uid AS project
    RETURN project ORDER BY project
  } AS projects;
