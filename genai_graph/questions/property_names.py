"""Search for misspelt property names in Cypher statements, which databases accept silently."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator

from genai_graph.database.cypher import strip_quoted
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import EDGES, MODULES_SETTING, NODES, properties_of

_END = r"(?P<end>[)\]{]|WHERE\b)"
# A node or an edge with a single label or type, and with or without a variable.
_NODE = re.compile(rf"\(\s*(?P<variable>\w*)\s*:\s*(?P<name>\w+)\s*{_END}", re.IGNORECASE)
_EDGE = re.compile(rf"\[\s*(?P<variable>\w*)\s*:\s*(?P<name>\w+)\s*{_END}", re.IGNORECASE)
# Variables that may have values other than nodes and edges of that label or type.
_OTHER = re.compile(
    r"\bAS\s+(\w+)|(?<![.\w])(\w+)\s+IN\b|[(\[]\s*(\w+)\s*:\s*\w+\s*[:|&!*]", re.IGNORECASE
)
_USE = re.compile(r"(?<![\w.$])(?P<variable>\w+)\.(?P<name>\w+)(?![\w(])")
_MAP_KEY = re.compile(r"(?:\{|,)\s*(?P<name>\w+)\s*:(?=[^{}]*\})")


@functools.lru_cache
def undeclared_properties(cypher: str) -> tuple[tuple[int, str], ...]:
    """Return the line, from 0, and the problem of each use of a property that is not declared.

    Only properties of variables and patterns with a single declared label or type are checked.
    Results are cached by the text: no classes are declared after the connection.
    """
    return tuple(_find_undeclared(cypher))


def _find_undeclared(cypher: str) -> Iterator[tuple[int, str]]:
    code = strip_quoted(cypher)
    bound: dict[str, set[str]] = defaultdict(set)
    for match in (*_NODE.finditer(code), *_EDGE.finditer(code)):
        bound[match["variable"]].add(match["name"])
        if match["end"] == "{":
            for name in _keys(code, match.start("end")):
                yield from _check({match["name"]}, name, code, match.start())
    for found in _OTHER.findall(code):
        for variable in found:
            bound.pop(variable, None)
    for match in _USE.finditer(code):
        if match["variable"] in bound:
            yield from _check(bound[match["variable"]], match["name"], code, match.start())


def _keys(code: str, start: int) -> list[str]:
    """Return the keys of a map that begins at a position."""
    text = code[start : code.find("}", start) + 1]
    return [match["name"] for match in _MAP_KEY.finditer(text)]


def _check(owners: set[str], name: str, code: str, position: int) -> Iterator[tuple[int, str]]:
    classes = [cls for owner in owners for cls in _classes(owner)]
    known = {each for cls in classes for each in properties_of(cls)}
    if classes and all(map(_classes, owners)) and name not in known:
        hint = did_you_mean(name, known) or (
            f": set {MODULES_SETTING} to the module that declares it, or write n[{name!r}]"
        )
        problem = f"{' and '.join(sorted(owners))}: no property {name!r} is declared{hint}"
        yield code.count("\n", 0, position), problem


def _classes(owner: str) -> list[type]:
    """Return the class of a label, or the classes of the edges of a type."""
    if owner in NODES:
        return [NODES[owner]]
    return [cls for edge_type, cls in EDGES.items() if edge_type.type == owner]
