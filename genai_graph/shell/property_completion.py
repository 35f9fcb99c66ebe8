"""Completion of properties, relationships and lookups in calls of node classes and sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from genai_graph.ogm.lookups import lookups_of
from genai_graph.registry import INCOMING, NODES, OUTGOING, properties_of
from genai_graph.shell.calls import OpenCall

# Methods whose keyword arguments are properties, or conditions; and whose strings are names.
_VALUES = ("upsert", "create", "update", "update_or_create")
_CONDITIONS = ("filter", "exclude", "get", "get_or_none", "first", "get_or_create")
_NAMES = ("order_by", "values", "values_list", "only", "defer", "earliest", "latest")
_PATHS = ("prefetch_related", "traverse")
_FRAGMENT = re.compile(r"-?\w*\Z")


class Candidates(NamedTuple):
    """The completions of a fragment."""

    fragment: str
    names: list[str]


def complete_properties(call: OpenCall, variables: Mapping[str, Any]) -> Candidates | None:
    """Return the completions of an argument, or None if the call is not of a class or a set."""
    found = _label_of(call.callee, variables)
    if found is None or not _FRAGMENT.fullmatch(call.argument):
        return None
    label, method = found
    names: list[str] = []
    if method in _NAMES and call.quote:
        sign = "-" if call.argument.startswith("-") and method == "order_by" else ""
        names = [sign + name for name in _paths(label, call.argument.removeprefix(sign))]
    elif method in _PATHS and call.quote:
        names = [name.removesuffix("__") for name in _paths(label, call.argument) if "__" in name]
    elif method in ("", *_VALUES) and not call.quote:
        names = [f"{name}=" for name in properties_of(NODES[label])]
    elif method in _CONDITIONS and not call.quote:
        names = list(_conditions(label, call.argument))
    else:
        return None
    return Candidates(call.argument, sorted({n for n in names if n.startswith(call.argument)}))


def _label_of(callee: str, variables: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the label of a class or set, and the method; "" is the constructor of the class."""
    head, *names = callee.split(".")
    value = variables.get(head)
    label = head if head in NODES else getattr(value, "label", getattr(value, "__label__", None))
    if label not in NODES:
        return None
    if not names:
        return (label, "") if head in NODES or isinstance(value, type) else None
    for name in names[:-1]:
        relationship = _relationships(label).get(name)
        label = label if relationship is None else relationship.other_end
    return label, names[-1]


def _relationships(label: str) -> dict[str, Any]:
    return {**OUTGOING[label], **INCOMING[label]}


def _follow(label: str, fragment: str) -> tuple[str, str, str]:
    """Return the label at the end of a path, the path, and the rest of the fragment."""
    path = ""
    while "__" in fragment:
        name, _, rest = fragment.partition("__")
        relationship = _relationships(label).get(name)
        if relationship is None:
            break
        label, path, fragment = relationship.other_end, f"{path}{name}__", rest
    return label, path, fragment


def _paths(label: str, fragment: str) -> Iterator[str]:
    """Yield the properties and relationships at the end of a path."""
    end, path, _ = _follow(label, fragment)
    yield from (f"{path}{name}" for name in properties_of(NODES[end]))
    yield from (f"{path}{name}__" for name in _relationships(end))


def _conditions(label: str, fragment: str) -> Iterator[str]:
    """Yield conditions: properties, their lookups once one is named, and relationships."""
    end, path, rest = _follow(label, fragment)
    known = properties_of(NODES[end])
    name, has_lookup, _ = rest.partition("__")
    if has_lookup:
        lookups = lookups_of(known[name]) if name in known else ()
        yield from (f"{path}{name}__{lookup}=" for lookup in lookups)
        return
    yield from (f"{path}{name}=" for name in known)
    yield from (f"{path}{name}__" for name in _relationships(end))
