"""The signature and the documentation of a node class, derived from its properties."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from genai_graph.registry import INCOMING, OUTGOING, properties_of


def signature_of(cls: Any) -> inspect.Signature:
    """Return the properties as keyword arguments; those with a default of None are optional."""
    known: dict[str, Any] = properties_of(cls)
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if prop.is_required and name != "uid" else None,
        )
        for name, prop in known.items()
    ]
    return inspect.Signature(parameters)


def describe(cls: Any) -> str:
    """Return the docstring of a class, with its properties and relationships."""
    lines = [inspect.cleandoc(cls.__doc__ or ""), "", "Properties:", *_properties(cls)]
    label = cls.__dict__.get("__label__", cls.__name__)
    relationships: dict[str, Any] = {**OUTGOING.get(label, {}), **INCOMING.get(label, {})}
    if relationships:
        lines += ["", "Relationships:"]
        lines += [f"  {name}: {rel.edge_type}" for name, rel in relationships.items()]
    return "\n".join(lines)


def _properties(cls: Any) -> Iterator[str]:
    known: dict[str, Any] = properties_of(cls)
    for name, prop in known.items():
        type_ = prop.type_name.replace("`", "")
        required = ", required" if prop.is_required and name != "uid" else ""
        text = f": {prop.help_text}" if prop.help_text else ""
        yield f"  {name} ({type_}{required}){text}"
