"""genai_graph: a metadata graph of machine-learning work, on Neo4j.

Most public names are imported on first use, so that ``import genai_graph`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genai_graph import errors
from genai_graph.errors import FixtureError, GenaiGraphError

if TYPE_CHECKING:
    from genai_graph.comparison import Comparison, compare
    from genai_graph.database import (
        Connection,
        aatomic,
        aquery,
        atomic,
        connect,
        on_commit,
        query,
        retry,
    )
    from genai_graph.exchange import Report, check, clear, dump, load
    from genai_graph.importers import ImportReport, import_from
    from genai_graph.integrity import Finding, verify
    from genai_graph.models import Dataset, Experiment, Metric, Model, Project
    from genai_graph.ogm.aggregates import Avg, Count, Max, Min, Sum
    from genai_graph.ogm.conditions import Q
    from genai_graph.ogm.edge import Edge
    from genai_graph.ogm.extension import extend
    from genai_graph.ogm.node import Node, VersionedNode
    from genai_graph.ogm.node_set import NodeSet
    from genai_graph.ogm.relationships import RelationshipTo
    from genai_graph.pictures.subgraph import Subgraph, SubgraphEdge, SubgraphNode
    from genai_graph.questions import Answer, aask, ask
    from genai_graph.runs import Run, start_run
    from genai_graph.searches import SearchResult, search

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Avg",
    "Comparison",
    "Connection",
    "Count",
    "Dataset",
    "Edge",
    "Experiment",
    "Finding",
    "FixtureError",
    "GenaiGraphError",
    "ImportReport",
    "Max",
    "Metric",
    "Min",
    "Model",
    "Node",
    "NodeSet",
    "Project",
    "Q",
    "RelationshipTo",
    "Report",
    "Run",
    "SearchResult",
    "Subgraph",
    "SubgraphEdge",
    "SubgraphNode",
    "Sum",
    "VersionedNode",
    "__version__",
    "aask",
    "aatomic",
    "aquery",
    "ask",
    "atomic",
    "check",
    "clear",
    "compare",
    "connect",
    "dump",
    "errors",
    "extend",
    "import_from",
    "load",
    "on_commit",
    "query",
    "retry",
    "search",
    "start_run",
    "verify",
]

_DATABASE = ["Connection", "aatomic", "aquery", "atomic", "connect", "on_commit", "query", "retry"]
_MODULES = {
    **dict.fromkeys(["Dataset", "Experiment", "Metric", "Model", "Project"], "models"),
    **dict.fromkeys(["Node", "VersionedNode"], "ogm.node"),
    "Edge": "ogm.edge",
    "RelationshipTo": "ogm.relationships",
    "extend": "ogm.extension",
    **dict.fromkeys(["Avg", "Count", "Max", "Min", "Sum"], "ogm.aggregates"),
    "NodeSet": "ogm.node_set",
    "Q": "ogm.conditions",
    **dict.fromkeys(["Subgraph", "SubgraphEdge", "SubgraphNode"], "pictures.subgraph"),
    **dict.fromkeys(_DATABASE, "database"),
    **dict.fromkeys(["Report", "check", "clear", "dump", "load"], "exchange"),
    **dict.fromkeys(["ImportReport", "import_from"], "importers"),
    **dict.fromkeys(["Answer", "aask", "ask"], "questions"),
    **dict.fromkeys(["Finding", "verify"], "integrity"),
    **dict.fromkeys(["Run", "start_run"], "runs"),
    **dict.fromkeys(["SearchResult", "search"], "searches"),
    **dict.fromkeys(["Comparison", "compare"], "comparison"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(".models", __name__)  # registers the node classes, which connections need
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
