"""Completion from the graph: labels, edge types, uids, questions, their parameters, properties.

Each rule matches the code up to the cursor. Python completes the rest.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.database.query_logging import no_query_logging
from genai_graph.errors import GenaiGraphError
from genai_graph.questions import get_question, list_questions
from genai_graph.registry import NODES, edge_type_names
from genai_graph.shell.calls import find_open_call
from genai_graph.shell.property_completion import complete_properties
from genai_graph.storage.lookups import uids_with_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_CANDIDATES = 50

_OPEN_STRING = r"""(?P<quote>['"])(?P<fragment>[^'"]*)\Z"""
_ASK = r"""(?s:.*)\bask\(\s*['"]"""
_QUESTION = re.compile(rf"{_ASK}(?P<fragment>[\w-]*)\Z")
_PARAMETERS = re.compile(rf"""{_ASK}(?P<question>[\w-]+)['"]\s*,(?P<parameters>[^()]*)\Z""")
_PARAMETER_VALUE = re.compile(rf"""(?s:.*)\b(?P<name>\w+)\s*=\s*{_OPEN_STRING}""")
_PARAMETER_NAME = re.compile(r"""(?s:.*,)?\s*(?P<fragment>\w*)\Z""")
_CYPHER = r"""(?s:.*)\bquery\(\s*['"](?s:.*)"""
_LABEL = re.compile(rf"{_CYPHER}\(\w*:(?P<fragment>\w*)\Z")
_EDGE_TYPE = re.compile(rf"{_CYPHER}\[\w*:(?:\w+\|)*(?P<fragment>\w*)\Z")


class Completion(NamedTuple):
    """The candidates that replace the last characters of the code."""

    fragment: str
    candidates: list[str]


def complete(code: str, variables: Mapping[str, Any] | None = None) -> Completion | None:
    """Return the candidates at the end of the code, or None if no rule applies.

    `variables` are those of the shell by name.
    """
    try:
        return _complete(code) or _complete_call(code, variables or {})
    except GenaiGraphError:  # such as an invalid file of a question
        return None


def _complete_call(code: str, variables: Mapping[str, Any]) -> Completion | None:
    call = find_open_call(code)
    found = call and complete_properties(call, variables)
    return Completion(*found) if found else None


def _complete(code: str) -> Completion | None:
    if match := _QUESTION.match(code):
        return _complete_word(match["fragment"], list_questions())
    if match := _PARAMETERS.match(code):
        return _complete_parameter(match["question"], match["parameters"])
    if match := _uid_pattern().match(code):
        return _complete_uid(match["label"], match["fragment"], match["quote"])
    if match := _LABEL.match(code):
        return _complete_word(match["fragment"], NODES)
    if match := _EDGE_TYPE.match(code):
        return _complete_word(match["fragment"], edge_type_names())
    return None


@functools.cache
def _uid_pattern() -> re.Pattern[str]:
    """Return the pattern of Dataset.nodes.get(uid="..., and in Cypher (d:Dataset {uid: '..."""
    labels = "|".join(map(re.escape, NODES))
    return re.compile(rf"""(?s:.*)\b(?P<label>{labels})\b[^'"]*\buid\s*[:=]\s*{_OPEN_STRING}""")


def _complete_word(fragment: str, words: Iterable[str]) -> Completion:
    return Completion(fragment, sorted(word for word in words if word.startswith(fragment)))


def _complete_parameter(question: str, code: str) -> Completion | None:
    """Complete the name of a parameter, or its value if that is a uid."""
    if question not in list_questions():
        return None
    parameters = get_question(question).parameters
    if match := _PARAMETER_VALUE.match(code):
        parameter = parameters.get(match["name"])
        label = parameter and parameter.label
        return _complete_uid(label, match["fragment"], match["quote"]) if label else None
    if match := _PARAMETER_NAME.match(code):
        candidates = (f"{name}=" for name in (*parameters, "limit"))
        return _complete_word(match["fragment"], candidates)
    return None


def _complete_uid(label: str, prefix: str, quote: str) -> Completion:
    """Complete a uid by its index, without uids that would need escapes within the quotes."""
    try:
        with no_query_logging():
            uids = uids_with_prefix(label, prefix, MAX_CANDIDATES)
    except GenaiGraphError:
        uids = []  # completion shows no errors; the next statement raises the same one
    safe = [uid for uid in uids if uid.isprintable() and not {quote, "\\"} & set(uid)]
    return Completion(prefix, safe)
