"""Questions: which scores and data may be compared, and notices about what could not be judged."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from conftest import Run

from genai_graph import Answer, Dataset, Experiment, Model, ask, load, query
from genai_graph.database import Connection
from genai_graph.questions import facts
from genai_graph.questions.directions import direction
from genai_graph.questions.spelling import similar_licenses
from genai_graph.questions.splits import canonical_name, compare


def load_graph(text: str) -> None:
    Path("graph.yaml").write_text("format: genai_graph/1\n" + dedent(text), encoding="utf-8")
    load("graph.yaml")


def connect_nodes(pattern: str, source: str, target: str) -> None:
    """Create an edge such as ``(:Metric)-[:MEASURES]->(:Model)`` between two nodes."""
    start, edge, end = pattern.partition("-[")[0], *pattern.partition("-[")[2].rsplit("->", 1)
    query(
        f"MATCH (a{start[1:-1]} {{uid: $source}}) MATCH (b{end[1:-1]} {{uid: $target}}) "
        f"CREATE (a)-[{edge}->(b)",
        write=True,
        source=source,
        target=target,
    )


def columns(answer: Answer, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in answer]


# Comparable scores


MIXED = """
    Dataset: {splits: {}, units: {}, runs: {}}
    Model: {overfit: {}, good: {}, slow: {}, fast: {}, crashed: {}, killed: {}, done: {}, live: {}}
    Experiment:
      x-overfit:
        models: [overfit]
        metrics:
          accuracy:
          - {value: 0.999, dataset: splits, split: train}
          - {value: 0.61, dataset: splits, split: test}
      x-good:
        models: [good]
        metrics:
          accuracy:
          - {value: 0.93, dataset: splits, split: Training}
          - {value: 0.92, dataset: splits, split: Test}
      x-slow:
        models: [slow]
        metrics: {latency: {value: 0.9, dataset: units, unit: s, greater_is_better: false}}
      x-fast:
        models: [fast]
        metrics: {latency: {value: 12, dataset: units, unit: ms, greater_is_better: false}}
      x-crashed:
        {status: FAILED, models: [crashed], metrics: {accuracy: {value: 0.99, dataset: runs}}}
      x-killed:
        {status: KILLED, models: [killed], metrics: {accuracy: {value: 0.98, dataset: runs}}}
      x-live: {status: RUNNING, models: [live], metrics: {accuracy: {value: 0.5, dataset: runs}}}
      x-done: {status: FINISHED, models: [done], metrics: {accuracy: {value: 0.9, dataset: runs}}}
    """


def test_scores_are_ranked_per_split(graph: Connection, cli: Run) -> None:
    load_graph(MIXED)
    named = ("rank", "model", "split", "experiment")
    board = ask("leaderboard", metric="accuracy", dataset="splits")
    on_test = [(1, "good", "Test", "x-good"), (2, "overfit", "test", "x-overfit")]
    on_train = [(1, "overfit", "train", "x-overfit"), (2, "good", "Training", "x-good")]
    assert columns(board, *named) == on_test + on_train
    for split in ("test", "TEST ", "testing"):
        chosen = ask("leaderboard", metric="accuracy", dataset="splits", split=split)
        assert columns(chosen, *named) == on_test
    best = ask("best-models", metric="accuracy", split="train")
    assert columns(best, "dataset", "best_model") == [("splits", "overfit")]
    shown = cli("ask", "best-models", "--metric", "accuracy", "--split", "test", "--format", "csv")
    assert shown.stdout.splitlines()[1] == "splits,good,0.92,2,Test,,x-good"


def test_scores_are_ranked_per_unit(graph: Connection) -> None:
    load_graph(MIXED)
    board = ask("leaderboard", metric="latency", dataset="units")
    assert columns(board, "rank", "model", "unit") == [(1, "fast", "ms"), (1, "slow", "s")]
    best = ask("best-models", metric="latency", unit="s")
    assert columns(best, "best_model", "unit", "experiment") == [("slow", "s", "x-slow")]
    assert ask("best-models", metric="latency", unit="") == []


def test_failed_and_killed_runs_do_not_count(graph: Connection) -> None:
    load_graph(MIXED)
    board = ask("leaderboard", metric="accuracy", dataset="runs")
    assert columns(board, "rank", "model") == [(1, "done"), (2, "live")]


def test_a_metric_that_measures_a_model_is_a_score_of_it_alone(graph: Connection) -> None:
    """Both models are outputs of the run. `tiny` is not even part of it."""
    load_graph(
        """
        Dataset: {d: {}}
        Model: {big: {trained_on: [d]}, small: {parents: [big]}, tiny: {}}
        Experiment:
          run:
            models: [big, small]
            metrics:
              acc:
              - {uid: a, value: 0.9, dataset: d}
              - {uid: b, value: 0.5, dataset: d, split: x}
              - {uid: c, value: 0.1, dataset: d, split: y}
              - {uid: all, value: 0.3, dataset: d, split: z}
        """
    )
    for metric, model in (("a", "big"), ("b", "small"), ("c", "tiny")):
        connect_nodes("(:Metric)-[:MEASURES]->(:Model)", metric, model)
    board = ask("leaderboard", metric="acc", dataset="d")
    assert columns(board, "model", "split") == [
        ("big", None),
        ("small", "x"),
        ("tiny", "y"),
        ("big", "z"),
        ("small", "z"),
    ]
    assert columns(ask("contaminated-scores"), "model", "metric") == [
        ("big", "a"),
        ("big", "all"),
        ("small", "all"),
        ("small", "b"),
    ]
    assert ask("dataset-impact", dataset="d")[0]["metrics"] == 3
    assert ask("regressions") == []


def test_scores_stay_with_the_run_that_has_them(graph: Connection) -> None:
    load_graph(
        """
        Dataset: {d: {}}
        Model: {whole: {}, fold: {}}
        Experiment:
          sweep: {models: [whole]}
          trial: {models: [fold], metrics: {acc: {value: 1, dataset: d}}}
        """
    )
    connect_nodes("(:Experiment)-[:PART_OF]->(:Experiment)", "trial", "sweep")
    board = ask("leaderboard", metric="acc", dataset="d")
    assert columns(board, "model", "experiment") == [("fold", "trial")]


def test_several_edges_between_two_nodes_give_one_row(graph: Connection) -> None:
    """`m` was trained on one split of `d`, and validated and tested on others."""
    load_graph(
        """
        Dataset: {d: {license: NC}}
        Model: {m: {trained_on: {d: {role: validation, split: val}}}}
        Experiment:
          run: {models: {m: {role: input}}, datasets: {d: {role: test}}}
        """
    )
    for properties in ("{split: 'train'}", "{role: 'training', split: 'val'}", "{role: 'test'}"):
        connect_nodes(f"(:Model)-[:TRAINED_ON {properties}]->(:Dataset)", "m", "d")
    connect_nodes("(:Experiment)-[:RUN {role: 'output'}]->(:Model)", "run", "m")
    connect_nodes("(:Experiment)-[:USED {role: 'other'}]->(:Dataset)", "run", "d")
    for split in ("train", "val", "test"):
        Experiment.nodes.get(uid="run").record(
            "acc", 1.0, dataset=Dataset.nodes.get(uid="d"), split=split
        )
    assert columns(ask("license-impact", licenses=["NC"]), "model", "dataset") == [("m", "d")]
    assert columns(ask("dependency-share"), "dataset", "dependants") == [("d", 1)]
    assert columns(ask("dataset-impact", dataset="d"), "models", "experiments", "metrics") == [
        (1, 1, 3)
    ]
    assert columns(ask("contaminated-scores"), "metric", "certainty") == [
        ("run/acc/d/train", "certain"),
        ("run/acc/d/val", "certain"),
    ]
    board = ask("leaderboard", metric="acc", dataset="d")
    assert columns(board, "rank", "split") == [(1, "test"), (1, "train"), (1, "val")]
    assert ask("shared-data") == []
    lineage = Model.nodes.get(uid="m").lineage()
    assert {node.uid for node in lineage.nodes} == {"m", "d"}


# Directions


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("accuracy val_accuracy eval_accuracy val/acc test-acc Test/Acc training.accuracy", True),
        ("eval_f1 test_f1 validation/mAP eval/exact_match metrics/val_auc_pr dev:bleu", True),
        ("train/val/acc metrics/train-exact-match validation_0-auc f1_val accuracy/test", True),
        ("valAccuracy testF1 acc,none exact_match,strict-match f1score top_1 acc_1 mAP@50", True),
        ("ndcg@10 val_recall@5 mAP@0.5:0.95 pass@5 hits@k val_sparse_categorical_accuracy", True),
        ("valLoss trainLogLoss word_perplexity,none val_binary_crossentropy", False),
        (
            "train-loss val.loss eval_eval_loss VAL_LOSS valid_1_rmse loss/train test-log-loss",
            False,
        ),
        (
            "acc_stderr,none time@10 ndcg@x",
            None,
        ),
        (
            "glossary test_glossary val_lossless accuracy_gap train_time testloss val test_",
            None,
        ),
    ],
)
def test_directions_of_names(names: str, expected: bool | None) -> None:
    assert {name: direction(name) for name in names.split()} == dict.fromkeys(
        names.split(), expected
    )


def test_regressions_say_which_metrics_have_no_direction(graph: Connection, cli: Run) -> None:
    dataset = Dataset.upsert(name="d")
    parent, child = Model.upsert(name="p"), Model.upsert(name="c")
    child.parents.connect(parent, {"kind": "quantized"})
    judged = ["accuracy", "eval_accuracy", "eval_f1", "test_f1", "val/acc", "val_accuracy"]
    for model, value in ((parent, 0.9), (child, 0.5)):
        run = Experiment.upsert(uid=f"x-{model.uid}")
        run.models.connect(model)
        for name in (*judged, "zeal", "glossary"):
            run.record(name, value, dataset=dataset)
        run.record("zeal", value, dataset=dataset, split="val")
        run.record("speed", value)
        run.record("F1" if model == parent else "f1", value, dataset=dataset)
    answer = ask("regressions")
    assert [row["metric"] for row in answer] == judged
    assert answer.notices == [
        "left out (3 in total): 'zeal' (2), 'glossary' (1): it is unknown whether greater is "
        "better, or the scores contradict each other; set greater_is_better",
        "not compared: metrics spelled differently: 'F1', 'f1'",
        "left out: 2 scores without a dataset: 'speed' (2)",
    ]
    shown = cli("ask", "regressions", "--limit", 2, "--strict")
    assert (shown.exit_code, len(shown.stdout.splitlines())) == (1, 2)
    assert shown.stderr.splitlines() == answer.notices
    assert columns(ask("regressions", split="val"), "metric") == []


def test_scores_that_are_not_comparable_are_named(graph: Connection) -> None:
    load_graph(
        """
        Dataset: {d: {}, e: {}}
        Model:
          parent: {}
          by-split: {parents: [parent]}
          by-unit: {parents: [parent]}
          by-dataset: {parents: [parent]}
        Experiment:
          p: {models: [parent], metrics: {acc: {value: 0.9, dataset: d, split: test}}}
          s: {models: [by-split], metrics: {acc: {value: 0.5, dataset: d, split: val}}}
          u: {models: [by-unit], metrics: {acc: {value: 5, dataset: d, split: test, unit: "%"}}}
          d: {models: [by-dataset], metrics: {acc: {value: 0.5, dataset: e, split: test}}}
          nobody: {metrics: {acc: {value: 0.5, dataset: d, split: test}}}
        """
    )
    answer = ask("regressions")
    (notice,) = answer.notices
    assert (answer, notice) == (
        [],
        "left out (3 in total): 'by-dataset' (1), 'by-split' (1), 'by-unit' (1): no score of the "
        "child is comparable to a score of the parent",
    )
    assert ask("regressions", split="train").notices == [
        "no scores with the split 'train': expected 'test', 'validation'"
    ]
    assert ask("regressions", unit="ms").notices == ["no scores with the unit 'ms': expected '%'"]
    without = "left out: 1 score of 'acc' of runs without a model"
    assert ask("leaderboard", metric="acc", dataset="d").notices == [without]
    assert ask("leaderboard", metric="acc", dataset="d", split="val").notices == []
    assert ask("leaderboard", metric="acc", dataset="e").notices == []
    assert ask("best-models", metric="acc").notices == [without]
    assert ask("contaminated-scores").notices == [
        "left out: 1 score of runs without a model: 'acc' (1)",
        "left out: 4 scores of models whose training data is unknown: 'acc' (4)",
    ]


def test_notices_are_bounded(graph: Connection) -> None:
    dataset, parent, child = (
        Dataset.upsert(name="d"),
        Model.upsert(name="p"),
        Model.upsert(name="c"),
    )
    child.parents.connect(parent)
    for model in (parent, child):
        run = Experiment.upsert(uid=model.uid)
        run.models.connect(model)
        for number in range(9):
            run.record(f"zeal{number}", 1.0, dataset=dataset)
    (notice,) = ask("regressions").notices
    assert notice.startswith("left out (9 in total): 'zeal0' (1), 'zeal1' (1), ")
    assert "'zeal4' (1) and 4 more: it is unknown" in notice


# Contamination


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("train", "train", "certain"),
        ("train", "test", "apart"),
        ("Test", " test", "certain"),
        ("validation", "val", "certain"),
        ("dev", "valid", "certain"),
        ("train+test", "test", "certain"),
        ("train + validation", "test", "apart"),
        ("trainval", "val", "certain"),
        ("all", "test", "certain"),
        ("all[:10%]", "test", "suspected"),
        ("test[:50%]", "test[50%:]", "slices"),
        ("test[:50%]", "test[49%:]", "certain"),
        ("test[10:20]", "test[20:30]", "slices"),
        ("test[10:20]", "test[19:]", "certain"),
        ("test[-10%:]", "test[:90%]", "slices"),
        ("test[-10:]", "test[:10]", "suspected"),
        ("test[10:-10]", "test[5:-5]", "suspected"),
        ("test[:100]", "test[50%:]", "suspected"),
        ("test[:0]", "test", "slices"),
        ("all[:0]", "test", "slices"),
        ("test[10:50%]", "test", "suspected"),
        ("test[0:100%]", "test", "certain"),
        ("train[:50%]+test[:50%]", "test[50%:]", "slices"),
        ("train[:50%]", "test[50%:]", "apart"),
        ("fold-1", "FOLD-1", "certain"),
        ("fold-1", "fold-2", "suspected"),
        ("extra", "train", "suspected"),
        ("train_10k", "train_100k", "suspected"),
        ("val2014", "val2017", "suspected"),
        ("holdout", "train", "apart"),
        ("minival", "val", "suspected"),
        ("test2017", "test", "suspected"),
        ("test2017", "train", "apart"),
        ("test-dev", "dev", "suspected"),
        ("test-dev", "train", "apart"),
        ("trainval2012", "val2012", "suspected"),
        ("trainval2012", "test2012", "apart"),
        ("traintest", "test", "certain"),
        ("trainset", "train", "certain"),
        ("fold-1", "fold_1", "certain"),
        ("unknown", "test", "suspected"),
        ("train[:-1000]", "train[-1000:]", "slices"),
        ("train[:-1000]", "train[-2000:]", "suspected"),
        ("eval", "test", "suspected"),
        ("eval2017", "test", "suspected"),
        ("", "test", "suspected"),
        (None, "test", "suspected"),
        ("test?", "train", "suspected"),
        ("non-train", "test", "suspected"),
        ("test", "all_except_train", "suspected"),
        ("test_no_noise", "train", "apart"),
        ("test[a:b]", "train", "suspected"),
    ],
)
def test_splits_are_expressions(first: str | None, second: str | None, overlap: str) -> None:
    assert compare(first, second).value == overlap
    assert compare(second, first).value == overlap


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["test", "Test", " TEST ", "testing"], "test"),
        (["val", "validation", "dev"], "validation"),
        (["test+train", "train + TEST", "Train,test"], "test+train"),
        (["test[:50%]", "test[0%:50%]", "Test[ : 50% ]"], "test[0%:50%]"),
        (["Caf\u00e9", "cafe\u0301"], "caf\u00e9"),
    ],
)
def test_spellings_of_a_split_have_one_name(spellings: list[str], name: str) -> None:
    assert {canonical_name(split) for split in spellings} == {name}


RELATED = """
    Dataset:
      raw: {}
      whole: {parents: {raw: {kind: preprocessed}}}
      part: {parents: {whole: {kind: subset}}}
      tiny: {parents: {part: {kind: subset}}}
      other-part: {parents: {whole: {kind: subset}}}
      french: {parents: {whole: {kind: translation}}}
      german: {parents: {whole: {kind: translation}}}
      v2: {parents: {whole: {kind: version}}}
      apart: {}
    """


@pytest.mark.parametrize(
    ("trained_on", "suspected", "unknown"),
    [
        ("whole", "french german other-part part raw tiny v2", ""),
        ("raw", "french german other-part part tiny v2 whole", ""),
        ("part", "french german raw tiny v2 whole", "other-part"),
        ("tiny", "french german part raw v2 whole", "other-part"),
        ("french", "german other-part part raw tiny v2 whole", ""),
        ("apart", "", ""),
    ],
)
def test_derived_data_is_suspected(
    graph: Connection, trained_on: str, suspected: str, unknown: str
) -> None:
    """Scores on data derived from the training data, or the reverse, or from the same data."""
    load_graph(RELATED)
    load_graph(f"Model: {{base: {{trained_on: [{trained_on}]}}, m: {{parents: [base]}}}}")
    run = Experiment.upsert(uid="run")
    run.models.connect(Model.nodes.get(uid="m"))
    for dataset in Dataset.nodes.all():
        if dataset.uid != trained_on:
            run.record("acc", 1.0, dataset=dataset)
    answer = ask("contaminated-scores")
    assert [row["benchmark"] for row in answer] == suspected.split()
    assert set(columns(answer, "certainty", "trained_via", "trained_on")) <= {
        ("suspected", "base", trained_on)
    }
    assert len(answer.notices) == bool(unknown)
    assert f"'{unknown}' (1): a subset of a dataset" in str(answer.notices) or not unknown


@pytest.mark.parametrize(
    ("seen", "scored", "certainties"),
    [
        ("train", "test", []),
        ("train", "train", ["suspected"]),
        ("", "test", ["suspected"]),
        ("train+test", "Test", ["suspected"]),
        ("test[:50%]", "test[50%:]", ["suspected"]),  # other examples than those of the whole
    ],
)
def test_splits_of_derived_data(
    graph: Connection, seen: str, scored: str, certainties: list[str]
) -> None:
    load_graph(
        f"""
        Dataset: {{whole: {{}}, sub: {{parents: {{whole: {{kind: subset}}}}}}}}
        Model: {{m: {{trained_on: {{whole: {{split: '{seen}'}}}}}}}}
        Experiment: {{x: {{models: [m]}}}}
        """
    )
    sub, run = Dataset.nodes.get(uid="sub"), Experiment.nodes.get(uid="x")
    run.record("f1", 0.9, dataset=sub, split=scored)
    assert [row["certainty"] for row in ask("contaminated-scores")] == certainties


# Other spellings


def test_licenses_match_in_any_case(graph: Connection) -> None:
    load_graph(
        """
        Dataset:
          upper: {license: CC-BY-NC-4.0}
          lower: {license: cc-by-nc-4.0}
          spaced: {license: CC BY-NC 4.0}
          both: {license: (MIT AND cc-by-nc-4.0)}
          free: {license: MIT-0}
        Model: {a: {trained_on: [lower]}, b: {trained_on: [spaced, both]}, c: {trained_on: [free]}}
        """
    )
    for name in ("CC-BY-NC-4.0", "cc-by-nc-4.0", "Cc-By-Nc-4.0"):
        answer = ask("license-impact", licenses=[name])
        assert columns(answer, "model", "dataset", "license") == [("a", "lower", "cc-by-nc-4.0")]
        assert answer.notices == [
            f"not included: licenses similar to {name!r}: '(MIT AND cc-by-nc-4.0)', 'CC BY-NC 4.0'"
        ]
    assert len(ask("license-impact", licenses=["cc-by-nc-4.0", "CC-BY-NC-4.0"])) == 1
    for uid, name in [("d", "cc-by-nc-4.0"), ("e", "CC-BY-NC-4.0"), ("f", "CC-BY-NC-4.0")]:
        Model.upsert(name=uid, license=name)
    notice = ask("license-impact", licenses=["cc-by-nc-4.0"]).notices[-1]
    assert notice == (
        "not included: models that have such a license themselves, and models derived from them: "
        "'CC-BY-NC-4.0' (2), 'cc-by-nc-4.0' (1)"
    )


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("Apache-2.0", "Apache License 2.0; apache2; Apache License, Version 2.0; MIT/Apache-2.0"),
        (
            "CC-BY-NC-4.0",
            "cc_by_nc_4_0; CC BY NC 4; Creative Commons Attribution-NonCommercial 4.0",
        ),
        (
            "GPL-3.0-only",
            "GPL-3.0+; gpl3; GPLv3; GNU General Public License v3.0; GPL-3.0-or-later",
        ),
        ("MIT", "MIT License; The MIT License; (MIT AND BSD-3-Clause)"),
    ],
)
def test_similar_licenses(name: str, spellings: str) -> None:
    others = ["MIT-0", "Apache-1.1", "CC-BY-4.0", "CC-BY-NC-SA-4.0", "GPL-2.0-only", "LGPL-3.0"]
    assert similar_licenses(name, [*others, *spellings.split("; ")]) == sorted(
        spellings.split("; ")
    )


def test_metrics_in_another_spelling(graph: Connection) -> None:
    load_graph(
        """
        Dataset: {d: {}, e: {}}
        Model: {m: {}}
        Experiment:
          run:
            models: [m]
            metrics:
              accuracy: {value: 1, dataset: d}
              Accuracy: [{value: 2, dataset: d}, {value: 2, dataset: d, split: x}]
              exact-match: {value: 3, dataset: d}
              exact_match: {value: 3, dataset: e}
        """
    )
    answer = ask("leaderboard", metric="accuracy", dataset="d")
    assert len(answer) == 1
    assert answer.notices == [
        "not included: scores with another spelling of 'accuracy': 'Accuracy' (2)"
    ]
    assert ask("leaderboard", metric="exact_match", dataset="e").notices == []
    assert ask("best-models", metric="exact_match").notices == [
        "not included: scores with another spelling of 'exact_match': 'exact-match' (1)"
    ]


def test_parameters_are_normalized(graph: Connection) -> None:
    name = "caf\u00e9"
    load_graph(
        f"""
        Dataset: {{{name}: {{license: {name}}}}}
        Model: {{m: {{trained_on: [{name}]}}}}
        Experiment:
          run: {{models: [m], metrics: {{{name}: {{value: 1, dataset: {name}}}}}}}
        """
    )
    typed = unicodedata.normalize("NFD", name)
    assert len(ask("leaderboard", metric=typed, dataset=typed)) == 1
    assert len(ask("license-impact", licenses=[typed])) == 1


def test_values_of_other_programs_do_not_hide_answers(graph: Connection) -> None:
    """Uids, splits and names that are no strings, and nodes without a uid."""
    load_graph(
        """
        Dataset: {d: {license: MIT}}
        Model: {m: {trained_on: [d]}}
        Experiment: {run: {models: [m], metrics: {acc: {value: 1, dataset: d, split: test}}}}
        """
    )
    for uid in (5, None):
        query(
            "MATCH (d:Dataset {uid: 'd'}) MATCH (m:Model {uid: 'm'}) "
            "CREATE (d)<-[:TRAINED_ON {split: 7}]-(n:Model)-[:DERIVED_FROM]->(m) "
            "CREATE (d)<-[:DERIVED_FROM]-(:Dataset)<-[:EVALUATED_ON]-(:Metric {name: 'x'}) "
            "CREATE (n)<-[:RUN]-(:Experiment)-[:HAS]->(s:Metric {name: 'acc', split: 7}) "
            "CREATE (s)-[:EVALUATED_ON]->(d) SET n.uid = $uid, s.uid = $uid, s.value = 2.0",
            write=True,
            uid=uid,
        )
    assert columns(ask("contaminated-scores"), "model", "metric") == [("m", "run/acc/d/test")]
    assert ("m", "d") in columns(ask("license-impact", licenses=["MIT"]), "model", "dataset")
    assert (1, "m") in columns(ask("leaderboard", metric="acc", dataset="d"), "rank", "model")
    for name in ("dependency-share", "lineage", "regressions", "stale-models", "shared-data"):
        ask(name)
    assert ask("dataset-impact", dataset="d")[0]["datasets"] == 1
    assert ask("best-models", metric="acc")


def test_a_complete_answer_has_no_notices(graph: Connection, cli: Run) -> None:
    load_graph(MIXED)
    corpus = Dataset(name="corpus").save()
    for model in Model.nodes.all():
        model.trained_on.connect(corpus)
    for arguments in (
        ["leaderboard", "--metric", "accuracy", "--dataset", "splits"],
        ["best-models", "--metric", "latency"],
        ["regressions"],
        ["contaminated-scores"],
    ):
        shown = cli("ask", *arguments, "--strict")
        assert (shown.exit_code, shown.stderr) == (0, "")


def test_scores_of_models_with_unknown_training_data_are_counted(graph: Connection) -> None:
    """`child` depends on the training data of `trained`; `checked` was validated only."""
    load_graph(
        """
        Dataset: {d: {license: MIT}, corpus: {}, other: {}}
        Model:
          trained: {trained_on: [corpus]}
          child: {parents: [trained]}
          checked: {trained_on: {corpus: {role: validation}}}
          unknown: {parents: [checked]}
        Experiment:
          a: {models: [trained], metrics: {acc: {value: 1, dataset: d}}}
          b: {models: [child], metrics: {acc: {value: 1, dataset: d}}}
          c: {models: [checked], metrics: {acc: {value: 1, dataset: d}, f1: {value: 1}}}
          e: {models: [unknown, checked], metrics: {f1: {value: 1, dataset: d}}}
          g: {models: [unknown], status: FAILED, metrics: {f1: {value: 1, dataset: d}}}
        """
    )
    answer = ask("contaminated-scores")
    assert answer == []
    assert answer.notices == [
        "left out: 1 score without a dataset: 'f1' (1)",
        "left out: 2 scores of models whose training data is unknown: 'acc' (1), 'f1' (1)",
    ]
    assert ask("license-impact", licenses=["MIT"]).notices == [
        "left out: 2 datasets without a license"
    ]


def test_licenses_of_many_datasets_are_answered_in_parts(
    graph: Connection,
    cli: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The rows are sorted; a limit ends the work; lineage is read at once for many models."""
    names = [f"d{number}" for number in range(9)]
    models = "".join(f"  m-{name}: {{trained_on: [{name}, d8]}}\n" for name in names[:8])
    load_graph(
        f"Dataset: {{{', '.join(f'{name}: {{license: MIT}}' for name in names)}}}\n"
        f"Model:\n{models}  child: {{parents: [m-d3]}}\n"
    )
    expected = [(f"m-d{i}", f"d{i}") for i in range(8)]
    expected.insert(3, ("child", "d3"))
    expected += [("child", "d8"), *((f"m-d{i}", "d8") for i in range(8))]
    monkeypatch.setattr(facts, "_FIRST_PART", 1)
    for most in (1_000, 2):
        monkeypatch.setattr(facts, "_MAX_STARTS", most)
        with caplog.at_level("DEBUG", "genai_graph.cypher"):
            answer = ask("license-impact", licenses=["MIT"])
            sent = len(caplog.records)
            limited = ask("license-impact", licenses=["MIT"], limit=2)
        assert columns(answer, "model", "dataset") == expected
        assert limited == answer[:2]
        assert len(caplog.records) - sent < sent
        caplog.clear()
    shown = cli("ask", "license-impact", "--licenses", "MIT", "--limit", 4)
    assert [json.loads(line) for line in shown.stdout.splitlines()] == answer[:4]


def test_stale_models_of_many_datasets_are_answered_in_parts(
    graph: Connection, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is that of the whole answer: by name, which some datasets lack, then by uid."""
    old = [f"d{number}" for number in range(9)]
    versions = (
        f"  {name}@1: {{}}\n  {name}@2: {{parents: {{{name}@1: {{kind: version}}}}}}\n"
        for name in old
    )
    models = (f"  m-{name}: {{trained_on: [{name}@1]}}\n" for name in old)
    load_graph(f"Dataset:\n{''.join(versions)}Model:\n{''.join(models)}")
    query("MATCH (d:Dataset) WHERE d.name < 'd3' REMOVE d.name", write=True)
    query("MATCH (d:Dataset) WHERE d.name > 'd6' SET d.name = 'a'", write=True)
    whole = ask("stale-models")
    assert [row["trained_on"] for row in whole] == [f"d{i}@1" for i in (7, 8, 3, 4, 5, 6, 0, 1, 2)]
    monkeypatch.setattr(facts, "_FIRST_PART", 1)
    assert ask("stale-models") == whole
    assert ask("stale-models", limit=4) == whole[:4]
    shown = cli("ask", "stale-models", "--limit", 8)
    assert [json.loads(line) for line in shown.stdout.splitlines()] == whole[:8]
