"""Query plans on Neo4j: every statement of the package starts at an index.

The test calls every function of the package that sends statements, records them, and explains them
on a graph that is large enough for the planner to prefer an index to a scan. Other tests count the
database hits of questions, which grow with the answer.
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
from neomodel import db
from test_import_again import STORE, update_store
from test_import_mlflow import unpack

import genai_graph
from genai_graph import (
    Avg,
    Count,
    Dataset,
    Experiment,
    Max,
    Model,
    Project,
    Q,
    ask,
    clear,
    compare,
    connect,
    dump,
    import_from,
    load,
    query,
    schema,
    search,
    start_run,
    verify,
)
from genai_graph.access import keys
from genai_graph.database import Connection, current_connection
from genai_graph.database.driver import GraphTransaction
from genai_graph.database.keyring import generate_key
from genai_graph.errors import EdgeError, NodeExistsError, NodeNotFoundError, OutputError
from genai_graph.questions import QuestionRun, catalog, statement_parameters
from genai_graph.registry import EDGES, NODES
from genai_graph.shell.completion import Completion, complete
from genai_graph.status import read_status

PACKAGE = Path(genai_graph.__file__).parent
TRANSPORT = {
    PACKAGE / "database" / f"{name}.py"
    for name in ("driver", "transaction", "connection", "retries")
}
NUM_ENTITIES = 10_000
SCANS = {"AllNodesScan", "NodeByLabelScan", "DirectedRelationshipTypeScan", "NodeIndexScan"}
SEEKS = {"NodeUniqueIndexSeek", "NodeIndexSeek", "NodeIndexSeekByRange", "MergeUniqueNode"}
UID_LOOKUP = re.compile(r"(?<!CREATE \(n):`?\w+`? \{uid: ")
# Without the hint, a plan cached for a small graph scans the uid index for every row.
UNHINTED = re.compile(r"UNWIND.* MATCH \(\w*:`?\w+`? \{uid: [^}]*\}\)(?! USING INDEX SEEK)")
# Depending on its statistics, Neo4j may use the index for the other condition, in every row.
TWO_CONDITIONS = re.compile(
    r"\{uid: [^}]*\}\) USING INDEX SEEK (\w+):`?\w+`?\(uid\) "
    r"WHERE (?:(?! RETURN | WITH | MATCH ).)*\b\1\.uid\b"
)
INDEXED = {
    name
    for cls in [*NODES.values(), *EDGES.values()]
    for name, prop in cls.defined_properties(aliases=False, rels=False).items()
    if prop.index or prop.unique_index
}
INDEXED_LOOKUP = re.compile(
    rf"\b\w+\.`?(?:{'|'.join(INDEXED)})`? (?:=|>|IN|STARTS WITH) (?:\$|row|uid)"
)
# All scores, then models by uid.
READS_ALL = (catalog.get_question("contaminated-scores").cypher, "AS has_dataset OPTIONAL MATCH")
NOT_SENT_TO_NEO4J = {
    "access/users.py:add_user",  # creates users of the embedded engine
    "database/indexes.py:without_indexes",
    # It asks a server that was just filled by its importer.
    "exchange/bulk_import.py:_verified_report",
    "storage/encrypted_values.py:_are_replaced",  # after a lost commit: see test_cluster.py
    "storage/scans.py:_count_between",
    "access/roles.py:apply",  # uses the system database of an Enterprise server
}


class Statement(NamedTuple):
    """A statement and the function that sends it, as ``file:function``."""

    location: str
    text: str


Sent = dict[Statement, dict[str, Any]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The statements sent by the test, with the parameters of the last call."""
    statements: Sent = {}
    run = GraphTransaction.run

    def record(self: Any, text: str, parameters: Any = None, **more: Any) -> Any:
        statements[Statement(_calling_function(), text)] = {**(parameters or {}), **more}
        return run(self, text, parameters, **more)

    monkeypatch.setattr(GraphTransaction, "run", record)
    return statements


def _calling_function() -> str:
    """Return the innermost function of the package above the transport layer."""
    frame = sys._getframe(2)
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        name = frame.f_code.co_name
        if file.is_relative_to(PACKAGE) and file not in TRANSPORT and name.isidentifier():
            return f"{file.relative_to(PACKAGE).as_posix()}:{name}"
        frame = frame.f_back
    return ""


def functions_sending_statements() -> set[str]:
    """Return every function of the package that sends statements, as ``file:function``."""
    senders = set()
    for file in set(PACKAGE.rglob("*.py")) - TRANSPORT:
        for function in _functions(ast.parse(file.read_text(encoding="utf-8"))):
            called = {
                node.func.id
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            if called & {"query", "execute_write", "stream"}:
                senders.add(f"{file.relative_to(PACKAGE).as_posix()}:{function.name}")
    return senders


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


# Calls that cover all statements


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
    stale = Model.upsert(uid="stale", name="stale")
    Model.nodes.get(uid="stale").delete()
    with pytest.raises(NodeNotFoundError):
        project.models.connect(stale)


def use_renaming() -> None:
    dataset, model = Dataset(name="old").save(), Model(name="user").save()
    model.trained_on.connect(dataset)
    run = Experiment(uid="run-3").save()
    run.record("recall", 0.5, dataset=dataset, model=model)
    assert dataset.rename("new").uid == "new"
    assert model.rename("owner").uid == "owner"
    for node in (run, model, dataset):
        node.delete()


def use_imports() -> None:
    import_from("mlflow", unpack(STORE))
    import_from("mlflow", STORE, incremental=True)
    update_store()
    import_from("mlflow", STORE, prune=True)
    clear()
    # Content of classes that are not loaded, written past the check of statements.
    connection = current_connection()
    with connection.driver("WRITE").session(database=connection.database) as session:
        session.run(
            "CREATE (:Model {uid: 'a', name: 'a'})-[:RESEMBLES]->(:Model {uid: 'b', name: 'b'}) "
            "CREATE (:Team {uid: 't', created_at: datetime(), updated_at: datetime()})"
        ).consume()
        with pytest.raises(OutputError, match="nodes Team, edges RESEMBLES"):
            dump("incomplete.jsonl")
        session.run("MATCH (n) DETACH DELETE n").consume()


def use_edges(project: Project, dataset: Dataset, model: Model, child: Model) -> None:
    project.models.connect(model)
    project.models.connect(child)
    project.datasets.connect(dataset)
    model.trained_on.connect(dataset, {"role": "training"})
    model.trained_on.connect(dataset, {"role": "test"})
    assert len([*model.trained_on.edges(), *dataset.trained_models.edges()]) == 6
    model.trained_on.disconnect(dataset, role="validation", split="val")
    child.parents.connect(model, {"kind": "fine-tuned"})
    db.cypher_query("MATCH (:Model)-[r:DERIVED_FROM]->(:Model) RETURN r", resolve_objects=True)
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
    use_sets()
    assert complete("Model.nodes.get(uid='xgb@1") == Completion("xgb@1", ["xgb@1"])


def use_sets() -> None:
    """Call the methods of node sets, with conditions that can be looked up in an index."""
    xgb = Model.nodes.filter(name="xgb")
    for nodes in (
        Model.nodes.filter(uid="xgb@1", name="xgb"),
        Model.nodes.filter(uid__in=["xgb@1", "xgb@2"]),
        Model.nodes.filter(name__startswith="xg").exclude(trained_on__name="merchants"),
        Model.nodes.filter(projects__uid="fraud"),
        Model.nodes.filter(projects__uid="fraud", uid="xgb@1"),
        Model.nodes.filter(trained_on__uid="merchants@1", uid="xgb@1"),
        Model.nodes.filter(Q(trained_on__uid="merchants@1"), ~Q(task="x") | Q(size=1)),
        Experiment.nodes.filter(metrics__dataset__uid="merchants@1", metrics__value__gt=0),
        Model.nodes.filter(**{"trained_on|role": "test", "trained_on__name": "merchants"}),
        xgb | Model.nodes.filter(name="other"),
        xgb.annotate(n=Count("experiments")).filter(n__gte=0).order_by("-n"),
        xgb.order_by("-projects__name", "size"),
        xgb.prefetch_related("trained_on__projects"),
        xgb.values("uid", "projects__name"),
        xgb.values("name").annotate(n=Count("uid")),
        xgb.traverse("trained_on"),
        xgb.only("task"),
    ):
        list(nodes)
        assert nodes.count() == len(nodes[:10])
        assert nodes.exists() == bool(list(nodes.iterator(1)))
        nodes.first()
    assert xgb.aggregate(Count("*"), Avg("size"), Max("experiments__started_at"))
    xgb.update(task="fraud")
    Model.nodes.bulk_update(list(xgb), ["task"])
    assert xgb.only("name")[0].task == "fraud"
    Experiment.nodes.create(uid="run-3").record("loss", 1.0)
    Dataset.nodes.create(uid="unused", name="unused")
    Experiment.nodes.filter(uid="run-3").delete()
    Dataset.nodes.filter(uid="unused").delete()
    project, created = Project.nodes.get_or_create(name="fraud")
    assert not created
    project.models.connect_all(xgb)


def use_files() -> None:
    load(FIXTURES / "quickstart.yaml")
    load(FIXTURES / "quickstart.yaml", batch_size=10, atomic=False)
    changed = (FIXTURES / "quickstart.yaml").read_text(encoding="utf-8")
    Path("changed.yaml").write_text(changed.replace("MIT", "BSD-3-Clause"), encoding="utf-8")
    load("changed.yaml")
    for extension in ("jsonl", "yaml", "csv", "cypher"):
        dump(f"all.{extension}", format=extension)
    load("all.jsonl")


def use_questions() -> None:
    for name in catalog.list_questions():
        arguments: dict[str, Any] = {}
        for parameter in catalog.get_question(name).parameters.values():
            if parameter.type == "list of strings":
                arguments[parameter.name] = ["MIT"]
            elif parameter.label is not None:
                arguments[parameter.name] = NODES[parameter.label].nodes.all()[0].uid
            elif parameter.is_required:
                arguments[parameter.name] = "auc"
        ask(name, **arguments)
        assert list(QuestionRun(catalog.get_question(name), 0, arguments)) == ask(name, **arguments)
    assert ask("best-models", metric="no such metric").notices
    assert ask("best-models", metric="AUC").notices
    parent, child = Model.upsert(name="parent"), Model.upsert(name="child")
    child.parents.connect(parent)
    for model, metric in ((parent, "Zeal"), (child, "zeal")):
        run = Experiment.upsert(uid=f"run-{model.uid}")
        run.models.connect(model)
        run.record(metric, 1.0)
        run.record(metric, 1.0, dataset=Dataset.upsert(name=f"for-{model.uid}"))
    assert len(ask("regressions").notices) == 2
    assert ask("leaderboard", metric="zeal", dataset="for-parent").notices


def use_searches() -> None:
    uids = [node.uid for node in Experiment.nodes.all()]
    search("metrics.auc > 0.5 AND dataset.license = 'MIT'", order_by=["metrics.auc DESC"])
    search("", columns=["dataset.name", "model.name", "project.name", "metrics.auc"])
    search("status IS NULL")
    search("tags.team = 'x' OR parameters.lr = 1", columns=["parameters.lr", "metrics.auc"])
    search("rests_on('merchants@1')", kind="models")
    search("value > 0.5", kind="metrics", limit=5).nodes()
    compare(*uids[:2])


def use_runs() -> None:
    schema.index_json("Experiment.parameters.lr")
    with start_run("logged", project="fraud", parameters={"lr": 0.1}) as run:
        for step in range(3):
            run.log_metric("loss", 1.0, step=step)
    with start_run(resume=run.uid) as again:
        again.log_metric("loss", 0.5, step=1)
    search("parameters.lr < 0.5")
    others = [node.uid for node in Experiment.nodes.all() if node.uid != run.uid]
    compare(run.uid, others[0]).plot()
    schema.index_json("Experiment.parameters.lr", drop=True)


def use_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    key = generate_key()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", key)
    with connect():
        dataset = Dataset.upsert(name="secret", location="s3://bucket")
        stored = query("MATCH (d:Dataset {uid: 'secret'}) RETURN d.location AS location")
        dataset.location = "s3://other"
        dataset.save()
        keys.count_by_key()
    monkeypatch.delenv("GENAI_GRAPH_KEYS")
    with connect():
        dataset.refresh()
        dataset.location = stored[0]["location"]  # of the same key, so it may be replaced
        dataset.save()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", f"{generate_key()},{key}")
    with connect():
        dataset.refresh()
        assert dataset.location == "s3://bucket"
        keys.rotate()
    monkeypatch.delenv("GENAI_GRAPH_KEYS")


# Plans


class Operator(NamedTuple):
    """An operator of a plan and the operators that supply its rows."""

    name: str
    sources: list[Operator]

    def walk(self) -> Iterator[Operator]:
        """Yield the operator and all operators below it."""
        yield self
        for source in self.sources:
            yield from source.walk()

    def is_one_row(self) -> bool:
        """Whether it returns at most one row."""
        if self.name == "Filter":
            return self.sources[0].is_one_row()
        return self.name == "NodeUniqueIndexSeek"


def parse_plan(plan: dict[str, Any]) -> Operator:
    """Convert the plan that the driver returns; names are like ``NodeIndexSeek@neo4j``."""
    name = plan["operatorType"].partition("@")[0].partition("(Locking)")[0]
    return Operator(name, [parse_plan(child) for child in plan.get("children", ())])


def plan_problems(statement: Statement, plan: Operator) -> Iterator[str]:
    """Yield the reasons why a plan reads more than the statement needs."""
    operators = list(plan.walk())
    names = [operator.name for operator in operators]
    num_uids = len(UID_LOOKUP.findall(statement.text))
    if sum(name in SEEKS for name in names) < num_uids:
        yield "a uid is not looked up in the index"
    if UNHINTED.search(statement.text):
        yield "the hint USING INDEX SEEK is missing"
    if TWO_CONDITIONS.search(statement.text):
        yield "a lookup by uid has another condition on the uid"
    if "AllNodesScan" in names:
        yield "all nodes are scanned"
    has_key = num_uids or INDEXED_LOOKUP.search(statement.text)
    reads_all = any(text in statement.text for text in READS_ALL)
    if has_key and SCANS.intersection(names) and not reads_all:
        yield "a label or type is scanned although an indexed value is given"
    for operator in operators:
        multiple = [source for source in operator.sources if not source.is_one_row()]
        if operator.name == "CartesianProduct" and len(multiple) > 1:
            yield "cartesian product"


def slow_statements(sent: Sent, connection: Connection) -> list[str]:
    """Explain the statements, and return a line per problem, with the operators of the plan."""
    problems = []
    with connection.driver("READ").session(database=connection.database) as session:
        session.run("CALL db.prepareForReplanning()").consume()
        for statement, parameters in sent.items():
            if statement.text.startswith(("SHOW", "CREATE CONSTRAINT", "CREATE INDEX")):
                continue
            explained = session.run(f"EXPLAIN {statement.text}", parameters).consume()
            plan = parse_plan(explained.plan)
            for problem in plan_problems(statement, plan):
                operators = ", ".join(operator.name for operator in plan.walk())
                problems.append(f"{statement.location}: {problem}: {statement.text}: {operators}")
    return problems


def verify_without_a_class() -> None:
    """Verify a graph with a node of a class that is not loaded."""
    values = {"uid": "a", "created_at": 1, "updated_at": 1}
    query("CREATE (n:Elsewhere) SET n = $values", write=True, values=values)
    assert [finding.subject for finding in verify()] == ["Elsewhere"]
    query("MATCH (n:Elsewhere) DELETE n", write=True)


@pytest.mark.timeout(600)
def test_every_statement_starts_at_an_index(
    neo4j_graph: Connection, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dataset.trained_models, "protects", True, raising=False)
    use_imports()
    use_files()
    use_nodes()
    use_renaming()
    use_questions()
    use_searches()
    use_runs()
    assert list(verify()) == []
    verify_without_a_class()
    read_status()
    query("DROP INDEX index_DERIVED_FROM_kind", write=True)
    schema.install()
    schema.check()
    use_keys(monkeypatch)
    clear()
    unused = functions_sending_statements() - {statement.location for statement in sent}
    assert unused == NOT_SENT_TO_NEO4J, "extend the calls above to these functions"
    # Neo4j keeps plans cached while the graph was nearly empty.
    assert slow_statements(sent, neo4j_graph) == []
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import graph

    graph.write(Path("large.jsonl"), NUM_ENTITIES)
    load("large.jsonl")
    query("CALL db.awaitIndexes()")
    assert slow_statements(sent, neo4j_graph) == []


def test_search_starts_at_the_index_on_a_parameter(neo4j_graph: Connection, sent: Sent) -> None:
    Experiment.nodes.bulk_create(
        [{"uid": f"run-{i}", "parameters": {"lr": i if i % 2 else str(i)}} for i in range(2_000)]
    )
    schema.index_json("Experiment.parameters.lr")
    query("CALL db.awaitIndexes()")
    try:
        for condition in ("= '7'", "IN ('7', '8')", "= 7", "< 7"):
            sent.clear()
            assert search(f"parameters.lr {condition}", columns=["name"])
            statement = next(each for each in sent if each.location.startswith("searches/"))
            with neo4j_graph.driver("READ").session(database=neo4j_graph.database) as session:
                explained = session.run(f"EXPLAIN {statement.text}", sent[statement]).consume()
            names = {operator.name for operator in parse_plan(explained.plan).walk()}
            assert names & SEEKS, condition
            assert not names & SCANS, condition
    finally:
        schema.index_json("Experiment.parameters.lr", drop=True)


# Work


class Work(NamedTuple):
    """The database hits of statements, and the largest memory of one, in bytes."""

    hits: int
    memory: int


def measure(connection: Connection, statements: dict[str, dict[str, Any]]) -> Work:
    """Run statements with their parameters."""
    work = Work(0, 0)
    with connection.driver("READ").session(database=connection.database) as session:
        for text, parameters in statements.items():
            result = session.run(f"PROFILE {text}", parameters)
            list(result)
            profile = result.consume().profile
            memory = profile["args"].get("GlobalMemory", 0)
            work = Work(work.hits + _hits(profile), max(work.memory, memory))
    return work


def _hits(profile: dict[str, Any]) -> int:
    hits: int = profile.get("dbHits", 0)
    return hits + sum(map(_hits, profile.get("children", ())))


def measure_question(connection: Connection, name: str, **parameters: Any) -> Work:
    """Run the statement of a question."""
    statement = catalog.get_question(name).cypher
    return measure(connection, {statement: statement_parameters(name, **parameters)})


def test_training_data_are_read_once_for_all_benchmarks(neo4j_graph: Connection) -> None:
    # Neo4j stores the edges of a node by type if there are more than fifty.
    query(
        "CREATE (m:Model {uid: 'm'}) WITH m UNWIND range(1, 100) AS i "
        "CREATE (m)<-[:RUN]-(:Experiment {uid: 'run' + i})",
        write=True,
    )

    def add_datasets(name: str, pattern: str) -> int:
        query(
            "MATCH (m:Model) UNWIND range(1, 15) AS i "
            f"CREATE (d:Dataset {{uid: $name + i}}) CREATE {pattern}",
            write=True,
            name=name,
        )
        return measure_question(neo4j_graph, "contaminated-scores").hits

    score = (
        "(m)<-[:RUN]-(:Experiment {uid: d.uid})"
        "-[:HAS]->(:Metric {uid: d.uid, name: 'acc', value: 0.5})-[:EVALUATED_ON]->(d)"
    )
    before = add_datasets("a", score)
    hits = add_datasets("b", score) - before
    before = add_datasets("c", "(m)-[:TRAINED_ON]->(d)")
    assert add_datasets("d", score) - before <= 1.1 * hits


def test_memory_of_an_impact_is_proportional_to_its_models(neo4j_graph: Connection) -> None:
    query("CREATE (:Project {uid: 'p'}) CREATE (:Dataset {uid: 'hub'})", write=True)
    works = []
    for name in "ab":
        query(
            "MATCH (d:Dataset) MATCH (p:Project) UNWIND range(1, 400) AS i "
            "CREATE (d)<-[:TRAINED_ON]-(m:Model {uid: $name + i})<-[:HAS]-(p) "
            "CREATE (m)<-[:RUN]-(:Experiment {uid: m.uid})-[:HAS]->(:Metric {uid: m.uid})",
            write=True,
            name=name,
        )
        works.append(measure_question(neo4j_graph, "dataset-impact", dataset="hub"))
    half, whole = works
    assert whole.hits < 2.5 * half.hits
    assert whole.memory < 2.5 * half.memory


def test_questions_about_a_node_do_not_read_the_rest_of_the_graph(
    neo4j_graph: Connection, sent: Sent
) -> None:
    query(
        "CREATE (d:Dataset {uid: 'd', license: 'MIT'}) WITH d UNWIND range(0, 1500) AS i "
        "CREATE (m:Model {uid: 'm' + i})-[:TRAINED_ON]->(d) WITH d, m WHERE m.uid = 'm0' "
        "CREATE (m)-[:DERIVED_FROM]->(:Model {uid: 'base'}) "
        "CREATE (m)<-[:RUN]-(:Experiment {uid: 'x'})-[:HAS]->"
        "(:Metric {uid: 's', name: 'acc', value: 0.5})-[:EVALUATED_ON]->(d)",
        write=True,
    )
    questions: dict[str, dict[str, Any]] = {
        "lineage": {"model": "m0"},
        "dataset-impact": {"dataset": "d"},
        "license-impact": {"licenses": ["MIT"]},
        "leaderboard": {"dataset": "d", "metric": "acc"},
    }

    def count_hits() -> int:
        sent.clear()
        for name, parameters in questions.items():
            assert ask(name, **parameters)
        return measure(
            neo4j_graph,
            {
                statement.text: parameters
                for statement, parameters in sent.items()
                if "questions/" in statement.location
            },
        ).hits

    hits = count_hits()
    query(
        "CREATE (elsewhere:Dataset {uid: 'elsewhere'}) WITH elsewhere "
        "UNWIND range(1, 1000) AS i CREATE (:Model {uid: 'child' + i})-[:DERIVED_FROM]->"
        "(m:Model {uid: 'parent' + i})-[:TRAINED_ON]->(elsewhere) "
        "CREATE (m)<-[:RUN]-(:Experiment {uid: 'run' + i})-[:HAS]->"
        "(:Metric {uid: 'score' + i, name: 'f1', value: 1.0})-[:EVALUATED_ON]->(elsewhere)",
        write=True,
    )
    assert count_hits() == pytest.approx(hits, rel=0.02)
