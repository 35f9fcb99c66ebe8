"""Base classes of the node models: validation, uids, saving and loading."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from neomodel import db

from genai_graph import advice, lineage
from genai_graph.advice import refuse_arguments
from genai_graph.conversion import is_missing, without_missing
from genai_graph.database.cypher import match_uid
from genai_graph.database.transaction import (
    query,
    run_in_transaction,
    transaction_state,
)
from genai_graph.errors import DeclarationError, NotSavedError, PropertyError
from genai_graph.names import normalize_name, normalize_optional
from genai_graph.ogm import bulk_writes, class_help, tables
from genai_graph.ogm.json_ready import from_json_ready, to_json_ready
from genai_graph.ogm.lookup_errors import DoesNotExist
from genai_graph.ogm.node_set import NodeSet
from genai_graph.ogm.resolution import install_resolver
from genai_graph.ogm.stubs import NodeBase, NodeMeta
from genai_graph.ogm.uids import join_parts, parse_versioned_uid, split_uid, versioned_uid
from genai_graph.properties.encryption import decrypt_values, refuse_overwrite
from genai_graph.properties.messages import describe
from genai_graph.properties.types import (
    ArrayProperty,
    DateTimeProperty,
    JSONProperty,
    LocationProperty,
    RequiredStringProperty,
    StringProperty,
)
from genai_graph.properties.validation import (
    clean_fields,
    deflate_values,
    full_clean,
    inflate_values,
    normalize_stored_values,
    require_fields,
)
from genai_graph.registry import NODES, properties_of, register
from genai_graph.storage import batching
from genai_graph.storage.columns import from_columns
from genai_graph.storage.lookups import find_nodes, node_missing_error
from genai_graph.storage.nodes import (
    are_stored,
    create_nodes,
    delete_node,
    lock_node,
    update_nodes,
    upsert_nodes,
)
from genai_graph.storage.protection import refuse_protected
from genai_graph.storage.renaming import move_node
from genai_graph.storage.rows import (
    TIMESTAMPS,
    NodeRow,
    changed_values,
    estimate_size,
    now,
    without_null_timestamps,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Never, Self

    from genai_graph.database.driver import TransactionState
    from genai_graph.pictures.subgraph import Subgraph

T = TypeVar("T", bound="Node")

UNCHANGED: Any = object()  # the default of an argument where None has a meaning

_REPR_LENGTH = 79
_NEOMODEL_ATTRIBUTES = frozenset({"element_id_property", "deleted"})

install_resolver()


class _NodeSetDescriptor:
    """`Dataset.nodes`: the set of all nodes of the class."""

    def __get__(self, node: Any, owner: type[T]) -> NodeSet[T]:
        return NodeSet(owner)


class NodeType(NodeMeta):
    """The metaclass of nodes: registers each class, unless it is abstract."""

    def __init__(self, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        if "__abstract_node__" not in namespace:
            register(self)  # type: ignore[arg-type]  # it is a subclass of Node

    @property
    def __signature__(self) -> inspect.Signature:
        """The properties as keyword arguments, for `help` and completion."""
        return class_help.signature_of(self)

    if not TYPE_CHECKING:  # with it, type checkers would accept any name

        def __getattr__(self, name: str) -> NoReturn:
            raise _missing_attribute(self, name)

    def getdoc(self) -> str:
        """Return the docstring with the properties and relationships; IPython shows it."""
        return class_help.describe(self)


class Node(NodeBase, metaclass=NodeType):
    """A node of the graph. Its properties are keyword arguments, validated here and by `save`.

    `uid` is the only key. If it is not given, it is derived from other properties; once saved it
    never changes. JSON and list properties that are not set are empty, separately for each node.

    Raises `PropertyError` (or a subclass) for an unknown property, a value of the wrong type or out
    of range, and a missing required value.
    """

    __abstract_node__ = True
    nodes = _NodeSetDescriptor()

    uid = RequiredStringProperty(
        unique=True, help_text="key of the node; derived if not given, immutable once saved"
    )
    description = StringProperty(help_text="free-text description")
    tags = ArrayProperty(StringProperty(), help_text="tags")
    metadata = JSONProperty(sensitive=True, help_text="additional JSON metadata")
    origin = LocationProperty(
        index=True, help_text="source it was imported from, such as mlflow:HOST/DB"
    )
    created_at = DateTimeProperty(help_text="time of the first save, unless given")
    updated_at = DateTimeProperty(help_text="time of the last change of a value")

    # Properties whose values, joined by "/", are the uid of a node without a given one.
    uid_from: ClassVar[tuple[str, ...]] = ()
    # Properties encoded in a derived uid.
    uid_fields: ClassVar[frozenset[str]] = frozenset()
    # Properties that `rename` can change.
    rename_fields: ClassVar[tuple[str, ...]] = ("name",)
    # Relationships to nodes whose uids a derived uid contains.
    uid_references: ClassVar[tuple[str, ...]] = ()
    # Properties that must be given together.
    required_together: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__mro__[1:]:
            if base in NODES.values():  # a node is read by one label
                raise DeclarationError(
                    f"{cls.__name__}: {base.__name__} can't be subclassed: add properties to it "
                    f"with @extend({base.__name__}), or declare a subclass of Node"
                )
        for name in cls.uid_from:
            prop = getattr(cls, name, None)
            if not isinstance(prop, (StringProperty, RequiredStringProperty)):
                raise DeclarationError(
                    f"{cls.__name__}.uid_from: {name!r} is no string property of the class: uids "
                    "are derived from strings"
                )
            prop.is_name, prop.is_msgspec_native = True, False  # normalized, as uids are
        if cls.uid_from:
            cls.uid_fields = frozenset(cls.uid_from)
        cls.DoesNotExist = type(f"{cls.__name__}DoesNotExist", (DoesNotExist,), {})

    def __init__(self, **values: Any) -> None:
        known = properties_of(type(self))
        values = from_json_ready(type(self), values)
        # None means "not set"; unknown names are kept for validation to reject.
        given = {
            name: value
            for name, value in values.items()
            if name not in known or not is_missing(value)
        }
        values = full_clean(type(self), given)
        if "uid" not in values:
            values["uid"] = self.build_uid(values)
        require_fields(type(self), values)
        self._set_attributes(values)

    def _set_attributes(self, values: Mapping[str, Any]) -> None:
        """Set the attributes without validation."""
        super().__init__(**values)
        self._stored: dict[str, Any] | None = None
        self._state: TransactionState | None = None  # of the transaction that read or wrote it
        self._renamed_from: str | None = None
        self._defaults: dict[str, Any] = {}
        for name, prop in properties_of(type(self)).items():
            if self.__dict__[name] is None and (empty := prop.empty()) is not None:
                self.__dict__[name] = self._defaults[name] = empty

    if not TYPE_CHECKING:

        @property
        def id(self) -> NoReturn:
            """Raise `AttributeError`: neomodel's raises `ValueError`."""
            raise _missing_attribute(self, "id")

        def __getattr__(self, name: str) -> NoReturn:
            raise _missing_attribute(self, name)

    def __dir__(self) -> list[str]:
        """Omit the saved uid of an unsaved node: `inspect.getmembers` reads all attributes."""
        return [name for name in super().__dir__() if name != "saved_uid" or self.was_saved]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.uid == other.uid

    def __hash__(self) -> int:
        return hash((type(self), self.uid))

    def __getstate__(self) -> dict[str, Any]:
        # The constructor makes neomodel's attributes: the managers of relationships, and methods.
        made = {name for name, _ in self.__all_relationships__}
        made |= {f"get_{name}_display" for name in properties_of(type(self))}
        state = {name: value for name, value in self.__dict__.items() if name not in made}
        return {**state, "_defaults": dict(self._defaults)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set_attributes({})
        for name in properties_of(type(self)).keys() - state.keys():
            del self.__dict__[name]  # deferred: an empty value would replace the stored one
        self.__dict__.update(state)

    def __repr__(self) -> str:
        uid = str(self.uid)
        text = f"<{type(self).__name__} {uid if uid.isprintable() else repr(uid)[1:-1]}>"
        return text if len(text) <= _REPR_LENGTH else text[: _REPR_LENGTH - 4] + "...>"

    __str__ = __repr__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the properties in IPython, one per line; in a list, one line for each node."""
        printer.text(repr(self))
        if len(printer.stack) > 1:
            return
        for name, value in tables.redacted_values(self).items():
            printer.text(f"\n  {name}: {value!r}")

    def _repr_html_(self) -> str:
        """Show the properties in a notebook, one per row."""
        return tables.node_table(self)

    # Identity

    @classmethod
    def build_uid(cls, values: Mapping[str, Any]) -> str:
        """Return the uid derived from the values of a node, by default those of `uid_from`.

        Raises `PropertyError` if one of them is missing, or none is declared.
        """
        if not cls.uid_from:
            raise PropertyError(f"{cls.__name__}.uid: is required: expected a string, got nothing")
        parts = [str(values[name]) for name in cls.uid_from if values.get(name) is not None]
        if len(parts) < len(cls.uid_from):
            missing = next(name for name in cls.uid_from if values.get(name) is None)
            raise PropertyError(
                f"{cls.__name__}.{missing}: is required, since the uid is derived from it: "
                "give it, or a uid"
            )
        return join_parts(parts, "/")

    @classmethod
    def parse_uid(cls, uid: str) -> dict[str, str]:
        """Return the values encoded in a derived uid: the inverse of `build_uid`."""
        parts = split_uid(uid, "/")
        if len(parts) != len(cls.uid_from):
            return {}
        return dict(zip(cls.uid_from, parts, strict=True))

    @classmethod
    def has_derived_uid(cls, values: Mapping[str, Any]) -> bool:
        """Return whether the uid of a node is the one derived from its values."""
        fields = cls.parse_uid(values["uid"])
        return bool(fields) and all(
            fields.get(name) == normalize_optional(values.get(name)) for name in cls.uid_fields
        )

    @classmethod
    def renamed_uid(cls, uid: str, values: Mapping[str, Any]) -> str:
        """Return the uid that a node with a derived uid gets if it is renamed to these values."""
        return cls.build_uid(values)

    @classmethod
    def replace_in_uid(cls, uid: str, reference: str, old: str, new: str) -> str | None:
        """Return a uid with another uid of the node at the end of one of `uid_references`.

        Returns None if the uid does not contain the old one.
        """
        return None

    @classmethod
    def check_constraints(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield (property, error) for each violated constraint between values."""
        return iter(())

    @classmethod
    def stored_errors(cls, stored: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield (property, error) for contradictions between stored values, for `verify`."""
        return iter(())

    @property
    def was_saved(self) -> bool:
        """Whether the node was read from the graph or written to it."""
        return self._stored is not None

    @property
    def stored_values(self) -> dict[str, Any]:
        """The database values as they were read or written, decrypted."""
        return self._stored or {}

    @property
    def saved_uid(self) -> str:
        """The uid in the graph. Raises `NotSavedError` if the node is not saved."""
        if getattr(self, "deleted", False):
            raise NotSavedError(f"{self!r} was deleted")
        if self._stored is None:
            raise NotSavedError(f"{self!r} is not saved: call save() first")
        uid: str = self._stored["uid"]
        return uid

    # Reading

    @classmethod
    def inflate(cls, graph_entity: Any) -> Self:
        """Build a node from stored properties.

        Nothing is validated, so that an invalid node can be loaded and fixed.
        """
        node = cls.from_values(from_columns(cls.__label__, dict(graph_entity.items())))
        node.element_id_property = getattr(graph_entity, "element_id", None)
        return node

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Build a node from database values, with one text for each JSON property."""
        node = cls.__new__(cls)
        stored = {name: values.get(name) for name in properties_of(cls)}
        stored = decrypt_values(cls.__label__, stored)
        node._set_attributes(inflate_values(cls, stored))
        node._stored = stored
        node._state = transaction_state()
        node.element_id_property = None
        return node

    def refresh(self) -> None:
        """Read the node again. Raises `NodeNotFoundError` if it no longer exists."""
        uid = self.saved_uid
        stored = find_nodes(self.__label__, [uid]).get(uid)
        if stored is None:
            raise node_missing_error(self.__label__, uid)
        _restore_at_rollback(self)
        self.set_stored(stored)
        for name, _ in self.__all_relationships__:
            self.__dict__[name].set_prefetched(None)

    def set_stored(self, stored: Mapping[str, Any]) -> None:
        """Set the attributes from database values."""
        fresh = type(self).from_values(stored)
        names = (*properties_of(type(self)), "_stored", "_state", "_defaults")
        self.__dict__.update({name: fresh.__dict__[name] for name in names})
        self._deferred = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Return the values that are set, as JSON-ready values: times become ISO 8601 texts.

        ``type(node)(**node.to_dict())`` is an equal node.
        """
        self.read_deferred()
        values = {
            name: value
            for name, value in self.__properties__.items()
            if value or value is not self._defaults.get(name, self)
        }
        return to_json_ready(type(self), values)

    # Deferred properties

    _deferred: frozenset[str] = frozenset()

    def defer(self, names: Iterable[str]) -> None:
        """Forget properties that were not read; they are read when they are used."""
        self._deferred = frozenset(names)
        for name in self._deferred:
            del self.__dict__[name]

    def read_deferred(self) -> None:
        """Read the deferred properties; those that were assigned meanwhile keep their values."""
        names = self._deferred
        if not names:
            return
        uid = self.saved_uid
        stored = find_nodes(self.__label__, [uid]).get(uid)
        if stored is None:
            raise node_missing_error(self.__label__, uid)
        _restore_at_rollback(self)
        self._deferred = frozenset()
        fresh = type(self).from_values(stored)
        for name in names:
            self.__dict__.setdefault(name, fresh.__dict__[name])
            if name in fresh._defaults:
                self._defaults[name] = fresh._defaults[name]
        self._stored = {**(self._stored or {}), **{n: (fresh._stored or {})[n] for n in names}}

    # Annotations

    _annotated: frozenset[str] = frozenset()

    def set_annotations(self, values: Mapping[str, Any]) -> None:
        """Set the results of `annotate` as attributes, which are not saved."""
        self._annotated = frozenset(values)
        self.__dict__.update(values)

    def neighbourhood(self, *, depth: int = 1, limit: int = lineage.MAX_NODES) -> Subgraph:
        """Return everything within `depth` edges of the node, of all types and in both directions.

        Returns at most `limit` nodes and five times as many edges; `is_cut` is true if there are
        more.

        Raises `NotSavedError`, `NodeNotFoundError`, `QuestionError` (invalid depth or limit).
        """
        return lineage.neighbourhood(self.__label__, self.saved_uid, depth=depth, limit=limit)

    # Writing

    def save(self, **options: Never) -> Self:
        """Create the node, or update the properties that changed since it was read.

        Raises `NodeExistsError` if the uid of a new node exists, `NodeNotFoundError` if the node
        was deleted meanwhile, `PropertyError` for an invalid value.
        """
        refuse_arguments("save", options)
        return self.bulk_save([self])[0]

    @classmethod
    def bulk_save(cls, nodes: Iterable[Self]) -> list[Self]:
        """Save nodes, all or none; if that fails, the objects are restored as well."""
        nodes = bulk_writes.to_nodes(cls, "bulk_save", nodes)
        unique = list({id(node): node for node in nodes}.values())
        _restore_at_rollback(*unique)
        classes: dict[Any, None] = dict.fromkeys(map(type, unique))
        attributes = [dict(node.__dict__) for node in unique]

        def restore() -> None:
            for node, before in zip(unique, attributes, strict=True):
                node.__dict__.clear()
                node.__dict__.update(before)

        def save() -> list[Self]:
            restore()  # after an attempt that failed
            for class_ in classes:
                class_._save([node for node in unique if type(node) is class_])
            return unique

        try:
            if len(classes) == 1:
                save()
            else:
                bulk_writes.save_in_transaction(save)
        except BaseException:
            restore()
            raise
        return nodes

    @classmethod
    def _save(cls, nodes: Iterable[Self]) -> None:
        created: list[tuple[Self, dict[str, Any]]] = []
        changed: list[tuple[Self, dict[str, Any]]] = []
        for node in nodes:
            if getattr(node, "deleted", False):
                raise NotSavedError(f"{node!r} was deleted: create a new one")
            node._run_hook("pre_save")
            node._read_if_uncertain()
            values = deflate_values(cls, node._validated_values())
            if node._stored is None:
                created.append((node, values))
            else:
                changed.append((node, node._changes(values)))
        if created or any(changes for _, changes in changed):
            stored = run_in_transaction(
                partial(cls._write, created, changed),
                partial(are_stored, cls.__label__) if created else None,
            )
            for node, _ in created:
                node.set_stored(stored[node.uid])
        for node, changes in changed:
            node.set_stored({**(node._stored or {}), **changes})
        for node in nodes:
            node._run_hook("post_save")

    @classmethod
    def _write(
        cls, created: list[tuple[Self, dict[str, Any]]], changed: list[tuple[Self, dict[str, Any]]]
    ) -> dict[str, dict[str, Any]]:
        """Create and update nodes; return the created ones as stored, by uid."""
        stored: dict[str, dict[str, Any]] = {}
        for batch in _batches((values["uid"], values) for _, values in created):
            rows = create_nodes(cls.__label__, [row.given for row in batch])
            stored |= {row["uid"]: row for row in rows}
        changes: dict[str, dict[str, Any]] = {}
        before: dict[str, dict[str, Any]] = {}
        for node, values in changed:
            if values:
                changes.setdefault(node.saved_uid, {}).update(values)
                before[node.saved_uid] = node.stored_values
        for batch in _batches(changes.items()):
            update_nodes(cls.__label__, {row.uid: row.given for row in batch}, before)
        return stored

    def _validated_values(self) -> dict[str, Any]:
        """Return the validated attributes; an unmodified empty default counts as not set."""
        self.read_deferred()
        values = {
            name: None if value is self._defaults.get(name, self) and not value else value
            for name, value in self.__properties__.items()
            if name not in _NEOMODEL_ATTRIBUTES and name not in self._annotated
        }
        values = full_clean(type(self), values)
        require_fields(type(self), values)
        return values

    def _changes(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the database values that differ from the stored ones, with `updated_at`."""
        cls = type(self)
        before = normalize_stored_values(cls, self._stored or {})
        if values["uid"] != normalize_optional(before["uid"]):
            raise PropertyError(
                f"{cls.__name__}.uid: can't be changed once saved: expected {before['uid']!r}, "
                f"got {describe(values['uid'])}"
            )
        values["uid"] = before["uid"]  # another program may have stored it in another normal form
        self._refuse_renaming(before, values)
        changes = changed_values(before, without_null_timestamps(values))
        refuse_overwrite(cls.__label__, before["uid"], before, changes)
        return {"updated_at": now(), **changes} if changes else {}

    def changes_of(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the database values of properties that differ from the stored ones.

        They are validated on their own and against the constraints between properties. Raises
        `PropertyError`.
        """
        cls = type(self)
        self.read_deferred()  # an assigned value is compared with the stored one
        given = {
            name: None
            if (value := getattr(self, name, self)) is self._defaults.get(name, cls) and not value
            else value
            for name in names
        }
        cleaned = clean_fields(cls, given)
        is_partial = not cleaned.keys().isdisjoint(cls.required_together)
        for name, error in cls.check_constraints({**self.__properties__, **cleaned}):
            if name in cleaned or is_partial:
                raise type(error)(f"{cls.__name__}.{name}: {error}")
        stored = self._stored or {}
        identity = {name: stored.get(name) for name in ("uid", *cls.uid_fields)}
        return self._changes({**identity, **deflate_values(cls, cleaned), "uid": self.saved_uid})

    def set_written(self, changes: Mapping[str, Any]) -> None:
        """Take over the database values that were written; other attributes are kept."""
        _restore_at_rollback(self)
        self._stored = {**(self._stored or {}), **changes}
        self._state = transaction_state()
        if "updated_at" in changes:
            self.updated_at = changes["updated_at"]

    def _refuse_renaming(self, before: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Raise `PropertyError` if a property changes from which the uid is derived."""
        cls = type(self)
        changed = [
            name
            for name in cls.uid_fields
            if normalize_optional(before.get(name)) != values.get(name)
        ]
        if changed and cls.has_derived_uid(before):
            name = min(changed)
            fix = f"call rename({'' if name == 'name' else f'{name}='}{values.get(name)!r})"
            if name not in cls.rename_fields:
                fix = f"create another {cls.__name__}"
            raise PropertyError(
                f"{cls.__name__}.{name}: the uid {before['uid']!r} is derived from it: {fix}"
            )

    def rename(self, name: str) -> Self:
        """Change the name, and the uid if it is derived from the name; return the node.

        The node keeps its edges. The uids of other nodes that contain its uid, such as those of the
        metrics of a dataset, change as well. All of this is one transaction. A uid that is not
        derived, because it was given, stays the same. Other unsaved changes are kept.

        Raises `NodeExistsError` if one of the new uids exists, `NotSavedError`,
        `NodeNotFoundError`, `PropertyError`.
        """
        return self._rename({"name": name})

    def _rename(self, given: Mapping[str, Any]) -> Self:
        cls = type(self)
        fields = clean_fields(cls, given)
        _restore_at_rollback(self)
        self._read_if_uncertain()
        uid = self.saved_uid

        def write() -> dict[str, Any]:
            before = lock_node(cls.__label__, uid)
            if before is None:
                raise node_missing_error(cls.__label__, uid)
            values = {**before, **fields}
            is_derived = cls.has_derived_uid(before)
            new_uid = cls.renamed_uid(uid, values) if is_derived else normalize_name(uid)
            if new_uid == uid and all(before.get(name) == fields[name] for name in fields):
                return dict(fields)
            return move_node(cls.__label__, uid, new_uid, deflate_values(cls, fields))

        def was_committed(written: dict[str, Any]) -> bool:
            return are_stored(cls.__label__, {written.get("uid", uid): written})

        self._set_renamed(uid, run_in_transaction(write, was_committed))
        return self

    def _set_renamed(self, uid: str, written: dict[str, Any]) -> None:
        """Set the written values, and keep the old uid, which the node has after a rollback."""
        self._renamed_from = uid
        self._stored = {**(self._stored or {}), **written}
        self._state = transaction_state()
        self.__dict__.update(inflate_values(type(self), written))

    def replace_references(
        self,
        name: str,
        new: str,
        write: Callable[[], Iterable[str]],
        was_committed: Callable[[], bool],
    ) -> None:
        """Change edges in a transaction, and the uid of this node if it contains their other ends.

        `write` changes the edges of the relationship `name`, and returns the uids of the nodes that
        the node with the uid `new` replaces. `was_committed` returns whether the graph has these
        edges, if the uid is the same.
        """
        _restore_at_rollback(self)
        uid = self.saved_uid

        def change() -> dict[str, Any]:
            new_uid = uid
            for old in write():
                new_uid = type(self).replace_in_uid(new_uid, name, old, new) or new_uid
            return {} if new_uid == uid else move_node(self.__label__, uid, new_uid, {})

        def is_done(written: dict[str, Any]) -> bool:
            if written:
                return are_stored(self.__label__, {written["uid"]: written})
            return was_committed()

        written = run_in_transaction(change, is_done)
        if written:
            self._set_renamed(uid, written)

    @classmethod
    def upsert(cls, **values: Any) -> Self:
        """Create the node, or update these values of the existing one; return it as stored.

        Omitted properties keep their values; None removes a property. Raises `PropertyError`.
        """
        return cls._upsert([values])[0]

    @classmethod
    def _upsert(cls, rows: Iterable[Mapping[str, Any]]) -> list[Self]:
        given = [cls._with_uid(row) for row in rows]
        merged: dict[str, dict[str, Any]] = {}
        for values in given:
            merged.setdefault(values["uid"], {}).update(values)
        created: set[str] = set()
        stored = run_in_transaction(partial(cls._upsert_rows, merged, created=created))
        nodes = [cls.from_values(stored[values["uid"]]) for values in given]
        cls._remember_unsaved(node for node in nodes if node.uid in created)
        return nodes

    @classmethod
    def _remember_unsaved(cls, nodes: Iterable[Self]) -> None:
        """Make new nodes unsaved ones if their transaction is rolled back."""
        state = transaction_state()
        if state is not None:
            unsaved = dict.fromkeys(("_stored", "_state", *TIMESTAMPS))
            for node in nodes:
                state.remember(node, {**node.__dict__, **unsaved})

    @classmethod
    def _upsert_known(cls, values: Mapping[str, Any], before: dict[str, Any] | None) -> Self:
        """Upsert a node that was read in this transaction (None if it does not exist)."""
        row = cls._with_uid(values)
        uid = row["uid"]
        written = cls._upsert_rows({uid: row}, {uid: before} if before else {})
        node = cls.from_values(written[uid])
        cls._remember_unsaved([] if before else [node])
        return node

    @classmethod
    def _upsert_rows(
        cls,
        rows: Mapping[str, Mapping[str, Any]],
        known: Mapping[str, dict[str, Any]] | None = None,
        created: set[str] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Upsert validated values by uid, and return the nodes as stored; add new uids to a set."""

        def complete(row: NodeRow) -> dict[str, Any]:
            require_fields(cls, rows[row.uid])
            if created is not None:
                created.add(row.uid)
            return row.given

        stored: dict[str, dict[str, Any]] = {}
        for batch in _batches((uid, deflate_values(cls, values)) for uid, values in rows.items()):
            stored |= upsert_nodes(cls.__label__, batch, complete, known)
        return stored

    @classmethod
    def _with_uid(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        given = without_missing(from_json_ready(cls, values))
        if given.get("uid") is None:
            given.pop("uid", None)
        validated = full_clean(cls, given)
        return {"uid": validated.get("uid") or cls.build_uid(validated), **validated}

    def delete(self, *, force: bool = False) -> bool:
        """Delete the node and its edges.

        Raises `ProtectedError` if other nodes depend on it, such as models trained on a dataset,
        unless `force` is true, and `NodeNotFoundError` if it no longer exists.
        """
        _restore_at_rollback(self)
        uid = self.saved_uid

        def delete() -> None:
            if not force:
                refuse_protected(self.__label__, [uid])
            self._run_hook("pre_delete")
            self._delete_owned()
            delete_node(self.__label__, uid)

        run_in_transaction(delete, lambda _: not find_nodes(self.__label__, [uid]))
        self.deleted = True
        self._stored = None
        self._run_hook("post_delete")
        return True

    def _read_if_uncertain(self) -> None:
        """Read the stored values again if the transaction they come from was not committed."""
        state = self._state
        if self._stored is None or state is None or state.is_committed:
            return
        if state is transaction_state():
            return
        uid = self.saved_uid
        stored = find_nodes(self.__label__, [uid]).get(uid)
        if stored is None and self._renamed_from is not None:  # in that transaction
            stored = find_nodes(self.__label__, [self._renamed_from]).get(self._renamed_from)
        if stored is None:  # the node was created in that transaction
            for name in TIMESTAMPS:
                self.__dict__[name] = None
        self._stored = stored if stored is None else type(self).from_values(stored)._stored

    def _delete_owned(self) -> None:
        """Delete the nodes that belong to this one only; by default, there are none."""

    @classmethod
    def _delete_owned_by(cls, uids: list[str]) -> dict[str, int]:
        """Do the same for the nodes with these uids; return the numbers deleted by label."""
        return {}

    def _run_hook(self, name: str) -> None:
        """Call a hook of neomodel, if the class defines it."""
        getattr(self, name, lambda: None)()

    # neomodel's other methods, with nodes matched by uid

    def cypher(self, query: str, params: dict[str, Any] | None = None) -> Any:
        """Run a statement with the current element id of this node as `$self`."""
        return db.cypher_query(query, {**(params or {}), "self": self._read("elementId(n)")})

    def labels(self) -> list[str]:
        """Return the labels of the node in the graph."""
        labels: list[str] = self._read("labels(n)")
        return labels

    def _read(self, expression: str) -> Any:
        uid = self.saved_uid
        match = match_uid("n", self.__label__, "$uid")
        rows = query(f"{match} RETURN {expression} AS value", uid=uid)
        if not rows:
            raise node_missing_error(self.__label__, uid)
        return rows[0]["value"]

    def _pre_action_check(self, action: str) -> None:
        _ = self.saved_uid  # raises NotSavedError

    @classmethod
    def _bulk_create(cls, *props: Any, **options: Any) -> list[Self]:
        refuse_arguments("bulk_create", options)
        return cls.bulk_save([cls(**values) for values in props])

    @classmethod
    def _bulk_create_or_update(cls, *props: Any, **options: Any) -> list[Self]:
        refuse_arguments("bulk_create_or_update", options)
        return cls._upsert(props)

    @classmethod
    def _bulk_get_or_create(cls, *props: Any, **options: Any) -> list[Self]:
        refuse_arguments("bulk_get_or_create", options)
        rows = [cls._with_uid(values) for values in props]
        first = {row["uid"]: row for row in reversed(rows)}

        def write() -> dict[str, Self]:
            stored = find_nodes(cls.__label__, first)
            nodes = {uid: cls.from_values(values) for uid, values in stored.items()}
            missing = [cls(**row) for uid, row in first.items() if uid not in nodes]
            return nodes | {node.saved_uid: node for node in cls.bulk_save(missing)}

        found: dict[str, Self] = run_in_transaction(write)
        return [found[row["uid"]] for row in rows]


class VersionedNode(Node):
    """A node identified by a name and an optional version: its uid is ``name[@version]``."""

    __abstract_node__ = True

    name = RequiredStringProperty(
        index=True, is_name=True, help_text="name, the same for all versions"
    )
    version = StringProperty(index=True, is_name=True, help_text="version, such as 2.1")

    uid_fields = frozenset({"name", "version"})
    rename_fields = ("name", "version")

    @classmethod
    def build_uid(cls, values: Mapping[str, Any]) -> str:
        """Return ``name[@version]``."""
        require_fields(cls, {"uid": "", **values})
        return versioned_uid(values["name"], values.get("version"))

    @classmethod
    def parse_uid(cls, uid: str) -> dict[str, str]:
        """Return the name, and the version if there is one."""
        return parse_versioned_uid(uid)

    def rename(self, name: str = UNCHANGED, *, version: str | None = UNCHANGED) -> Self:
        """Change the name or the version, and the uid if it is derived from them.

        A version of None removes the version. See `Node.rename`.
        """
        given = {"name": name, "version": version}
        return self._rename({key: value for key, value in given.items() if value is not UNCHANGED})


def _batches(rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[list[NodeRow]]:
    sized = (NodeRow(uid, values, estimate_size(values)) for uid, values in rows)
    return batching.batch_by_size(sized, batching.BATCH_ROWS)


def _restore_at_rollback(*nodes: Node) -> None:
    """Restore the present attributes of objects if the open transaction is rolled back."""
    state = transaction_state()
    if state is not None:
        for node in nodes:
            state.remember(node)


def _missing_attribute(owner: Any, name: str) -> AttributeError:
    """Return the error for a missing attribute of a class or an object. Python adds suggestions."""
    is_class = isinstance(owner, type)
    subject = f"type object {owner.__name__!r}" if is_class else f"{type(owner).__name__!r} object"
    advised = f": use {advice.NODES[name]}" if name in advice.NODES else ""
    return AttributeError(f"{subject} has no attribute {name!r}{advised}", name=name, obj=owner)
