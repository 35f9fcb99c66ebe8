"""Users' own node classes and properties: the example of the documentation, and bad declarations.

The registry of a process closes at its first connection, so each test runs programs of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import ROOT, Run, write_file
from documentation import blocks, console, files_of
from test_documentation import assert_printed

from genai_graph import query, schema
from genai_graph.database import Connection

PAGE = ROOT / "docs" / "own-classes.md"
MODULE = files_of(PAGE)["team_graph.py"]
GENAI_GRAPH = Path(sys.executable).with_name("genai-graph")


def run(*command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    path = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_program(text: str, **variables: str) -> str:
    """Run a program and return its output, or the last line of its error."""
    result = run(sys.executable, write_file("program.py", text), **variables)
    return result.stdout if result.returncode == 0 else result.stderr.splitlines()[-1]


@pytest.fixture
def team_graph() -> str:
    """The module of the documentation, in the current directory."""
    write_file("team_graph.py", MODULE)
    return "team_graph"


@pytest.fixture
def own_graph(graph: Connection) -> Iterator[Connection]:
    """`graph`, without the indexes that own classes leave in the shared engine."""
    yield graph
    for index in schema.check().extra:
        query(f"DROP INDEX {index.name}", write=True)
    if graph.engine == "embedded":
        return
    for kind, plural in (("CONSTRAINT", "CONSTRAINTS"), ("INDEX", "INDEXES")):
        for row in query(f"SHOW {plural}"):
            if {"Deployment", "Person"} & {*(row["labelsOrTypes"] or ())}:
                query(f"DROP {kind} {row['name']} IF EXISTS", write=True)


@pytest.mark.slow
@pytest.mark.any_engine
def test_examples_of_the_documentation_run(own_graph: Connection, team_graph: str) -> None:
    output = ""
    for language, text in blocks(PAGE)[1:]:
        if language == "python":
            output = run_program(text)
        elif language == "output":
            assert_printed(text, output)
        elif language == "yaml":
            write_file("deployments.yaml", text)
        elif language == "console":
            for command in console(text):
                result = run(GENAI_GRAPH, *command.arguments, **command.variables)
                assert_printed(command.output, result.stdout + result.stderr)


FORMATS = ["jsonl", "yaml", "csv", "cypher"]


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_round_trip(
    embedded: Connection, own_graph: Connection, team_graph: str, format: str
) -> None:
    example = blocks(PAGE)[1][1]
    assert run_program(example)
    settings = {"GENAI_GRAPH_MODELS": team_graph}
    command = (GENAI_GRAPH, "dump", "--format", format)
    assert run(*command, "-o", f"one.{format}", **settings).returncode == 0
    if format == "cypher":
        assert "DEPLOYS" in Path("one.cypher").read_text()
        return
    assert run(GENAI_GRAPH, "clear", "--yes", **settings).returncode == 0
    loaded = run(GENAI_GRAPH, "load", f"one.{format}", **settings)
    assert "Deployment-DEPLOYS->Model: 1 created" in loaded.stderr, loaded.stderr
    assert run(*command, "-o", f"two.{format}", **settings).returncode == 0
    one, two = Path(f"one.{format}"), Path(f"two.{format}")
    files = sorted(one.iterdir()) if format == "csv" else [one]
    for file in files:
        other = two / file.name if format == "csv" else two
        assert file.read_bytes() == other.read_bytes()
    assert run(GENAI_GRAPH, "verify", **settings).returncode == 0


def test_nodes_without_the_added_properties(own_graph: Connection, team_graph: str) -> None:
    program = """
import copy, pickle, unicodedata
from genai_graph import Model, connect
from team_graph import Person

with connect():
    Model(name="m").save()
    for node in (Model.nodes.get(uid="m"), pickle.loads(pickle.dumps(Model(name="m", team="t")))):
        print(node, node.team, node.cost_usd, copy.copy(node).deployments.name)
    print(Model.nodes.filter(team__isnull=True).count(), Model.upsert(name="m", team="x").team)
    person = Person(email=unicodedata.normalize("NFD", "é@x")).save()
    print(person.uid == person.email == "é@x", Person.nodes.filter(email="é@x").count())
"""
    assert run_program(program).splitlines() == [
        "<Model m> None None deployments",
        "<Model m> t None deployments",
        "1 x",
        "True 1",
    ]


def test_errors_in_fixtures_name_file_and_line(team_graph: str) -> None:
    write_file(
        "bad.yaml",
        "format: genai_graph/1\nDeployment:\n  d@1:\n    regon: eu\n"
        "    model: {m: {since: yesterday}}\nModel:\n  m: {name: m, cost_usd: -1}\n",
    )
    result = run(GENAI_GRAPH, "check", "bad.yaml", GENAI_GRAPH_MODELS=team_graph)
    assert result.returncode == 1
    errors = result.stderr
    assert "bad.yaml:4: Deployment 'd@1': regon: Deployment has no such property" in errors
    assert "did you mean 'region'" in errors
    assert "bad.yaml:5: Deployment 'd@1': model: 'm': since: expected a time" in errors
    assert "bad.yaml:7: Model 'm': cost_usd: expected a number of at least 0" in errors


@pytest.mark.slow
def test_schema_and_diagram_show_own_classes(team_graph: str) -> None:
    settings = {"GENAI_GRAPH_MODELS": team_graph}
    shown = run(GENAI_GRAPH, "schema", "show", **settings).stdout
    for name in ("Model.team", "Deployment.uid", "Deployment.region", "Person.email"):
        assert f" on {name}\n" in shown
    assert "Deployment -->|DEPLOYS| Model" in run(GENAI_GRAPH, "schema", "draw", **settings).stdout
    assert "Deployment" in run(GENAI_GRAPH, "access", "show", **settings).stdout


def test_setting_is_read_from_the_env_file(team_graph: str) -> None:
    write_file(".env", "GENAI_GRAPH_MODELS=team_graph\n")
    assert "Deployment.uid" in run(GENAI_GRAPH, "schema", "show").stdout


def test_missing_module_is_named() -> None:
    result = run(GENAI_GRAPH, "schema", "show", GENAI_GRAPH_MODELS="no_such_module")
    assert result.returncode == 1
    assert "GENAI_GRAPH_MODELS: can't import no_such_module" in result.stderr
    assert "Traceback" not in result.stderr


def test_name_of_a_file_instead_of_a_module(team_graph: str) -> None:
    result = run(GENAI_GRAPH, "schema", "show", GENAI_GRAPH_MODELS="team_graph.py")
    assert result.stderr.endswith("give the name of the module, without .py: team_graph\n")


def test_module_with_a_bad_declaration_is_named() -> None:
    write_file("bad_graph.py", "from genai_graph import Model\nclass X(Model): pass\n")
    result = run(GENAI_GRAPH, "schema", "show", GENAI_GRAPH_MODELS="bad_graph")
    assert result.returncode == 1
    assert result.stderr.startswith("GENAI_GRAPH_MODELS: bad_graph: X: Model can't be subclassed")


def test_index_on_a_property_of_an_edge_class(team_graph: str) -> None:
    edge_class = MODULE.replace("since = DateTimeProperty(", "since = DateTimeProperty(index=True,")
    write_file("team_graph.py", edge_class)
    shown = run(GENAI_GRAPH, "schema", "show", GENAI_GRAPH_MODELS=team_graph).stdout.splitlines()
    assert "index index_DEPLOYS_since on DEPLOYS.since  (not on the embedded engine)" in shown


def test_own_classes_are_no_kind_of_search(team_graph: str) -> None:
    result = run(GENAI_GRAPH, "search", "deployments", "x = 1", GENAI_GRAPH_MODELS=team_graph)
    assert "own classes can't be searched: use Deployment.nodes.filter()" in result.stderr


HEAD = """
from genai_graph import Dataset, Edge, Model, Node, RelationshipTo, VersionedNode, check, extend
from genai_graph.properties import *
import neomodel
"""


def test_directory_of_stubs_that_is_a_file(cli: Run) -> None:
    Path("file").write_text("")
    result = cli("schema", "stubs", "file")
    assert result.exit_code != 0
    assert result.stderr.count("Traceback") == 0
    result = cli("schema", "stubs", "/dev/null/stubs")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "can't be written" in result.stderr


def test_classes_may_refer_to_later_ones() -> None:
    write_file(
        "program.py",
        """
from genai_graph import Node, RelationshipTo, registry
from genai_graph.errors import DeclarationError
from genai_graph.properties import StringProperty

class Team(Node):
    leads = RelationshipTo("Engineer", "LED_BY", reverse="teams")
    uid_from = ("site", "name")
    site = StringProperty()
    name = StringProperty()

class Engineer(Node):
    pass

print(Engineer.teams.edge_type, Team.parse_uid("berlin/core"), Team.parse_uid("core"))
try:
    RelationshipTo("Engineer", "LED_BY", at_most_one=True, exclusive=True)
except DeclarationError as error:
    print(error)
print(list(registry.MODULES))
""",
    )
    done = run(sys.executable, "-m", "program")
    assert done.returncode == 0, done.stderr
    edge, error, modules = done.stdout.splitlines()
    assert edge == "Team-LED_BY->Engineer {'site': 'berlin', 'name': 'core'} {}"
    assert "at_most_one" in error
    assert modules == "['program']"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("@extend(Model)\nclass X:\n    name = StringProperty()", "Model.name: Model already has"),
        ("@extend(Model)\nclass X:\n    lineage = StringProperty()", "Model.lineage: Model alre"),
        ("@extend(Model)\nclass X:\n    id = StringProperty()", "Model.id: this name is reserved"),
        (
            "@extend(Model)\nclass X:\n    a__b = StringProperty()",
            "Model.a__b: this name is reserv",
        ),
        ("@extend(Model)\nclass X:\n    a = RequiredStringProperty()", "X.a: an additional proper"),
        ("@extend(Model)\nclass X:\n    a = 3", "X.a: expected a property of genai_graph.propert"),
        ("@extend(Model)\nclass X:\n    pk = StringProperty()", "Model.pk: this name is reserved"),
        ("@extend(Model)\nclass X:\n    a: str", "X.a: an annotation declares no property"),
        ("class X(Node):\n    a = StringProperty", "X.a: add parentheses: StringProperty()"),
        ("class X(Node):\n    a = ArrayProperty(str)", "expected a property such as StringProper"),
        (
            "class X(Node):\n    m = neomodel.RelationshipFrom(Model, 'ON')",
            "X.m: RelationshipFrom of neomodel can't be used: use genai_graph.RelationshipTo",
        ),
        (
            "class X(Node):\n    m = RelationshipTo(Model, 'ON')\n"
            "    n = RelationshipTo(Model, 'ON')",
            "X.n: the edges X-ON->Model are those of X.m: use another edge type",
        ),
        (
            "class X(Node):\n    m = RelationshipTo(Model, 'X')\n"
            "open('f.jsonl', 'w').write('{\"format\":\"genai_graph/1\"}')\ncheck('f.jsonl')",
            "X-X->Model: a node class has the name of the edge type",
        ),
        ("@extend(int)\nclass X:\n    a = StringProperty()", "extend: expected a node class"),
        ("class X(Model):\n    pass", "X: Model can't be subclassed: add properties to it"),
        ("class Model(Node):\n    pass", "the label Model is declared by genai_graph.models"),
        ("class X(Node):\n    a = neomodel.StringProperty()", "X.a: StringProperty of neomodel"),
        ("class X(Node):\n    a = StringProperty(unique=True)", "X.a: only the uid is unique"),
        (
            "class X(Node):\n    m = RelationshipTo(Model, 'ON', reverse='projects')",
            "Model.projects: Model already has an attribute of this name",
        ),
        (
            "class X(Node):\n    m = RelationshipTo(Model, 'a b')",
            "expected an edge type of letters",
        ),
        (
            "class X(Node):\n    m = RelationshipTo(Model, 'ON', exclusive=True)",
            "X.m: exclusive is for the metrics of an experiment",
        ),
        (
            "class X(Node):\n    m = RelationshipTo('Modle', 'ON')\n"
            "open('f.jsonl', 'w').write('{\"format\":\"genai_graph/1\"}')\ncheck('f.jsonl')",
            "X-ON->Modle: no module declares the class Modle",
        ),
        (
            "open('f.jsonl', 'w').write('{\"format\":\"genai_graph/1\"}')\ncheck('f.jsonl')\n"
            "class X(Node):\n    pass",
            "X: declared by __main__ after the first connection, load or check",
        ),
        (
            "open('f.jsonl', 'w').write('{\"format\":\"genai_graph/1\"}')\ncheck('f.jsonl')\n"
            "@extend(Model)\nclass X:\n    a = StringProperty()",
            "Model: declared by __main__ after the first connection, load or check",
        ),
        ("class X(Node):\n    pass\nX()", "X.uid: is required"),
        (
            "class X(Node):\n    uid_from = ('a',)\n    a = IntegerProperty()",
            "X.uid_from: 'a' is no",
        ),
        (
            "class X(Node):\n    uid_from = ('a',)\n    a = StringProperty()\nX()",
            "X.a: is required, since the uid is derived from it",
        ),
    ],
)
def test_bad_declaration(declaration: str, message: str) -> None:
    error = run_program(f"{HEAD}\n{declaration}\n")
    assert message in error
    assert "genai_graph.errors." in error


@pytest.mark.slow
def test_properties_of_base_classes_are_added() -> None:
    program = f"""{HEAD}
class Costs:
    cost = FloatProperty()

@extend(Model)
class Billing(Costs):
    team = StringProperty()

@extend(Dataset)
class Storage(Costs):
    pass

print(Model(name="a", cost=1.5, team="t").cost, Dataset(name="a", cost=2).cost)
for cls in (Model, Dataset):
    try:
        cls(name="a", cost="x")
    except ValueError as error:
        print(error)
"""
    assert run_program(program).splitlines() == [
        "1.5 2.0",
        "Model.cost: expected a number, got 'x'",
        "Dataset.cost: expected a number, got 'x'",
    ]


@pytest.mark.slow
def test_stubs_make_own_properties_known_to_type_checkers(team_graph: str) -> None:
    """The examples of the page are checked as well, by tests/documentation.py."""
    program = """\
        from genai_graph import Model
        model = Model(name="x", team="risk", cost_usd="many")
        Model.upsert(name="x", taem="risk")
        reveal_type(model.team)
        reveal_type(model.deployments.all())
        model.nodes.filter(team=3)
        """
    write_file("program.py", dedent(program))
    stubs = run(GENAI_GRAPH, "schema", "stubs", GENAI_GRAPH_MODELS=team_graph)
    assert stubs.stderr == "typings: stubs written\n"
    path = os.pathsep.join(["typings", "."])
    found = run(sys.executable, "-m", "mypy", "--strict", "program.py", MYPYPATH=path)
    messages = [line.partition(": ")[2] for line in found.stdout.splitlines()]
    assert [text for text in messages if "defined in" not in text][:-1] == [
        'error: Argument "cost_usd" to "Model" has incompatible type "str"; expected '
        '"SupportsFloat | None"  [arg-type]',
        'error: Unexpected keyword argument "taem" for "upsert" of "ModelBase"  [call-arg]',
        'note: Revealed type is "str | None"',
        'note: Revealed type is "list[team_graph.Deployment]"',
        'error: Argument "team" to "__call__" of "ModelLookups" has incompatible type "int"; '
        'expected "str | None"  [arg-type]',
    ], found.stdout


def test_own_edges_between_models_are_no_lineage(own_graph: Connection, team_graph: str) -> None:
    program = """
from genai_graph import Model, RelationshipTo, connect, extend

@extend(Model)
class Replacement:
    replaces = RelationshipTo(Model, "REPLACES", reverse="replaced_by")

with connect():
    old, new, base = (Model(name=name).save() for name in ("old", "new", "base"))
    new.replaces.connect(old)
    new.parents.connect(base)
    print([node.uid for node in new.lineage().nodes])
    print(sorted(node.uid for node in new.neighbourhood().nodes))
"""
    assert run_program(program) == "['new', 'base']\n['base', 'new', 'old']\n"


CHOICES = """
import enum
from genai_graph import Edge, Model, Node, RelationshipTo, check, extend
from genai_graph.errors import DeclarationError
from genai_graph.properties import ArrayProperty, IntegerProperty, StringProperty

class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"

class Shape(str, enum.Enum):
    ROUND = "round"
    @property
    def label(self): return "Round"

class Thing(Node):
    a = StringProperty(choices=["x", "y"])
    b = StringProperty(choices=[("x", "The X"), ("y", "The Y")])
    c = StringProperty(choices={"x": "The X"})
    d = StringProperty(choices=Size)
    e = StringProperty(choices=Shape)
    f = ArrayProperty(StringProperty(choices=["x"]))

thing = Thing(uid="t", a="x", b="y", d=Size.LARGE, e=Shape.ROUND, f=["x"])
print(thing.get_a_display(), thing.get_b_display(), thing.get_c_display(), thing.get_e_display())
print(thing.a, thing.d, thing.e)
for number, choices in enumerate([[], {"x", 1}, [1], [("x", "y", "z")], ["x", "x"], 3, "xy"]):
    for declare in (
        lambda: type(f"T{number}", (Node,), {"kind": StringProperty(choices=choices)}),
        lambda: extend(Model)(type("A", (), {"kind": StringProperty(choices=choices)})),
        lambda: type(f"U{number}", (Node,), {"to": RelationshipTo(
            Thing, f"TO{number}", type("E", (Edge,), {"kind": StringProperty(choices=choices)}))}),
    ):
        try:
            declare()
            print("accepted", choices)
        except DeclarationError as error:
            assert ".kind: choices: " in str(error), error
try:
    IntegerProperty(choices=[1])
except DeclarationError as error:
    print(error)
with open("things.jsonl", "w") as file:
    file.write('{"format": "genai_graph/1"}\\n')
    file.write('{"node": "Thing", "uid": "t1", "props": {"a": "x", "d": "s", "f": ["x"]}}\\n')
check("things.jsonl")
"""


def test_choices_in_the_forms_of_django() -> None:
    assert run_program(CHOICES).splitlines() == [
        "x The Y None Round",
        "x l round",
        "IntegerProperty: choices=...: only strings have choices: use StringProperty",
    ]
