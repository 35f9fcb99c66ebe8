"""Comparison of experiments: their parameters and metrics side by side."""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genai_graph.database import match_uid, query
from genai_graph.errors import MissingExtraError, SearchError
from genai_graph.formatting import to_text
from genai_graph.names import normalize_name
from genai_graph.ogm.node import Node
from genai_graph.pictures.curves import Curve, Plot, can_draw_svg, curve_of, draw_svg
from genai_graph.pictures.html_table import html_table
from genai_graph.questions.directions import direction
from genai_graph.registry import NODES, close
from genai_graph.searches import search as find
from genai_graph.storage.batching import BATCH_BYTES, chunk_by_size
from genai_graph.storage.lookups import find_nodes
from genai_graph.storage.rows import values_equal
from genai_graph.storage.suggestions import node_not_found

if TYPE_CHECKING:
    import pandas

MAX_FOUND = 10  # experiments of a search
MAX_PANELS = 20  # of a page
_METRICS = "metrics."
_POINT_BYTES = 18  # a step and a value
_ATTRIBUTES = ("name", "status", "code_version", "random_seed")
_BEST = " *"


@dataclass(frozen=True)
class ComparedValue:
    """One parameter, metric or attribute of all experiments, by uid; a missing value is None.

    `best` are the uids with the best value of a metric, if its direction is known.
    """

    key: str
    values: Mapping[str, Any]
    best: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether two experiments have different values."""
        first, *others = self.values.values()
        return not all(values_equal(first, other) for other in others)

    def as_dict(self) -> dict[str, Any]:
        """Return the value as a row."""
        return {
            "key": self.key,
            "differs": self.differs,
            "best": list(self.best),
            "values": dict(self.values),
        }


@dataclass(frozen=True)
class Comparison:
    """Experiments side by side: one value per row, those that differ first."""

    uids: tuple[str, ...]
    values: list[ComparedValue] = field(default_factory=list)

    def __iter__(self) -> Iterator[ComparedValue]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: str) -> ComparedValue:
        for value in self.values:
            if value.key == key:
                return value
        raise KeyError(key)

    def table(self, *, mark_best: bool = False) -> list[list[Any]]:
        """Return rows of the key and the values, with the best ones marked by an asterisk."""
        return [
            [value.key, *(_cell(value, uid, mark_best=mark_best) for uid in self.uids)]
            for value in self.values
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a DataFrame with a column for each experiment, and the keys as its index.

        Raises `MissingExtraError` if pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        index = pandas.Index([value.key for value in self.values], name="key")
        rows = [[value.values[uid] for uid in self.uids] for value in self.values]
        return pandas.DataFrame(rows, index=index, columns=list(self.uids), dtype=object)

    def _repr_html_(self) -> str:
        """Return a table, for notebooks."""
        columns = {"": "", **dict.fromkeys(self.uids, "")}
        note = "* best value" if any(value.best for value in self.values) else ""
        title = f"{len(self.uids)} experiments"
        return html_table(title, columns, self.table(mark_best=True), note=note)

    def plot(self, *names: str) -> Plot:
        """Return the learning curves of all experiments, or those of metrics with some names.

        The histories are read from the graph; each metric is one panel.
        """
        return Plot(_read_curves(self.uids, names))

    def to_html(self) -> str:
        """Return a page with the table, which needs no other file.

        The learning curves are below it, if matplotlib is installed; they are read from the graph.
        """
        title = html.escape(", ".join(self.uids))
        curves = self._curves_html() if can_draw_svg() else ""
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            "<style>body{font-family:sans-serif}td,th{padding:.2em .8em;text-align:left}</style>"
            f"</head>\n<body>{self._repr_html_()}{curves}</body></html>\n"
        )

    def _curves_html(self) -> str:
        panels = self.plot().panels
        if not panels:
            return ""
        # In the order of the table.
        titles = [value.key.removeprefix(_METRICS) for value in self.values]
        titles = [title for title in titles if title in panels]
        svg = draw_svg({title: panels[title] for title in titles[:MAX_PANELS]})
        more = len(titles) - MAX_PANELS
        note = f"<p>… and {more} more: compare(...).plot(name) draws them</p>" if more > 0 else ""
        return f"\n<h2>Learning curves</h2>\n{svg}{note}"


def _cell(value: ComparedValue, uid: str, *, mark_best: bool) -> Any:
    found = value.values[uid]
    return f"{to_text(found)}{_BEST}" if mark_best and uid in value.best else found


def compare(
    *experiments: Any, search: str | None = None, order_by: Sequence[str] = (), limit: int = 0
) -> Comparison:
    """Compare experiments, given as nodes or uids or found by a search, side by side.

    With `search`, the first `limit` experiments (default 10) that meet the expression are added, in
    the order of `order_by`. Metrics on different datasets and splits are different rows. The best
    value of a metric is that of its `greater_is_better`, or of its name if that is well-known.

    Raises `NodeNotFoundError`, and `SearchError` for an invalid expression or fewer than two
    experiments.
    """
    close()
    uids = [_uid_of(one) for one in experiments]
    if search is not None:
        rows = find(search, order_by=order_by, columns=["name"], limit=limit or MAX_FOUND)
        uids += [row["uid"] for row in rows]
    uids = list(dict.fromkeys(uids))
    if len(uids) < 2:
        raise SearchError(f"expected at least two experiments to compare, got {len(uids)}")
    stored = find_nodes("Experiment", uids)
    for uid in uids:
        if uid not in stored:
            raise node_not_found("Experiment", uid)
    cls: Any = NODES["Experiment"]
    nodes = {uid: cls.from_values(stored[uid]) for uid in uids}
    table: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in _ATTRIBUTES:
        for uid, node in nodes.items():
            if (value := getattr(node, name)) is not None:
                table[name][uid] = value
    for uid, node in nodes.items():
        for key, value in _leaves("parameters", node.parameters):
            table[key][uid] = value
    compared = [ComparedValue(key, _complete(uids, found)) for key, found in table.items()]
    compared += _compare_metrics(uids)
    return Comparison(tuple(uids), sorted(compared, key=lambda one: not one.differs))


def _uid_of(experiment: Any) -> str:
    if isinstance(experiment, Node):
        return experiment.saved_uid
    return normalize_name(str(experiment))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _leaves(f"{path}.{key}", value[key])
    elif value != {}:
        yield path, value


def _complete(uids: Iterable[str], found: Mapping[str, Any]) -> dict[str, Any]:
    return {uid: found.get(uid) for uid in uids}


_MetricKey = tuple[str, str | None, str | None, str | None]  # name, dataset, split and model


def _compare_metrics(uids: list[str]) -> list[ComparedValue]:
    table: dict[_MetricKey, dict[str, Any]] = defaultdict(dict)
    directions: dict[_MetricKey, bool | None] = {}
    for uid, key, value, greater in _read_metrics(uids, "m.value, m.greater_is_better"):
        table[key].setdefault(uid, value)
        if directions.get(key) is None:
            directions[key] = direction(key[0]) if greater is None else greater
    compared = []
    for key, found in sorted(table.items(), key=lambda item: _title(item[0])):
        best = _best(found, directions[key])
        compared.append(ComparedValue(f"{_METRICS}{_title(key)}", _complete(uids, found), best))
    return compared


def _read_metrics(uids: Sequence[str], values: str) -> list[tuple[Any, ...]]:
    """Return the uid of the experiment, the key and some values of each metric, by its uid.

    Runs have different models, so the model is part of the key only if a run has scores of several
    models.
    """
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', 'Experiment', 'uid')} "
        "MATCH (n)-[:HAS]->(m:Metric) OPTIONAL MATCH (m)-[:EVALUATED_ON]->(d:Dataset) "
        "OPTIONAL MATCH (m)-[:MEASURES]->(o:Model) "
        f"RETURN collect([m.uid, uid, m.name, d.uid, m.split, o.uid, {values}]) AS found",
        uids=list(uids),
    )
    metrics = sorted(rows[0]["found"], key=lambda metric: metric[0])
    counts = Counter(tuple(metric[1:5]) for metric in metrics)
    several = {place[1:] for place, count in counts.items() if count > 1}
    found = []
    for _, uid, name, dataset, split, model, *others in metrics:
        is_several = (name, dataset, split) in several
        key = (str(name), dataset, split, model if is_several else None)
        found.append((uid, key, *others))
    return found


def _title(key: _MetricKey) -> str:
    name, *places = key
    given = [place for place in places if place]
    return f"{name} ({', '.join(given)})" if given else name


def _best(found: Mapping[str, Any], greater_is_better: bool | None) -> tuple[str, ...]:
    """Return the uids with the best value of several, or nothing if the direction is unknown."""
    numbers = {uid: value for uid, value in found.items() if value == value}  # without NaN
    if greater_is_better is None or len(found) < 2 or not numbers:
        return ()
    best = (max if greater_is_better else min)(numbers.values())
    return tuple(uid for uid, value in numbers.items() if value == best)


# Learning curves


def _read_curves(uids: Sequence[str], names: Sequence[str]) -> dict[str, list[Curve]]:
    """Return the curves by metric, one for each experiment, empty if it has none.

    So an experiment has the same colour in all panels. Histories are read a few at a time, and
    thinned, since they may be long.
    """
    length_of = "CASE WHEN valueType(m.steps) STARTS WITH 'LIST' THEN size(m.steps) ELSE 0 END"
    metrics: dict[str, tuple[str, _MetricKey]] = {}
    sizes = []
    for uid, key, metric, length in _read_metrics(uids, f"m.uid, {length_of}"):
        if length > 1 and (not names or key[0] in names):
            metrics[metric] = (uid, key)
            sizes.append(length * _POINT_BYTES)
    table: dict[_MetricKey, dict[str, Curve]] = defaultdict(dict)
    for chunk in chunk_by_size(metrics, sizes, BATCH_BYTES):
        stored = query(
            f"UNWIND $uids AS uid {match_uid('m', 'Metric', 'uid')} "
            "RETURN uid, m.steps AS steps, m.values AS values",
            uids=chunk,
        )
        for row in stored:
            uid, key = metrics[row["uid"]]
            if curve := curve_of(uid, row):
                table[key].setdefault(uid, curve.thinned())
    drawn = [uid for uid in uids if any(uid in curves for curves in table.values())]
    return {
        _title(key): [table[key].get(uid, Curve(uid, [], [])) for uid in drawn]
        for key in sorted(table, key=_title)
    }
