"""The object-graph mapper: node classes, relationships and node sets on top of neomodel."""
