"""Generated graphs, and a plain search in Python that answers the questions about them.

The search shares no code with the package. It looks at every node and follows every path, and a
split is the set of its examples.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, NamedTuple

from genai_graph import query

Row = tuple[Any, ...]

# Each spelling of a split: the name that it is ranked under, and its examples. None: unclear.
_TRAIN, _TEST, _VAL, _EXTRA = (frozenset(range(n, n + 10)) for n in (0, 10, 20, 30))
_ALL = _TRAIN | _TEST | _VAL | _EXTRA
_UNCLEAR = {"extra", "EXTRA"}  # may share examples with any split
SPLITS: dict[str | None, tuple[str, frozenset[int] | None]] = {
    None: ("", None),
    "": ("", None),
    "train": ("train", _TRAIN),
    "Training": ("train", _TRAIN),
    "test": ("test", _TEST),
    "Test ": ("test", _TEST),
    "validation": ("validation", _VAL),
    "dev": ("validation", _VAL),
    "VAL": ("validation", _VAL),
    "extra": ("extra", _EXTRA),
    "EXTRA": ("extra", _EXTRA),
    "all": ("all", _ALL),
    "test[:50%]": ("test[0%:50%]", frozenset(range(10, 15))),
    "test[50%:]": ("test[50%:]", frozenset(range(15, 20))),
    "test[ 20% : 60% ]": ("test[20%:60%]", frozenset(range(12, 16))),
    "train + test": ("test+train", _TRAIN | _TEST),
    "test+train": ("test+train", _TRAIN | _TEST),
    "train;Val": ("train+validation", _TRAIN | _VAL),
    "odd?": ("odd?", None),
}
METRICS = {"accuracy": 1, "val_loss": -1, "test/F1": 1, "zeal": 0, "glossary": 0}
LICENSES = ("MIT", "mit", "CC-BY-4.0", "cc-by-4.0", "Odd", None)
_STATUSES = (None, "SCHEDULED", "RUNNING", "FINISHED", "FINISHED", "FAILED", "KILLED")
_DATA_ROLES = (None, "training", "validation", "test")
_KINDS = {
    "Model": (None, "fine-tuned", "adapted", "quantized", "version", "merged"),
    "Dataset": (None, "version", "version", "subset", "preprocessed", "translation"),
}
_VALUES = (-math.inf, -1.5, 0.0, 0.25, 0.5, 0.75, 1.0, math.inf, math.nan)


class Edge(NamedTuple):
    """An edge; `values` are its properties."""

    source: str
    target: str
    values: dict[str, Any]


@dataclass
class Graph:
    """Nodes by label and uid, and edges by type (with both labels, where there are several)."""

    nodes: dict[str, dict[str, dict[str, Any]]]
    edges: dict[str, list[Edge]] = field(default_factory=lambda: defaultdict(list))

    def connect(self, type_: str, source: str, target: str, **values: Any) -> None:
        """Add an edge."""
        given = {name: value for name, value in values.items() if value is not None}
        self.edges[type_].append(Edge(source, target, given))

    def targets(self, type_: str, source: str) -> list[str]:
        """Return the targets of the edges of a node."""
        return [edge.target for edge in self.edges[type_] if edge.source == source]


# Types that connect several labels are named with both.
EDGE_TYPES = {
    "trained": ("Model", "TRAINED_ON", "Dataset"),
    "used": ("Experiment", "USED", "Dataset"),
    "run": ("Experiment", "RUN", "Model"),
    "measured": ("Metric", "MEASURES", "Model"),
    "evaluated": ("Metric", "EVALUATED_ON", "Dataset"),
    "metrics": ("Experiment", "HAS", "Metric"),
    "part": ("Experiment", "PART_OF", "Experiment"),
    "models": ("Project", "HAS", "Model"),
    "datasets": ("Project", "HAS", "Dataset"),
    "Model": ("Model", "DERIVED_FROM", "Model"),
    "Dataset": ("Dataset", "DERIVED_FROM", "Dataset"),
}


# Generation


def generate(seed: int, num_models: int) -> Graph:
    """Generate a graph with models, and other nodes in proportion."""
    chance = random.Random(seed)
    counts = {
        "Project": 2,
        "Dataset": 3 + num_models // 5,
        "Model": num_models,
        "Experiment": num_models,
        "Metric": 3 * num_models,
    }
    nodes = {
        label: {f"{label[0].lower()}{i:03}": _values(label, i, chance) for i in range(count)}
        for label, count in counts.items()
    }
    graph = Graph(nodes)
    for label in ("Model", "Dataset"):
        _derive(graph, label, chance)
    for model in graph.nodes["Model"]:
        _train(graph, model, chance)
    for experiment in graph.nodes["Experiment"]:
        _run(graph, experiment, chance)
    for metric in graph.nodes["Metric"]:
        _measure(graph, metric, chance)
    for project, name in product(graph.nodes["Project"], ("models", "datasets")):
        label = EDGE_TYPES[name][2]
        for uid in chance.sample(list(graph.nodes[label]), min(3, len(graph.nodes[label]))):
            graph.connect(name, project, uid)
    return graph


def _values(label: str, i: int, chance: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {"name": f"name{i // 2}"}
    if label == "Dataset":
        values |= {"license": chance.choice(LICENSES), "digest": chance.choice((None, "", "1"))}
    elif label == "Experiment":
        values |= {
            "status": chance.choice(_STATUSES),
            "random_seed": chance.choice((None, 0)),
            "code_version": chance.choice((None, "", "1")),
            "environment": chance.choice((None, "{}", '{"a": 1}')),
        }
    elif label == "Metric":
        # Many metrics are alike, so that there is something to compare.
        is_usual = chance.random() < 0.6
        values = {
            "name": chance.choice(("accuracy", "val_loss") if is_usual else list(METRICS)),
            "value": chance.choice(_VALUES),
            "split": chance.choice(("test", "Test ") if is_usual else list(SPLITS)),
            "unit": None if is_usual else chance.choice((None, "", "ms", "s")),
            "greater_is_better": chance.choice((True, False)) if chance.random() < 0.01 else None,
        }
    return {name: value for name, value in values.items() if value is not None}


def _derive(graph: Graph, label: str, chance: random.Random) -> None:
    """Derive nodes from earlier ones: some in chains, others from any."""
    uids = list(graph.nodes[label])
    in_chain = chance.choice((0.3, 0.6, 0.97))
    for i in range(1, len(uids)):
        shape = chance.random()
        parents = set()
        if shape < in_chain:
            parents = {i - 1}
        elif shape < 0.7:
            parents = {chance.randrange(i) for _ in range(chance.randint(1, 3))}
        for parent in sorted(parents):
            graph.connect(label, uids[i], uids[parent], kind=chance.choice(_KINDS[label]))


def _train(graph: Graph, model: str, chance: random.Random) -> None:
    datasets = list(graph.nodes["Dataset"])
    for dataset in chance.sample(datasets, chance.choice((0, 0, 1, 2))):
        identities = {
            (chance.choice(_DATA_ROLES), chance.choice(list(SPLITS)))
            for _ in range(chance.randint(1, 3))
        }
        for role, split in sorted(identities, key=str):
            graph.connect("trained", model, dataset, role=role, split=split)


def _run(graph: Graph, experiment: str, chance: random.Random) -> None:
    models, datasets = list(graph.nodes["Model"]), list(graph.nodes["Dataset"])
    for model in chance.sample(models, min(len(models), chance.choice((0, 1, 1, 2)))):
        roles = ((None,), (None,), ("output",), ("input",), ("input", "output"))
        for role in chance.choice(roles):
            graph.connect("run", experiment, model, role=role)
    for dataset in chance.sample(datasets, chance.choice((0, 1, 2))):
        for role in chance.sample((*_DATA_ROLES, "other"), chance.randint(1, 2)):
            graph.connect("used", experiment, dataset, role=role)
    if chance.random() < 0.2:
        graph.connect("part", experiment, chance.choice(list(graph.nodes["Experiment"])))


def _measure(graph: Graph, metric: str, chance: random.Random) -> None:
    if chance.random() < 0.95:
        graph.connect("metrics", chance.choice(list(graph.nodes["Experiment"])), metric)
    if chance.random() < 0.95:  # few datasets, so that scores are comparable
        graph.connect("evaluated", metric, chance.choice(["d000", *graph.nodes["Dataset"]][:4]))
    if chance.random() < 0.3:
        graph.connect("measured", metric, chance.choice(list(graph.nodes["Model"])))


def write(graph: Graph) -> None:
    """Replace what is stored by the graph."""
    query("MATCH (n) DETACH DELETE n", write=True)
    for label, nodes in graph.nodes.items():
        rows = [{"uid": uid, **values} for uid, values in nodes.items()]
        query(f"UNWIND $rows AS row CREATE (n:{label}) SET n += row", write=True, rows=rows)
    for name, (source, type_, target) in EDGE_TYPES.items():
        query(
            f"UNWIND $rows AS row MATCH (a:{source} {{uid: row[0]}}) MATCH (b:{target} "
            f"{{uid: row[1]}}) CREATE (a)-[r:{type_}]->(b) SET r += row[2]",
            write=True,
            rows=[list(edge) for edge in graph.edges[name]],
        )


# Search


class Score(NamedTuple):
    """A score of a model on a dataset."""

    uid: str
    model: str
    dataset: str
    experiment: str
    name: str
    value: float
    split: str | None
    unit: str | None
    declared: bool | None

    @property
    def group(self) -> tuple[str, str]:
        """Scores of a dataset with equal groups are compared."""
        return SPLITS[self.split][0], self.unit or ""


class Search:
    """Answers to the questions, as tuples in the order of the answers' rows."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ancestors = {
            uid: self._reachable(uid, lambda edge: (edge.source, edge.target), "Model")
            for uid in graph.nodes["Model"]
        }
        self.training = [
            edge for edge in graph.edges["trained"] if edge.values.get("role") in (None, "training")
        ]
        self.scores = list(self._scores())

    def _reachable(
        self,
        start: str,
        ends: Callable[[Edge], tuple[str, str]],
        label: str,
        kinds: Iterable[str | None] | None = None,
    ) -> set[str]:
        """Return a node and all that its edges lead to."""
        found: set[str] = set()
        waiting = [start]
        while waiting:
            here = waiting.pop()
            if here not in found:
                found.add(here)
                for edge in self.graph.edges[label]:
                    near, far = ends(edge)
                    if near == here and (kinds is None or edge.values.get("kind") in kinds):
                        waiting.append(far)
        return found

    def _models_of(self, experiment: str) -> set[str]:
        edges = [edge for edge in self.graph.edges["run"] if edge.source == experiment]
        outputs = {edge.target for edge in edges if edge.values.get("role") in (None, "output")}
        return outputs or {edge.target for edge in edges}

    def _scores(self) -> Iterator[Score]:
        experiments = {edge.target: edge.source for edge in self.graph.edges["metrics"]}
        for uid, values in self.graph.nodes["Metric"].items():
            experiment = experiments.get(uid)
            if experiment is None or self._has_failed(experiment):
                continue
            models = set(self.graph.targets("measured", uid)) or self._models_of(experiment)
            for model, dataset in product(models, self.graph.targets("evaluated", uid)):
                yield Score(
                    uid,
                    model,
                    dataset,
                    experiment,
                    values["name"],
                    values["value"],
                    values.get("split"),
                    values.get("unit"),
                    values.get("greater_is_better"),
                )

    def _has_failed(self, experiment: str) -> bool:
        return self.graph.nodes["Experiment"][experiment].get("status") in ("FAILED", "KILLED")

    @staticmethod
    def _direction(scores: Iterable[Score]) -> int:
        """Return 1, -1, or 0 if it is unknown."""
        given = list(scores)
        declared = {score.declared for score in given} - {None}
        if len(declared) == 2:
            return 0
        if declared:
            return 1 if declared.pop() else -1
        return METRICS[given[0].name]

    # Rankings

    def leaderboard(self, metric: str, dataset: str, split: Any, unit: Any) -> list[Row]:
        scores = [one for one in self.scores if (one.name, one.dataset) == (metric, dataset)]
        rows = []
        for group in sorted({score.group for score in scores}):
            if self._is_asked(group, split, unit):
                direction = self._direction(scores)
                ranked = self._rank([one for one in scores if one.group == group], direction)
                rows += sorted(ranked, key=_row_key)
        return rows

    def _rank(self, scores: list[Score], direction: int) -> Iterator[Row]:
        if not direction:
            for one in scores:
                yield None, one.model, one.value, one.split, one.unit, one.experiment
            return
        best: dict[str, Score] = {}
        for one in scores:
            here = best.get(one.model)
            if here is None or _sort_key(one, direction) < _sort_key(here, direction):
                best[one.model] = one
        values = sorted(
            {one.value for one in best.values() if not math.isnan(one.value)},
            reverse=direction > 0,
        )
        for one in best.values():
            rank = None if math.isnan(one.value) else values.index(one.value) + 1
            yield rank, one.model, one.value, one.split, one.unit, one.experiment

    def best_models(self, metric: str, split: Any, unit: Any) -> list[Row]:
        rows = []
        scores = [one for one in self.scores if one.name == metric]
        for dataset in sorted({one.dataset for one in scores}):
            on_dataset = [one for one in scores if one.dataset == dataset]
            direction = self._direction(on_dataset)
            for group in sorted({one.group for one in on_dataset}):
                if not self._is_asked(group, split, unit):
                    continue
                numbers = [
                    one for one in on_dataset if one.group == group and not math.isnan(one.value)
                ]
                best = (None,) * 3
                if direction and numbers:
                    one = min(numbers, key=lambda one: (-direction * one.value, one.model))
                    best = one.model, one.value, one.group
                rows.append((dataset, best[0], best[1], len(numbers), group))
        return rows

    def omitted(
        self, metric: str, dataset: str | None, split: Any, unit: Any
    ) -> tuple[int, int, int]:
        """Return how many scores have no rank, no dataset and no model."""
        unranked, groups = set(), defaultdict(list)
        for one in self.scores:
            if one.name == metric and dataset in (None, one.dataset):
                groups[one.dataset].append(one)
        for scores in groups.values():
            if not self._direction(scores):
                unranked |= {one.uid for one in scores if self._is_asked(one.group, split, unit)}
        unranked -= {one.uid for one in self.scores if math.isnan(one.value)}
        no_dataset = no_model = 0
        for experiment, uid, _ in self.graph.edges["metrics"]:
            values = self.graph.nodes["Metric"][uid]
            group = SPLITS[values.get("split")][0], values.get("unit") or ""
            if values["name"] != metric or self._has_failed(experiment):
                continue
            if not self._is_asked(group, split, unit):
                continue
            datasets = self.graph.targets("evaluated", uid)
            no_dataset += not datasets
            if not (self.graph.targets("measured", uid) or self._models_of(experiment)):
                no_model += dataset in datasets if dataset else bool(datasets)
        return len(unranked), no_dataset, no_model

    @staticmethod
    def _is_asked(group: Row, split: Any, unit: Any) -> bool:
        return (split is None or SPLITS[split][0] == group[0]) and unit in (None, group[1])

    def regressions(self, split: Any, unit: Any) -> tuple[list[Row], int]:
        """Return the rows, and the number of comparisons that can't be judged."""
        by_model = defaultdict(list)
        for score in self.scores:
            if not math.isnan(score.value):
                by_model[score.model].append(score)
        rows, left_out = [], 0
        for child, parent in sorted({edge[:2] for edge in self.graph.edges["Model"]}):
            groups: dict[Row, tuple[list[Score], list[Score]]] = {}
            names = set()
            for new, old in product(by_model[child], by_model[parent]):
                if new.name != old.name or not self._is_asked(new.group, split, unit):
                    continue
                if not self._is_asked(old.group, split, unit):
                    continue
                names.add(new.name)
                key = (new.dataset, new.name, *new.group)
                if key == (old.dataset, old.name, *old.group):
                    pair = groups.setdefault(key, ([], []))
                    pair[0].append(old)
                    pair[1].append(new)
            left_out += len(names - {key[1] for key in groups})
            for (dataset, metric, *group), (olds, news) in groups.items():
                direction = self._direction([*olds, *news])
                left_out += not direction
                old = max(direction * one.value for one in olds) * direction
                new = max(direction * one.value for one in news) * direction
                if direction * new < direction * old:
                    named = (group[0] or None, group[1] or None)
                    rows.append((parent, child, dataset, metric, old, new, new - old, *named))
        return sorted(rows, key=lambda row: (*row[:4], row[7] or "", row[8] or "")), left_out

    # Contamination

    def contaminated(self) -> tuple[list[Row], int]:
        """Return the rows, and the number of those that can't be judged."""
        paths = {uid: set(self._paths(uid, False)) for uid in self.graph.nodes["Dataset"]}
        found: dict[Row, set[str]] = defaultdict(set)
        for score in self.scores:
            for edge in self.training:
                if edge.source in self.ancestors[score.model]:
                    verdict = self._verdict(score, edge, paths)
                    row = (score.model, score.dataset, score.uid, edge.source, edge.target)
                    found[row].add(verdict)
        worst = {
            row: next((v for v in ("certain", "suspected", "unknown") if v in verdicts), "")
            for row, verdicts in found.items()
        }
        rows = sorted(
            (model, data, uid, self.graph.nodes["Metric"][uid]["value"], via, verdict, trained)
            for (model, data, uid, via, trained), verdict in worst.items()
            if verdict in ("certain", "suspected")
        )
        rows.sort(key=lambda row: (*row[:3], row[4], row[6]))
        return rows, sum(verdict == "unknown" for verdict in worst.values())

    def _paths(self, dataset: str, is_part: bool) -> Iterator[tuple[str, bool]]:
        """Yield each ancestor, and whether a path to it has a subset."""
        yield dataset, is_part
        for edge in self.graph.edges["Dataset"]:
            if edge.source == dataset:
                yield from self._paths(edge.target, is_part or edge.values.get("kind") == "subset")

    @staticmethod
    def _verdict(score: Score, edge: Edge, paths: dict[str, set[tuple[str, bool]]]) -> str:
        splits = {edge.values.get("split"), score.split}
        seen, scored = SPLITS[edge.values.get("split")][1], SPLITS[score.split][1]
        is_unclear = seen is None or scored is None or bool(splits & _UNCLEAR)
        if edge.target == score.dataset:
            if seen is not None and scored is not None and seen & scored:
                return "certain"
            return "suspected" if is_unclear else ""
        if not is_unclear and not _whole(seen) & _whole(scored):
            return ""
        common = {
            first[1] and second[1]
            for first, second in product(paths[edge.target], paths[score.dataset])
            if first[0] == second[0]
        }
        if not common:
            return ""
        return "suspected" if False in common else "unknown"

    # Lineage

    def license_impact(self, licenses: list[str]) -> list[Row]:
        wanted = {one.lower() for one in licenses}
        rows = set()
        for uid, values in self.graph.nodes["Dataset"].items():
            if (values.get("license") or "").lower() in wanted:
                for model in self._dependants(self._derived(uid)):
                    rows.add((model, uid, values["license"]))
        return sorted(rows, key=lambda row: (row[1], row[0]))

    def _derived(self, dataset: str) -> set[str]:
        return self._reachable(dataset, lambda edge: (edge.target, edge.source), "Dataset")

    def _dependants(self, datasets: set[str]) -> set[str]:
        trained = {edge.source for edge in self.training if edge.target in datasets}
        return {model for model, above in self.ancestors.items() if above & trained}

    def dataset_impact(self, dataset: str) -> Row:
        datasets = self._derived(dataset)
        models = self._dependants(datasets)
        runs = {edge.source for edge in self.graph.edges["run"] if edge.target in models}
        metrics = {
            edge.target
            for edge in self.graph.edges["metrics"]
            if (set(self.graph.targets("measured", edge.target)) or self._models_of(edge.source))
            & models
        }
        projects = {edge.source for edge in self.graph.edges["models"] if edge.target in models}
        return len(datasets), len(models), len(runs), len(metrics), sorted(projects)

    def dependency_share(self) -> list[Row]:
        datasets = {edge.target for edge in self.training}
        known = len(self._dependants(datasets))
        rows = [
            (
                uid,
                self.graph.nodes["Dataset"][uid].get("license"),
                count := len(self._dependants({uid})),
                100.0 * count / known,
            )
            for uid in datasets
        ]
        return sorted(rows, key=lambda row: (-row[2], row[0]))

    def lineage(self) -> list[Row]:
        chains: dict[str, list[str]] = {}
        for model in sorted(self.graph.nodes["Model"]):  # parents have smaller uids
            parents = self.graph.targets("Model", model)
            longer = [[model, *chains[parent]] for parent in parents]
            chains[model] = min(longer, key=lambda chain: (-len(chain), chain), default=[model])
        return [(uid, len(chain) - 1, chain) for uid, chain in chains.items() if len(chain) > 1]

    def stale_models(self) -> list[Row]:
        outdated = {
            edge.target
            for edge in self.graph.edges["Dataset"]
            if edge.values.get("kind") == "version"
        }
        rows = []
        for uid in outdated:
            newer = self._reachable(
                uid, lambda edge: (edge.target, edge.source), "Dataset", ("version",)
            )
            models = sorted({edge.source for edge in self.training if edge.target == uid})
            if models:
                name = self.graph.nodes["Dataset"][uid]["name"]
                rows += [(name, uid, one, models) for one in newer - outdated]
        return sorted(rows)

    def shared_data(self, min_shared: int) -> list[Row]:
        data = defaultdict(set)
        for edge in self.training:
            data[edge.source].add(edge.target)
        rows = [
            (a, b, len(data[a] & data[b]), len(data[a] & data[b]) / len(data[a] | data[b]))
            for a, b in combinations(sorted(data), 2)
            if len(data[a] & data[b]) >= min_shared
        ]
        return sorted(rows, key=lambda row: (-row[2], -row[3], row[0], row[1]))

    # Completeness

    def not_reproducible(self) -> list[Row]:
        rows = []
        for uid, values in sorted(self.graph.nodes["Experiment"].items()):
            used = self.graph.targets("used", uid)
            digests = [self.graph.nodes["Dataset"][one].get("digest") for one in used]
            missing = {
                "code version": not values.get("code_version"),
                "random seed": values.get("random_seed") is None,
                "environment": values.get("environment", "{}") == "{}",
                "model": not self.graph.targets("run", uid),
                "dataset": not used,
                "digest of a dataset": not all(digests),
            }
            names = [name for name, is_missing in missing.items() if is_missing]
            if names and values.get("status") == "FINISHED":
                rows.append((uid, names))
        return rows

    def orphans(self) -> list[Row]:
        edges = self.graph.edges
        sources = {name: {edge.source for edge in edges[name]} for name in EDGE_TYPES}
        targets = {name: {edge.target for edge in edges[name]} for name in EDGE_TYPES}
        referenced = {
            "Dataset": targets["datasets"] | targets["trained"] | targets["used"]
            | targets["evaluated"],
            "Metric": targets["metrics"],
            "Model": targets["run"] | sources["trained"] | targets["Model"] | targets["measured"],
        }  # fmt: skip
        return sorted(
            (label, uid)
            for label, found in referenced.items()
            for uid in self.graph.nodes[label]
            if uid not in found
        )


def _whole(examples: frozenset[int]) -> frozenset[int]:
    """Return the examples of all splits that some examples belong to."""
    return frozenset().union(*(one for one in (_TRAIN, _TEST, _VAL, _EXTRA) if one & examples))


def _row_key(row: Row) -> tuple[Any, ...]:
    """Sort by rank, model, value (NaN last) and experiment."""
    rank, model, value = row[:3]
    is_nan = math.isnan(value)
    return rank is None, rank or 0, model, is_nan, 0 if is_nan else value, row[5]


def _sort_key(score: Score, direction: int) -> tuple[Any, ...]:
    is_nan = math.isnan(score.value)
    return is_nan, 0 if is_nan else -direction * score.value, score.experiment
