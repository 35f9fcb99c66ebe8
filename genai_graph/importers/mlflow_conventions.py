"""Conventions of MLflow: tags with a meaning, seeds, and values that its SQL store can't hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from genai_graph.importers.secret_values import is_secret
from genai_graph.properties.json_values import INTEGER_MAX, INTEGER_MIN
from genai_graph.properties.redaction import strip_credentials

PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
RUN_NAME = "mlflow.runName"
RUN_STATUSES = ("SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED")
# MLflow's SQL store writes infinities as the largest float.
_LARGEST = 1.7976931348623157e308
_LONGEST_TAG = 250
_MLFLOW = "mlflow."
_PROPERTIES = {
    "mlflow.user": "created_by",
    "mlflow.source.name": "source",
    "mlflow.source.git.commit": "code_version",
    "mlflow.source.git.repoURL": "code_url",
    NOTE: "description",
}
_SEEDS = ("seed", "random_seed", "random_state")
_INTEGER = re.compile(r"-?[0-9]{1,19}\Z")
_URLS = ("mlflow.source.name", "mlflow.source.git.repoURL")
IGNORED = frozenset(["mlflow.log-model.history"])


class TagGroups(NamedTuple):
    """Tags as ``name=value`` texts, tags too long for that, MLflow's own tags, names of secrets."""

    short: list[str]
    long: dict[str, str]
    mlflow: dict[str, Any]
    secrets: list[str]

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The keys of `metadata` for these tags, or None."""
        found = {"tags": self.long, "mlflow": self.mlflow}
        return {key: value for key, value in found.items() if value} or None


def split_tags(tags: Mapping[str, str]) -> TagGroups:
    """Return the tags that have no property of their own, in groups."""
    groups = TagGroups([], {}, {}, [])
    for key in sorted(tags):
        value = _without_login(key, tags[key] or "")
        if key in IGNORED:
            continue
        if is_secret(key.removeprefix(_MLFLOW), value):
            groups.secrets.append(key)
        elif key in _PROPERTIES or key in (RUN_NAME, PARENT):
            continue
        elif key.startswith(_MLFLOW):
            groups.mlflow[key.removeprefix(_MLFLOW)] = value
        elif len(text := f"{key}={value}") <= _LONGEST_TAG:
            groups.short.append(text)
        else:
            groups.long[key] = value
    return groups


def tag_properties(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that tags give, without secrets."""
    found = {key: _without_login(key, tags[key]) for key in _PROPERTIES if tags.get(key)}
    return {
        _PROPERTIES[key]: value
        for key, value in found.items()
        if value and not is_secret(key.removeprefix(_MLFLOW), value)
    }


def _without_login(key: str, value: str) -> str:
    """Return the value of a tag, without credentials if the tag is for a URL."""
    return strip_credentials(value) if key in _URLS else value


def note(tags: Mapping[str, str]) -> str | None:
    """Return the description that tags give, or None."""
    return tag_properties({NOTE: tags.get(NOTE, "")}).get("description")


def random_seed(params: Mapping[str, str]) -> int | None:
    """Return the seed among the parameters of a run, or None."""
    for name in _SEEDS:
        text = params.get(name, "")
        if _INTEGER.match(text) and INTEGER_MIN <= int(text) <= INTEGER_MAX:
            return int(text)
    return None


def decode_value(value: float, is_nan: bool) -> float:
    """Return the value that MLflow's SQL store encodes: it has the largest float for infinity."""
    if is_nan:
        return math.nan
    if value == _LARGEST:
        return math.inf
    return -math.inf if value == -_LARGEST else value
