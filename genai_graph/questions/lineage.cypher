// Show the longest ancestor chain of models
//
// Lists each model that has parents, with its longest chain of ancestors to a root.
//
// Parameters:
//   model (uid of a Model, default null): the only model to list
// Supplied by ask:
//   chains (map): the longest chain of ancestors of each model that has parents, itself first, by uid
// Columns:
//   model: the model
//   depth: the number of steps in the chain
//   chain: the models from this one to the root, a list

UNWIND keys($chains) AS model
WITH model, $chains[model] AS chain
WHERE size(chain) > 1 AND ($model IS NULL OR model = $model)
RETURN model, size(chain) - 1 AS depth, chain
ORDER BY model;
