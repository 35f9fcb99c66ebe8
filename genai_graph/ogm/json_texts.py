"""Regular expressions that find a key in a JSON text, for values that are not native properties.

Cypher can't parse JSON. The expressions skip whole values, to at most the depth that JSON may have.
Possessive quantifiers (``*+``) never backtrack, and Java matches them without recursion, so that
long texts need linear time and little stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from genai_graph.properties.json_values import MAX_DEPTH

_STRING = r'"(?:[^"\\]++|\\[\s\S])*+"'


def _nested_value() -> str:
    nested = r"(?!)"
    for _ in range(MAX_DEPTH):
        nested = rf'[\[{{](?:[^"\[\]{{}}]++|{_STRING}|{nested})*+[\]}}]'
    return nested


_VALUE = rf'(?:{_STRING}|[^"\[\]{{}},\s]++|{_nested_value()})'


def key_token(key: str) -> str:
    """Return a part of every text that contains a key: the key in quotes, unless it may differ."""
    return json.dumps(key) if len(_spellings(key)) == 1 else '"'


def key_pattern(keys: Iterable[str], value: str = "") -> str:
    """Return an expression for a text with a value at a path, which matches `value`."""
    return r"\s*+" + "".join(rf"\{{\s*+{_entry(key)}" for key in keys) + rf"{value}[\s\S]*+"


def _entry(key: str) -> str:
    """Return an expression for the entries of a map before the value at a key."""
    name = rf"(?:{'|'.join(map(re.escape, _spellings(key)))})\s*+:\s*+"
    return rf"(?:(?!{name}){_STRING}\s*+:\s*+{_VALUE}\s*+,\s*+)*+{name}"


def _spellings(key: str) -> list[str]:
    """Return a key as it is stored, and as programs write it that use ASCII only."""
    return sorted({json.dumps(key, ensure_ascii=False), json.dumps(key)})
