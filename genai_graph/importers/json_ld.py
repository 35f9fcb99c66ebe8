"""Values of JSON-LD documents, read as plain JSON: prefixes and namespaces are ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from genai_graph.importers.safe_yaml import text_of

_LOCAL_NAME = re.compile(r".*[:/#]", re.DOTALL)
# Texts that mean "no value".
_MISSING = frozenset(["", "None", "none", "null", "undefined"])
_LANGUAGE = re.compile(r"[a-z]{2}(?:-[A-Za-z0-9]{2,8})?\Z")
_LANGUAGES = ("en", "en-US", "en-GB")


def local_name(text: Any) -> str:
    """Return a name without its prefix or namespace: ``Dataset`` for ``sc:Dataset``."""
    return _LOCAL_NAME.sub("", text) if isinstance(text, str) else ""


def types_of(node: Any) -> set[str]:
    """Return the local names of the types of a node."""
    types = node.get("@type") if isinstance(node, dict) else None
    return {local_name(each) for each in (types if isinstance(types, list) else [types])}


def find_node(document: Any, type_: str) -> dict[str, Any] | None:
    """Return the node of a type: the document itself, or a node of its graph."""
    candidates = document if isinstance(document, list) else [document]
    for candidate in candidates:
        if type_ in types_of(candidate):
            found: dict[str, Any] = candidate
            return found
        if isinstance(candidate, dict) and isinstance(candidate.get("@graph"), list):
            inner = find_node(candidate["@graph"], type_)
            if inner is not None:
                return inner
    return None


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
    """Return a value as a list."""
    if isinstance(value, dict) and isinstance(value.get("@list"), list):
        value = value["@list"]
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str | None:
    """Return the text of a value, in English if there are several languages, or None."""
    if isinstance(value, list):
        tagged = [each for each in value if isinstance(each, dict) and "@language" in each]
        english = [each for each in tagged if each["@language"] in _LANGUAGES]
        found = [text(each) for each in (english or value)]
        return next((each for each in found if each is not None), None)
    if isinstance(value, dict):
        if "@value" in value:
            return text(value["@value"])
        texts = {key: value[key] for key in value if isinstance(value[key], str)}
        if not all(_LANGUAGE.match(key) for key in value):
            return None  # a thing, and no text in several languages
        languages = [*_LANGUAGES, *sorted(texts)]
        return next((texts[key] for key in languages if key in texts), None)
    found_text = text_of(value)
    return None if found_text is None or found_text.strip() in _MISSING else found_text


def labels(value: Any) -> Iterator[str]:
    """Yield the texts of things: of texts, of named things, and of identifiers."""
    for item in items(value):
        found = text(item)
        if found is None and isinstance(item, dict):
            found = text(get(item, "name", "label")) or text(item.get("@id"))
        if found is not None:
            yield found
