"""Additional properties and relationships of the node classes of this package."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from genai_graph.errors import DeclarationError
from genai_graph.ogm.relationships import RelationshipTo
from genai_graph.properties.types import Property
from genai_graph.registry import NODES, add_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_graph.ogm.node import Node

E = TypeVar("E")

_IGNORED = frozenset({"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__"})
_IGNORED |= {"__annotations__", "__static_attributes__", "__firstlineno__", "__annotate_func__"}


def extend(cls: type[Node]) -> Callable[[type[E]], type[E]]:
    """Return a decorator that adds the attributes of a class to a node class.

    ::

        @extend(Model)
        class Billing:
            team = StringProperty(index=True)
            cost_usd = FloatProperty(minimum=0)

    The attributes are properties and relationships; a property can't be required, since stored
    nodes lack it. All of this must happen before the first connection, load or check. Type checkers
    need the stubs that ``genai-graph schema stubs`` writes.

    Raises `DeclarationError` for any other attribute, a name that exists, and a late declaration.
    """
    if cls not in NODES.values():
        raise DeclarationError(f"extend: expected a node class such as Model, got {cls!r}")

    def add(declared: type[E]) -> type[E]:
        attributes = {
            name: copy.copy(value)  # a base class may serve several classes
            for base in reversed(declared.__mro__[:-1])
            for name, value in vars(base).items()
            if name not in _IGNORED
        }
        for name in inspect.get_annotations(declared).keys() - attributes.keys():
            raise DeclarationError(
                f"{declared.__qualname__}.{name}: an annotation declares no property: write "
                f"{name} = StringProperty(), or another type of genai_graph.properties"
            )
        for name, value in attributes.items():
            _validate(f"{declared.__qualname__}.{name}", value)
        add_attributes(cls, attributes, declared.__module__)
        return declared

    return add


def _validate(subject: str, value: Any) -> None:
    if isinstance(value, Property) and value.is_required:
        raise DeclarationError(
            f"{subject}: an additional property can't be required, since stored nodes lack it: "
            f"use {type(value).__name__.removeprefix('Required')}"
        )
    if not isinstance(value, (Property, RelationshipTo)):
        raise DeclarationError(
            f"{subject}: expected a property of genai_graph.properties or a RelationshipTo, "
            f"got {value!r}"
        )
