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
// Left out:
//   metric: it is unknown whether greater is better, or the scores contradict each other; set
//     greater_is_better
//   child: no score of the child is comparable to a score of the parent

MATCH (child:Model)-[:DERIVED_FROM]->(parent:Model)
WITH DISTINCT parent, child
ORDER BY child.uid
WITH parent, collect(child) AS children
ORDER BY parent.uid
// The scores of a parent are read once, however many children it has.
CALL (parent) {
  CALL (parent) {
    MATCH (parent)<-[:MEASURES]-(score:Metric)<-[:HAS]-(x:Experiment)
    WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
    RETURN DISTINCT score
    UNION
    MATCH (parent)<-[run:RUN]-(x:Experiment)
    WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
      AND (coalesce(run.role, 'output') = 'output' OR NOT EXISTS {
        MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output'
      })
    MATCH (x)-[:HAS]->(score:Metric)
    WHERE NOT EXISTS { MATCH (score)-[:MEASURES]->(:Model) }
    RETURN DISTINCT score
  }
  MATCH (score)-[:EVALUATED_ON]->(d:Dataset)
  WHERE score.value < 0 OR score.value >= 0
  RETURN collect({score: score, dataset: d.uid, is_new: false}) AS old_scores
}
WITH parent, children, old_scores
WHERE size(old_scores) > 0
UNWIND children AS child
CALL (child) {
  CALL (child) {
    MATCH (child)<-[:MEASURES]-(score:Metric)<-[:HAS]-(x:Experiment)
    WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
    RETURN DISTINCT score
    UNION
    MATCH (child)<-[run:RUN]-(x:Experiment)
    WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']
      AND (coalesce(run.role, 'output') = 'output' OR NOT EXISTS {
        MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output'
      })
    MATCH (x)-[:HAS]->(score:Metric)
    WHERE NOT EXISTS { MATCH (score)-[:MEASURES]->(:Model) }
    RETURN DISTINCT score
  }
  MATCH (score)-[:EVALUATED_ON]->(d:Dataset)
  WHERE score.value < 0 OR score.value >= 0
  RETURN collect({score: score, dataset: d.uid, is_new: true}) AS new_scores
}
WITH parent, child, old_scores, new_scores
WHERE size(new_scores) > 0
CALL (old_scores, new_scores) {
  UNWIND old_scores + new_scores AS one
  WITH one.dataset AS dataset, one.score AS score, one.is_new AS is_new,
       coalesce(one.score.unit, '') AS unit,
       coalesce($split_names[toStringOrNull(one.score.split)], one.score.split, '') AS split
  WHERE ($split IS NULL OR split = $split) AND ($unit IS NULL OR unit = $unit)
  WITH score.name AS metric, dataset, split, unit,
       collect(CASE WHEN NOT is_new THEN score.value END) AS olds,
       collect(CASE WHEN is_new THEN score.value END) AS news,
       collect(score.greater_is_better) AS declared
  WITH metric,
       collect({dataset: dataset, split: split, unit: unit, olds: olds, news: news,
                declared: declared}) AS groups
  WITH metric, groups, [one IN groups WHERE size(one.olds) > 0] AS of_parent
  WHERE size(of_parent) > 0 AND any(one IN groups WHERE size(one.news) > 0)
  WITH metric, [one IN of_parent WHERE size(one.news) > 0] AS compared
  UNWIND CASE WHEN size(compared) = 0 THEN [null] ELSE compared END AS one
  WITH metric, one, one.declared AS declared
  WITH metric, one,
       CASE WHEN true IN declared AND false IN declared THEN null
            WHEN true IN declared THEN 1 WHEN false IN declared THEN -1
            WHEN $known_directions[metric] THEN 1
            WHEN NOT $known_directions[metric] THEN -1 END AS direction
  // + 0.0, because -0.0 is less than 0.0 on Neo4j.
  WITH metric, one, direction,
       reduce(best = head(one.olds), value IN one.olds |
         CASE WHEN direction * value + 0.0 > direction * best + 0.0 THEN value ELSE best END) AS old,
       reduce(best = head(one.news), value IN one.news |
         CASE WHEN direction * value + 0.0 > direction * best + 0.0 THEN value ELSE best END) AS new
  WHERE one IS NULL OR direction IS NULL OR direction * new + 0.0 < direction * old + 0.0
  RETURN one.dataset AS dataset, metric, old, new, new - old AS delta,
         CASE WHEN one.split <> '' THEN one.split END AS split,
         CASE WHEN one.unit <> '' THEN one.unit END AS unit,
         CASE WHEN one IS NULL THEN 'child' WHEN direction IS NULL THEN 'metric' END AS left_out
  ORDER BY dataset, metric, split, unit
}
RETURN parent.uid AS parent, child.uid AS child, dataset, metric, old, new, delta, split, unit,
       left_out;
