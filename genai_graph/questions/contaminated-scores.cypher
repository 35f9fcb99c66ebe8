// Find scores measured on training data
//
// A score is contaminated if its model, or an ancestor of it, was trained on the dataset that the
// score was measured on.
//
// Columns:
//   model: the model with the score
//   benchmark: the dataset that the score was measured on
//   metric: the uid of the score
//   value: the value of the score
//   trained_via: the model that was trained on the dataset: the model itself or an ancestor
//   certainty: certain if training and evaluation used the same split, suspected if one is unknown

// Lineage is followed two steps at a time, with DISTINCT: the number of paths grows exponentially.
MATCH (x:Experiment)-[:HAS]->(score:Metric)-[:EVALUATED_ON]->(d:Dataset)
MATCH (x)-[run:RUN]->(m:Model)
WHERE coalesce(run.role, 'output') = 'output'
   OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
MATCH (m)-[:DERIVED_FROM*0..2]->(trained2:Model) WITH DISTINCT m, d, score, trained2
MATCH (trained2)-[:DERIVED_FROM*0..2]->(trained4:Model) WITH DISTINCT m, d, score, trained4
MATCH (trained4)-[:DERIVED_FROM*0..2]->(trained6:Model) WITH DISTINCT m, d, score, trained6
MATCH (trained6)-[:DERIVED_FROM*0..2]->(trained:Model) WITH DISTINCT m, d, score, trained
MATCH (trained)-[data:TRAINED_ON]->(d)
WHERE coalesce(data.role, 'training') = 'training'
WITH m, d, score, trained, coalesce(data.split, '') AS seen, coalesce(score.split, '') AS scored
WHERE seen = '' OR scored = '' OR seen = scored
RETURN m.uid AS model, d.uid AS benchmark, score.uid AS metric, score.value AS value,
       trained.uid AS trained_via,
       CASE WHEN '' IN [seen, scored] THEN 'suspected' ELSE 'certain' END AS certainty
ORDER BY model, benchmark, metric, trained_via;
