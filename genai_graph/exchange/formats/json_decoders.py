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

from genai_graph.registry import EDGES, NODES, properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_graph.properties.types import Property


ABSENT = msgspec.Raw(b"null")
_UID = Annotated[str, Meta(min_length=1)]


@functools.cache
def node_decoder() -> msgspec.json.Decoder[Any]:
    """Return the decoder of a node's line: `uid` and `props`, by the label under `node`."""
    rows = [
        msgspec.defstruct(
            label,
            [
                ("uid", properties_of(cls)["uid"].annotation),
                ("props", _node_struct(label, cls) | None, None),
            ],
            tag_field="node",
            tag=label,
            forbid_unknown_fields=True,
            gc=False,
        )
        for label, cls in NODES.items()
    ]
    return msgspec.json.Decoder(_union(rows))


@functools.cache
def edge_decoder() -> msgspec.json.Decoder[Any]:
    """Return the decoder of an edge's line: `from`, `to` and `props`, by the type under `edge`.

    The properties are left as they are: what may be in them is told by the ends too.
    """
    label: Any = Literal[tuple(NODES)]
    end = tuple[label, _UID]
    rows = [
        msgspec.defstruct(
            type_,
            [
                ("source", end, msgspec.field(name="from")),
                ("target", end, msgspec.field(name="to")),
                ("props", msgspec.Raw, ABSENT),
            ],
            tag_field="edge",
            tag=type_,
            forbid_unknown_fields=True,
            gc=False,
        )
        for type_ in dict.fromkeys(kind.type for kind in EDGES)
    ]
    return msgspec.json.Decoder(_union(rows))


@functools.cache
def properties_decoder(cls: Any) -> msgspec.json.Decoder[Any]:
    """Return the decoder of the properties of an edge's class."""
    return msgspec.json.Decoder(_struct(cls.__name__, properties_of(cls)) | None)


def _union(kinds: list[Any]) -> Any:
    return functools.reduce(operator.or_, kinds)


def _node_struct(label: str, cls: Any) -> Any:
    declared = {name: prop for name, prop in properties_of(cls).items() if name != "uid"}
    return _struct(f"{label}Props", declared)


def _struct(name: str, declared: Mapping[str, Property[Any]]) -> Any:
    fields = [(key, _type(prop) | UnsetType, UNSET) for key, prop in declared.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, gc=False)


def _type(prop: Property[Any]) -> Any:
    # A raw document can be null already, and msgspec takes nothing raw in a choice with None.
    is_whole = prop.is_required or prop.annotation is msgspec.Raw
    return prop.annotation if is_whole else prop.annotation | None
