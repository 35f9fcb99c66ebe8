"""Decoders of msgspec for the lines of JSON Lines, derived from the node and edge classes.

They validate types, ranges, choices and names while decoding, by the annotations of the properties.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from genai_graph.registry import NODES, edge_type_names, properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_graph.properties.types import Property


NO_PROPS = msgspec.Raw(b"null")  # the default, recognized by identity
_UID = Annotated[str, Meta(min_length=1)]


@functools.cache
def node_decoder() -> msgspec.json.Decoder[Any]:
    """Return the decoder of nodes: a struct per label, with `uid` and `props`."""
    structs = [
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
    return msgspec.json.Decoder(_union(structs))


@functools.cache
def edge_decoder() -> msgspec.json.Decoder[Any]:
    """Return the decoder of edges: a struct per type name, with `source`, `target` and `props`.

    `props` is left undecoded: the properties also depend on the labels of both ends.
    """
    label: Any = Literal[tuple(NODES)]
    end = tuple[label, _UID]
    structs = [
        msgspec.defstruct(
            type_,
            [
                ("source", end, msgspec.field(name="from")),
                ("target", end, msgspec.field(name="to")),
                ("props", msgspec.Raw, NO_PROPS),
            ],
            tag_field="edge",
            tag=type_,
            forbid_unknown_fields=True,
            gc=False,
        )
        for type_ in edge_type_names()
    ]
    return msgspec.json.Decoder(_union(structs))


@functools.cache
def point_decoder() -> msgspec.json.Decoder[Any]:
    """Return the decoder of the points of a journal, which name the uid of a metric."""
    metric = properties_of(NODES["Metric"])
    fields = [
        ("point", metric["uid"].annotation),
        ("value", metric["value"].annotation),
        ("step", metric["step"].annotation),
    ]
    return msgspec.json.Decoder(
        msgspec.defstruct("Point", fields, forbid_unknown_fields=True, gc=False)
    )


@functools.cache
def properties_decoder(cls: Any) -> msgspec.json.Decoder[Any]:
    """Return the decoder of the properties of an edge class."""
    return msgspec.json.Decoder(_struct(cls.__name__, properties_of(cls)) | None)


def _union(structs: list[Any]) -> Any:
    return functools.reduce(operator.or_, structs)


def _node_struct(label: str, cls: Any) -> Any:
    declared = {name: prop for name, prop in properties_of(cls).items() if name != "uid"}
    return _struct(f"{label}Props", declared)


def _struct(name: str, declared: Mapping[str, Property[Any]]) -> Any:
    fields = [(key, _annotation(prop) | UnsetType, UNSET) for key, prop in declared.items()]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, gc=False)


def _annotation(prop: Property[Any]) -> Any:
    # msgspec does not accept Raw in a union with None, and a raw document may be null anyway.
    is_complete = prop.is_required or prop.annotation is msgspec.Raw
    return prop.annotation if is_complete else prop.annotation | None
