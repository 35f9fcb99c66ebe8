"""Who may see and do what: the keys of what is encrypted, roles, and users."""

import genai_graph.models  # noqa: F401  (registers the node classes)
