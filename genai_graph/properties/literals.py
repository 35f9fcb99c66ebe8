"""Values as literals of the file formats: YAML, CSV and Cypher.

Strings are quoted by the rules of JSON, which YAML and Cypher read the same way.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import Any

import msgspec

from genai_graph.formatting import non_finite_name

LIST_SEPARATOR = "\x1f"  # between the items of a list in a CSV cell: hardly any text contains it
MANUAL_SEPARATOR = ";"  # typed by hand, and the default of neo4j-admin

# Strings that are strings in every version of YAML, unlike `no`, `y` and `null`.
_YAML_PLAIN = re.compile(
    r"(?!(?:y|n|yes|no|on|off|true|false|null)\Z)[a-z][a-z0-9_./@+-]*\Z", re.IGNORECASE | re.ASCII
)
# Characters that YAML does not allow, or that end a line in some parsers.
_YAML_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_YAML_MAX_KEY = 1_000  # a longer key must be introduced by a question mark


def json_literal(value: Any) -> str:
    """Return a string, number, boolean or null as JSON."""
    return msgspec.json.encode(value).decode()


def format_datetime(value: datetime) -> str:
    """Return an aware datetime in ISO 8601, in UTC with ``Z``."""
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


# YAML


def yaml_string(value: str) -> str:
    """Return a string in YAML, quoted unless it is plain in every version of YAML."""
    if _YAML_PLAIN.match(value):
        return value
    return _YAML_ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04X}", json_literal(value))


def yaml_number(value: float) -> str:
    """Return a float in YAML, always with a point: YAML 1.1 reads ``1e-05`` as a string."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")


def yaml_flow(value: Any) -> str:
    """Return a JSON value in the flow style of YAML, on one line."""
    if isinstance(value, str):
        return yaml_string(value)
    if isinstance(value, float):
        return yaml_number(value)
    if isinstance(value, list):
        return f"[{', '.join(map(yaml_flow, value))}]"
    if isinstance(value, dict):
        items = (f"{_yaml_flow_key(key)}: {yaml_flow(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    return json_literal(value)


def _yaml_flow_key(key: str) -> str:
    text = yaml_string(key)
    return f"? {text} " if len(text) > _YAML_MAX_KEY else text


def yaml_entry(indent: int, key: str, value: str) -> str:
    """Return a line of a block mapping; `value` may be empty."""
    space, text = " " * indent, yaml_string(key)
    value = value and f" {value}"
    if len(text) > _YAML_MAX_KEY:
        return f"{space}? {text}\n{space}:{value}"
    return f"{space}{text}:{value}"


# CSV


def csv_quote(text: str) -> str:
    """Quote a CSV cell. A quoted empty cell is an empty string, an unquoted one is no value."""
    return '"' + text.replace('"', '""') + '"'


def csv_number(value: float) -> str:
    """Return a float in a CSV cell."""
    return repr(value) if math.isfinite(value) else non_finite_name(value)


def split_list(text: str) -> list[str]:
    """Return the items of a list in a CSV cell."""
    if not text:
        return []
    return text.split(LIST_SEPARATOR if LIST_SEPARATOR in text else MANUAL_SEPARATOR)


# Cypher


def cypher_number(value: float) -> str:
    """Return a float in Cypher; the embedded engine reads a bare ``NaN`` as a variable."""
    return json_literal(value) if math.isfinite(value) else f'toFloat("{non_finite_name(value)}")'
