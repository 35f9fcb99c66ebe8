"""Facts that `ask` reads from the graph before it runs the statement of a question."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from genai_graph.database import match_uid, query
from genai_graph.questions import derivation
from genai_graph.questions.derivation import Derivation
from genai_graph.questions.directions import known_directions
from genai_graph.questions.spelling import fold
from genai_graph.questions.splits import Overlap, canonical_name, compare

RUNS_THAT_COUNT = "NOT coalesce(x.status, '') IN ['FAILED', 'KILLED']"
IS_TRAINING = "coalesce(data.role, 'training') = 'training'"
# The suppliers whose datasets are asked for in parts, and the sizes of the parts: small at first,
# so that the first rows come soon, and with an upper limit, because a part is sorted as a whole.
_IN_PARTS = ("licensed_datasets", "outdated_datasets")
_FIRST_PART, _LARGEST_PART = 10, 100
# For the descendants of more models than these, it is faster to read all edges once.
_MAX_STARTS = 10_000
# The number of steps that a statement follows; the first statement follows none if there are more
# than `_FEW_STARTS` start nodes.
_STEPS, _FEW_STARTS = 8, 100


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
        self._edges_of_datasets: tuple[list[str], list[Derivation]] | None = None
        self._part: dict[str, list[str]] = {}  # the datasets that are asked for, by the supplier

    def supply(self, names: Sequence[str]) -> dict[str, Any]:
        """Return parameters that a question names under "Supplied by ask"."""
        return {name: SUPPLIERS[name](self) for name in names}

    def supply_in_parts(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the parameters, several times if the question names licensed or outdated datasets.

        Each time they are those for some of these datasets.
        """
        name = next((name for name in names if name in _IN_PARTS), None)
        if name is None:
            yield self.supply(names)
            return
        datasets, size = SUPPLIERS[name](self), _FIRST_PART
        while datasets:
            self._part, datasets = {name: datasets[:size]}, datasets[size:]
            yield self.supply(names)
            size = min(2 * size, _LARGEST_PART)
        self._part = {}

    # Metrics

    @functools.cached_property
    def metrics(self) -> list[MetricGroup]:
        """The metrics on the dataset that was asked for, or with the name, or all."""
        if self.values.get("dataset") is not None:
            start = f"{match_uid('d', 'Dataset', '$dataset')} "
            start += "MATCH (d)<-[:EVALUATED_ON]-(s:Metric)<-[:HAS]-(x:Experiment)"
        elif self.values.get("metric") is not None:
            start = "MATCH (s:Metric {name: $metric})<-[:HAS]-(x:Experiment)"
        else:
            start = "MATCH (s:Metric)<-[:HAS]-(x:Experiment)"
        rows = query(
            f"{start} WHERE {RUNS_THAT_COUNT} OPTIONAL MATCH (s)-[:EVALUATED_ON]->(on:Dataset) "
            "WITH s.name AS name, coalesce(s.split, '') AS split, coalesce(s.unit, '') AS unit, "
            "count(*) AS metrics, count(on) AS with_dataset "
            "RETURN collect([name, split, unit, metrics, with_dataset]) AS found",
            dataset=self.values.get("dataset"),
            metric=self.values.get("metric"),
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
        return {split: canonical_name(split) for split in self._splits}

    @property
    def _splits(self) -> set[str]:
        """The splits of the metrics, without those of other names if one was asked for."""
        metric = self.values.get("metric")
        if metric is None or self.values.get("dataset") is not None:
            return set(strings([group.split for group in self.metrics]))
        # Cheaper than `metrics`: a graph may have millions of scores of a metric.
        rows = query(
            "MATCH (s:Metric {name: $metric}) RETURN collect(DISTINCT s.split) AS found",
            metric=metric,
        )
        return {"", *strings(rows[0]["found"])}

    # Lineage

    def derived_datasets(self) -> dict[str, list[str]]:
        """The datasets derived from those that were asked for, or from each, by uid."""
        if not self._is_anchored:
            children = derivation.children_of(_read_derivations("Dataset"))
            return self._closure(children, children)
        datasets, edges = self._asked_datasets
        return self._closure(datasets, derivation.children_of(edges))

    def derived_models(self) -> dict[str, list[str]]:
        """The models derived from each model, or from each that was trained on the datasets."""
        if not self._is_anchored:
            children = self._children_of_models
            return self._closure(children, children)
        datasets, derived = self._asked_datasets
        rows = query(
            f"UNWIND $uids AS uid {match_uid('d', 'Dataset', 'uid')} "
            f"MATCH (d)<-[data:TRAINED_ON]-(m:Model) WHERE {IS_TRAINING} "
            "RETURN collect(DISTINCT m.uid) AS found",
            uids=sorted({*datasets, *(edge.child for edge in derived)}),
        )
        trained = strings(rows[0]["found"])
        if len(trained) > _MAX_STARTS or "_children_of_models" in vars(self):
            children = self._children_of_models
        else:
            children = derivation.children_of(_follow("Model", trained, by_source=False))
        return self._closure(trained, children)

    @functools.cached_property
    def _children_of_models(self) -> dict[str, list[str]]:
        return derivation.children_of(_read_derivations("Model"))

    def ancestors(self) -> dict[str, list[str]]:
        """The ancestors of each model."""
        return self._ancestors

    @functools.cached_property
    def _ancestors(self) -> dict[str, list[str]]:
        parents = derivation.parents_of(_read_derivations("Model"))
        return self._closure(parents, parents)

    def chains(self) -> dict[str, list[str]]:
        """The longest chain of ancestors of each model that has parents."""
        model = self.values.get("model")
        if model is None:
            edges = _read_derivations("Model")
            return derivation.longest_chains({edge.child for edge in edges}, edges)
        edges = _follow("Model", [model], by_source=True)
        return derivation.longest_chains([model] if edges else [], edges)

    def newest_versions(self) -> dict[str, list[str]]:
        """The newest versions of each outdated dataset, or of those that are asked for."""
        found, part = self._newest_versions, self._part.get("outdated_datasets")
        return found if part is None else {uid: found[uid] for uid in part}

    @functools.cached_property
    def _newest_versions(self) -> dict[str, list[str]]:
        return derivation.newest_versions(_read_derivations("Dataset", kind="version"))

    def outdated_datasets(self) -> list[str]:
        """The datasets with newer versions, or some of them, sorted by name and uid."""
        part = self._part.get("outdated_datasets")
        return self._outdated if part is None else part

    @property
    def _outdated(self) -> list[str]:
        rows = query(
            f"UNWIND $uids AS uid {match_uid('d', 'Dataset', 'uid')} "
            "WITH d.name AS name, uid ORDER BY name, uid RETURN collect(uid) AS uids",
            uids=list(self._newest_versions),
        )
        return strings(rows[0]["uids"])

    @property
    def _is_anchored(self) -> bool:
        return any(self.values.get(name) is not None for name in ("dataset", "licenses"))

    @property
    def _asked_datasets(self) -> tuple[list[str], list[Derivation]]:
        """The datasets that were asked for, and the edges to all that are derived from them."""
        dataset = self.values.get("dataset")
        asked = self.licensed_datasets() if dataset is None else [dataset]
        known = self._edges_of_datasets
        if known is None or known[0] != asked:
            edges = _follow("Dataset", asked, by_source=False)
            known = self._edges_of_datasets = asked, edges
        return known

    def _closure(
        self, starts: Sequence[str] | Mapping[str, Any], neighbours: derivation.Neighbours
    ) -> dict[str, list[str]]:
        found = derivation.closure(starts, neighbours)
        self.depth_of_cut = max(self.depth_of_cut, found.depth)
        return found.reached

    # Licenses

    @functools.cached_property
    def licenses(self) -> tuple[list[str], int]:
        """The licenses of all datasets, and the number of datasets without one."""
        rows = query(
            "MATCH (d:Dataset) WHERE d.license IS NOT NULL "
            "WITH collect(DISTINCT d.license) AS found, count(*) AS licensed "
            "RETURN found, COUNT { MATCH (:Dataset) } - licensed AS without"
        )
        return sorted(strings(rows[0]["found"])), rows[0]["without"]

    def spellings(self) -> list[str]:
        """The licenses in the graph that differ from those asked for in case only."""
        asked = self.values.get("licenses") or ()
        folded = {fold(name) for name in asked}
        known = self.licenses[0]
        return [found for found in known if fold(found) in folded and found not in asked]

    def licensed_datasets(self) -> list[str]:
        """The datasets with one of the licenses, or some of them, sorted by uid."""
        part = self._part.get("licensed_datasets")
        return self._licensed if part is None else part

    @functools.cached_property
    def _licensed(self) -> list[str]:
        rows = query(
            "UNWIND $licenses AS license MATCH (d:Dataset {license: license}) "
            "RETURN collect(DISTINCT d.uid) AS found",
            licenses=[*(self.values["licenses"] or ()), *self.spellings()],
        )
        return sorted(strings(rows[0]["found"]))

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
        return strings(rows[0]["uids"]), strings(rows[0]["splits"])

    @functools.cached_property
    def _relatives(self) -> dict[str, dict[str, str]]:
        found = derivation.all_relatives(self._evaluated[0], _read_derivations("Dataset"))
        return {
            uid: {**dict.fromkeys(sharing, "related"), **dict.fromkeys(unknown, "unknown")}
            for uid, (sharing, unknown) in found.items()
        }

    @functools.cached_property
    def _seen_splits(self) -> dict[str, list[str]]:
        """The splits used for training, by dataset, of evaluated datasets and their relatives."""
        uids = {
            *self._evaluated[0],
            *(uid for others in self._relatives.values() for uid in others),
        }
        rows = query(
            f"UNWIND $uids AS uid {match_uid('d', 'Dataset', 'uid')} "
            f"MATCH (d)<-[data:TRAINED_ON]-(:Model) WHERE {IS_TRAINING} "
            "WITH uid, collect(DISTINCT coalesce(data.split, '')) AS splits "
            "RETURN collect([uid, splits]) AS found",
            uids=sorted(uids),
        )
        return {uid: strings(splits) for uid, splits in rows[0]["found"]}


def strings(values: Sequence[Any]) -> list[str]:
    """Return those values that are strings; other programs may have written others."""
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
        "licensed_datasets",
        "newest_versions",
        "outdated_datasets",
        "overlaps",
        "relatives",
        "split_names",
    )
}


def _read_derivations(label: str, kind: str | None = None) -> list[Derivation]:
    """Read the DERIVED_FROM edges of a label, all or those of a kind.

    The hints are for Neo4j, which would scan the nodes, although few of them have such edges.
    """
    start = "USING SCAN r:DERIVED_FROM "
    if kind is not None:
        start = "USING INDEX r:DERIVED_FROM(kind) WHERE r.kind = $kind "
    rows = query(
        f"MATCH (a:{label})-[r:DERIVED_FROM]->(b:{label}) {start}"
        "RETURN collect(coalesce(a.uid, '')) AS children, collect(coalesce(b.uid, '')) AS parents, "
        "collect(coalesce(r.kind, '')) AS kinds",
        kind=kind,
    )
    # Three long lists are read in half the time of many short ones.
    edges = zip(*(rows[0][name] for name in ("children", "parents", "kinds")), strict=True)
    return [
        Derivation(child, parent, edge_kind or None)
        for child, parent, edge_kind in edges
        if child and parent and _are_strings((child, parent))
    ]


def _are_strings(uids: Sequence[Any]) -> bool:
    """Return whether uids are strings; other programs may have written other values."""
    return all(isinstance(uid, str) for uid in uids)


def _follow(label: str, uids: list[str], *, by_source: bool) -> list[Derivation]:
    """Read the DERIVED_FROM edges of nodes, and of all nodes that they lead to."""
    edges: list[Derivation] = []
    expanded: set[str] = set()
    # If there are many start nodes, most of them have no edges: find those with edges first.
    steps = _STEPS if len(uids) <= _FEW_STARTS else 0
    while uids:
        rows = _read_steps(label, uids, steps, by_source=by_source)
        found = [row for row in rows if row[0] not in expanded]
        expanded.update(strings([row[0] for row in found]))
        linked = [row for row in found if _are_strings(row[:2])]
        edges += (
            Derivation(near, far, kind) if by_source else Derivation(far, near, kind)
            for near, far, kind in linked
        )
        uids = sorted({far for _, far, _ in linked} - expanded)
        steps = _STEPS
    return edges


def _read_steps(label: str, uids: list[str], steps: int, *, by_source: bool) -> list[list[Any]]:
    """Return [uid, uid of the next node, kind] for each edge of the nodes up to some steps away.

    The last two are None for a node without edges. Follows two steps at a time, with DISTINCT,
    because the embedded engine enumerates paths.
    """
    arrow = "-[:DERIVED_FROM*0..2]->" if by_source else "<-[:DERIVED_FROM*0..2]-"
    edge = "-[r:DERIVED_FROM]->" if by_source else "<-[r:DERIVED_FROM]-"
    follow = f"MATCH (n){arrow}(next:{label}) WITH DISTINCT next AS n " * (steps // 2)
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} WITH DISTINCT n {follow}"
        f"OPTIONAL MATCH (n){edge}(next:{label}) "
        "RETURN collect([n.uid, next.uid, r.kind]) AS found",
        uids=uids,
    )
    return cast("list[list[Any]]", rows[0]["found"])
