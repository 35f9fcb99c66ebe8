"""Values of JSON-LD documents, read as plain JSON: prefixes and namespaces are ignored."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from genai_graph.importers.safe_yaml import text_of

# Texts that mean "no value".
_MISSING = frozenset(["", "None", "none", "null", "undefined", "nan", "NaN"])
_LANGUAGE = re.compile(r"(?:(?!url)[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*|@none)\Z")
_LANGUAGES = ("en", "en-us", "en-gb", "eng")
_CONTAINERS = ("@graph", "@included", "dataset")
_DATA = ("data", "examples")  # of record sets: large, and not imported
_PARTS = ("field", "subField", "contentSize")
_IDENTIFIERS = ("legalName", "alternateName", "url", "email")
_REFERENCE = {"@id", "@type"}
# Names that mean the same in other vocabularies, such as `dct:description`.
_OWN_NAMES = frozenset(
    ["name", "description", "url", "license", "version", "creator", "publisher", "keywords"]
)
_MAX_DEPTH = 8


def local_name(text: Any) -> str:
    """Return a name without its prefix or namespace: ``Dataset`` for ``sc:Dataset``."""
    return text[max(map(text.rfind, ":/#")) + 1 :] if isinstance(text, str) else ""


def types_of(node: Any) -> set[str]:
    """Return the local names of the types of a node."""
    return {local_name(each) for each in items(node.get("@type") if isinstance(node, dict) else [])}


def find_nodes(document: Any, type_: str) -> list[dict[str, Any]]:
    """Return the nodes of a type: the document itself, and nodes of its graph or catalog.

    Terms of the context are replaced by the keywords and names that they stand for, and references
    (``@id``) by the nodes that they refer to.
    """
    document = _replace_terms(document, {})
    nodes: dict[str, dict[str, Any]] = {}
    _collect_by_id(document, nodes)
    found = [n for n in _nodes_of(document, type_) if "@id" not in n or n.keys() - _REFERENCE]
    return [_embed(node, dict(nodes)) for node in found]


def _nodes_of(value: Any, type_: str) -> Iterator[dict[str, Any]]:
    for node in items(value):
        if isinstance(node, dict):
            if type_ in types_of(node):
                yield node
            for key in _CONTAINERS:
                yield from _nodes_of(get(node, key), type_)


def _replace_terms(value: Any, terms: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_replace_terms(item, terms) for item in value]
    if not isinstance(value, dict):
        return value
    if "@context" in value:
        terms = {**terms, **_terms_of(value["@context"])}
    found = {}
    for key, item in value.items():
        name = terms.get(key, key)
        if name == "@type":
            item = [terms.get(each, each) for each in items(item) if isinstance(each, str)]
        elif key == "@context" or (name != key and name in value) or local_name(name) in _DATA:
            continue
        found[name] = _replace_terms(item, terms)
    return found


def _terms_of(context: Any) -> dict[str, str]:
    """Return the terms of a context with their keywords or local names, if these differ.

    A context given by its address is not fetched: it is taken to be that of schema.org, in which
    ``type`` and ``id`` are keywords.
    """
    terms = {}
    for part in items(context):
        if isinstance(part, str):
            terms.update({"type": "@type", "id": "@id"})
        for term, meaning in part.items() if isinstance(part, dict) else []:
            iri = meaning.get("@id") if isinstance(meaning, dict) else meaning
            name = iri if isinstance(iri, str) and iri.startswith("@") else local_name(iri)
            if name and name != term and not term.startswith("@") and term not in _OWN_NAMES:
                terms[term] = name
    return terms


def _collect_by_id(value: Any, nodes: dict[str, dict[str, Any]]) -> None:
    if isinstance(value, dict):
        id_ = value.get("@id")
        if isinstance(id_, str) and value.keys() - _REFERENCE:
            nodes[id_] = {**value, **nodes.get(id_, {})}
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        _collect_by_id(item, nodes)


def _embed(node: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a node with the nodes it refers to, and with their parts.

    A part that several nodes refer to is put in one place only, so that the result stays small.
    """
    seen: set[str] = set()

    def resolve(value: Any, depth: int) -> Any:
        if isinstance(value, list):
            return [resolve(item, depth) for item in value]
        if not isinstance(value, dict) or depth > _MAX_DEPTH:
            return value
        id_ = value.get("@id")
        if isinstance(id_, str) and id_ in nodes and not value.keys() - _REFERENCE:
            if id_ in seen:
                return value if depth else nodes[id_]
            seen.add(id_)
            nodes[id_] = resolve_parts(nodes[id_], depth)
            return nodes[id_]
        return resolve_parts(value, depth)

    def resolve_parts(value: dict[str, Any], depth: int) -> dict[str, Any]:
        return {
            key: resolve(item, depth + 1) if local_name(key) in _PARTS else item
            for key, item in value.items()
        }

    return {key: resolve(value, 0) for key, value in node.items()}


def get(node: Any, *names: str) -> Any:
    """Return the value of the first existing one of some properties, by their local names."""
    if not isinstance(node, dict):
        return None
    for name in names:
        if name in node:
            return node[name]
    by_name = {local_name(key): value for key, value in node.items() if not key.startswith("@")}
    return next((by_name[name] for name in names if name in by_name), None)


def items(value: Any) -> list[Any]:
    """Return a value as a list; nested lists are flattened."""
    if isinstance(value, dict):
        value = value.get("@list", value.get("@set", value))
    if value is None:
        return []
    return [item for part in value for item in items(part)] if isinstance(value, list) else [value]


def text(value: Any) -> str | None:
    """Return the text of a value, in English if there are several languages, or None.

    Booleans, NaN and infinities have no text; the text of a reference is its ``@id``.
    """
    if isinstance(value, list):
        tagged = [each for each in value if isinstance(each, dict) and "@language" in each]
        english = [each for each in tagged if str(each["@language"]).lower() in _LANGUAGES]
        found = [text(each) for each in (english or value)]
        return next((each for each in found if each is not None), None)
    if isinstance(value, dict):
        if "@value" in value:
            return text(value["@value"])
        return text(_in_english(value) if value.keys() - _REFERENCE else value.get("@id"))
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    found_text = text_of(value)
    return None if found_text is None or found_text.strip() in _MISSING else found_text


def _in_english(value: dict[str, Any]) -> Any:
    """Return the English value of a map of languages, or else that of another language.

    Returns None for any other map.
    """
    if not all(_LANGUAGE.match(key) for key in value):
        return None  # an object, and not a map of languages
    by_language = {key.lower(): value[key] for key in sorted(value)}
    return next(
        (by_language[key] for key in (*_LANGUAGES, *by_language) if key in by_language), None
    )


def is_missing(value: Any) -> bool:
    """Return whether a value means "no value"."""
    if isinstance(value, str):
        return value.strip() in _MISSING
    return value is None or (isinstance(value, list) and all(map(is_missing, value)))


def label(thing: Any) -> str | None:
    """Return a text for a value: the value itself, or the name or an identifier of an object."""
    found = text(thing)
    if found is not None or not isinstance(thing, dict):
        return found
    parts = [text(get(thing, name)) for name in ("givenName", "familyName")]
    found = text(get(thing, "name", "label")) or " ".join(filter(None, parts))
    others = (thing.get("@id"), *(get(thing, name) for name in _IDENTIFIERS))
    return found or next((each for each in map(text, others) if each is not None), None)


def items_in_english(value: Any) -> list[Any]:
    """Return a value as a list; a map of languages is replaced by its English value."""
    if isinstance(value, dict) and "@value" not in value:
        value = _in_english(value) or value
    return items(value)
