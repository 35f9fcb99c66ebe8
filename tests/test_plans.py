"""On real Neo4j every statement of the package starts from an index: EXPLAIN of all of them.

The statements are those that are sent while the package is used in all of its ways. Their plans are
made on a graph where reading all of a label would cost.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import FIXTURES, ROOT

import genai_graph
from genai_graph import (
    Dataset,
    Experiment,
    Model,
    Project,
    ask,
    clear,
    connect,
    dump,
    load,
    query,
    schema,
    verify,
)
from genai_graph.access import keys
from genai_graph.database import Connection
from genai_graph.database.driver import GraphTransaction
from genai_graph.database.keyring import generate_key
from genai_graph.errors import EdgeError, NodeExistsError, NodeNotFoundError
from genai_graph.questions import catalog
from genai_graph.registry import NODES
from genai_graph.shell.completion import Completion, complete
from genai_graph.status import read_status

PACKAGE = Path(genai_graph.__file__).parent
BELOW = {PACKAGE / "database" / f"{name}.py" for name in ("driver", "transaction", "connection")}
ENTITIES = 10_000
SCANS = {"AllNodesScan", "NodeByLabelScan", "DirectedRelationshipTypeScan", "NodeIndexScan"}
SEEKS = {"NodeUniqueIndexSeek", "NodeIndexSeek", "NodeIndexSeekByRange", "MergeUniqueNode"}
UID = re.compile(r":`?\w+`? \{uid: ")
# Of many rows, each would be looked for by a scan of the index where the plan is of a small graph.
UNHINTED = re.compile(r"UNWIND.* MATCH \(\w*:`?\w+`? \{uid: [^}]*\}\)(?! USING INDEX SEEK)")
INDEXED = {
    name
    for cls in NODES.values()
    for name, prop in cls.defined_properties(aliases=False, rels=False).items()
    if prop.index or prop.unique_index
}
KEY = re.compile(rf"\b\w+\.(?:{'|'.join(INDEXED)}) (?:=|>|IN|STARTS WITH) (?:\$|row|uid)")
ALL_OR_ONE = catalog.get_question("lineage").cypher  # its other half starts from the uid
NOT_ON_NEO4J = {
    "access/users.py:_create_edge_types",  # users of the embedded engine
    "database/indexes.py:suspended",
    "models/store.py:_count_between",
    "access/roles.py:apply",  # sends them to the system database of an Enterprise server
}


class Statement(NamedTuple):
    """A statement, and the file and the function of the package that it comes from."""

    place: str
    text: str


Sent = dict[Statement, dict[str, Any]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What is sent from now on, with the parameters of the last time."""
    found: Sent = {}
    run = GraphTransaction.run

    def recording(self: Any, text: str, parameters: Any = None, **more: Any) -> Any:
        found[Statement(_place(), text)] = {**(parameters or {}), **more}
        return run(self, text, parameters, **more)

    monkeypatch.setattr(GraphTransaction, "run", recording)
    return found


def _place() -> str:
    frame = sys._getframe(2)
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        name = frame.f_code.co_name
        if file.is_relative_to(PACKAGE) and file not in BELOW and name.isidentifier():
            return f"{file.relative_to(PACKAGE).as_posix()}:{name}"
        frame = frame.f_back
    return ""


def senders() -> set[str]:
    """Return every function of the package that sends statements, as `place` names it."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for function in _functions(ast.parse(file.read_text(encoding="utf-8"))):
            called = {
                node.func.id
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            if called & {"query", "change"}:
                found.add(f"{file.relative_to(PACKAGE).as_posix()}:{function.name}")
    return found


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


# The package in all of its ways


def use_nodes() -> None:
    project = Project(name="fraud").save()
    dataset = Dataset.upsert(name="merchants", version="1", license="MIT")
    model = Model(uid="xgb@1", name="xgb", version="1").save()
    child = Model.upsert(uid="xgb@2", name="xgb")
    with pytest.raises(NodeExistsError):
        Model(uid="xgb@1", name="xgb").save()
    model.description = "boosted"
    model.save()
    model.refresh()
    assert model.labels() == ["Model"]
    model.cypher("MATCH (m:Model) WHERE elementId(m) = $self RETURN m")
    Dataset.nodes.bulk_create({"name": "a"}, {"name": "b"})
    Model.bulk_save([model, Model(uid="xgb@3", name="xgb")])
    use_edges(project, dataset, model, child)
    use_filters()
    Model.nodes.get(uid="xgb@3").delete()
    run = Experiment.upsert(uid="run-1")
    run.models.connect(model)
    run.record("auc", 0.9, dataset=dataset)
    run.record("auc", 0.8, dataset=dataset, step=2)
    Experiment.upsert(uid="run-2").record("loss", 1.0)
    Experiment.nodes.get(uid="run-2").delete()
    gone = Model.upsert(uid="gone", name="gone")
    Model.nodes.get(uid="gone").delete()
    with pytest.raises(NodeNotFoundError):
        project.models.connect(gone)


def use_edges(project: Project, dataset: Dataset, model: Model, child: Model) -> None:
    project.models.connect(model)
    project.models.connect(child)
    project.datasets.connect(dataset)
    model.trained_on.connect(dataset, {"role": "training"})
    model.trained_on.connect(dataset, {"role": "test"})
    child.parents.connect(model, {"kind": "fine-tuned"})
    with pytest.raises(EdgeError):
        model.parents.connect(child)
    assert model in project.models
    assert project.models.is_connected(model)
    assert project.models.single() is not None
    assert list(model.trained_on)
    assert model.trained_on.match(role="test").all()
    assert dataset.trained_models.all()
    assert project.models.get(uid="xgb@1") == model
    assert project.models.filter(name="xgb").order_by("name").all()
    assert model in project.models.filter(name="xgb")
    assert project.models.exclude(name="x").all()
    edge = model.trained_on.relationship(dataset)
    assert edge is not None
    assert edge.start_node() == model
    model.trained_on.reconnect(dataset, Dataset.upsert(name="other"))
    model.trained_on.replace(dataset)
    model.trained_on.disconnect(dataset)
    model.trained_on.connect(dataset)
    project.datasets.disconnect_all()


def use_filters() -> None:
    assert Model.nodes.get(uid="xgb@1")
    assert Model.nodes.get_or_none(name="xgb", version="1")
    assert Model.nodes.filter(name="xgb").order_by("uid").all()
    assert len(Model.nodes.filter(name__in=["xgb"])) > 0
    assert Model.nodes.filter(uid__startswith="xgb").all()
    assert bool(Model.nodes.filter(name="xgb"))
    assert Model.nodes.filter(trained_on__name="merchants").all() is not None
    assert complete("Model.nodes.get(uid='xgb@1") == Completion("xgb@1", ["xgb@1"])


def use_files() -> None:
    load(FIXTURES / "quickstart.yaml")
    load(FIXTURES / "quickstart.yaml", batch_size=10, transaction_limit=0)
    changed = (FIXTURES / "quickstart.yaml").read_text(encoding="utf-8")
    Path("changed.yaml").write_text(changed.replace("MIT", "BSD-3-Clause"), encoding="utf-8")
    load("changed.yaml")
    for kind in ("jsonl", "yaml", "csv", "cypher"):
        dump(f"all.{kind}", format=kind)
    load("all.jsonl")


def use_questions() -> None:
    for name in catalog.list_questions():
        given: dict[str, Any] = {}
        for parameter in catalog.get_question(name).parameters.values():
            if parameter.type == catalog.STRINGS:
                given[parameter.name] = ["MIT"]
            elif parameter.label is not None:
                given[parameter.name] = NODES[parameter.label].nodes.all()[0].uid
            elif parameter.is_required:
                given[parameter.name] = "auc"
        ask(name, **given)
    assert ask("best-models", metric="no such metric").notice


def use_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    key = generate_key()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", key)
    with connect():
        Dataset.upsert(name="secret", location="s3://bucket")
        keys.count_by_key()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", f"{generate_key()},{key}")
    with connect():
        keys.rotate()
    monkeypatch.delenv("GENAI_GRAPH_KEYS")


# Their plans


class Operator(NamedTuple):
    """An operator of a plan, and those that it takes rows from."""

    name: str
    sources: list[Operator]

    def all(self) -> Iterator[Operator]:
        """Yield it and all below it."""
        yield self
        for source in self.sources:
            yield from source.all()

    def is_one_row(self) -> bool:
        """Whether it gives one row at most."""
        if self.name == "Filter":
            return self.sources[0].is_one_row()
        return self.name == "NodeUniqueIndexSeek"


def plan_of(told: dict[str, Any]) -> Operator:
    name = told["operatorType"].partition("@")[0].partition("(Locking)")[0]
    return Operator(name, [plan_of(child) for child in told.get("children", ())])


def faults(statement: Statement, plan: Operator) -> Iterator[str]:
    """Yield what is slow in a plan: it reads more than what the statement asks for."""
    operators = list(plan.all())
    names = [operator.name for operator in operators]
    given = len(UID.findall(statement.text))
    if sum(name in SEEKS for name in names) < given:
        yield "a uid is given and not looked up"
    if UNHINTED.search(statement.text):
        yield "a scan of the index may take the place of looking into it"
    if "AllNodesScan" in names:
        yield "all nodes are read"
    is_keyed = given or KEY.search(statement.text)
    if is_keyed and SCANS.intersection(names) and ALL_OR_ONE not in statement.text:
        yield "a key is given, and all nodes of a label are read, or all edges of a type"
    for operator in operators:
        many = [source for source in operator.sources if not source.is_one_row()]
        if operator.name == "CartesianProduct" and len(many) > 1:
            yield "every row is joined with every other"


def slow(sent: Sent, connection: Connection) -> list[str]:
    """Explain all statements, and return what is slow in them, with the plans' operators."""
    found = []
    with connection.driver("READ").session(database=connection.database) as session:
        session.run("CALL db.prepareForReplanning()").consume()
        for statement, parameters in sent.items():
            if statement.text.startswith(("SHOW", "CREATE CONSTRAINT", "CREATE INDEX")):
                continue
            told = session.run(f"EXPLAIN {statement.text}", parameters).consume().plan
            plan = plan_of(told)
            for fault in faults(statement, plan):
                operators = ", ".join(operator.name for operator in plan.all())
                found.append(f"{statement.place}: {fault}: {statement.text}: {operators}")
    return found


def test_every_statement_starts_from_an_index(
    neo4j_graph: Connection, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_files()
    use_nodes()
    use_questions()
    assert list(verify()) == []
    read_status()
    schema.check()
    use_keys(monkeypatch)
    clear()
    unsent = senders() - {statement.place for statement in sent}
    assert unsent == NOT_ON_NEO4J, "this test is to send every statement"
    # Neo4j keeps a plan that it made when the graph was nearly empty.
    assert slow(sent, neo4j_graph) == []
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import graph

    graph.write(Path("large.jsonl"), ENTITIES)
    load("large.jsonl")
    query("CALL db.awaitIndexes()")
    assert slow(sent, neo4j_graph) == []
