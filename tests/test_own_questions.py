"""Users' own questions: .cypher files of a directory and of installed packages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import Run, write_file

from genai_graph import Dataset, Model, ask, atomic, query
from genai_graph.database import Connection
from genai_graph.errors import (
    QuestionError,
    QuestionFileError,
    SettingsError,
    UnknownQuestionError,
)
from genai_graph.shell.completion import complete

LARGE_MODELS = """\
    // Find large models
    //
    // The number of parameters is the size.
    //
    // Parameters:
    //   minimum (number, default 0.5): the minimum size
    //   dataset (uid of a Dataset, default null): only models
    //     trained on this dataset
    //   tagged (boolean, default false): only models with tags
    // Columns:
    //   model: the model
    //   size: its number of parameters

    MATCH (m:Model) WHERE m.num_parameters >= $minimum // undeclared in a comment: $x
      AND ($dataset IS NULL OR EXISTS { (m)-[:TRAINED_ON]->(:Dataset {uid: $dataset}) })
      AND (NOT $tagged OR size(m.tags) > 0)
    RETURN m.uid AS model, m.num_parameters AS size
    ORDER BY size DESC, model LIMIT 3;
    """
Add = Callable[..., None]


@pytest.fixture
def add_question(monkeypatch: pytest.MonkeyPatch) -> Add:
    """Write a question into the directory that the setting names."""
    directory = Path("own").absolute()
    directory.mkdir()
    monkeypatch.setenv("GENAI_GRAPH_QUESTIONS", str(directory))

    def add(name: str, text: str | bytes, directory: Path = directory) -> None:
        directory.mkdir(exist_ok=True)
        content = text if isinstance(text, bytes) else dedent(text).encode()
        (directory / f"{name}.cypher").write_bytes(content)

    return add


def create_models() -> None:
    for size in range(5):
        Model(name=f"m{size}", num_parameters=size, tags=["x"] * (size == 1)).save()
    Model.nodes.get(name="m2").trained_on.connect(Dataset(name="d").save())


def test_own_questions_are_listed_explained_and_completed(cli: Run, add_question: Add) -> None:
    add_question("large-models", LARGE_MODELS)
    rows = {row["question"]: row for row in map(json.loads, cli("ask").stdout.splitlines())}
    assert "leaderboard" in rows
    assert rows["large-models"] == {
        "question": "large-models",
        "options": "[--minimum X] [--dataset UID] [--tagged true|false]",
        "answers": "Find large models",
    }
    assert "  large-models         Find large models.\n" in cli("ask", "--help").stdout
    page = " ".join(cli("ask", "large-models", "--help").stdout.split())
    assert "Only models trained on this dataset." in page
    assert "size: its number of parameters" in page
    assert complete('ask("large-') == ("large-", ["large-models"])
    assert complete('ask("large-models", m') == ("m", ["minimum="])


def test_own_questions_are_answered(cli: Run, graph: Connection, add_question: Add) -> None:
    create_models()
    add_question("large-models", LARGE_MODELS)
    answer = ask("large-models")
    assert answer == [{"model": f"m{size}", "size": size} for size in (4, 3, 2)]
    assert answer.columns == ("model", "size")
    assert ask("large-models", dataset="d", minimum=2) == [{"model": "m2", "size": 2}]
    assert ask("large-models", limit=1) == answer[:1]
    with pytest.raises(QuestionError, match=r"^minimum: expected a number, got 'big'$"):
        ask("large-models", minimum="big")
    options = ("--tagged", "true", "--minimum", 1, "--format", "csv")
    assert cli("ask", "large-models", *options).stdout == "model,size\nm1,1\n"


def test_lineage_is_supplied_to_own_questions(graph: Connection, add_question: Add) -> None:
    add_question(
        "descendants",
        """\
        // Count what is derived from a model
        // Supplied by ask:
        //   derived_models (map): the models derived from a model, by its uid
        // Columns:
        //   model: the model
        //   derived: the number of models derived from it

        UNWIND keys($derived_models) AS model
        RETURN model, size($derived_models[model]) AS derived ORDER BY model
        """,
    )
    parent, child, grandchild = (Model(name=name).save() for name in "abc")
    child.parents.connect(parent)
    grandchild.parents.connect(child)
    expected = [{"model": "a", "derived": 2}, {"model": "b", "derived": 1}]
    assert ask("descendants") == expected


def test_a_changed_file_takes_effect_at_once(graph: Connection, add_question: Add) -> None:
    text = "// One\n// Columns:\n//   n: a number\n\nRETURN {} AS n"
    add_question("one", text.format(1))
    assert ask("one") == [{"n": 1}]
    add_question("one", text.format(2))
    assert ask("one") == [{"n": 2}]
    Path("own/one.cypher").unlink()
    with pytest.raises(UnknownQuestionError):
        ask("one")


WRITES = "// Write\n// Columns:\n//   n: a number\n\n{}"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE (m:Model {uid: 'new'}) RETURN 1 AS n",
        "MATCH (m:Model) DETACH DELETE m RETURN 1 AS n",
        "RETURN 1 AS n } MATCH (m:Model) DETACH DELETE m WITH 1 AS n CALL () { RETURN 1 AS n",
    ],
)
def test_questions_never_write(graph: Connection, add_question: Add, statement: str) -> None:
    Model(name="m").save()
    add_question("write", WRITES.format(statement))
    pattern = r"write\.cypher:5: "
    with pytest.raises(QuestionFileError, match=pattern):
        ask("write")
    with atomic(), pytest.raises(QuestionFileError, match=pattern):
        ask("write")
    assert query("MATCH (n) RETURN count(n) AS n") == [{"n": 1}]


HEAD = "// Title\n// Columns:\n//   n: a number\n"


def test_derived_datasets_are_supplied(graph: Connection, add_question: Add) -> None:
    a, b, c = (Dataset(name=name).save() for name in "abc")
    b.parents.connect(a)
    c.parents.connect(b)
    supplied = f"{HEAD}//\n//  \n// Supplied by ask:\n//   derived_datasets (map): by uid\n"
    add_question("derived", f"{supplied}\nRETURN size($derived_datasets.a) AS n")
    assert ask("derived") == [{"n": 2}]


def test_newest_versions_are_supplied_at_once(graph: Connection, add_question: Add) -> None:
    """Only a statement that names a list of datasets runs for some of them at a time."""
    for number in range(12):
        old = Dataset(name=f"d{number:02}", version="1", license="MIT").save()
        Dataset(name=f"d{number:02}", version="2").save().parents.connect(old, {"kind": "version"})
    supplied = f"{HEAD}// Supplied by ask:\n//   newest_versions (map): by uid\n"
    add_question("outdated", f"{supplied}\nRETURN size(keys($newest_versions)) AS n")
    assert ask("outdated") == [{"n": 12}]
    names = [f"d{number:02}@1" for number in range(12)]
    in_parts = f"{supplied}//   outdated_datasets (list): x\n"
    add_question("outdated", f"{in_parts}\nUNWIND keys($newest_versions) AS n RETURN n ORDER BY n")
    assert [row["n"] for row in ask("outdated")] == names
    licensed = f"{in_parts}//   licensed_datasets (list): x\n"
    licensed += "// Parameters:\n//   licenses (list of strings, default null): x\n"
    matched = (
        "UNWIND $outdated_datasets AS n WITH n WHERE n IN $licensed_datasets RETURN n ORDER BY n"
    )
    add_question("outdated", f"{licensed}\n{matched}")
    assert [row["n"] for row in ask("outdated", licenses=["MIT"])] == names
    assert ask("outdated") == []


def test_file_that_cannot_be_read_is_named(cli: Run, add_question: Add) -> None:
    add_question("good", f"{HEAD}\nRETURN 1 AS n")
    Path("own/loop.cypher").symlink_to("loop.cypher")
    result = cli("ask")
    assert result.exit_code == 1
    assert "loop.cypher: can't be read: Too many levels of symbolic links" in result.stderr
    assert '"question": "good"' in result.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad.cypher:1: expected a title: begin the file with  // TITLE"),
        ("MATCH (n) RETURN n", "bad.cypher:1: expected a title"),
        (b"// \xff\n", "bad.cypher: not UTF-8 text"),
        ("// Title\n\nRETURN 1 AS n", "bad.cypher:1: expected the columns"),
        (HEAD, "bad.cypher:3: expected a statement after the header"),
        (f"{HEAD}\nRETURN 1 AS n;\nRETURN 2 AS n;", "bad.cypher:5: expected one statement"),
        (
            f"{HEAD}// Parameter:\n//   x (string): x\n\nRETURN $x AS n",
            "bad.cypher:4: unknown section 'Parameter' (did you mean 'Parameters'?)",
        ),
        (
            f"{HEAD}// Parameters:\n//   class (string): x\n\nRETURN $class AS n",
            "bad.cypher:5: invalid parameter name 'class'",
        ),
        (f"{HEAD}//   m a number\n\nRETURN 1 AS n", "bad.cypher:4: invalid entry 'm a number'"),
        (f"{HEAD}//   n: again\n\nRETURN 1 AS n", "bad.cypher:4: duplicate 'n'"),
        (
            f"{HEAD}// Parameters:\n//   size (int): x\n\nRETURN $size AS n",
            "bad.cypher:5: size: unknown type 'int': expected one of string, integer, number",
        ),
        (
            f"{HEAD}// Parameters:\n//   size (integer, default x): x\n\nRETURN $size AS n",
            "bad.cypher:5: size: default x is not JSON",
        ),
        (
            f'{HEAD}// Parameters:\n//   size (integer, default "x"): x\n\nRETURN $size AS n',
            "bad.cypher:5: default of size: expected an integer, got 'x'",
        ),
        (
            f"{HEAD}// Parameters:\n//   limit (integer): x\n\nRETURN $limit AS n",
            "bad.cypher:5: the parameter name 'limit' is reserved",
        ),
        (
            f"{HEAD}// Supplied by ask:\n//   derived (map): x\n\nRETURN 1 AS n",
            "bad.cypher:5: ask does not supply 'derived'",
        ),
        (
            f"{HEAD}// Supplied by ask:\n//   licensed_datasets (list): x\n\nRETURN 1 AS n",
            "bad.cypher:5: licensed_datasets needs the licenses: declare the parameter",
        ),
        (
            f"{HEAD}// Parameters:\n//   size (integer): x\n\nWITH '$x' AS text\nRETURN $sise AS n",
            "bad.cypher:8: undeclared parameter $sise (did you mean 'size'?)",
        ),
    ],
)
def test_invalid_files(cli: Run, add_question: Add, text: str | bytes, message: str) -> None:
    add_question("bad", text)
    listed, explained = cli("ask"), cli("ask", "bad", "--help")
    for result in (listed, explained):
        assert result.exit_code == 1
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert '"question": "leaderboard"' in listed.stdout  # the others are listed
    assert explained.stdout == ""
    assert cli("ask", "leaderboard", "--help").exit_code == 0
    assert complete('ask("bad", ') is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("RETRN 1 AS n", "bad.cypher:5: "),
        ("RETURN 1 AS m", "bad.cypher:5: "),
        ("UNWIND [1] AS x\nWHERE RETURN 1 AS n", "bad.cypher:6: "),
        (
            "MATCH (m:Model)\nRETURN m.num_params AS n",
            "bad.cypher:6: Model: no property 'num_params' is declared "
            "(did you mean 'num_parameters'?)",
        ),
        (
            "MATCH (:Model {nmae: 'x'})-[t:TRAINED_ON]->() RETURN 1 AS n",
            "bad.cypher:5: Model: no property 'nmae' is declared (did you mean 'name'?)",
        ),
        (
            "MATCH (:Model)-[t:TRAINED_ON]->() RETURN t.epochs AS n",
            "bad.cypher:5: TRAINED_ON: no property 'epochs' is declared: set GENAI_GRAPH_MODELS "
            "to the module that declares it, or write n['epochs']",
        ),
    ],
)
def test_invalid_statements(graph: Connection, add_question: Add, body: str, message: str) -> None:
    add_question("bad", f"{HEAD}\n{body}")
    with pytest.raises(QuestionFileError) as raised:
        ask("bad")
    assert message in str(raised.value)
    assert " at line " not in str(raised.value)


def test_undeclared_properties_can_be_read_by_a_string(
    graph: Connection, add_question: Add
) -> None:
    Model(name="m").save()
    query("MATCH (m:Model) SET m.rating = 5", write=True)
    add_question("ratings", f"{HEAD}\nMATCH (m:Model) RETURN m['rating'] AS n")
    assert ask("ratings") == [{"n": 5}]


def test_unknown_label(graph: Connection, add_question: Add) -> None:
    parameters = "// Parameters:\n//   of (uid of a Modell): x\n"
    add_question("bad", f"{HEAD}{parameters}\nRETURN $of AS n")
    with pytest.raises(QuestionFileError, match=r"bad\.cypher:5: unknown label 'Modell' \(did you"):
        ask("bad", of="x")


def test_names(cli: Run, add_question: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    add_question("lineage", f"{HEAD}\nRETURN 1 AS n")
    for command in (("ask",), ("ask", "lineage")):
        result = cli(*command)
        assert result.exit_code == 1
        assert "lineage.cypher: the package has a question 'lineage': rename" in result.stderr
    Path("own/lineage.cypher").rename("own/My_Question.cypher")
    assert "invalid name 'My_Question': use a-z" in cli("ask").stderr
    monkeypatch.setenv("GENAI_GRAPH_QUESTIONS", "missing")
    result = cli("ask")
    assert result.stderr == (
        "GENAI_GRAPH_QUESTIONS: missing: can't be read: No such file or directory\n"
    )


def install_distribution(path: Path, entry_point: str) -> None:
    """Add the metadata of a distribution with an entry point to a directory."""
    metadata = path / "team-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: team\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[genai_graph.questions]\n{entry_point}\n")


def test_questions_of_installed_packages(
    cli: Run, add_question: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A distribution with an entry point is found on the path."""
    package = tmp_path / "team_questions"
    add_question("of-team", f"{HEAD}\nRETURN 1 AS n", package)
    install_distribution(tmp_path, "team = team_questions")
    monkeypatch.syspath_prepend(tmp_path)
    assert '"question": "of-team"' in cli("ask").stdout
    add_question("of-team", f"{HEAD}\nRETURN 2 AS n")
    assert "of-team.cypher: a question of this name exists (" in cli("ask").stderr
    install_distribution(tmp_path / "other", "team = missing_package")
    monkeypatch.syspath_prepend(tmp_path / "other")
    message = "entry point genai_graph.questions: team = missing_package: No module named"
    assert message in cli("ask").stderr


def test_the_setting_may_be_in_an_env_file(cli: Run, add_question: Add) -> None:
    add_question("one", f"{HEAD}\nRETURN 1 AS n")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GENAI_GRAPH_QUESTIONS")
        patch.setenv("GENAI_GRAPH_ENV_FILE", ".env")
        write_file(".env", "GENAI_GRAPH_QUESTIONS=own\n")
        assert '"question": "one"' in cli("ask").stdout
        write_file(".env", "GENAI_GRAPH_QUESTIONS=missing\n")
        with pytest.raises(SettingsError, match="GENAI_GRAPH_QUESTIONS: missing"):
            ask("one")
