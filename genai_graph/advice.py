"""Names of Django and neomodel that do not exist here, and what to use: for error messages."""

from __future__ import annotations

from collections.abc import Iterable

from genai_graph.errors import UnsupportedError

_THREADS = "asyncio.to_thread() with the method without the first letter"
_UID = "uid, the key; element_id is the current id in the database"

# Attributes and methods of node classes and their objects.
NODES = {
    "objects": "nodes",
    "pk": _UID,
    "id": _UID,
    "MultipleObjectsReturned": "MultipleNodesReturned of neomodel, or MultipleNodesError of "
    "genai_graph.errors",
    "refresh_from_db": "refresh()",
    **dict.fromkeys(
        ("full_clean", "clean_fields", "validate_unique"),
        "nothing: values are validated by the constructor and by save()",
    ),
    **dict.fromkeys(("asave", "adelete", "arefresh_from_db"), _THREADS),
}

# Methods of sets.
SETS = {
    "select_related": "prefetch_related()",
    "resolve_subgraph": "prefetch_related()",
    "fetch_relations": "prefetch_related()",
    **dict.fromkeys(("raw", "extra", "subquery", "intermediate_transform"), "genai_graph.query()"),
    "has": "filter(relationship__isnull=False)",
    "as_manager": "functions that take and return a set",
    "alias": "annotate()",
    "select_for_update": "atomic(): writes lock nodes, and save() writes only what changed",
    "using": "connect(): all sets use the open connection",
    "explain": "genai_graph.query() with EXPLAIN or PROFILE",
    **dict.fromkeys(
        ("dates", "datetimes"),
        'values_list("started_at", flat=True), or filter(started_at__year=2026)',
    ),
    **dict.fromkeys(
        ("aget", "afirst", "acount", "aexists", "acreate", "aupdate", "adelete", "aiterator"),
        _THREADS,
    ),
}

# Arguments of functions and methods.
ARGUMENTS = {
    "update_fields": "save() writes only what changed",
    **dict.fromkeys(
        ("force_insert", "force_update"),
        "save() creates new objects and updates those that were read",
    ),
    "using": "there is one connection: see connect()",
    "batch_size": "statements have at most 5,000 rows and 8 MiB",
    "ignore_conflicts": "use bulk_get_or_create()",
    **dict.fromkeys(
        ("update_conflicts", "update_fields_on_conflict", "unique_fields"),
        "use bulk_create_or_update()",
    ),
    "field_name": "objects are found by uid: use filter(name__in=...)",
    "robust": "handle errors in the function itself",
    **dict.fromkeys(
        ("durable", "savepoint"),
        "blocks nest, and only the outermost one is a transaction",
    ),
    **dict.fromkeys(
        ("merge_by", "lazy", "relationship"),
        "nodes are always matched by uid: use upsert(), save() and connect()",
    ),
}

# Arguments of properties.
PROPERTIES = {
    **dict.fromkeys(
        ("null", "blank", "required"),
        "every property is optional, except those of RequiredStringProperty and "
        "RequiredFloatProperty",
    ),
    "default": "properties have no default: give the value when you create an object; a missing "
    "one is None",
    **dict.fromkeys(
        ("unique", "unique_index", "primary_key"), "only the uid is unique: declare uid_from"
    ),
    "db_index": "use index=True",
    "choices": "only strings have choices: use StringProperty",
    **dict.fromkeys(("verbose_name", "label"), "use help_text"),
    **dict.fromkeys(
        ("db_column", "db_property", "name"), "a property is stored under the name of its attribute"
    ),
    **dict.fromkeys(
        ("max_length", "validators", "max_value"),
        "write a property type with a method validate (docs/architecture.md)",
    ),
    "min_value": "use minimum",
    **dict.fromkeys(
        ("auto_now", "auto_now_add", "default_now"),
        "every node has created_at and updated_at, which are set when it is saved",
    ),
}


def refuse_arguments(function: str, names: Iterable[str]) -> None:
    """Raise an error for the first argument: `UnsupportedError` with advice, or `TypeError`."""
    for name in names:
        if name in ARGUMENTS:
            raise UnsupportedError(f"{function}: {name}=... is not supported: {ARGUMENTS[name]}")
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
