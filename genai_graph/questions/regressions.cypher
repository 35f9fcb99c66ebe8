// Find models that are worse than a parent
//
// Compares the scores of the same metric on the same dataset and the same split.
//
// Supplied by ask:
//   known_directions (map): whether greater is better, by the name of a well-known metric
// Columns:
//   parent: the parent model
//   child: the model derived from it
//   dataset: the dataset that both were evaluated on
//   metric: the name of the metric
//   old: the best score of the parent
//   new: the best score of the child
//   delta: new - old

MATCH (child:Model)-[:DERIVED_FROM]->(parent:Model)
CALL (child) {
  MATCH (child)<-[run:RUN]-(x:Experiment)
  WHERE coalesce(run.role, 'output') = 'output'
     OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
  MATCH (x)-[:HAS]->(after:Metric)-[:EVALUATED_ON]->(d:Dataset)
  WHERE after.value < 0 OR after.value >= 0
  RETURN after, d
}
CALL (parent) {
  MATCH (parent)<-[run:RUN]-(x:Experiment)
  WHERE coalesce(run.role, 'output') = 'output'
     OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }
  MATCH (x)-[:HAS]->(before:Metric)-[:EVALUATED_ON]->(other:Dataset)
  WHERE before.value < 0 OR before.value >= 0
  RETURN before, other
}
WITH parent, child, d, before, after, other
WHERE other = d AND before.name = after.name
  AND coalesce(before.split, '') = coalesce(after.split, '')
WITH parent.uid AS parent, child.uid AS child, d.uid AS dataset, after.name AS metric,
     coalesce(after.split, '') AS split,
     collect(before.value) AS olds, collect(after.value) AS news,
     collect(before.greater_is_better) + collect(after.greater_is_better) AS declared
WITH parent, child, dataset, metric, olds, news,
     CASE WHEN true IN declared AND false IN declared THEN null
          WHEN true IN declared THEN 1 WHEN false IN declared THEN -1
          WHEN $known_directions[toLower(metric)] THEN 1
          WHEN NOT $known_directions[toLower(metric)] THEN -1 END AS direction
WHERE direction IS NOT NULL
WITH parent, child, dataset, metric, direction,
     reduce(best = head(olds), one IN olds |
       CASE WHEN direction * one > direction * best THEN one ELSE best END) AS old,
     reduce(best = head(news), one IN news |
       CASE WHEN direction * one > direction * best THEN one ELSE best END) AS new
WHERE direction * new < direction * old
RETURN parent, child, dataset, metric, old, new, new - old AS delta
ORDER BY parent, child, dataset, metric, old, new;
