"""Objects and errors can be pickled, copied and compared."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neo4j
import neomodel
import pytest

import genai_graph
from genai_graph import (
    Connection,
    Count,
    Dataset,
    Experiment,
    Finding,
    Metric,
    Model,
    Project,
    Q,
    Subgraph,
    ask,
    atomic,
    check,
    errors,
    load,
    query,
    verify,
)
from genai_graph.database.error_translation import translate_errors
from genai_graph.errors import FixtureIssue, SourceLocation
from genai_graph.registry import EDGES, NODES

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=COPIES)
def duplicate(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return COPIES[request.param]


# Errors

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "NotConnectedError": (),
    "MissingExtraError": ("the shell", "shell"),
    "PropertyError": ("message", ("parameters", 0)),
    "FixtureError": ([FixtureIssue(SourceLocation("f.yaml", 3), "wrong")],),
    "ImportSourceError": ("mlflow.db", "not a database"),
    "QuestionFileError": (SourceLocation("q.cypher", 3), "wrong"),
    "FixtureFileError": ([FixtureIssue(SourceLocation("f.yaml", 3), "missing")],),
}
ERRORS = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, genai_graph.GenaiGraphError)
]


@pytest.mark.parametrize("cls", ERRORS)
def test_errors(cls: type[Exception], duplicate: Callable[[Any], Any]) -> None:
    error = cls(*ARGUMENTS.get(cls.__name__, ("message",)))
    error.note = ["more"]  # type: ignore[attr-defined]
    copied = duplicate(error)
    assert type(copied) is type(error)
    assert (str(copied), copied.args, vars(copied)) == (str(error), error.args, vars(error))


def server_error(code: str) -> neo4j.exceptions.Neo4jError:
    return neo4j.exceptions.Neo4jError._hydrate_gql(
        neo4j_code=code,
        message="message of the server",
        gql_status="01N00",
        description="description",
        cause={"gql_status": "22N00", "description": "why", "message": "cause"},
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Neo.ClientError.Schema.ConstraintValidationFailed", errors.NodeExistsError),
        ("Neo.ClientError.Statement.SyntaxError", errors.QueryError),
        ("Neo.ClientError.Statement.AccessMode", errors.ReadOnlyError),
        ("Neo.ClientError.Security.Unauthorized", errors.AuthenticationError),
        ("Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists", errors.DatabaseError),
        ("Neo.TransientError.Transaction.DeadlockDetected", errors.TransientError),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", errors.TransactionMemoryError),
    ],
)
def test_errors_of_the_database(
    code: str, expected: type[Exception], duplicate: Callable[[Any], Any]
) -> None:
    """They are errors of this package and of the driver at once."""
    original = server_error(code)
    with pytest.raises(expected) as raised, translate_errors(lambda: False):
        raise original
    for error in (raised.value, duplicate(raised.value)):
        assert isinstance(error, expected)
        assert isinstance(error, type(original))
        assert isinstance(error, neo4j.exceptions.Neo4jError)
        assert (error.code, error.message) == (original.code, "message of the server")
        assert error.is_retryable() == original.is_retryable()
        assert str(error) == str(raised.value)
        assert "gql_status" not in str(error)
        assert isinstance(error, neomodel.UniqueProperty) == (expected is errors.NodeExistsError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (neo4j.exceptions.ServiceUnavailable("gone"), errors.UnavailableError),
        (neo4j.exceptions.SessionExpired("gone"), errors.UnavailableError),
        (neo4j.exceptions.TransactionError(None, "closed"), errors.TransactionError),
        (neo4j.exceptions.ResultConsumedError(None, "consumed"), errors.DatabaseError),
    ],
)
def test_errors_of_the_driver(
    error: Exception, expected: type[Exception], duplicate: Callable[[Any], Any]
) -> None:
    with pytest.raises(expected) as raised, translate_errors(lambda: False):
        raise error
    copied = duplicate(raised.value)
    assert isinstance(copied, expected)
    assert isinstance(copied, type(error))
    assert str(copied) == str(raised.value)


def test_node_exists_error_is_a_unique_property(graph: Connection) -> None:
    Dataset(name="d").save()
    with pytest.raises(neomodel.UniqueProperty, match="a Dataset with uid 'd' already exists"):
        Dataset(name="d").save()


# Nodes and edges


def example_nodes() -> list[Any]:
    load("quickstart")
    return [node for cls in NODES.values() for node in cls.nodes.all()]


@pytest.fixture
def nodes(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.chdir(Path(genai_graph.__file__).parent.parent)
    return example_nodes()


def test_nodes(nodes: list[Any], duplicate: Callable[[Any], Any]) -> None:
    assert {type(node) for node in nodes} == set(NODES.values())
    for node in [*nodes, Model(name="new", tags=["a"]), Project(name="p"), Experiment(uid="e")]:
        copied = duplicate(node)
        assert copied == node
        assert hash(copied) == hash(node)
        assert repr(copied) == repr(node)
        assert copied.__properties__ == node.__properties__
        assert copied.was_saved == node.was_saved
        for name, manager in vars(node).items():
            if isinstance(manager, type(vars(nodes[0])["datasets"])):
                assert vars(copied)[name].source is copied, "managers belong to the copy"


def test_copy_can_be_changed_and_saved(graph: Connection, duplicate: Callable[[Any], Any]) -> None:
    node = Model(name="m", tags=["a"], metadata={"a": 1}).save()
    copied = duplicate(node)
    copied.framework = "torch"
    assert node.framework is None
    copied.save()
    assert Model.nodes.get(uid="m").framework == "torch"
    data = Dataset(name="d").save()
    copied.trained_on.connect(duplicate(data))
    assert node.trained_on.all() == [data]


def test_copy_with_deferred_properties(graph: Connection, duplicate: Callable[[Any], Any]) -> None:
    """A copy reads them when they are used, and saving it never empties them."""
    Model(name="m", task="text", tags=["a"], metadata={"a": 1}, size=3).save()
    for number, read in enumerate(
        [Model.nodes.only("task"), Model.nodes.defer("tags", "metadata", "size")]
    ):
        stored = Model.nodes.get(uid="m").to_dict()
        assert duplicate(read.get(uid="m")).to_dict() == stored
        copied = duplicate(read.get(uid="m"))
        assert (copied.tags, copied.metadata, copied.size) == (["a"], {"a": 1}, 3)
        changed = duplicate(read.get(uid="m"))
        changed.task = f"changed {number}"
        changed.save()
        changed = duplicate(read.get(uid="m"))
        changed.framework = f"f{number}"
        Model.nodes.bulk_update([changed], ["framework"])
        after = Model.nodes.get(uid="m").to_dict()
        expected = {"task": f"changed {number}", "framework": f"f{number}"}
        assert after == {**stored, **expected, "updated_at": after["updated_at"]}


def test_copy_of_a_history_that_was_not_read(
    graph: Connection, duplicate: Callable[[Any], Any]
) -> None:
    Experiment(uid="e").save().record("loss", values=[3.0, 2.0])
    copied = duplicate(Metric.nodes.defer("steps", "values").get(uid="e/loss"))
    copied.unit = "s"
    copied.save()
    metric = Metric.nodes.get(uid="e/loss")
    assert (metric.unit, metric.steps, metric.values) == ("s", [0, 1], [3.0, 2.0])


def test_deferred_property_that_was_set(graph: Connection) -> None:
    """It is compared with the stored value, not with an empty one."""
    Model(name="m", task="text", tags=["a"]).save()
    model = Model.nodes.only("name").get(uid="m")
    model.task = None
    Model.nodes.bulk_update([model], ["task"])
    Model.nodes.only("name").update(tags=[])
    found = Model.nodes.get(uid="m")
    assert (found.task, found.tags) == (None, [])


def test_copy_with_annotations(graph: Connection, duplicate: Callable[[Any], Any]) -> None:
    Model(name="m").save()
    copied = duplicate(Model.nodes.annotate(runs=Count("experiments")).get(uid="m"))
    assert copied.runs == 0
    copied.task = "text"
    copied.save()  # an annotation is not saved
    assert Model.nodes.get(uid="m").to_dict() == copied.to_dict()


def test_copy_of_an_unsaved_node_is_unsaved(
    graph: Connection, duplicate: Callable[[Any], Any]
) -> None:
    copied = duplicate(Dataset(name="d"))
    assert not copied.was_saved
    copied.save()
    copied.delete()
    assert not duplicate(copied).was_saved


def test_copy_of_a_node_of_a_rolled_back_block(
    graph: Connection, duplicate: Callable[[Any], Any]
) -> None:
    def fail() -> None:
        with atomic():
            node = Dataset(name="d").save()
            copies.append(duplicate(node))
            raise KeyError

    copies: list[Dataset] = []
    with pytest.raises(KeyError):
        fail()
    copies[0].save()
    assert [found.uid for found in Dataset.nodes.all()] == ["d"]


def test_edges(nodes: list[Any], duplicate: Callable[[Any], Any]) -> None:
    Dataset.nodes.get(uid="merchants@1").parents.connect(Dataset(name="origin").save())
    run = Experiment(uid="e").save()
    run.datasets.connect(Dataset.nodes.get(uid="merchants@1"))
    run.part_of.connect(Experiment(uid="sweep").save())
    run.record("accuracy", 0.5, model=Model.nodes.first())
    seen = set()
    for node in [node for cls in NODES.values() for node in cls.nodes.all()]:
        for name, manager in list(vars(node).items()):
            if not hasattr(manager, "all_relationships"):
                continue
            for other in manager:
                (edge,) = manager.all_relationships(other)
                seen.add(type(edge))
                copied = duplicate(edge)
                assert copied == edge, name
                assert hash(copied) == hash(edge)
                assert copied.__properties__ == edge.__properties__
                assert copied.start_node() == edge.start_node()
                assert copied.end_node() == edge.end_node()
    assert seen == set(EDGES.values())


def test_edges_are_compared_by_their_ends_and_properties(graph: Connection) -> None:
    model, data, other = Model(name="m").save(), Dataset(name="d").save(), Dataset(name="e").save()
    edge = model.trained_on.connect(data, {"split": "train"})
    assert edge == model.trained_on.relationship(data)
    assert edge != model.trained_on.connect(other, {"split": "train"})
    assert edge != model.trained_on.connect(data, {"split": "test"})
    assert edge != "edge"


# Sets


def test_node_sets(nodes: list[Any], duplicate: Callable[[Any], Any]) -> None:
    model = Model.nodes.get(uid="xgb-fraud@2.1")
    read = Model.nodes.filter(name="xgb-fraud")
    assert len(read.all()) == len(list(read))
    sets: list[Any] = [
        Model.nodes,
        Model.nodes.filter(Q(name="xgb-fraud") | ~Q(size__gt=3)).order_by("-name")[:3],
        Model.nodes.annotate(n=Count("metrics")).values("uid", "n"),
        Model.nodes.prefetch_related("trained_on"),
        Model.nodes.none(),
        read,
        model.trained_on.filter(projects__isnull=False),
        model.trained_on,
    ]
    for one in sets:
        copied = duplicate(one)
        assert type(copied) is type(one)
        assert list(copied) == list(one)
        assert copied.count() == one.count()
        assert repr(copied) == repr(one)


# Answers and reports


def test_answers_and_reports(nodes: list[Any], duplicate: Callable[[Any], Any]) -> None:
    query("CREATE (:Dataset {uid: 'broken'})", write=True)
    findings = list(verify())
    assert isinstance(findings[0], Finding)
    model = Model.nodes.get(uid="xgb-fraud@2.1")
    values: list[Any] = [
        ask("license-impact", licenses=["none"]),
        ask("leaderboard", metric="accuracy", dataset="transactions@2026"),
        model.lineage(),
        check("quickstart"),
        findings[0],
        query("MATCH (n:Model) RETURN n"),
    ]
    for value in values:
        copied = duplicate(value)
        assert type(copied) is type(value)
        assert copied == value
        assert isinstance(value, Subgraph) or vars_of(copied) == vars_of(value)


def vars_of(value: Any) -> Any:
    return getattr(value, "__dict__", None)


def test_connection_is_refused_with_a_reason(graph: Connection) -> None:
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(errors.UnsupportedError, match="call connect"):
            copied(graph)
