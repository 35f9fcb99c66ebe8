"""What the graph completes: labels and types in Cypher, uids, questions and their parameters.

Each rule is about the code as far as it is typed. What none of them knows is Python's to complete.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.database.query_logging import no_query_logging
from genai_graph.errors import GenaiGraphError
from genai_graph.questions import get_question, list_questions
from genai_graph.registry import EDGES, NODES
from genai_graph.storage.lookups import uids_with_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable


LIMIT = 50

_TEXT = r"""(?P<quote>['"])(?P<fragment>[^'"]*)\Z"""
_ASK = r"""(?s:.*)\bask\(\s*['"]"""
_QUESTION = re.compile(rf"{_ASK}(?P<fragment>[\w-]*)\Z")
_ASKED = re.compile(rf"""{_ASK}(?P<question>[\w-]+)['"]\s*,(?P<rest>[^()]*)\Z""")
_VALUE = re.compile(rf"""(?s:.*)\b(?P<name>\w+)\s*=\s*{_TEXT}""")
_NAME = re.compile(r"""(?s:.*,)?\s*(?P<fragment>\w*)\Z""")
# Dataset.nodes.get(uid="..., and in Cypher (d:Dataset {uid: '...
_UID = re.compile(rf"""(?s:.*)\b(?P<label>{"|".join(NODES)})\b[^'"]*\buid\s*[:=]\s*{_TEXT}""")
_IN_CYPHER = r"""(?s:.*)\bquery\(\s*['"](?s:.*)"""
_LABEL = re.compile(rf"{_IN_CYPHER}\(\w*:(?P<fragment>\w*)\Z")
_TYPE = re.compile(rf"{_IN_CYPHER}\[\w*:(?:\w+\|)*(?P<fragment>\w*)\Z")


class Completion(NamedTuple):
    """What may stand for the last letters; it is not whole when there is more than is shown."""

    fragment: str
    candidates: list[str]
    is_whole: bool = True


def complete(code: str) -> Completion | None:
    """Return what may stand at the end of code; None where the graph has no say."""
    if found := _QUESTION.match(code):
        return _beginning(found["fragment"], list_questions())
    if found := _ASKED.match(code):
        return _parameter(found["question"], found["rest"])
    if found := _UID.match(code):
        return _uids(found["label"], found["fragment"], found["quote"])
    if found := _LABEL.match(code):
        return _beginning(found["fragment"], NODES)
    if found := _TYPE.match(code):
        return _beginning(found["fragment"], {kind.type for kind in EDGES})
    return None


def _beginning(fragment: str, words: Iterable[str]) -> Completion:
    return Completion(fragment, sorted(word for word in words if word.startswith(fragment)))


def _parameter(question: str, rest: str) -> Completion | None:
    """Complete the name of a parameter, or the uid that it takes."""
    if question not in list_questions():
        return None
    parameters = get_question(question).parameters
    if found := _VALUE.match(rest):
        parameter = parameters.get(found["name"])
        label = parameter and parameter.label
        return _uids(label, found["fragment"], found["quote"]) if label else None
    if found := _NAME.match(rest):
        return _beginning(found["fragment"], (f"{name}=" for name in (*parameters, "limit")))
    return None


def _uids(label: str, prefix: str, quote: str) -> Completion:
    """Complete a uid, by the index; one that can't stand in the quotes as it is, is not shown."""
    try:
        with no_query_logging():
            uids = uids_with_prefix(label, prefix, LIMIT + 1)
    except GenaiGraphError:
        uids = []  # the next statement says what is wrong
    shown = [uid for uid in uids[:LIMIT] if uid.isprintable() and not {quote, "\\"} & set(uid)]
    return Completion(prefix, shown, is_whole=len(uids) <= LIMIT)
