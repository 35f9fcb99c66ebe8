"""What `ask` reads from the graph before it runs the statement of a question."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from genai_graph.database import match_uid, query
from genai_graph.questions import derivation
from genai_graph.questions.derivation import Derivation
from genai_graph.questions.directions import known_directions
from genai_graph.questions.spelling import fold
from genai_graph.questions.splits import Overlap, canonical_name, compare

RUNS_THAT_COUNT = "NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']"
_TRAINING = "coalesce(data.role, 'training') = 'training'"


class MetricGroup(NamedTuple):
    """The number of metrics with the same name, split and unit, and how many have a dataset."""

    name: str
    split: str
    unit: str
    total: int
    with_dataset: int


class GraphFacts:
    """Facts for one question with the given parameters, each read when it is needed."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.depth_of_cut = 0  # the number of steps after which lineage was cut, if it was

    # Metrics

    @functools.cached_property
    def metrics(self) -> list[MetricGroup]:
        """The metrics of the dataset that was asked for, or of all."""
        if self.values.get("dataset") is not None:
            start = f"{match_uid('d', 'Dataset', '$dataset')} "
            start += "MATCH (d)<-[:EVALUATED_ON]-(s:Metric)<-[:HAS]-(x:Experiment)"
        else:
            start = "MATCH (s:Metric)<-[:HAS]-(x:Experiment)"
        rows = query(
            f"{start} WHERE {RUNS_THAT_COUNT} OPTIONAL MATCH (s)-[:EVALUATED_ON]->(on:Dataset) "
            "WITH s.name AS name, coalesce(s.split, '') AS split, coalesce(s.unit, '') AS unit, "
            "count(*) AS metrics, count(on) AS with_dataset "
            "RETURN collect([name, split, unit, metrics, with_dataset]) AS found",
            dataset=self.values.get("dataset"),
        )
        groups = (MetricGroup(*row) for row in rows[0]["found"])
        return [group for group in groups if isinstance(group.name, str)]

    def known_directions(self) -> dict[str, bool]:
        """Whether greater is better, by the name of a metric."""
        asked = self.values.get("metric")
        return known_directions(
            {group.name for group in self.metrics} if asked is None else {asked}
        )

    def split_names(self) -> dict[str, str]:
        """The name that all spellings of a split have in common, by the split."""
        splits = {group.split for group in self.metrics if isinstance(group.split, str)}
        return {split: canonical_name(split) for split in splits}

    # Lineage

    def derived_datasets(self) -> dict[str, list[str]]:
        """The datasets derived from those that were asked for, or from each, by uid."""
        if not self._is_anchored:
            children = derivation.children_of(_read_all("Dataset"))
            return self._closure(children, children)
        starts, edges = self._asked_datasets
        return self._closure(starts, derivation.children_of(edges))

    def derived_models(self) -> dict[str, list[str]]:
        """The models derived from each model, or from each that was trained on the datasets."""
        if not self._is_anchored:
            edges = _read_all("Model")
            children = derivation.children_of(edges)
            return self._closure(children, children)
        starts, derived = self._asked_datasets
        datasets = {*starts, *(edge.child for edge in derived)}
        start = (
            f"UNWIND $values AS uid {match_uid('d', 'Dataset', 'uid')} "
            f"MATCH (d)<-[data:TRAINED_ON]-(n:Model) WHERE {_TRAINING}"
        )
        trained, edges = _read_from(start, "Model", list(datasets), by_source=False)
        return self._closure(trained, derivation.children_of(edges))

    def ancestors(self) -> dict[str, list[str]]:
        """The ancestors of each model."""
        parents = derivation.parents_of(_read_all("Model"))
        return self._closure(parents, parents)

    def chains(self) -> dict[str, list[str]]:
        """The longest chain of ancestors of each model that has parents."""
        model = self.values.get("model")
        if model is None:
            edges = _read_all("Model")
            return derivation.longest_chains({edge.child for edge in edges}, edges)
        start = f"UNWIND $values AS uid {match_uid('n', 'Model', 'uid')}"
        edges = _read_from(start, "Model", [model], by_source=True)[1]
        return derivation.longest_chains([model] if edges else [], edges)

    def newest_versions(self) -> dict[str, list[str]]:
        """The newest versions of each outdated dataset."""
        return derivation.newest_versions(_read_all("Dataset"))

    @property
    def _is_anchored(self) -> bool:
        return any(self.values.get(name) is not None for name in ("dataset", "licenses"))

    @functools.cached_property
    def _asked_datasets(self) -> tuple[list[str], list[Derivation]]:
        """The datasets that were asked for, and the edges to all that are derived from them."""
        if self.values.get("dataset") is not None:
            start = f"UNWIND $values AS uid {match_uid('n', 'Dataset', 'uid')}"
            return _read_from(start, "Dataset", [self.values["dataset"]], by_source=False)
        start = "UNWIND $values AS license MATCH (n:Dataset {license: license})"
        licenses = [*self.values["licenses"], *self.spellings()]
        return _read_from(start, "Dataset", licenses, by_source=False)

    def _closure(
        self, starts: Sequence[str] | Mapping[str, Any], neighbours: derivation.Neighbours
    ) -> dict[str, list[str]]:
        found = derivation.closure(starts, neighbours)
        self.depth_of_cut = max(self.depth_of_cut, found.depth)
        return found.reached

    # Licenses

    @functools.cached_property
    def licenses(self) -> list[str]:
        """The licenses of all datasets."""
        rows = query(
            "MATCH (d:Dataset) WHERE d.license IS NOT NULL "
            "RETURN collect(DISTINCT d.license) AS found"
        )
        return sorted(found for found in rows[0]["found"] if isinstance(found, str))

    def spellings(self) -> list[str]:
        """The licenses in the graph that differ from those asked for in case only."""
        asked = self.values.get("licenses") or ()
        folded = {fold(name) for name in asked}
        return [found for found in self.licenses if fold(found) in folded and found not in asked]

    # Contamination

    def relatives(self) -> dict[str, dict[str, str]]:
        """Whether datasets share data: the relation, by the evaluated one and the other one."""
        return {
            dataset: {other: name for other, name in others.items() if other in self._seen_splits}
            for dataset, others in self._relatives.items()
        }

    def overlaps(self) -> dict[str, dict[str, dict[str, str]]]:
        """The verdict on a score, by the relation of the datasets and the two splits."""
        seen_splits = {split for splits in self._seen_splits.values() for split in splits}
        verdicts: dict[str, dict[str, dict[str, str]]] = {}
        for relation in ("same", "related", "unknown"):
            for seen in seen_splits:
                by_split = verdicts.setdefault(relation, {}).setdefault(seen, {})
                for scored in self._evaluated[1]:
                    if verdict := _verdict(relation, compare(seen, scored)):
                        by_split[scored] = verdict
        return verdicts

    @functools.cached_property
    def _evaluated(self) -> tuple[list[str], list[str]]:
        """The datasets that scores were measured on, and all splits of the scores."""
        rows = query(
            "MATCH (s:Metric)-[:EVALUATED_ON]->(d:Dataset) "
            "RETURN collect(DISTINCT d.uid) AS uids, "
            "collect(DISTINCT coalesce(s.split, '')) AS splits"
        )
        return _strings(rows[0]["uids"]), _strings(rows[0]["splits"])

    @functools.cached_property
    def _relatives(self) -> dict[str, dict[str, str]]:
        found = derivation.all_relatives(self._evaluated[0], _read_all("Dataset"))
        return {
            uid: {**dict.fromkeys(sharing, "related"), **dict.fromkeys(unknown, "unknown")}
            for uid, (sharing, unknown) in found.items()
        }

    @functools.cached_property
    def _seen_splits(self) -> dict[str, list[str]]:
        """The splits that models were trained on, by dataset, of all that may matter."""
        uids = {
            *self._evaluated[0],
            *(uid for others in self._relatives.values() for uid in others),
        }
        rows = query(
            f"UNWIND $uids AS uid {match_uid('d', 'Dataset', 'uid')} "
            f"MATCH (d)<-[data:TRAINED_ON]-(:Model) WHERE {_TRAINING} "
            "WITH uid, collect(DISTINCT coalesce(data.split, '')) AS splits "
            "RETURN collect([uid, splits]) AS found",
            uids=sorted(uids),
        )
        return {uid: _strings(splits) for uid, splits in rows[0]["found"]}


def _strings(values: Sequence[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _verdict(relation: str, overlap: Overlap) -> str:
    if overlap is Overlap.APART or (relation == "same" and overlap is Overlap.SLICES):
        return ""
    verdicts: dict[str, str] = {"same": overlap.value, "related": "suspected"}
    return verdicts.get(relation, "unknown")


# The parameters that questions name under "Supplied by ask".
SUPPLIERS: dict[str, Callable[[GraphFacts], Any]] = {
    name: getattr(GraphFacts, name)
    for name in (
        "ancestors",
        "chains",
        "derived_datasets",
        "derived_models",
        "known_directions",
        "newest_versions",
        "overlaps",
        "relatives",
        "spellings",
        "split_names",
    )
}


def _read_all(label: str) -> list[Derivation]:
    """Read all DERIVED_FROM edges of a label."""
    rows = query(
        f"MATCH (a:{label})-[r:DERIVED_FROM]->(b:{label}) "
        "RETURN collect([a.uid, b.uid, r.kind]) AS edges"
    )
    return [Derivation(*edge) for edge in rows[0]["edges"] if _are_strings(edge[:2])]


def _are_strings(uids: Sequence[Any]) -> bool:
    """Return whether uids are strings; other programs may have written other values."""
    return all(isinstance(uid, str) for uid in uids)


def _read_from(
    start: str, label: str, values: list[str], *, by_source: bool
) -> tuple[list[str], list[Derivation]]:
    """Read the nodes `n` that a clause matches by `$values`, and the edges of all they lead to.

    A statement follows eight steps: two at a time, with DISTINCT, since it enumerates paths.
    """
    arrow = "-[:DERIVED_FROM*0..2]->" if by_source else "<-[:DERIVED_FROM*0..2]-"
    edge = "-[r:DERIVED_FROM]->" if by_source else "<-[r:DERIVED_FROM]-"
    steps = f"MATCH (n){arrow}(next:{label}) WITH DISTINCT next AS n " * 4
    starts: list[str] | None = None
    expanded: set[str] = set()
    edges: list[Derivation] = []
    while values:
        rows = query(
            f"RETURN COLLECT {{ {start} RETURN DISTINCT n.uid }} AS starts, "
            f"COLLECT {{ {start} WITH DISTINCT n {steps} "
            f"OPTIONAL MATCH (n){edge}(next:{label}) RETURN [n.uid, next.uid, r.kind] }} AS edges",
            values=values,
        )
        starts = _strings(rows[0]["starts"]) if starts is None else starts
        found = [row for row in rows[0]["edges"] if row[0] not in expanded]
        expanded.update(_strings([row[0] for row in found]))
        linked = [row for row in found if _are_strings(row[:2])]
        edges += (
            Derivation(near, far, kind) if by_source else Derivation(far, near, kind)
            for near, far, kind in linked
        )
        values = sorted({far for _, far, _ in linked} - expanded)
        start = f"UNWIND $values AS uid {match_uid('n', label, 'uid')}"
    return starts or [], edges
