// Show the longest ancestor chain of models
//
// Lists each model that has parents, with its longest chain of ancestors to a root.
//
// Parameters:
//   model (uid of a Model, default null): the only model to list
// Columns:
//   model: the model
//   depth: the number of steps in the chain, at most 8
//   chain: the models from this one to the root, a list

// A path is a list: its negative length, then its models. So the minimum of several paths is the
// longest one, and among equally long ones the first in the order of uids. Only that one is extended
// further, because the number of paths grows exponentially.
CALL () {
  // From one model to its ancestors. Per end, only the smallest path is kept.
  MATCH (x:Model {uid: $model})
  WITH x, [0, x.uid] AS path
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)-[:DERIVED_FROM]->(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1] + tail(path) + y.uid]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  WITH min(path) AS path WHERE path IS NOT NULL
  RETURN path
  UNION
  // From all parents to their descendants. Per descendant, only the smallest path is kept.
  UNWIND CASE WHEN $model IS NULL THEN ['all'] ELSE [] END AS all_models
  MATCH (x:Model)<-[:DERIVED_FROM]-(:Model)
  WITH DISTINCT x, [0, x.uid] AS path
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  OPTIONAL MATCH (x)<-[:DERIVED_FROM]-(y:Model) WHERE NOT y.uid IN path
  UNWIND [[x, path], [y, [path[0] - 1, y.uid] + tail(path)]] AS state
  WITH state[0] AS x, min(state[1]) AS path WHERE x IS NOT NULL
  RETURN path
}
WITH -path[0] AS depth, tail(path) AS chain
WHERE depth > 0
RETURN chain[0] AS model, depth, chain
ORDER BY model;
