// Find models that are worse than a parent
//
// Compares the scores of the same metric on the same dataset, the same split and in the same unit.
// Failed and killed runs do not count.
//
// Parameters:
//   split (string, default null): the only split to compare; empty for scores without a split
//   unit (string, default null): the only unit to compare; empty for scores without a unit
// Supplied by ask:
//   known_directions (map): whether greater is better, by the name of a well-known metric
//   split_names (map): the name that spellings of a split have in common, such as val and Validation
// Columns:
//   parent: the parent model
//   child: the model derived from it
//   dataset: the dataset that both were evaluated on
//   metric: the name of the metric
//   old: the best score of the parent
//   new: the best score of the child
//   delta: new - old
//   split: the split of the dataset
//   unit: the unit of the scores
// Not judged:
//   metric: it is unknown whether greater is better, or the scores contradict each other; set
//     greater_is_better

MATCH (child:Model)-[:DERIVED_FROM]->(parent:Model)
WITH DISTINCT child, parent
CALL (child) {
  MATCH (child)<-[:MEASURES]-(after:Metric)<-[:HAS]-(x:Experiment)
  WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
  RETURN DISTINCT after
  UNION
  MATCH (child)<-[run:RUN]-(x:Experiment)
  WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
    AND (coalesce(run.role, 'output') = 'output'
      OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' })
  MATCH (x)-[:HAS]->(after:Metric)
  WHERE NOT EXISTS { MATCH (after)-[:MEASURES]->(:Model) }
  RETURN DISTINCT after
}
MATCH (after)-[:EVALUATED_ON]->(d:Dataset)
WHERE after.value < 0 OR after.value >= 0
WITH child, parent, d, collect(after) AS afters
CALL (parent) {
  MATCH (parent)<-[:MEASURES]-(before:Metric)<-[:HAS]-(x:Experiment)
  WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
  RETURN DISTINCT before
  UNION
  MATCH (parent)<-[run:RUN]-(x:Experiment)
  WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
    AND (coalesce(run.role, 'output') = 'output'
      OR NOT EXISTS { MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' })
  MATCH (x)-[:HAS]->(before:Metric)
  WHERE NOT EXISTS { MATCH (before)-[:MEASURES]->(:Model) }
  RETURN DISTINCT before
}
MATCH (before)-[:EVALUATED_ON]->(other:Dataset)
WHERE other = d AND (before.value < 0 OR before.value >= 0)
UNWIND afters AS after
WITH parent, child, d, before, after,
     coalesce($split_names[toStringOrNull(after.split)], after.split, '') AS split,
     coalesce(after.unit, '') AS unit
WHERE before.name = after.name AND unit = coalesce(before.unit, '')
  AND split = coalesce($split_names[toStringOrNull(before.split)], before.split, '')
  AND ($split IS NULL OR split = $split) AND ($unit IS NULL OR unit = $unit)
WITH parent.uid AS parent, child.uid AS child, d.uid AS dataset, after.name AS metric, split, unit,
     collect(before.value) AS olds, collect(after.value) AS news,
     collect(before.greater_is_better) + collect(after.greater_is_better) AS declared
WITH parent, child, dataset, metric, split, unit, olds, news,
     CASE WHEN true IN declared AND false IN declared THEN null
          WHEN true IN declared THEN 1 WHEN false IN declared THEN -1
          WHEN $known_directions[metric] THEN 1
          WHEN NOT $known_directions[metric] THEN -1 END AS direction
WITH parent, child, dataset, metric, split, unit, direction,
     reduce(best = head(olds), one IN olds |
       CASE WHEN direction * one > direction * best THEN one ELSE best END) AS old,
     reduce(best = head(news), one IN news |
       CASE WHEN direction * one > direction * best THEN one ELSE best END) AS new
WHERE direction IS NULL OR direction * new < direction * old
RETURN parent, child, dataset, metric, old, new, new - old AS delta,
       CASE WHEN split <> '' THEN split END AS split, CASE WHEN unit <> '' THEN unit END AS unit,
       direction IS NOT NULL AS is_judged
ORDER BY parent, child, dataset, metric, split, unit;
