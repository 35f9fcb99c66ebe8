"""Reading and writing nodes and edges: the statements behind the OGM, loads and dumps.

Rows contain database values. Nodes are matched by label and uid, edges by the uids of their ends,
and every statement starts at the unique index on uid. A write reads first and changes only what
differs, so that `updated_at` changes only when a value does.
"""
