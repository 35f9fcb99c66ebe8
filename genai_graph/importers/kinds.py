"""The kinds of import: those of this package, and those that other packages register.

A package registers a kind under the entry-point group ``genai_graph.importers``: the name of the
entry point is that of the kind, and its object is a `Kind`. This module imports no importer, so
that listing the kinds and their options is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from genai_graph.errors import GenaiGraphError, SettingsError
from genai_graph.properties.messages import did_you_mean

if TYPE_CHECKING:
    from genai_graph.importers.context import Context
    from genai_graph.importers.records import ImportRecord

    # Called with the sources, the keyword argument `context`, and the options of the kind.
    ReadRecords = Callable[..., Iterator[ImportRecord]]

ENTRY_POINTS = "genai_graph.importers"


@dataclass(frozen=True)
class Option:
    """An option of a kind: a keyword argument in Python, ``--name`` on the command line.

    `type` is str, int or bool; ``flag`` is the name on the command line if it differs, and
    `metavar` describes the value. The value of a `multiple` option is a tuple.
    """

    name: str
    help: str
    type: type[Any] = str
    default: Any = None
    multiple: bool = False
    flag: str = ""
    metavar: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of source, such as ``mlflow``.

    `reader` is the path ``module:function`` of the generator that yields the records: it is called
    with the sources as positional arguments, ``context=Context(...)`` and the `options`.
    `sources` describes the arguments of the command, which has at least `minimum_sources` and, if
    it is not None, at most `maximum_sources` of them. `metadata_keys` are the keys of the property
    `metadata` that an import replaces; all other keys are kept. `map_sections` are the keys that
    the kind adds to those of a map (`Context`). With `has_project`, the kind has the option
    ``--project``; with `has_runs`, ``--incremental`` and ``--prune``. `filters` are the options
    that leave out items: they can't be used with ``--prune``.
    """

    name: str
    summary: str
    description: str
    reader: str
    sources: str
    minimum_sources: int = 1
    maximum_sources: int | None = None
    aliases: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    metadata_keys: tuple[str, ...] = ()
    map_sections: tuple[str, ...] = ()
    has_project: bool = False
    filters: tuple[str, ...] = ()
    has_runs: bool = False

    def read(self, *sources: str, context: Context, **options: Any) -> Iterator[ImportRecord]:
        """Import the reader and call it."""
        module, _, function = self.reader.partition(":")
        reader: ReadRecords = getattr(import_module(module), function)
        return reader(*sources, context=context, **options)


_SINCE = Option("since", "Only runs started at or after this time (a date is UTC).", metavar="TIME")
_UNTIL = Option("until", "Only runs started before this time.", metavar="TIME")

MLFLOW = Kind(
    name="mlflow",
    summary="Import an MLflow store.",
    description="URI is a database (sqlite:///mlflow.db, postgresql://..., mysql://...), a "
    "tracking server (http://..., https://...) or the directory of a file store (./mlruns). The "
    "default is MLFLOW_TRACKING_URI, then ./mlflow.db, then ./mlruns.",
    reader="genai_graph.importers.mlflow:records",
    sources="[URI]",
    minimum_sources=0,
    maximum_sources=1,
    options=(
        Option(
            "experiments",
            "Only experiments with this name or id. May be repeated.",
            multiple=True,
            flag="experiment",
            metavar="GLOB",
        ),
        Option(
            "exclude_experiments",
            "No experiments with this name or id. May be repeated.",
            multiple=True,
            flag="exclude-experiment",
            metavar="GLOB",
        ),
        _SINCE,
        _UNTIL,
        Option(
            "with_deleted",
            "Include items that MLflow marks as deleted, with the tag 'deleted'.",
            type=bool,
            default=False,
        ),
        Option(
            "history",
            "The values of metrics by step, or the last value only. Default: by step; from a "
            "server, metrics at step 0 have their last value only, unless --history is given.",
            type=bool,
        ),
        Option(
            "history_limit",
            "Maximum number of steps of a metric; longer histories are thinned. 0 means no limit.",
            type=int,
            default=10_000,
            metavar="N",
        ),
    ),
    metadata_keys=("mlflow", "tags"),
    filters=("experiments", "exclude_experiments", "since", "until"),
    has_runs=True,
)
HUGGINGFACE = Kind(
    name="huggingface",
    summary="Import model and dataset cards of the Hub.",
    description="PATH is a README.md, a directory of repositories, or the cache of the Hub "
    "(~/.cache/huggingface/hub).",
    reader="genai_graph.importers.huggingface:records",
    sources="PATH...",
    aliases=("hf",),
    options=(Option("name", "Id of the repository of a single README.md.", metavar="ORG/NAME"),),
    metadata_keys=(
        *("args", "card", "dataset", "license", "name", "plus_minus", "revision", "source"),
        *("task", "verified"),
    ),
    has_project=True,
)
CROISSANT = Kind(
    name="croissant",
    summary="Import Croissant descriptions of datasets.",
    description="PATH is a JSON-LD file, such as metadata.json or croissant.json, or a directory "
    "of them.",
    reader="genai_graph.importers.croissant:records",
    sources="PATH...",
    metadata_keys=("croissant", "license"),
    has_project=True,
)
CSV = Kind(
    name="csv",
    summary="Import tables of runs.",
    description="FILE is written by `mlflow experiments csv`, or any table with one run per row "
    "and a --map of its columns.",
    reader="genai_graph.importers.csv_runs:records",
    sources="FILE...",
    options=(_SINCE, _UNTIL),
    metadata_keys=("mlflow", "tags"),
    map_sections=(
        *("project", "id", "name", "started_at", "ended_at", "created_by", "description"),
        *("source", "status", "duration", "tags", "parameters", "metrics"),
    ),
    has_project=True,
)
_BUILTIN = {kind.name: kind for kind in (MLFLOW, HUGGINGFACE, CROISSANT, CSV)}


def list_kinds() -> list[str]:
    """Return the names of all kinds, without loading those of other packages."""
    return list(dict.fromkeys([*_BUILTIN, *sorted(point.name for point in _entry_points())]))


def find_kind(name: str) -> Kind:
    """Return a kind by its name or an alias; raise `SettingsError` for an unknown one."""
    for kind in _BUILTIN.values():
        if name == kind.name or name in kind.aliases:
            return kind
    for point in _entry_points():
        if point.name == name:
            return _load(point)
    known = list_kinds()
    hint = did_you_mean(name, known)
    raise SettingsError(f"unknown kind of import {name!r}{hint}: expected {', '.join(known)}")


def _entry_points() -> list[EntryPoint]:
    return list(entry_points(group=ENTRY_POINTS))


def _load(point: EntryPoint) -> Kind:
    try:
        kind = point.load()
    except GenaiGraphError:
        raise
    except Exception as error:  # any error of the other package
        problem = f"{type(error).__name__}: {error}"
        raise SettingsError(f"import {point.name}: {point.value} can't be loaded: {problem}") from (
            error
        )
    if not isinstance(kind, Kind):
        raise SettingsError(f"import {point.name}: {point.value} is not a {Kind.__name__}")
    return kind
