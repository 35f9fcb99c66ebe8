"""Values of JSON-LD documents, read as plain JSON: prefixes and namespaces are ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from genai_graph.importers.safe_yaml import text_of

_LOCAL_NAME = re.compile(r".*[:/#]", re.DOTALL)
# Texts that mean "no value".
_MISSING = frozenset(["", "None", "none", "null", "undefined"])
_LANGUAGE = re.compile(r"(?:[A-Za-z]{2}(?:-[A-Za-z0-9]{2,8})*|@none)\Z")
_LANGUAGES = ("en", "en-us", "en-gb")
_PARTS = ("field", "subField")
_MAX_DEPTH = 8


def local_name(text: Any) -> str:
    """Return a name without its prefix or namespace: ``Dataset`` for ``sc:Dataset``."""
    return _LOCAL_NAME.sub("", text) if isinstance(text, str) else ""


def types_of(node: Any) -> set[str]:
    """Return the local names of the types of a node."""
    types = node.get("@type") if isinstance(node, dict) else None
    return {local_name(each) for each in (types if isinstance(types, list) else [types])}


def find_node(document: Any, type_: str) -> dict[str, Any] | None:
    """Return the node of a type: the document itself, or a node of its graph.

    Nodes of the graph that it refers to by their ``@id`` are put in the place of the references.
    """
    candidates = items(document)
    for candidate in candidates:
        if type_ in types_of(candidate):
            return _embed(candidate, _nodes_by_id(candidates))
        if isinstance(candidate, dict) and "@graph" in candidate:
            inner = find_node(candidate["@graph"], type_)
            if inner is not None:
                return inner
    return None


def _nodes_by_id(nodes: list[Any]) -> dict[str, dict[str, Any]]:
    return {
        node["@id"]: node
        for node in nodes
        if isinstance(node, dict) and len(node) > 1 and isinstance(node.get("@id"), str)
    }


def _embed(node: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a node with the nodes it refers to, and with their fields.

    A field that several nodes refer to is put in one place only, so that the result stays small.
    """
    seen: set[str] = set()

    def resolve(value: Any, depth: int) -> Any:
        if isinstance(value, list):
            return [resolve(item, depth) for item in value]
        id_ = value.get("@id") if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(id_, str) or id_ not in nodes:
            return value
        if id_ in seen or depth > _MAX_DEPTH:
            return value if depth else nodes[id_]
        seen.add(id_)
        nodes[id_] = {
            key: resolve(item, depth + 1) if local_name(key) in _PARTS else item
            for key, item in nodes[id_].items()
        }
        return nodes[id_]

    return {key: resolve(value, 0) for key, value in node.items()} if nodes else node


def get(node: Any, *names: str) -> Any:
    """Return the first value of some properties, by their local names."""
    if not isinstance(node, dict):
        return None
    for name in names:
        if name in node:
            return node[name]
    by_name = {local_name(key): value for key, value in node.items() if not key.startswith("@")}
    return next((by_name[name] for name in names if name in by_name), None)


def items(value: Any) -> list[Any]:
    """Return a value as a list; lists in lists are joined."""
    if isinstance(value, dict):
        value = value.get("@list", value.get("@set", value))
    if value is None:
        return []
    return [item for part in value for item in items(part)] if isinstance(value, list) else [value]


def text(value: Any) -> str | None:
    """Return the text of a value, in English if there are several languages, or None."""
    if isinstance(value, list):
        tagged = [each for each in value if isinstance(each, dict) and "@language" in each]
        english = [each for each in tagged if str(each["@language"]).lower() in _LANGUAGES]
        found = [text(each) for each in (english or value)]
        return next((each for each in found if each is not None), None)
    if isinstance(value, dict):
        return text(value["@value"]) if "@value" in value else text(_in_english(value))
    found_text = text_of(value)
    return None if found_text is None or found_text.strip() in _MISSING else found_text


def _in_english(value: dict[str, Any]) -> Any:
    """Return the value of a map of languages in English, else in another one, or None."""
    if not all(_LANGUAGE.match(key) for key in value):
        return None  # a thing, and no text in several languages
    by_language = {key.lower(): value[key] for key in sorted(value)}
    return next(
        (by_language[key] for key in (*_LANGUAGES, *by_language) if key in by_language), None
    )


def labels(value: Any) -> Iterator[str]:
    """Yield the texts of things: of texts, of named things, and of identifiers."""
    if isinstance(value, dict) and "@value" not in value:
        value = _in_english(value) or value
    for item in items(value):
        found = text(item)
        if found is None and isinstance(item, dict):
            parts = [text(get(item, name)) for name in ("givenName", "familyName")]
            found = text(get(item, "name", "label")) or " ".join(filter(None, parts))
            found = found or text(item.get("@id"))
        if found is not None:
            yield found
