"""The registry of node classes and edge types.

Node classes register themselves here when they are declared: those of `genai_graph.models` and the
user's own. Everything below the models looks classes up in the registry and never imports them.
The registry closes at the first connection, load or check, since file formats, the schema and much
else are derived from it once.
"""

from __future__ import annotations

import functools
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from neomodel import db
from neomodel.util import RelationshipDirection

from genai_graph.database import indexes
from genai_graph.database.connection import before_connecting, before_first_write
from genai_graph.database.cypher import match_uid, quote_name
from genai_graph.database.settings import read_settings
from genai_graph.errors import DeclarationError, SettingsError

if TYPE_CHECKING:
    from genai_graph.ogm.edge import Edge
    from genai_graph.ogm.node import Node
    from genai_graph.ogm.relationships import RelationshipFrom, RelationshipTo
    from genai_graph.properties.types import Property


class EdgeType(msgspec.Struct, frozen=True, cache_hash=True):
    """A type of edge between two labels, and its constraints.

    `acyclic` edges never form a cycle. With `single_target` a source has at most one target, with
    `single_source` a target has at most one source. `start_at_target` says that the target is the
    end with fewer edges, from which the edge is looked up.

    Two nodes have one edge for each combination of the properties in `key`, given as (name, value
    that a missing property stands for); without a key, one edge.
    """

    source: str
    type: str
    target: str
    acyclic: bool = False
    single_source: bool = False
    single_target: bool = False
    start_at_target: bool = False
    key: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        return f"{self.source}-{self.type}->{self.target}"

    @property
    def has_constraints(self) -> bool:
        """Whether an edge between two existing nodes can be refused."""
        return self.acyclic or self.single_source or self.single_target

    @property
    def low_degree_label(self) -> str:
        """The label of the end with fewer edges."""
        return self.target if self.start_at_target else self.source

    @property
    def pattern(self) -> str:
        """The Cypher pattern of the edge `r` from `a` to `b`, starting at the low-degree end.

        The embedded engine scans the edges of the node that is written first.
        """
        type_ = quote_name(self.type)
        return f"(b)<-[r:{type_}]-(a)" if self.start_at_target else f"(a)-[r:{type_}]->(b)"

    def pattern_from(self, *, by_source: bool) -> str:
        """Return the pattern of the edge `r` starting at one end, with the label of the other."""
        type_ = quote_name(self.type)
        if by_source:
            return f"(a)-[r:{type_}]->(b:{quote_name(self.target)})"
        return f"(b)<-[r:{type_}]-(a:{quote_name(self.source)})"

    def match_ends(self, source: str, target: str) -> str:
        """Return the clauses that match `a` and `b` by Cypher expressions for their uids."""
        return f"{match_uid('a', self.source, source)} {match_uid('b', self.target, target)}"

    def create(self, values: str) -> str:
        """Return the clause that creates the edge from `a` to `b`.

        `values` is a Cypher expression for its properties, or "".
        """
        return f"CREATE {self.pattern}" + (f" SET r = {values}" if values else "")

    def merge(self, values: str, key: Mapping[str, str]) -> str:
        """Return the clauses that create the edge from `a` to `b`, or update the existing one.

        `values` is a Cypher expression for its properties, or "". `key` are the expressions for the
        properties of its key, by name.
        """
        if not self.key:
            return f"MERGE {self.pattern} SET r += {values}" if values else f"MERGE {self.pattern}"
        values = values or "{}"
        # MERGE can't match missing properties.
        return (
            f"OPTIONAL MATCH {self.pattern}{self.where(key)} "
            "FOREACH (_ IN CASE WHEN r IS NULL THEN [1] ELSE [] END | "
            f"CREATE (a)-[new:{quote_name(self.type)}]->(b) SET new = {values}) "
            f"FOREACH (old IN CASE WHEN r IS NULL THEN [] ELSE [r] END | SET old += {values})"
        )

    def where(self, values: Mapping[str, str]) -> str:
        """Return the WHERE clause for properties of the edge `r`, or "" without properties.

        `values` are Cypher expressions by name. Null equals a missing property.
        """
        return " WHERE " + " AND ".join(starmap(self._equals, values.items())) if values else ""

    def _equals(self, name: str, value: str) -> str:
        stored, default = f"r.{quote_name(name)}", dict(self.key).get(name)
        if default is None:
            return f"coalesce({stored} = {value}, {stored} IS NULL AND {value} IS NULL)"
        literal = json.dumps(default)  # a JSON string is also one in Cypher
        return f"coalesce({stored}, {literal}) = coalesce({value}, {literal})"

    @property
    def key_order(self) -> list[str]:
        """The Cypher expressions that sort the edges `r` between two nodes, as `sort_key` does."""
        return [
            f"CASE r.{quote_name(name)} WHEN {json.dumps(default or '')} THEN '' "
            f"ELSE coalesce(r.{quote_name(name)}, '') END"
            for name, default in self.key
        ]

    def key_of(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values of the key, which tell apart the edges between two nodes."""
        if not self.key:  # of most types; called for each edge of a load
            return ()
        return tuple(
            [
                default if (value := values.get(name)) is None else value
                for name, default in self.key
            ]
        )

    def key_columns(self, rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
        """Return the values of the key of many edges, a list for each property."""
        return [
            [default if (value := values.get(name)) is None else value for values in rows]
            for name, default in self.key
        ]

    def sort_key(self, values: Mapping[str, Any]) -> tuple[tuple[bool, str], ...]:
        """Return the key in a form that can be sorted and hashed, whatever is stored.

        Default values come first, the others in the order of their text.
        """
        return tuple(
            (value is not None and value != default, "" if value is None else str(value))
            for (_, default), value in zip(self.key, self.key_of(values), strict=True)
        )

    def describe_key(self, values: Mapping[str, Any]) -> str:
        """Return the key as text for messages: `` with role 'test', split 'a'``, or "".

        Default values are omitted.
        """
        named = zip(self.key, self.key_of(values), strict=True)
        text = ", ".join(f"{n} {value!r}" for (n, default), value in named if value != default)
        return f" with {text}" if text else ""


NODES: dict[str, type[Node]] = {}
EDGES: dict[EdgeType, type[Edge]] = {}
# Relationship attributes: by label, then by the name of the attribute.
OUTGOING: dict[str, dict[str, RelationshipTo[Any]]] = {}
INCOMING: dict[str, dict[str, RelationshipFrom[Any]]] = {}
# Attributes that `extend` and `reverse` added to classes, by label and name.
ADDED: dict[str, dict[str, Any]] = {}


# The modules outside this package that declare node classes or properties, in order.
MODULES: dict[str, None] = {}
MODULES_SETTING, _ENTRY_POINTS = "GENAI_GRAPH_MODELS", "genai_graph.models"
_PACKAGE = __name__.partition(".")[0]
# `pk` is an alias of the uid in conditions; the last ones are lookups of relationships.
_RESERVED = ("id", "pk", "deleted", "element_id", "nodes", "exact", "ne", "in", "isnull", "exists")
_is_closed = False
# By the label of a class that is not declared yet: the relationships to add to it.
_awaited: dict[str, list[RelationshipTo[Any]]] = defaultdict(list)


def register(cls: type[Node]) -> None:
    """Add a node class, with the edge types of its relationships.

    Raises `DeclarationError` if the label exists, or the registry is closed.
    """
    label = cls.__label__
    _require_open(label, cls.__module__)
    if label in NODES:
        raise DeclarationError(
            f"{cls.__module__}.{label}: the label {label} is declared by "
            f"{NODES[label].__module__}: choose another name"
        )
    for name, prop in cls.defined_properties(aliases=False, rels=False).items():
        _require_usable(label, name, prop)
    for name, relationship in cls.__all_relationships__:
        _require_usable_name(label, name)
        _require_own_relationship(label, name, relationship)
    for name, value in (item for base in cls.__mro__ for item in vars(base).items()):
        if isinstance(value, type) and hasattr(value, "to_db"):
            raise DeclarationError(f"{label}.{name}: add parentheses: {value.__name__}()")
    NODES[label], OUTGOING[label], INCOMING[label] = cls, {}, {}
    # neomodel resolves labels to the class declared last, which may be a user's own class.
    db._NODE_CLASS_REGISTRY[frozenset({label})] = cls
    for name, relationship in cls.__all_relationships__:
        _register_relationship(label, name, relationship)
    for relationship in _awaited.pop(label, ()):
        _add_reverse(relationship)


def _register_relationship(label: str, name: str, relationship: Any) -> None:
    if relationship.definition["direction"] == RelationshipDirection.INCOMING:
        INCOMING[label][name] = relationship
        return
    edge_type = relationship.edge_type
    if edge_type.single_source and edge_type.source != "Experiment":
        raise DeclarationError(
            f"{label}.{name}: exclusive is for the metrics of an experiment, which files nest "
            f"under it: declare the relationship on {edge_type.target}, with at_most_one"
        )
    for other, declared in OUTGOING[label].items():
        if str(declared.edge_type) == str(edge_type):
            raise DeclarationError(
                f"{label}.{name}: the edges {edge_type} are those of {label}.{other}: use another "
                "edge type, or tell them apart by a property of the edge class"
            )
    model = relationship.definition["model"]
    for each, prop in model.defined_properties(aliases=False, rels=False).items():
        _require_usable(model.__name__, each, prop)
    OUTGOING[label][name] = relationship
    EDGES[edge_type] = model
    if relationship.reverse is None:
        return
    if edge_type.target in NODES:
        _add_reverse(relationship)
    else:
        _awaited[edge_type.target].append(relationship)


def _add_reverse(relationship: RelationshipTo[Any]) -> None:
    """Add the attribute of the other end, named by the argument `reverse`."""
    target = NODES[relationship.edge_type.target]
    attributes = {str(relationship.reverse): relationship.reversed()}
    add_attributes(target, attributes, relationship.owner.__module__)


def add_attributes(cls: type[Node], attributes: Mapping[str, Any], module: str) -> None:
    """Add properties and relationships to a registered class.

    Raises `DeclarationError` if a name exists or is reserved, or the registry is closed.
    """
    _require_open(cls.__label__, module)
    for name, attribute in attributes.items():
        if hasattr(attribute, "definition"):
            _require_usable_name(cls.__label__, name)
        else:
            _require_usable(cls.__label__, name, attribute)
        if hasattr(cls, name):
            raise DeclarationError(
                f"{cls.__label__}.{name}: {cls.__label__} already has an attribute of this name: "
                "choose another one"
            )
    ADDED.setdefault(cls.__label__, {}).update(attributes)
    for name, attribute in attributes.items():
        setattr(cls, name, attribute)
        if hasattr(attribute, "definition"):
            attribute.__set_name__(cls, name)
            cls.__all_relationships__ += ((name, attribute),)
            _register_relationship(cls.__label__, name, attribute)
        else:
            attribute.name, attribute.owner = name, cls
    # neomodel collects the properties of a class once, when it is created.
    cls.__all_properties__ = tuple(cls.defined_properties(aliases=False, rels=False).items())
    _declared.cache_clear()


def _require_open(label: str, module: str) -> None:
    if module.partition(".")[0] == _PACKAGE:
        return
    if _is_closed:
        raise DeclarationError(
            f"{label}: declared by {module} after the first connection, load or check: import "
            f"{module} before, or set {MODULES_SETTING}={module}"
        )
    if (name := _importable_name(module)) is not None:
        MODULES[name] = None


def _importable_name(module: str) -> str | None:
    """Return the name under which another program can import a module, or None."""
    if module != "__main__":
        return module
    main = sys.modules[module]
    spec, file = main.__spec__, getattr(main, "__file__", None)
    if spec is not None:
        return spec.name
    return Path(file).stem if file else None


def _require_usable(label: str, name: str, prop: Any) -> None:
    _require_usable_name(label, name)
    if not hasattr(prop, "to_db"):
        raise DeclarationError(
            f"{label}.{name}: {type(prop).__name__} of {type(prop).__module__} can't be used: "
            "use a property of genai_graph.properties"
        )
    if prop.declaration_error:
        raise DeclarationError(f"{label}.{name}: {prop.declaration_error}")
    if prop.unique_index and name != "uid":
        raise DeclarationError(
            f"{label}.{name}: only the uid is unique: declare uid_from = ({name!r},)"
        )


def _require_usable_name(label: str, name: str) -> None:
    is_reserved = name in _RESERVED or name.startswith("_") or name.endswith("_") or "__" in name
    if is_reserved or not name.isidentifier():
        raise DeclarationError(
            f"{label}.{name}: this name is reserved: choose one without leading, trailing or "
            f"double underscores, and not {', '.join(_RESERVED)}"
        )


def _require_own_relationship(label: str, name: str, relationship: Any) -> None:
    if not hasattr(relationship, "other_end"):
        raise DeclarationError(
            f"{label}.{name}: {type(relationship).__name__} of neomodel can't be used: use "
            "genai_graph.RelationshipTo, with reverse= for the attribute at the other end"
        )


def close() -> None:
    """Import the modules with the user's own classes, and refuse later declarations.

    The modules are those of the setting `GENAI_GRAPH_MODELS` and of the entry points
    ``genai_graph.models``. Does nothing if the registry is closed.

    Raises `SettingsError` if a module can't be imported, `DeclarationError` if a relationship
    refers to a class that no module declares.
    """
    global _is_closed
    if _is_closed or not NODES:
        return
    named = (read_settings().models or "").split(",")
    modules = [name.strip() for name in named if name.strip()]
    installed = [point.module for point in entry_points(group=_ENTRY_POINTS)]
    for module in dict.fromkeys([*installed, *modules]):
        _import_models(module)
    for edge_type in EDGES:
        if edge_type.target not in NODES:
            raise DeclarationError(
                f"{edge_type}: no module declares the class {edge_type.target}: declare it, or "
                "correct the name"
            )
        if edge_type.type in NODES:
            raise DeclarationError(
                f"{edge_type}: a node class has the name of the edge type: choose another one, "
                "which the embedded engine needs"
            )
    _is_closed = True


def _import_models(module: str) -> None:
    try:
        import_module(module)
    except ImportError as error:
        name = module.removesuffix(".py")
        fix = "install it, or add its directory to PYTHONPATH"
        if name != module:
            fix = f"give the name of the module, without .py: {name}"
        raise SettingsError(f"{MODULES_SETTING}: can't import {module}: {error}: {fix}") from error
    except DeclarationError as error:
        raise DeclarationError(f"{MODULES_SETTING}: {module}: {error}") from error


def properties_of(cls: Any) -> dict[str, Property[Any]]:
    """Return the properties of a node or edge class by name, in order of declaration."""
    return _declared(cls)[0]


def required_properties(cls: Any) -> tuple[str, ...]:
    """Return the names of the required properties of a class."""
    return _declared(cls)[1]


def edge_type_names() -> list[str]:
    """Return the names of the edge types, each once: several edge types share a name."""
    return list(dict.fromkeys(edge_type.type for edge_type in EDGES))


def edge_classes() -> list[tuple[str, Any]]:
    """Return the names of the edge types with the classes of their properties."""
    return [(edge_type.type, cls) for edge_type, cls in EDGES.items()]


@functools.cache
def _declared(cls: Any) -> tuple[dict[str, Property[Any]], tuple[str, ...]]:
    declared: dict[str, Property[Any]] = cls.defined_properties(aliases=False, rels=False)
    return declared, tuple(name for name, prop in declared.items() if prop.is_required)


# Without the unique constraints, two clients could create the same node twice.
before_first_write(lambda: indexes.install(NODES.values(), edge_classes()))
before_connecting(close)
