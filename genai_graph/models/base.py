"""What the five kinds of nodes share: strict, found by uid, honest about their times."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from neomodel import db

from genai_graph.database import atomic, in_transaction, match_uid, query
from genai_graph.errors import NotSavedError, PropertyError, UnsupportedError
from genai_graph.models import encryption, identity, store
from genai_graph.models.checking import checked, properties_of, require, stored
from genai_graph.models.properties import (
    ArrayProperty,
    DateTimeProperty,
    JSONProperty,
    RequiredStringProperty,
    Strict,
    StringProperty,
    describe,
)
from genai_graph.models.relationships import Nodes
from genai_graph.models.typed import NodeBase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Self

    from genai_graph.pictures.subgraph import Subgraph

T = TypeVar("T", bound="Node")

_REPR_LENGTH = 79
# How far lineage and impact go, and how many nodes come of a node's surroundings, at most.
LINEAGE_DEPTH, NODE_LIMIT = 8, 5_000


class _NodesOf:
    """`Dataset.nodes`, typed: the set of all nodes of the class."""

    def __get__(self, node: Any, owner: type[T]) -> Nodes[T]:
        return Nodes(owner)


class Node(NodeBase):
    """A node of the graph: its properties are keywords, checked when it is made and saved.

    `uid` is its only key. Not given, it is derived from what names the node; once saved it never
    changes. JSON and list properties that are not set are empty, and each node has its own.

    Raises `PropertyError` (or a child of it) for an unknown property, a wrong type or value, and
    a required value that is missing.
    """

    __abstract_node__ = True
    nodes = _NodesOf()

    uid = RequiredStringProperty(
        unique=True,
        help_text="the only unique key; derived when not given, never changed once saved",
    )
    description = StringProperty(help_text="what a reader should know")
    tags = ArrayProperty(StringProperty(), help_text="words to find it by")
    metadata = JSONProperty(sensitive=True, help_text="what has no property of its own")
    created_at = DateTimeProperty(help_text="when the node was made, unless it is given")
    updated_at = DateTimeProperty(help_text="when a value last changed")

    def __init_subclass__(cls, **options: Any) -> None:
        if cls.__module__.partition(".")[0] != __package__.partition(".")[0]:
            raise UnsupportedError(
                f"{cls.__name__}: the five classes can't be extended, since every node is of one "
                "of their labels: put what they lack into metadata"
            )
        super().__init_subclass__(**options)

    def __init__(self, **values: Any) -> None:
        known = properties_of(type(self))
        given = {
            name: value for name, value in values.items() if value is not None or name not in known
        }
        values = checked(type(self), given)
        if "uid" not in values:
            values["uid"] = self.derive_uid(values)
        require(type(self), values)
        self._fill(values)

    def _fill(self, values: Mapping[str, Any]) -> None:
        """Take values as they are: those read from the graph are not checked again."""
        super().__init__(**values)
        self._stored: dict[str, Any] | None = None
        self._untouched: dict[str, Any] = {}
        for name, prop in properties_of(type(self)).items():
            if self.__dict__[name] is None and isinstance(prop, (JSONProperty, ArrayProperty)):
                self.__dict__[name] = self._untouched[name] = (
                    {} if isinstance(prop, JSONProperty) else []
                )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.uid == other.uid

    def __hash__(self) -> int:
        return hash((type(self), self.uid))

    def __repr__(self) -> str:
        text = f"<{type(self).__name__} {self._label_text()}>"
        return text if len(text) <= _REPR_LENGTH else text[: _REPR_LENGTH - 4] + "...>"

    __str__ = __repr__

    def _label_text(self) -> str:
        uid = str(self.uid)
        return uid if uid.isprintable() else repr(uid)[1:-1]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show one property a line, as IPython prints it."""
        from genai_graph.models import tables

        printer.text(repr(self))
        for name, value in tables.shown(self).items():
            printer.text(f"\n  {name}: {value!r}")

    def _repr_html_(self) -> str:
        """Show one property a row, as notebooks do."""
        from genai_graph.models import tables

        return tables.of_node(self)

    # Identity

    @classmethod
    def derive_uid(cls, values: Mapping[str, Any]) -> str:
        """Return the uid that the values give a node."""
        raise NotImplementedError

    # The names of the values that a derived uid tells.
    told_by_uid: ClassVar[frozenset[str]] = frozenset()
    given_together: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read_uid(cls, uid: str) -> dict[str, str]:
        """Return the values that a derived uid tells: the inverse of `derive_uid`."""
        return {}

    @classmethod
    def rule_faults(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield what values do not hold together, by property, with the reason."""
        return iter(())

    @property
    def was_saved(self) -> bool:
        """Whether the node was read from the graph or written to it."""
        return self._stored is not None

    @property
    def saved_uid(self) -> str:
        """The uid in the graph; `NotSavedError` when the node is not there."""
        if getattr(self, "deleted", False):
            raise NotSavedError(f"{self!r} was deleted")
        if self._stored is None:
            raise NotSavedError(f"{self!r} is not in the graph yet: save() it first")
        uid: str = self._stored["uid"]
        return uid

    # Reading

    @classmethod
    def inflate(cls, graph_entity: Any) -> Self:
        """Make a node from what the graph has, unchecked, so that a faulty one can be mended."""
        node = cls.__new__(cls)
        found = {name: graph_entity.get(name) for name in properties_of(cls)}
        found = encryption.opened(cls.__label__, found)
        node._fill(loaded(cls, found))
        node._remember(found)
        node.element_id_property = getattr(graph_entity, "element_id", None)
        return node

    def refresh(self) -> None:
        """Read the node again; `NodeNotFoundError` when it is gone."""
        uid = self.saved_uid
        found = store.find_nodes(self.__label__, [uid]).get(uid)
        if found is None:
            raise store.not_found(self.__label__, uid)
        self._take(found)

    def _take(self, found: Mapping[str, Any]) -> None:
        fresh = type(self).inflate(found)
        names = (*properties_of(type(self)), "_stored", "_untouched")
        self.__dict__.update({name: fresh.__dict__[name] for name in names})

    def _remember(self, found: Mapping[str, Any]) -> None:
        cls = type(self)
        values = loaded(cls, {name: found.get(name) for name in properties_of(cls)})
        self._stored = stored(cls, values)

    def neighbourhood(self, *, depth: int = 1, limit: int = NODE_LIMIT) -> Subgraph:
        """Return what is within `depth` edges of the node, whatever their kind and direction.

        At most `limit` nodes come, and five times as many edges; `is_cut` tells when there are
        more.

        Raises `NotSavedError`, `NodeNotFoundError`, `QuestionError` (a wrong depth or limit).
        """
        from genai_graph.models import subgraph

        return subgraph.neighbourhood(self.__label__, self.saved_uid, depth=depth, limit=limit)

    # Writing

    def save(self) -> Self:
        """Write the node: a new one is created, else what changed since it was read is set.

        Raises `NodeExistsError` when a new node's uid is taken, `NodeNotFoundError` when the node
        was deleted meanwhile, `PropertyError` for a value that can't be stored.
        """
        if getattr(self, "deleted", False):
            raise NotSavedError(f"{self!r} was deleted: make a new one")
        self._run_hook("pre_save")
        values = self._current()
        if self._stored is None:
            self._take(store.create_nodes(self.__label__, [stored(type(self), values)])[0])
        else:
            self._update(stored(type(self), values))
        self._run_hook("post_save")
        return self

    def _current(self) -> dict[str, Any]:
        """Return the checked values of the attributes; a default that was not touched is unset."""
        values = {
            name: None if value is self._untouched.get(name, self) and not value else value
            for name, value in self.__properties__.items()
            if name not in _OF_NEOMODEL
        }
        values = checked(type(self), values)
        require(type(self), values)
        return values

    def _update(self, values: dict[str, Any]) -> None:
        before = self._stored or {}
        if values["uid"] != before["uid"]:
            raise PropertyError(
                f"{type(self).__name__}.uid: never changes once saved: expected {before['uid']!r}, "
                f"got {describe(values['uid'])}"
            )
        changes = store.changed_values(before, store.without_lost_times(values))
        if changes:
            changes.setdefault("updated_at", store.now())
        store.update_node(self.__label__, before["uid"], changes)
        self._take({**before, **changes})

    @classmethod
    def upsert(cls, **values: Any) -> Self:
        """Make the node, or set these values of the one that has its uid; return it as stored.

        Values that are not given stay as they are, None removes one. Raises `PropertyError`.
        """
        return cls._upsert([values])[0]

    @classmethod
    def _upsert(cls, rows: Iterable[Mapping[str, Any]]) -> list[Self]:
        given = [cls._with_uid(row) for row in rows]
        merged: dict[str, dict[str, Any]] = {}
        for values in given:
            merged.setdefault(values["uid"], {}).update(values)
        found = in_transaction(partial(cls._merge, merged))
        return [cls.inflate(found[values["uid"]]) for values in given]

    @classmethod
    def _merge(cls, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Merge values by uid, and return what is then there."""
        found: dict[str, dict[str, Any]] = {}
        nodes = (store.NodeRow(uid, stored(cls, values)) for uid, values in rows.items())
        for label, batch in store.grouped(nodes, lambda _: cls.__label__, store.BATCH):
            uids = [row.uid for row in batch]
            there = store.find_nodes(label, uids)
            for uid in uids:
                if uid not in there:
                    require(cls, rows[uid])
            store.merge_nodes(label, batch)
            found |= store.find_nodes(label, uids)
        return found

    @classmethod
    def _with_uid(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in values.items() if (name, value) != ("uid", None)}
        checked_values = checked(cls, given)
        return {"uid": checked_values.get("uid") or cls.derive_uid(given), **checked_values}

    def delete(self) -> bool:
        """Delete the node and its edges; `NodeNotFoundError` when it is gone already."""
        self._run_hook("pre_delete")
        with atomic():
            self._delete_parts()
            store.delete_node(self.__label__, self.saved_uid)
        self.deleted = True
        self._stored = None
        self._run_hook("post_delete")
        return True

    def _run_hook(self, name: str) -> None:
        """Call a method that a subclass may have, as neomodel's users know it."""
        getattr(self, name, lambda: None)()

    def _delete_parts(self) -> None:
        """Delete the nodes that belong to this one alone."""

    # neomodel's other ways to the database, kept to the same rules

    def cypher(self, query: str, params: dict[str, Any] | None = None) -> Any:
        """Run a statement with this node's element id, looked up afresh, as `$self`."""
        return db.cypher_query(query, {**(params or {}), "self": self._find_element_id()})

    def labels(self) -> list[str]:
        """Return the node's labels in the graph."""
        uid = self.saved_uid
        rows = query(f"{_match(self)} RETURN labels(n) AS labels", uid=uid)
        if not rows:
            raise store.not_found(self.__label__, uid)
        labels: list[str] = rows[0]["labels"]
        return labels

    def _find_element_id(self) -> str:
        uid = self.saved_uid
        rows = query(f"{_match(self)} RETURN elementId(n) AS id", uid=uid)
        if not rows:
            raise store.not_found(self.__label__, uid)
        return str(rows[0]["id"])

    def _pre_action_check(self, action: str) -> None:
        _ = self.saved_uid

    @classmethod
    def _bulk_create(cls, *props: Any, **options: Any) -> list[Self]:
        _refuse(options)
        return cls.bulk_save([cls(**values) for values in props])

    @classmethod
    def _bulk_create_or_update(cls, *props: Any, **options: Any) -> list[Self]:
        _refuse(options)
        return cls._upsert(props)

    @classmethod
    def _bulk_get_or_create(cls, *props: Any, **options: Any) -> list[Self]:
        _refuse(options)
        given = [cls._with_uid(values) for values in props]
        with atomic():
            there = store.find_nodes(cls.__label__, (values["uid"] for values in given))
            nodes = {uid: cls.inflate(found) for uid, found in there.items()}
            for values in given:
                if values["uid"] not in nodes:
                    nodes[values["uid"]] = cls(**values).save()
        return [nodes[values["uid"]] for values in given]

    @classmethod
    def bulk_save(cls, nodes: Iterable[Self]) -> list[Self]:
        """Save nodes, all or none of them; when it fails, the objects are as they were, too."""
        nodes = list(nodes)
        for node in nodes:
            if not isinstance(node, cls):
                raise UnsupportedError(f"{cls.__name__}.bulk_save: got {describe(node)}")
        before = [dict(node.__dict__) for node in nodes]
        try:
            with atomic():
                for node in nodes:
                    node.save()
        except BaseException:
            for node, attributes in zip(nodes, before, strict=True):
                node.__dict__.clear()
                node.__dict__.update(attributes)
            raise
        return nodes


class VersionedNode(Node):
    """A node that a name and a version name: its uid is ``name[@version]``."""

    __abstract_node__ = True

    name = RequiredStringProperty(index=True, help_text="what all its versions are called")
    version = StringProperty(index=True, help_text="which of them, such as 2.1")

    @classmethod
    def derive_uid(cls, values: Mapping[str, Any]) -> str:
        """Return ``name[@version]``."""
        require(cls, {"uid": "", **values})
        return identity.versioned(values["name"], values.get("version"))

    told_by_uid = frozenset({"name", "version"})

    @classmethod
    def read_uid(cls, uid: str) -> dict[str, str]:
        """Return the name and, where there is one, the version."""
        return identity.unversioned(uid)


_OF_NEOMODEL = frozenset({"element_id_property", "deleted"})


def loaded(cls: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored values as Python has them; what does not fit its property stays as it is."""
    known = properties_of(cls)
    return {name: _load(known[name], value) for name, value in found.items()}


def _load(prop: Strict, value: Any) -> Any:
    try:
        return None if value is None else prop.load(value)
    except (ValueError, TypeError, AttributeError):
        return value  # put there by someone else; saving the node will refuse it


def _match(node: Node) -> str:
    return match_uid("n", node.__label__, "$uid")


def _refuse(options: Mapping[str, Any]) -> None:
    for name in options:
        raise UnsupportedError(
            f"{name}: nodes are always found by their uid; use upsert(), save() and connect()"
        )
