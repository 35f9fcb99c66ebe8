"""The rows of a machine-written fixture as msgspec Structs, made from the model classes.

msgspec decodes a line straight into them and checks types, ranges, choices and names on the way.
What the models declare is declared nowhere else.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from genai_graph.models import EDGES, NODES
from genai_graph.models.checking import properties_of

if TYPE_CHECKING:
    from genai_graph.models.properties import Strict

_UID = Annotated[str, Meta(min_length=1)]


def node_decoder() -> msgspec.json.Decoder[Any]:
    """Return the decoder of a node's line: `uid` and `props`, by the label under `node`."""
    rows = [
        msgspec.defstruct(
            label,
            [("uid", _UID), ("props", _node_struct(label, cls) | None, None)],
            tag_field="node",
            tag=label,
            forbid_unknown_fields=True,
            gc=False,
        )
        for label, cls in NODES.items()
    ]
    return msgspec.json.Decoder(_union(rows))


def edge_decoder() -> msgspec.json.Decoder[Any]:
    """Return the decoder of an edge's line: `from`, `to` and `props`, by the type under `edge`."""
    label: Any = Literal[tuple(NODES)]
    end = tuple[label, _UID]
    rows = [
        msgspec.defstruct(
            type_,
            [
                ("source", end, msgspec.field(name="from")),
                ("target", end, msgspec.field(name="to")),
                ("props", _edge_struct(type_) | None, None),
            ],
            tag_field="edge",
            tag=type_,
            forbid_unknown_fields=True,
            gc=False,
        )
        for type_ in dict.fromkeys(kind.type for kind in EDGES)
    ]
    return msgspec.json.Decoder(_union(rows))


def _union(kinds: list[Any]) -> Any:
    return functools.reduce(operator.or_, kinds)


def _node_struct(label: str, cls: Any) -> Any:
    declared = properties_of(cls)
    return _struct(f"{label}Props", [(name, p) for name, p in declared.items() if name != "uid"])


def _edge_struct(type_: str) -> Any:
    """Take what any of the type's edges takes; what one of them does not is checked later."""
    models = {model for kind, model in EDGES.items() if kind.type == type_}
    return _struct(f"{type_}Props", [item for m in models for item in properties_of(m).items()])


def _struct(name: str, declared: list[tuple[str, Strict]]) -> Any:
    annotations: dict[str, Any] = {}
    for key, prop in declared:
        kind = prop.annotation if prop.mandatory else prop.annotation | None
        annotations[key] = kind | annotations.get(key, UnsetType)
    fields = [(key, kind, UNSET) for key, kind in annotations.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, gc=False)
