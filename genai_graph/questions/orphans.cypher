// Find nodes that nothing refers to
//
// Lists datasets that no project contains, no model was trained on, no experiment used and no
// metric was evaluated on; models without training data that no experiment ran, no model is
// derived from and no metric measures; and metrics without an experiment. If your own classes add
// edges of these types, those from a project, model, experiment or metric count, too.
//
// Columns:
//   kind: Dataset, Model or Metric
//   uid: the uid of the node

CALL () {
  MATCH (d:Dataset)
  WHERE d.uid IS NOT NULL
    AND NOT EXISTS {
      MATCH (d)<-[:HAS|TRAINED_ON|USED|EVALUATED_ON]-(n)
      WHERE n:Project OR n:Model OR n:Experiment OR n:Metric
    }
  RETURN 'Dataset' AS kind, d.uid AS uid
  ORDER BY uid
  UNION ALL
  MATCH (score:Metric)
  WHERE score.uid IS NOT NULL
    AND NOT EXISTS { MATCH (score)<-[:HAS]-(:Experiment) }
  RETURN 'Metric' AS kind, score.uid AS uid
  ORDER BY uid
  UNION ALL
  MATCH (m:Model)
  WHERE m.uid IS NOT NULL
    AND NOT EXISTS { MATCH (m)-[:TRAINED_ON]->() }
    AND NOT EXISTS {
      MATCH (m)<-[:RUN|DERIVED_FROM|MEASURES]-(n)
      WHERE n:Experiment OR n:Model OR n:Metric
    }
  RETURN 'Model' AS kind, m.uid AS uid
  ORDER BY uid
}
RETURN kind, uid;
