"""The questions, each on a small graph with a known answer."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from conftest import FIXTURES, Run

from genai_graph import Answer, Dataset, Model, ask, atomic, load, query
from genai_graph.database import Connection
from genai_graph.errors import (
    MissingExtraError,
    NodeNotFoundError,
    QuestionError,
    UnknownQuestionError,
)
from genai_graph.questions import (
    derivation,
    get_question,
    list_questions,
    statement_parameters,
)

# The public interface: parameters with their defaults, and columns.
CONTRACT = {
    "license-impact": ("licenses", "model dataset license"),
    "contaminated-scores": ("", "model benchmark metric value trained_via certainty trained_on"),
    "dataset-impact": ("dataset", "datasets models experiments metrics projects"),
    "best-models": (
        "metric split=None unit=None",
        "dataset best_model value candidates split unit experiment",
    ),
    "leaderboard": (
        "metric dataset split=None unit=None",
        "rank model value split unit experiment",
    ),
    "regressions": (
        "split=None unit=None",
        "parent child dataset metric old new delta split unit",
    ),
    "lineage": ("model=None", "model depth chain"),
    "not-reproducible": ("", "experiment missing"),
    "orphans": ("", "kind uid"),
    "stale-models": ("", "dataset trained_on available stale_models"),
    "shared-data": ("min_shared=1", "model_a model_b shared jaccard"),
    "dependency-share": ("", "dataset license dependants percent"),
}


def load_graph(text: str) -> None:
    """Load a graph from YAML."""
    Path("graph.yaml").write_text("format: genai_graph/1\n" + dedent(text))
    load("graph.yaml")


def rows(answer: Answer) -> list[tuple[Any, ...]]:
    """Return the rows as tuples, and check their columns."""
    for row in answer:
        assert " ".join(row) == CONTRACT[answer.question.name][1]
    return [tuple(row.values()) for row in answer]


def create_cycle(label: str, *uids: str) -> None:
    """Create a cycle, which the package itself rejects."""
    for source, target in zip(uids, (*uids[1:], uids[0]), strict=True):
        query(
            f"MATCH (a:{label} {{uid: $source}}) MATCH (b:{label} {{uid: $target}}) "
            "CREATE (a)-[:DERIVED_FROM]->(b)",
            write=True,
            source=source,
            target=target,
        )


def test_parameters_and_columns_match_the_contract() -> None:
    assert set(list_questions()) == set(CONTRACT)
    for name, (parameters, columns) in CONTRACT.items():
        question = get_question(name)
        parameters_found = (
            parameter.name if parameter.is_required else f"{parameter.name}={parameter.default}"
            for parameter in question.parameters.values()
        )
        assert " ".join(parameters_found) == parameters
        assert " ".join(question.columns) == columns
        assert question.title
        assert all(question.columns.values())


VALUES = {
    "licenses": ["MIT"],
    "dataset": "ImageNet-1K",
    "metric": "acc@1",
    "model": None,
    "min_shared": 2,
    "split": None,
    "unit": None,
}


def test_every_file_runs_unmodified(graph: Connection) -> None:
    """A file can be pasted into Neo4j Browser, with its comments and its semicolon."""
    load(FIXTURES / "torchvision.yaml")
    for name in list_questions():
        text = files("genai_graph.questions").joinpath(f"{name}.cypher").read_text("utf-8")
        question = get_question(name)
        given = {key: VALUES[key] for key in question.parameters}
        found = query(text, statement_parameters(name, **given))
        found = [row for row in found if row.pop("left_out", None) is None]
        for row in found:
            row.pop("not_ranked", None)
        assert found == ask(name, **given), name


def test_answers_of_an_empty_graph_are_empty(graph: Connection) -> None:
    for name in list_questions():
        if "dataset" not in get_question(name).parameters:
            assert ask(name, **{key: VALUES[key] for key in get_question(name).parameters}) == []


LICENSES = """
    Dataset:
      pure: {license: NC}
      part: {license: MIT, parents: {pure: {kind: subset}}}
      free: {license: MIT}
      other: {license: BSD}
    Model:
      base: {trained_on: [part]}
      tuned: {parents: [base]}
      merged: {parents: [base, tuned]}
      checked: {trained_on: {pure: {role: validation}}}
      open: {trained_on: {free: {role: training}, other: {}}}
    """


def test_license_impact_follows_parents_and_derived_datasets(graph: Connection) -> None:
    """`base` depends on `pure` through `part`; `merged` does on two paths, but is listed once.

    `checked` was only validated on `pure`.
    """
    load_graph(LICENSES)
    on_pure = [(model, "pure", "NC") for model in ("base", "merged", "tuned")]
    assert rows(ask("license-impact", licenses=["NC"])) == on_pure
    on_mit = [(model, "part", "MIT") for model in ("base", "merged", "tuned")]
    expected = [("open", "free", "MIT"), *on_mit, *on_pure]
    assert rows(ask("license-impact", licenses=["NC", "MIT"])) == expected
    assert rows(ask("license-impact", licenses=["GPL"])) == []


def test_lineage_is_followed_to_its_end(graph: Connection) -> None:
    """`d00` is 30 steps from `d30`, on which `m00` was trained, and this 30 steps from `m30`."""
    load_graph("Dataset: {d30: {}}\nModel: {m00: {trained_on: [d30]}}")
    models, datasets = ([f"{name}{step:02}" for step in range(31)] for name in "md")
    load_graph(
        f"Dataset: {{{', '.join(f'{uid}: {{license: NC}}' for uid in datasets)}}}\n"
        f"Model: {{{', '.join(f'{uid}: {{}}' for uid in models)}}}\n"
        "Experiment: {run: {models: [m30], metrics: {acc: {value: 1, dataset: d00}}}}"
    )
    derive_models(*zip(models[1:], models, strict=False))
    query(
        "UNWIND $steps AS step MATCH (a:Dataset {uid: step[0]}) MATCH (b:Dataset {uid: step[1]}) "
        "CREATE (a)-[:DERIVED_FROM {kind: 'version'}]->(b)",
        write=True,
        steps=[list(step) for step in zip(datasets[1:], datasets, strict=False)],
    )
    impact = [(row["model"], row["dataset"]) for row in ask("license-impact", licenses=["NC"])]
    assert impact == [(model, dataset) for dataset in datasets for model in models]
    (deepest,) = ask("lineage", model="m30")
    assert (deepest["depth"], deepest["chain"]) == (30, models[::-1])
    assert len(ask("lineage")) == 30
    assert rows(ask("dataset-impact", dataset="d00")) == [(31, 31, 1, 1, [])]
    assert rows(ask("dependency-share")) == [("d30", "NC", 31, 100.0)]
    assert [row[:6] for row in rows(ask("contaminated-scores"))] == [
        ("m30", "d00", "run/acc/d00", 1.0, "m00", "suspected")
    ]
    lineage = Model.nodes.get(uid="m30").lineage()
    assert (len(lineage.nodes), lineage.depth, lineage.is_cut) == (62, None, False)


def test_a_lineage_that_is_too_large_is_cut_with_a_notice(
    graph: Connection, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six models follow `m0`: 6 pairs after one step, 11 after two."""
    load_graph("Dataset: {d: {}}\nModel: {m0: {trained_on: [d]}}")
    for step in range(1, 7):
        load_graph(f"Model: {{m{step}: {{parents: [m{step - 1}]}}}}")
    assert ask("dependency-share").notices == []
    monkeypatch.setattr(derivation, "MAX_PAIRS", 10)
    answer = ask("dependency-share")
    assert rows(answer) == [("d", None, 3, 100.0)]
    (notice,) = answer.notices
    assert notice.startswith("incomplete: lineage was followed over 2 steps only")
    result = cli("ask", "dependency-share", "--strict")
    assert (result.exit_code, result.stderr) == (1, f"{notice}\n")


def test_questions_terminate_on_cycles(graph: Connection) -> None:
    """All models of a cycle depend on the training data of each, and are listed once.

    The longest chain of a model ends before it repeats a model.
    """
    load_graph(
        """
        Dataset: {d: {license: NC, parents: {e: {kind: version}}}, e: {}}
        Model: {a: {trained_on: [d, e]}, b: {}, c: {}}
        Experiment: {run: {status: FINISHED, models: [b], metrics: {acc: {value: 1, dataset: d}}}}
        """
    )
    create_cycle("Model", "a", "b", "c")
    create_cycle("Dataset", "d", "e")
    for model in "abc":
        assert (model, "d", "NC") in rows(ask("license-impact", licenses=["NC"]))
    assert rows(ask("lineage")) == [
        ("a", 2, ["a", "b", "c"]),
        ("b", 2, ["b", "c", "a"]),
        ("c", 2, ["c", "a", "b"]),
    ]
    assert rows(ask("contaminated-scores")) == [
        ("b", "d", "run/acc/d", 1.0, "a", "suspected", "d"),
        ("b", "d", "run/acc/d", 1.0, "a", "suspected", "e"),
    ]
    assert rows(ask("dataset-impact", dataset="d")) == [(2, 3, 1, 1, [])]
    assert [row[2:] for row in rows(ask("dependency-share"))] == [(3, 100.0), (3, 100.0)]
    for name in ("regressions", "stale-models", "shared-data", "orphans"):
        ask(name)


def derive_models(*steps: tuple[str, str]) -> None:
    """Derive models from others; cycles are allowed."""
    query(
        "UNWIND $steps AS step MATCH (a:Model {uid: step[0]}) MATCH (b:Model {uid: step[1]}) "
        "CREATE (a)-[:DERIVED_FROM]->(b)",
        write=True,
        steps=[list(step) for step in steps],
    )


def test_lineage_of_exponentially_many_paths(graph: Connection) -> None:
    """Nine levels of seven models, each derived from all models of the level before.

    7**8 paths start at `m80`. The longest chain goes through the first model of each level.
    """
    models = [f"m{level}{i}" for level in range(9) for i in range(7)]
    trained = ", ".join(f"{model}: {{trained_on: [d]}}" for model in models[:7])
    load_graph(
        f"""
        Dataset: {{d: {{license: NC}}}}
        Model: {{{trained}, {", ".join(f"{model}: {{}}" for model in models[7:])}}}
        Experiment: {{run: {{models: [m80], metrics: {{acc: {{value: 1, dataset: d}}}}}}}}
        """
    )
    derive_models(
        *(
            (f"m{level + 1}{i}", f"m{level}{j}")
            for level in range(8)
            for i in range(7)
            for j in range(7)
        )
    )
    chains = [
        (model, int(model[1]), [model, *(f"m{level}0" for level in reversed(range(int(model[1]))))])
        for model in models[7:]
    ]
    assert rows(ask("lineage")) == chains
    assert rows(ask("lineage", model="m86")) == chains[-1:]
    assert rows(ask("license-impact", licenses=["NC"])) == [(model, "d", "NC") for model in models]
    assert rows(ask("dataset-impact", dataset="d")) == [(1, 63, 1, 1, [])]
    assert rows(ask("dependency-share")) == [("d", "NC", 63, 100.0)]
    assert [row["trained_via"] for row in ask("contaminated-scores")] == models[:7]


def test_lineage_of_mutually_derived_models(graph: Connection) -> None:
    """A chain contains no model twice, so that of seven models has at most six steps."""
    models = [f"m{i}" for i in range(7)]
    load_graph(
        f"""
        Dataset: {{d: {{license: NC}}}}
        Model: {{m0: {{trained_on: [d]}}, {", ".join(f"{model}: {{}}" for model in models[1:])}}}
        """
    )
    derive_models(*((a, b) for a in models for b in models if a != b))
    assert rows(ask("lineage", model="m0")) == [("m0", 6, models)]
    for model, depth, chain in rows(ask("lineage")):
        assert chain[0] == model
        assert 1 <= depth == len(set(chain)) - 1
    assert rows(ask("dataset-impact", dataset="d")) == [(1, 7, 0, 0, [])]
    assert rows(ask("dependency-share")) == [("d", "NC", 7, 100.0)]
    assert [row["model"] for row in ask("license-impact", licenses=["NC"])] == models


SCORES = """
    Dataset: {bench: {}, clean: {}, half: {parents: [bench]}}
    Model:
      base: {trained_on: {bench: {split: test}}}
      tuned:
        parents: [base]
        trained_on: {bench: {split: train}, clean: {role: test, split: test}}
      mixed: {parents: [base, tuned]}
      blurred: {trained_on: {bench: {role: training}}}
      partly: {trained_on: [half]}
    Experiment:
      r-base: {models: [base], metrics: {acc: {value: 0.9, dataset: bench, split: test}}}
      r-tuned:
        models: {tuned: {role: output}, base: {role: input}}
        metrics:
          acc: [{value: 0.8, dataset: bench, split: test}, {value: 1, dataset: clean, split: test}]
      r-mixed: {models: {mixed: {role: input}}, metrics: {acc: {value: 0.7, dataset: bench}}}
      r-blurred: {models: [blurred], metrics: {acc: {value: 0.6, dataset: bench, split: test}}}
      r-partly: {models: [partly], metrics: {acc: {value: 0.5, dataset: bench}}}
    """


def test_contaminated_scores_are_certain_or_suspected(graph: Connection) -> None:
    """A score is contaminated if the model or an ancestor was trained on the evaluated split.

    `base` was trained on the split test. `tuned` was trained on the split train only, but is
    derived from `base`; its score on `clean` is valid, because it was only tested there. The score
    of `r-tuned` is not one of `base`, which is an input. The score of `mixed` has no split, and the
    model is derived from both, on two paths from `base`. The training split of `blurred` is
    unknown. `partly` was trained on a dataset that is derived from the benchmark.
    """
    load_graph(SCORES)
    assert rows(ask("contaminated-scores")) == [
        ("base", "bench", "r-base/acc/bench/test", 0.9, "base", "certain", "bench"),
        ("blurred", "bench", "r-blurred/acc/bench/test", 0.6, "blurred", "suspected", "bench"),
        ("mixed", "bench", "r-mixed/acc/bench", 0.7, "base", "suspected", "bench"),
        ("mixed", "bench", "r-mixed/acc/bench", 0.7, "tuned", "suspected", "bench"),
        ("partly", "bench", "r-partly/acc/bench", 0.5, "partly", "suspected", "half"),
        ("tuned", "bench", "r-tuned/acc/bench/test", 0.8, "base", "certain", "bench"),
    ]


def test_an_empty_split_is_an_unknown_one(graph: Connection) -> None:
    """The training split of `a` is unknown, and so is the evaluated split of `b`."""
    load_graph(
        """
        Dataset: {d: {}}
        Model: {a: {trained_on: {d: {split: ''}}}, b: {trained_on: {d: {split: train}}}}
        Experiment:
          ra: {models: [a], metrics: {acc: {value: 1, dataset: d, split: test}}}
          rb: {models: [b], metrics: {acc: {uid: score, value: 2, dataset: d}}}
        """
    )
    query("MATCH (s:Metric {uid: 'score'}) SET s.split = ''", write=True)
    found = [row["certainty"] for row in ask("contaminated-scores")]
    assert found == ["suspected", "suspected"]


IMPACT = """
    Project: {p2: {models: [tuned, loose]}, p1: {models: [base, tuned], datasets: [raw]}, p3: {}}
    Dataset:
      raw: {}
      v2: {parents: {raw: {kind: version}}}
      small: {parents: {raw: {kind: subset}, v2: {kind: subset}}}
      other: {}
    Model:
      base: {trained_on: [small, raw]}
      tuned: {parents: [base]}
      tested: {trained_on: {raw: {role: test}}}
      loose: {trained_on: [other]}
    Experiment:
      one: {models: [base, tuned], metrics: {acc: 1, loss: 2}}
      two: {models: {base: {role: input}, loose: {}}, metrics: {acc: 3}}
      three: {models: {tuned: {role: input}}, metrics: {acc: 4}}
    """


def test_dataset_impact_counts_dependants(graph: Connection) -> None:
    """`v2`, `small` (on two paths), `base` and `tuned` depend on `raw`; `tested` does not.

    `one`, `two` and `three` ran these models. The score of `two` belongs to its output `loose`,
    that of `three` to its input, because it has no output. Three scores remain.
    """
    load_graph(IMPACT)
    assert rows(ask("dataset-impact", dataset="raw")) == [(3, 2, 3, 3, ["p1", "p2"])]
    assert rows(ask("dataset-impact", dataset="other")) == [(1, 1, 1, 1, ["p2"])]
    load_graph("Dataset: {alone: {}}")
    assert rows(ask("dataset-impact", dataset="alone")) == [(1, 0, 0, 0, [])]


BEST = """
    Dataset: {d1: {}, d2: {}, d3: {}, d4: {}, d5: {}}
    Model: {a: {}, b: {}, c: {}, nan: {}}
    Experiment:
      ra: {models: [a], metrics: {ACC: [{value: 0.9, dataset: d1}, {value: -.inf, dataset: d2}]}}
      rb:
        models: {b: {}, c: {role: input}}
        metrics:
          ACC: [{value: 0.9, dataset: d1}, {value: 0.5, dataset: d2}, {value: 2, dataset: d3}]
      rc:
        models: {c: {role: input}}
        metrics:
          ACC: [{value: 0.1, dataset: d1}, {value: 1, dataset: d3, greater_is_better: false}]
      rn:
        models: [nan]
        metrics:
          ACC:
          - {value: .nan, dataset: d1}
          - {value: .nan, dataset: d4}
          - {value: 5, dataset: d5, greater_is_better: true}
          - {value: 6, dataset: d5, split: x, greater_is_better: false}
      nobody: {metrics: {ACC: {value: 100, dataset: d1}}}
    """


def test_best_models_use_the_direction_of_the_metric(graph: Connection) -> None:
    """`acc` is well known in any case: greater is better, unless the metric declares otherwise.

    d1: a and b are equal, and a is first; NaN is not compared; the score of an experiment without
    models belongs to no model. d2: minus infinity is a value. d3: one score declares that less is
    better, so c wins (the score of `rb` is not one of c, which is an input). d4: only NaN. d5: the
    declarations contradict each other, so no model is the best in any split.
    """
    load_graph(BEST)
    answer = ask("best-models", metric="ACC")
    assert rows(answer) == [
        ("d1", "a", 0.9, 3, None, None, "ra"),
        ("d2", "b", 0.5, 2, None, None, "rb"),
        ("d3", "c", 1.0, 2, None, None, "rc"),
        ("d4", None, None, 0, None, None, None),
        ("d5", None, None, 1, None, None, None),
        ("d5", None, None, 1, "x", None, None),
    ]
    not_ranked, no_model = answer.notices
    assert not_ranked.startswith("not ranked: 2 scores of 'ACC'")
    assert no_model == "left out: 1 score of 'ACC' of runs without a model"
    assert ask("best-models", metric="ACC", limit=1).notices == [no_model]
    assert rows(ask("best-models", metric="acc")) == []


def test_the_direction_of_an_unknown_metric_is_not_guessed(graph: Connection) -> None:
    """The direction of `zeal` is unknown: no model is the best, and all scores are listed."""
    load_graph(
        """
        Dataset: {d: {}}
        Model: {a: {}, b: {}}
        Experiment:
          r1: {models: [b], metrics: {zeal: {value: 1, dataset: d}}}
          r2:
            models: [a]
            metrics: {zeal: [{value: 3, dataset: d}, {value: 2, dataset: d, split: x}]}
        """
    )
    assert rows(ask("best-models", metric="zeal")) == [
        ("d", None, None, 2, None, None, None),
        ("d", None, None, 1, "x", None, None),
    ]
    board = ask("leaderboard", metric="zeal", dataset="d")
    assert rows(board) == [
        (None, "a", 3.0, None, None, "r2"),
        (None, "b", 1.0, None, None, "r1"),
        (None, "a", 2.0, "x", None, "r2"),
    ]
    (notice,) = board.notices
    assert notice.startswith("not ranked: 3 scores of 'zeal'")


def test_lower_losses_are_better(graph: Connection) -> None:
    """`b` has 0.1; `a` has 0.3 and a better 0.2; infinity has a rank, NaN has none."""
    load_graph(
        """
        Dataset: {d: {}, e: {}}
        Model: {a: {}, b: {}, c: {}, n: {}}
        Experiment:
          r1: {models: [a], metrics: {loss: {value: 0.3, dataset: d}}}
          r2: {models: [a], metrics: {loss: [{value: 0.2, dataset: d}, {value: 0, dataset: e}]}}
          r3: {models: [b, a], metrics: {loss: {value: 0.25, dataset: d}}}
          r4:
            models: [b]
            metrics: {loss: [{value: 0.1, dataset: d}, {value: .nan, dataset: d, split: x}]}
          r5:
            models: [c]
            metrics: {loss: {value: .inf, dataset: d}, accuracy: {value: 0, dataset: d}}
          r6: {models: [n], metrics: {loss: {value: .nan, dataset: d}}}
        """
    )
    *ranked, last, on_x = rows(ask("leaderboard", metric="loss", dataset="d"))
    assert [row[:3] for row in ranked] == [(1, "b", 0.1), (2, "a", 0.2), (3, "c", math.inf)]
    assert (last[:2], on_x[:2], on_x[3]) == ((None, "n"), (None, "b"), "x")
    assert math.isnan(last[2])
    assert math.isnan(on_x[2])
    assert [row[:5] for row in rows(ask("best-models", metric="loss"))] == [
        ("d", "b", 0.1, 6, None),
        ("d", None, None, 0, "x"),
        ("e", "a", 0.0, 1, None),
    ]


def test_leaderboard_ranks_are_dense(graph: Connection) -> None:
    """`b` and `c` share the second rank, and `d` is third, not fourth."""
    load_graph(
        """
        Dataset: {x: {}}
        Model: {a: {}, b: {}, c: {}, d: {}}
        Experiment:
          rd: {models: [d], metrics: {acc: {value: 1, dataset: x}}}
          rc: {models: [c], metrics: {acc: {value: 2, dataset: x}}}
          rb: {models: [b], metrics: {acc: {value: 2, dataset: x}}}
          ra: {models: [a], metrics: {acc: {value: 3, dataset: x}}}
        """
    )
    expected = [
        (1, "a", 3.0, None, None, "ra"),
        (2, "b", 2.0, None, None, "rb"),
        (2, "c", 2.0, None, None, "rc"),
        (3, "d", 1.0, None, None, "rd"),
    ]
    assert rows(ask("leaderboard", metric="acc", dataset="x")) == expected
    assert rows(ask("leaderboard", metric="acc", dataset="x", limit=2)) == expected[:2]
    assert rows(ask("leaderboard", metric="other", dataset="x")) == []


REGRESSIONS = """
    Dataset: {d: {}, e: {}}
    Model:
      old: {}
      worse: {parents: [old]}
      better: {parents: [old]}
      both: {parents: [old, better]}
      late: {parents: [worse]}
    Experiment:
      r-old:
        models: [old]
        metrics:
          acc: [{value: 0.9, dataset: d, split: test}, {value: 0.5, dataset: e}]
          loss: {value: 0.25, dataset: d, split: test}
          zeal: {value: 3, dataset: d}
      r-old-again: {models: [old], metrics: {acc: {value: 0.75, dataset: d, split: test}}}
      r-worse:
        models: [worse]
        metrics:
          acc:
          - {value: 0.5, dataset: d, split: test}
          - {value: 0.1, dataset: d, split: val}
          - {value: .nan, dataset: e}
          loss: {value: 0.75, dataset: d, split: test}
          zeal: {value: 1, dataset: d}
      r-better: {models: [better], metrics: {acc: {value: 1, dataset: d, split: test}}}
      r-both: {models: [both], metrics: {acc: {value: 0.95, dataset: d, split: test}}}
      r-late: {models: [late], metrics: {acc: {value: 0.6, dataset: d, split: test}}}
    """


def test_regressions_compare_equal_splits(graph: Connection) -> None:
    """`worse` is worse than the best of `old`, by accuracy and by loss; `both` than `better` only.

    The direction of `zeal` is unknown; other splits and NaN are not compared; `late` is better than
    `worse`, and `old` is not its parent.
    """
    load_graph(REGRESSIONS)
    answer = ask("regressions")
    (first, *others) = rows(answer)
    assert first[:6] == ("better", "both", "d", "acc", 1.0, 0.95)
    assert first[6] == pytest.approx(-0.05)
    assert others == [
        ("old", "worse", "d", "acc", 0.9, 0.5, -0.4, "test", None),
        ("old", "worse", "d", "loss", 0.25, 0.75, 0.5, "test", None),
    ]
    (notice,) = answer.notices
    assert notice.startswith("left out (1 in total): 'zeal' (1): it is unknown whether")


def test_lineage_shows_the_longest_chain_to_a_root(graph: Connection) -> None:
    """`e` is derived from the root `a` directly and in three steps; `f` has two longest chains.

    Among equally long chains the first in the order of uids is shown. Roots have no row.
    """
    load_graph(
        """
        Model:
          a: {}
          b: {parents: [a]}
          c: {parents: [b]}
          e: {parents: [a, c]}
          f: {parents: [z, b]}
          z: {parents: [a]}
          zz: {}
        """
    )
    assert rows(ask("lineage")) == [
        ("b", 1, ["b", "a"]),
        ("c", 2, ["c", "b", "a"]),
        ("e", 3, ["e", "c", "b", "a"]),
        ("f", 2, ["f", "b", "a"]),
        ("z", 1, ["z", "a"]),
    ]
    assert rows(ask("lineage", model="e")) == [("e", 3, ["e", "c", "b", "a"])]
    assert rows(ask("lineage", model="z")) == [("z", 1, ["z", "a"])]  # not `zz`
    assert rows(ask("lineage", model="a")) == []


def test_not_reproducible_lists_missing_items(graph: Connection) -> None:
    """`whole` is complete (a seed of 0 is a seed), and `running` has not finished."""
    load_graph(
        """
        Dataset: {good: {digest: "12"}, bad: {}}
        Model: {m: {}}
        Experiment:
          whole:
            status: FINISHED
            code_version: 4f2c
            random_seed: 0
            environment: {python: "3.12"}
            models: [m]
            datasets: [good]
          half:
            status: FINISHED
            code_version: 4f2c
            random_seed: 1
            environment: {}
            models: {m: {role: input}}
            datasets: [good, bad]
          bare: {status: FINISHED}
          running: {status: RUNNING}
          unknown: {}
        """
    )
    assert rows(ask("not-reproducible")) == [
        ("bare", ["code version", "random seed", "environment", "model", "dataset"]),
        ("half", ["environment", "digest of a dataset"]),
    ]


def test_orphans_are_unreferenced_nodes(graph: Connection) -> None:
    """A node with parents can be an orphan, a model with children can't."""
    load_graph(
        """
        Project: {p: {datasets: [owned]}}
        Dataset:
          owned: {}
          trained: {}
          used: {}
          measured: {}
          lost: {parents: [owned]}
        Model:
          ran: {}
          taught: {trained_on: {trained: {role: test}}}
          parent: {}
          child: {parents: [parent]}
        Experiment:
          x: {models: [ran], datasets: [used], metrics: {acc: {value: 1, dataset: measured}}}
        """
    )
    query("CREATE (:Metric {uid: 'adrift', name: 'acc', value: 1.0})", write=True)
    assert rows(ask("orphans")) == [("Dataset", "lost"), ("Metric", "adrift"), ("Model", "child")]


@pytest.mark.parametrize("value", ["high", True, [0.99], None])
def test_values_that_are_not_numbers_are_ignored(graph: Connection, value: object) -> None:
    """A value of another type, written by another program, does not hide valid scores."""
    load_graph(
        """
        Dataset: {d: {}}
        Model: {old: {}, new: {parents: [old]}}
        Experiment:
          one: {models: [old], metrics: {acc: [{value: 0.9, dataset: d}]}}
          two: {models: [new], metrics: {acc: [{value: 0.8, dataset: d}]}}
          odd: {models: [new], metrics: {acc: [{uid: odd, value: 0.99, dataset: d}]}}
        """
    )
    query("MATCH (m:Metric {uid: 'odd'}) SET m.value = $value", write=True, value=value)
    board = rows(ask("leaderboard", metric="acc", dataset="d"))
    assert [row[:3] for row in board] == [(1, "old", 0.9), (2, "new", 0.8)]
    assert [row[:4] for row in rows(ask("best-models", metric="acc"))] == [("d", "old", 0.9, 2)]
    (worse,) = rows(ask("regressions"))
    assert worse[:6] == ("old", "new", "d", "acc", 0.9, 0.8)


def test_negative_zero_equals_zero(graph: Connection) -> None:
    """Scikit-learn negates errors, so that a perfect score is -0.0."""
    load_graph(
        """
        Dataset: {d: {}}
        Model: {a: {parents: [b]}, b: {}, c: {}}
        Experiment:
          x1: {models: [b], metrics: {acc: {value: 0.0, dataset: d}}}
          x2: {models: [a], metrics: {acc: {value: -0.0, dataset: d}}}
          x3: {models: [c], metrics: {acc: {value: -1.0, dataset: d}}}
        """
    )
    assert ask("regressions") == []
    board = rows(ask("leaderboard", metric="acc", dataset="d"))
    assert [row[:2] for row in board] == [(1, "a"), (1, "b"), (2, "c")]
    (best,) = rows(ask("best-models", metric="acc"))
    assert best[:3] == ("d", "a", 0.0)


def test_names_and_units_of_other_types_do_not_stop_a_question(graph: Connection) -> None:
    """Another program may have written a list."""
    load_graph(
        """
        Dataset: {d: {}}
        Model: {old: {}, new: {parents: [old]}}
        Experiment:
          one: {models: [old], metrics: {acc: {value: 0.9, dataset: d}, loss: 1}}
          two: {models: [new], metrics: {acc: {value: 0.8, dataset: d}, odd: {value: 1, unit: s}}}
        """
    )
    query("MATCH (m:Metric {name: 'odd'}) SET m.unit = ['ms'], m.name = ['a']", write=True)
    answer = ask("regressions")
    assert [row["old"] for row in answer] == [0.9]
    assert answer.notices == ["left out: 2 scores without a dataset: 'loss' (1), 'unnamed' (1)"]
    assert "no scores with the unit 'h'" in str(ask("regressions", unit="h").notices)
    assert "'unnamed' (1)" in str(ask("contaminated-scores").notices)


def test_stale_models_were_trained_on_outdated_versions(graph: Connection) -> None:
    """v1 and v2 have the successors v3 and v3b, past v2; a subset is not a successor.

    v3 has no successor. `tested` only evaluates on v1, and no model was trained on w1.
    """
    load_graph(
        """
        Dataset:
          data@1: {}
          data@2: {parents: {data@1: {kind: version}}}
          data@3: {parents: {data@2: {kind: version}, data@1: {kind: version}}}
          data@3b: {parents: {data@2: {kind: version}}}
          part: {parents: {data@3: {kind: subset}}}
          w@1: {}
          w@2: {parents: {w@1: {kind: version}}}
        Model:
          m: {trained_on: {data@1: {split: train}}}
          k: {trained_on: [data@1, data@3]}
          new: {trained_on: [data@3, part, w@2]}
          tested: {trained_on: {data@1: {role: test}}}
          mid: {trained_on: [data@2]}
        """
    )
    assert rows(ask("stale-models")) == [
        ("data", "data@1", "data@3", ["k", "m"]),
        ("data", "data@1", "data@3b", ["k", "m"]),
        ("data", "data@2", "data@3", ["mid"]),
        ("data", "data@2", "data@3b", ["mid"]),
    ]


def test_stale_models_with_a_cycle_of_versions(graph: Connection) -> None:
    """`old` has two successors, each of which is the successor of the other."""
    load_graph(
        """
        Dataset: {old: {}, a: {parents: {old: {kind: version}}}, b: {}}
        Model: {m: {trained_on: [old]}, k: {trained_on: [a]}}
        """
    )
    create_cycle("Dataset", "a", "b")
    query("MATCH (:Dataset)-[r:DERIVED_FROM]->(:Dataset) SET r.kind = 'version'", write=True)
    found = ask("stale-models")
    assert [(row["trained_on"], row["stale_models"]) for row in found] == [
        ("a", ["k"]),
        ("old", ["m"]),
    ]
    assert found[0]["available"] == "b"
    assert found[1]["available"] in ("a", "b")


def test_a_dataset_is_not_its_own_successor(graph: Connection) -> None:
    """`alone` has no other version, and `old` has only `new`."""
    load_graph(
        """
        Dataset: {alone: {}, old: {}, new: {parents: {old: {kind: version}}}}
        Model: {m: {trained_on: [alone, old, new]}}
        """
    )
    for uid in ("alone", "old", "new"):
        create_cycle("Dataset", uid)
    query("MATCH (:Dataset)-[r:DERIVED_FROM]->(:Dataset) SET r.kind = 'version'", write=True)
    assert rows(ask("stale-models")) == [("old", "old", "new", ["m"])]


def test_stale_models_with_more_than_eight_versions(graph: Connection) -> None:
    load_graph("Dataset: {d@0: {}}\nModel: {m: {trained_on: [d@0]}}")
    for version in range(1, 12):
        load_graph(f"Dataset: {{d@{version}: {{parents: {{d@{version - 1}: {{kind: version}}}}}}}}")
    assert rows(ask("stale-models")) == [("d", "d@0", "d@11", ["m"])]


def test_shared_data_compares_training_datasets(graph: Connection) -> None:
    """`a` has x, y, z; `b` has x, y; `c` has z (its y is a test); `d` has only w.

    a and b share 2 of 3; a and c share 1 of 3; b and c share nothing.
    """
    load_graph(
        """
        Dataset: {w: {}, x: {}, y: {}, z: {}}
        Model:
          a: {trained_on: [x, y, z]}
          b: {trained_on: {x: {role: training}, y: {}}}
          c: {trained_on: {z: {}, y: {role: test}}}
          d: {trained_on: [w]}
        """
    )
    expected = [("a", "b", 2, 2 / 3), ("a", "c", 1, 1 / 3)]
    assert rows(ask("shared-data")) == expected
    assert rows(ask("shared-data", min_shared=2)) == expected[:1]
    assert rows(ask("shared-data", limit=1)) == expected[:1]
    assert rows(ask("shared-data", min_shared=None)) == expected


def test_dependency_share_counts_models_with_known_data(graph: Connection) -> None:
    """base, tuned, merged and own have known training data; `tested` and `unknown` do not count.

    base, tuned and merged (on two paths) depend on x, only `own` depends on y.
    """
    load_graph(
        """
        Dataset: {x: {license: MIT}, y: {}, z: {}}
        Model:
          base: {trained_on: [x]}
          tuned: {parents: [base]}
          merged: {parents: [base, tuned]}
          own: {trained_on: [y]}
          tested: {trained_on: {z: {role: test}}}
          unknown: {}
        """
    )
    assert rows(ask("dependency-share")) == [("x", "MIT", 3, 75.0), ("y", None, 1, 25.0)]


def test_limit_zero_means_no_limit(graph: Connection) -> None:
    load_graph("Dataset: {a: {}, b: {}, c: {}}")
    assert len(ask("orphans")) == len(ask("orphans", limit=0)) == 3
    assert rows(ask("orphans", limit=1)) == [("Dataset", "a")]


@pytest.mark.parametrize("limit", [2**31 - 1, 2**31, 2**32, 2**32 + 3, 2**63 - 1, 2**64])
def test_limits_beyond_32_bits_work(graph: Connection, cli: Run, limit: int) -> None:
    load_graph("Dataset: {a: {}, b: {}, c: {}, d: {}, e: {}}")
    assert len(ask("orphans", limit=limit)) == 5
    assert len(cli("ask", "orphans", "--limit", limit).stdout.splitlines()) == 5


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (UnknownQuestionError, r"'licence-impact' \(did you mean 'license-impact'\?\)",
         lambda: ask("licence-impact")),
        (UnknownQuestionError, "'x': expected one of best-models, ", lambda: ask("x")),
        (UnknownQuestionError, r"\['lineage'\]: expected one of", lambda: ask(["lineage"])),
        (UnknownQuestionError, "None: expected one of", lambda: ask(None)),
        (UnknownQuestionError, "3: expected one of", lambda: ask(3)),
        (QuestionError, r"'licence' \(did you mean 'licenses'\?\)",
         lambda: ask("license-impact", licence=["MIT"])),
        (QuestionError, "'size': expected no parameters", lambda: ask("orphans", size=1)),
        (QuestionError, "licenses is required: give a list of strings",
         lambda: ask("license-impact")),
        (QuestionError, "licenses: expected a list of strings, got 'MIT'",
         lambda: ask("license-impact", licenses="MIT")),
        (QuestionError, "licenses: expected a list of strings, got an empty list",
         lambda: ask("license-impact", licenses=[])),
        (QuestionError, "of strings, got a list whose item 2 is nothing",
         lambda: ask("license-impact", licenses=["MIT", None])),
        (QuestionError, "metric: expected a string, got a list",
         lambda: ask("best-models", metric=["acc"])),
        (QuestionError, "min_shared: expected an integer, got '2'",
         lambda: ask("shared-data", min_shared="2")),
        (QuestionError, "model: expected the uid of a Model, got 3",
         lambda: ask("lineage", model=3)),
        (QuestionError, "limit: expected an integer of at least 0, got -1",
         lambda: ask("orphans", limit=-1)),
        (NodeNotFoundError, "no Model with uid 'm' exists in the graph",
         lambda: ask("lineage", model="m")),
        (NodeNotFoundError, "no Dataset with uid 'd' exists in the graph",
         lambda: ask("dataset-impact", dataset="d")),
    ],
)  # fmt: skip
def test_errors_of_ask(
    graph: Connection, error: type[Exception], message: str, call: Callable[[], Answer]
) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("arguments", "notice"),
    [
        (["best-models", "--metric", "Acc@"],
         "no Metric has the name 'Acc@' (did you mean 'acc@1'?)"),
        (["best-models", "--metric", "x"],
         "no Metric has the name 'x': examples are 'acc@1', 'loss'"),
        (["leaderboard", "--metric", "acc@1", "--dataset", "d"],
         "no scores of 'acc@1' on 'd', but on 'e'"),
        (["leaderboard", "--metric", "acc@1", "--dataset", "e", "--split", "val"],
         "no scores of 'acc@1' on 'e' to compare: the split is empty"),
        (["leaderboard", "--metric", "loss", "--dataset", "e"],
         "left out: 1 score of 'loss' without a dataset"),
        (["best-models", "--metric", "ACC@1"],
         "not included: scores with another spelling of 'ACC@1': 'acc@1' (1)"),
        (["contaminated-scores"],
         "left out: 1 score without a dataset: 'loss' (1)\n"
         "left out: 1 score of models whose training data is unknown: 'acc@1' (1)"),
        (["license-impact", "--licenses", "GPL", "--licenses", "MITT"],
         "no Dataset has the license 'GPL' or 'MITT' (did you mean 'MIT'?)"),
        (["license-impact", "--licenses", "mit", "--licenses", "MIT"], ""),
    ],
)  # fmt: skip
def test_an_empty_answer_reports_unknown_values(
    graph: Connection, cli: Run, arguments: list[str], notice: str
) -> None:
    load_graph(
        """
        Dataset: {d: {license: MIT}, e: {license: BSD}}
        Model: {m: {}}
        Experiment:
          run: {models: [m], metrics: {acc@1: {value: 1, dataset: e}, loss: {value: 1}}}
        """
    )
    result = cli("ask", *arguments)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.strip() == notice
    strict = cli("ask", *arguments, "--strict")
    assert (strict.exit_code, strict.stderr) == (int(bool(notice)), result.stderr)


def test_answers_in_a_block_see_its_changes(graph: Connection) -> None:
    with atomic():
        Dataset(name="alone").save()
        assert [row["uid"] for row in ask("orphans")] == ["alone"]
        assert [row["uid"] for row in ask("orphans", limit=0)] == ["alone"]


def test_to_pandas(graph: Connection) -> None:
    pandas = pytest.importorskip("pandas")
    assert list(ask("orphans").to_pandas().columns) == ["kind", "uid"]
    load_graph("Dataset: {a: {}}")
    expected = pandas.DataFrame([{"kind": "Dataset", "uid": "a"}])
    pandas.testing.assert_frame_equal(ask("orphans").to_pandas(), expected)


def test_to_pandas_without_pandas_names_the_extra(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"genai-graph\[pandas\]"):
        ask("orphans").to_pandas()


def test_ask_lists_the_questions_without_a_database(cli: Run, own_home: Path) -> None:
    listed = [json.loads(line) for line in cli("ask").stdout.splitlines()]
    assert [row["question"] for row in listed] == list(list_questions())
    options = {row["question"]: row["options"] for row in listed}
    assert options["leaderboard"] == "--metric TEXT --dataset UID [--split TEXT] [--unit TEXT]"
    assert options["shared-data"] == "[--min-shared N]"
    assert options["license-impact"] == "--licenses TEXT..."
    for name in list_questions():
        assert f"  {name} " in cli("ask", "--help").stdout
        help_text = " ".join(cli("ask", name, "--help").stdout.split())
        assert all(f"{column}: " in help_text for column in get_question(name).columns)
    assert not own_home.exists()


def test_ask_prints_every_format(cli: Run, graph: Connection) -> None:
    load_graph(LICENSES)
    asked = ("ask", "license-impact", "--licenses", "NC", "--licenses", "MIT", "--limit", 2)
    expected = [
        {"model": "open", "dataset": "free", "license": "MIT"},
        {"model": "base", "dataset": "part", "license": "MIT"},
    ]
    assert json.loads(cli(*asked, "--format", "json").stdout) == expected
    assert [json.loads(line) for line in cli(*asked).stdout.splitlines()] == expected
    csv = "model,dataset,license\nopen,free,MIT\nbase,part,MIT\n"
    assert cli(*asked, "--format", "csv").stdout == csv
    table = cli(*asked, "--format", "table")
    assert "│ base  │ part    │ MIT     │" in table.stdout
    assert table.stderr == "2 rows\n"


def test_ask_prints_the_csv_header_without_rows(cli: Run, graph: Connection) -> None:
    result = cli("ask", "orphans", "--format", "csv")
    assert (result.exit_code, result.stdout) == (0, "kind,uid\n")
    for name, nothing in {"json": "[]\n", "jsonl": "", "table": ""}.items():
        assert cli("ask", "orphans", "--format", name).stdout == nothing


def test_ask_options_are_converted_and_optional(cli: Run, graph: Connection) -> None:
    load_graph("Dataset: {x: {}, y: {}}\nModel: {a: {trained_on: [x, y]}, b: {trained_on: [x, y]}}")
    found = json.loads(cli("ask", "shared-data", "--min-shared", 2).stdout)
    assert found == {"model_a": "a", "model_b": "b", "shared": 2, "jaccard": 1.0}
    assert cli("ask", "shared-data", "--min-shared", 3).stdout == ""
    load_graph("Model: {c: {parents: [a]}}")
    (all_of_them, one) = cli("ask", "lineage"), cli("ask", "lineage", "--model", "c")
    assert all_of_them.stdout == one.stdout == '{"model": "c", "depth": 1, "chain": ["c", "a"]}\n'


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["licence-impact"],
            2,
            "unknown question 'licence-impact' (did you mean 'license-impact'?)",
        ),
        (["shared-data", "--min-shard", "1"], 2, "Did you mean '--min-shared'?"),
        (["shared-data", "--min-shared", "x"], 2, "'x' is not a valid integer"),
        (["license-impact"], 2, "Missing option '--licenses'"),
        (["leaderboard", "--dataset", "x"], 2, "Missing option '--metric'"),
        (["orphans", "--limit", "-1"], 2, "--limit"),
        (["orphans", "more"], 2, "unexpected extra argument"),
        (
            ["dataset-impact", "--dataset", "none"],
            1,
            "no Dataset with uid 'none' exists in the graph",
        ),
    ],
)
def test_exit_codes_of_ask(
    cli: Run, graph: Connection, arguments: list[str], code: int, message: str
) -> None:
    result = cli("ask", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
