// Count the dependants of a dataset
//
// Parameters:
//   dataset (uid of a Dataset): the dataset
// Columns:
//   datasets: the number of datasets: this one and those derived from it
//   models: the number of models that were trained on these datasets, and of their descendants
//   experiments: the number of experiments that ran these models
//   metrics: the number of scores of these models
//   projects: the projects that contain these models, a list

// Lineage is followed two steps at a time, with DISTINCT: the number of paths grows exponentially.
MATCH (d:Dataset {uid: $dataset})
MATCH (d)<-[:DERIVED_FROM*0..2]-(derived2:Dataset) WITH DISTINCT derived2
MATCH (derived2)<-[:DERIVED_FROM*0..2]-(derived4:Dataset) WITH DISTINCT derived4
MATCH (derived4)<-[:DERIVED_FROM*0..2]-(derived6:Dataset) WITH DISTINCT derived6
MATCH (derived6)<-[:DERIVED_FROM*0..2]-(derived:Dataset) WITH DISTINCT derived
WITH collect(derived) AS datasets
WITH datasets, COLLECT {
  UNWIND datasets AS d
  MATCH (d)<-[data:TRAINED_ON]-(trained:Model)
  WHERE coalesce(data.role, 'training') = 'training'
  WITH DISTINCT trained
  MATCH (trained)<-[:DERIVED_FROM*0..2]-(m2:Model) WITH DISTINCT m2
  MATCH (m2)<-[:DERIVED_FROM*0..2]-(m4:Model) WITH DISTINCT m4
  MATCH (m4)<-[:DERIVED_FROM*0..2]-(m6:Model) WITH DISTINCT m6
  MATCH (m6)<-[:DERIVED_FROM*0..2]-(m:Model) WITH DISTINCT m
  RETURN m
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
