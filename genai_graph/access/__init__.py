"""Access control: encryption keys, roles, and users of the embedded engine."""

import genai_graph.models  # noqa: F401  (registers the node classes)
