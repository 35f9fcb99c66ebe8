// Each model that has parents, with its longest chain of them to a root
//
// Parameters:
//   model (uid of a Model, default null): this model only
// Columns:
//   model: the model
//   depth: how many steps the chain has, at most 8
//   chain: the models from it to the root, a list

// A way is a list: its steps, less than zero, then its models; so the least one is the longest, and of
// equal ones the first. Of all ways to a model only that one goes on: there are too many of them.
CALL () {
  // From the model to its ancestors: of all the ways that end somewhere one is the least.
  MATCH (x:Model {uid: $model})
  WITH x, [0, x.uid] AS way
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1] + tail(way) + y.uid]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  WITH min(way) AS way WHERE way IS NOT NULL
  RETURN way
  UNION
  // From all parents to their descendants: each model keeps the least of its own.
  UNWIND CASE WHEN $model IS NULL THEN ['all'] ELSE [] END AS every
  MATCH (x:Model)<-[:DERIVED_FROM]-(:Model)
  WITH DISTINCT x, [0, x.uid] AS way
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN way
  UNWIND [[x, way], [y, [way[0] - 1, y.uid] + tail(way)]] AS one
  WITH one[0] AS x, min(one[1]) AS way WHERE x IS NOT NULL
  RETURN way
}
WITH -way[0] AS depth, tail(way) AS chain
WHERE depth > 0
RETURN chain[0] AS model, depth, chain
ORDER BY model;
