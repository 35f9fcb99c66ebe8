"""Importers: MLflow stores, Hugging Face cards, Croissant files and tables of runs.

The names are imported on first use: the command line lists the kinds without importing an importer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_graph.importers.importing import import_from
    from genai_graph.importers.report import ImportReport

__all__ = ["ImportReport", "import_from"]

_MODULES = {"ImportReport": "report", "import_from": "importing"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("genai_graph.models")  # registers the node classes
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
