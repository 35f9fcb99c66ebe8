"""Identity across sources: namespaces, and the identities and terms of a user's map (`--map`)."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.errors import SettingsError
from genai_graph.exchange.formats.parsing import DocumentError, decode_utf8
from genai_graph.importers.safe_yaml import parse_yaml
from genai_graph.licenses import spdx_license
from genai_graph.models import DATA_ROLES
from genai_graph.ogm.uids import parse_versioned_uid, versioned_uid
from genai_graph.properties.messages import describe, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from os import PathLike

    from genai_graph.importers.known_runs import RunState

OTHER_ROLE = "other"
_TEXT_SECTIONS = ("datasets", "models", "projects", "contexts", "licenses")
SECTIONS = (*_TEXT_SECTIONS, "metrics")
_METRIC_KEYS = {"name": str, "split": str, "unit": str, "greater_is_better": bool}
_MAX_MAP_BYTES = 8 * 2**20


class MetricTerm(NamedTuple):
    """The name and the properties that the map gives to a metric of the source."""

    name: str
    split: str | None = None
    unit: str | None = None
    greater_is_better: bool | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The properties of the Metric, apart from its name, that the map gives."""
        given = {
            "split": self.split,
            "unit": self.unit,
            "greater_is_better": self.greater_is_better,
        }
        return {name: value for name, value in given.items() if value is not None}


class Context:
    """The options that all kinds share, applied by the importers.

    `namespace` is a prefix for names that are local to the source. `map` is the path of a YAML or
    JSON file, or its content as a dict; `extra_sections` are the keys that a kind of import adds
    to those of `SECTIONS`. `project` is the name of the Project that owns the imported nodes, for
    sources that have no projects. `known_runs` returns the runs of an origin in the graph, for an
    incremental import.

    Raises `SettingsError` for an invalid map.
    """

    def __init__(
        self,
        *,
        namespace: str | None = None,
        map: str | PathLike[str] | Mapping[str, Any] | None = None,
        project: str | None = None,
        extra_sections: Collection[str] = (),
        known_runs: Callable[[str], dict[str, RunState]] | None = None,
    ) -> None:
        if namespace is not None and not namespace.strip("/"):
            raise SettingsError(f"namespace: expected a name, got {namespace!r}")
        if project == "":
            raise SettingsError("project: expected a name, got ''")
        self.known_runs = known_runs
        self._prefix = "" if namespace is None else f"{namespace.strip('/')}/"
        self.project = None if project is None else self._prefix + project
        content = _read_map(map)
        _validate(content, extra_sections)
        self.sections = content
        self._texts = {name: dict(content.get(name) or {}) for name in _TEXT_SECTIONS}
        metrics = content.get("metrics")
        metric_terms = metrics if isinstance(metrics, dict) else {}
        self._metrics = {
            pattern: MetricTerm(**{"name": pattern, **term})
            for pattern, term in metric_terms.items()
        }
        self.metric = lru_cache(maxsize=4096)(self._find_metric)

    def project_name(self, name: str) -> str:
        """Return the name of a Project."""
        mapped = self._match("projects", name)
        return self._prefix + name if mapped is None else mapped

    def dataset_uid(
        self, uid: str, *, name: str | None = None, location: str | None = None, local: bool = True
    ) -> str:
        """Return the uid in the graph for a dataset of the source.

        It is the uid that the map has for the uid, the name or the location, if any. Otherwise it
        is the given uid, with the namespace as a prefix if the uid is `local` to the source, and
        not one of the Hugging Face Hub.
        """
        return self._uid("datasets", uid, local, name, location)

    def model_uid(self, uid: str, *, name: str | None = None, local: bool = True) -> str:
        """Return the uid in the graph for a model of the source; see `dataset_uid`."""
        return self._uid("models", uid, local, name)

    def _find_metric(self, name: str) -> MetricTerm:
        """Return the name of a metric in the graph, and the properties that the map gives."""
        if name in self._metrics:
            return self._metrics[name]
        for pattern, term in self._metrics.items():
            if fnmatchcase(name, pattern):
                # A term without a name of its own keeps that of the metric.
                return term._replace(name=name) if term.name == pattern else term
        return MetricTerm(name)

    def role(self, word: str) -> tuple[str | None, bool]:
        """Return the role of a dataset for a word of the source, and whether the word is known.

        An unknown word has the role `other`.
        """
        mapped = self._match("contexts", word)
        if mapped is not None:
            return mapped, True
        lowered = word.strip().lower()
        if not lowered:
            return None, True
        for prefixes, role in (
            (("train", "fit"), "training"),
            (("val", "dev"), "validation"),
            (("test", "eval"), "test"),
        ):
            if lowered.startswith(prefixes):
                return role, True
        return OTHER_ROLE, lowered == OTHER_ROLE

    def license(self, text: str) -> str:
        """Return a license in SPDX spelling if it has one."""
        return spdx_license(text, self._texts["licenses"])

    def _uid(self, section: str, uid: str, local: bool, *aliases: str | None) -> str:
        for text in (uid, *aliases):
            if text is not None and (mapped := self._match(section, text)) is not None:
                return mapped
        if not local or not self._prefix:
            return uid
        fields = parse_versioned_uid(uid)
        return versioned_uid(self._prefix + fields["name"], fields.get("version"))

    def _match(self, section: str, text: str) -> str | None:
        terms: dict[str, str] = self._texts[section]
        if text in terms:
            return terms[text]
        return next((terms[pattern] for pattern in terms if fnmatchcase(text, pattern)), None)


def _read_map(source: str | PathLike[str] | Mapping[str, Any] | None) -> dict[str, Any]:
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return dict(source)
    name = str(source)
    try:
        data = Path(source).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"map: {name}: can't be read: {reason}") from error
    if len(data) > _MAX_MAP_BYTES:
        raise SettingsError(f"map: {name}: is larger than {_MAX_MAP_BYTES >> 20} MiB")
    try:
        document = parse_yaml(decode_utf8(data))  # JSON is YAML, too
    except DocumentError as error:
        raise SettingsError(f"map: {name}:{error.line}: {error}") from None
    for line, message in document.notices:
        raise SettingsError(f"map: {name}:{line}: {message}: remove one")
    if document.content is None:
        return {}
    if not isinstance(document.content, dict):
        raise SettingsError(f"map: {name}: expected a map, got {describe(document.content)}")
    return document.content


def check_keys(place: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise `SettingsError` for a key of a map that is not known."""
    for key in given:
        if key not in known:
            hint = did_you_mean(str(key), known)
            raise SettingsError(f"{place}: unknown key {key!r}{hint}: expected {', '.join(known)}")


def _validate(content: Mapping[str, Any], extra_sections: Collection[str]) -> None:
    known = [*SECTIONS, *(name for name in extra_sections if name not in SECTIONS)]
    check_keys("map", content, known)
    for section, terms in content.items():
        if section in _TEXT_SECTIONS:
            _validate_texts(section, terms)
    roles = (*DATA_ROLES, OTHER_ROLE)
    for word, role in (content.get("contexts") or {}).items():
        if role not in roles:
            raise SettingsError(
                f"map: contexts: {word}: expected one of {', '.join(dict.fromkeys(roles))}, "
                f"got {describe(role)}"
            )
    metrics = content.get("metrics")
    if metrics is not None and not ("metrics" in extra_sections and isinstance(metrics, list)):
        _validate_metrics(metrics)


def _validate_texts(section: str, terms: Any) -> None:
    if terms is None:
        return
    if not isinstance(terms, Mapping):
        raise SettingsError(f"map: {section}: expected a map, got {describe(terms)}")
    for pattern, target in terms.items():
        if not isinstance(target, str) or not target:
            raise SettingsError(
                f"map: {section}: {pattern}: expected a non-empty string, got {describe(target)}"
            )


def _validate_metrics(metrics: Any) -> None:
    if not isinstance(metrics, Mapping):
        raise SettingsError(f"map: metrics: expected a map, got {describe(metrics)}")
    for pattern, term in metrics.items():
        if not isinstance(term, Mapping):
            raise SettingsError(f"map: metrics: {pattern}: expected a map, got {describe(term)}")
        check_keys(f"map: metrics: {pattern}", term, _METRIC_KEYS)
        for key, value in term.items():
            if not isinstance(value, _METRIC_KEYS[key]) or value == "":
                expected = "true or false" if _METRIC_KEYS[key] is bool else "a non-empty string"
                raise SettingsError(
                    f"map: metrics: {pattern}: {key}: expected {expected}, got {describe(value)}"
                )
