// Each model that has parents, with its longest chain of them to a root
//
// Parameters:
//   model (uid of a Model, default null): this model only
// Columns:
//   model: the model
//   depth: how many steps the chain has, at most 8
//   chain: the models from it to the root, a list

CALL () {
  UNWIND CASE WHEN $model IS NULL THEN [] ELSE [$model] END AS uid
  MATCH (m:Model {uid: uid})
  RETURN m
  UNION
  UNWIND CASE WHEN $model IS NULL THEN ['all'] ELSE [] END AS every
  MATCH (m:Model)-[:DERIVED_FROM]->(:Model)
  RETURN m
}
MATCH path = (m)-[:DERIVED_FROM*1..8]->(:Model)
WITH m.uid AS model, [n IN nodes(path) | n.uid] AS chain
WHERE all(i IN range(0, size(chain) - 2) WHERE NOT chain[i] IN chain[i + 1..])
WITH model, chain
ORDER BY size(chain) DESC, chain
WITH model, head(collect(chain)) AS chain
RETURN model, size(chain) - 1 AS depth, chain
ORDER BY model;
