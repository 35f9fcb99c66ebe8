"""Error messages for common mistakes in inputs: each names the kind of input and a fix."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import neomodel
import pytest
from conftest import Run, errors_of, write_file

from genai_graph import Connection, Dataset, Experiment, GenaiGraphError, Metric, Model, query
from genai_graph.errors import (
    MultipleNodesError,
    NodeNotFoundError,
    PropertyTypeError,
    SettingsError,
    UnknownPropertyError,
)

TEXT = b"format: genai_graph/1\n"
DIRECTORY = "not a directory: CSV is a directory of files, one for each label and edge type"


def archive(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name in names:
            file.writestr(name, TEXT)
    return stream.getvalue()


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        entry = tarfile.TarInfo("f.yaml")
        entry.size = len(TEXT)
        file.addfile(entry, io.BytesIO(TEXT))
    return stream.getvalue()


# Files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.yaml.bz2", bz2.compress(TEXT), "is compressed by bzip2: only gzip and xz are read"),
        ("f.yaml", bz2.compress(TEXT), "is compressed by bzip2: only gzip and xz are read"),
        ("f.jsonl", bz2.compress(TEXT), "is compressed by bzip2: only gzip and xz are read"),
        ("f.zst", b"(\xb5/\xfdabc", "is compressed by zstd"),
        ("f.zip", archive("f.yaml"), "is a zip archive: extract it"),
        (
            "runs.xlsx",
            archive("[Content_Types].xml"),
            "is an Excel workbook: tables are read as CSV",
        ),
        ("f.yaml.gz", gzip.compress(gzip.compress(TEXT)), "is compressed twice"),
        ("f.yaml.xz", lzma.compress(gzip.compress(TEXT)), "is compressed twice"),
        ("f.gz", gzip.compress(bz2.compress(TEXT)), "its content is compressed by bzip2"),
        ("f.tar", tar(), "is a tar archive: extract it"),
        ("f.tgz", gzip.compress(tar()), "its content is a tar archive: extract it"),
        ("runs.parquet", b"PAR1" + bytes(9), "is a Parquet file: tables are read as CSV"),
        ("f.yaml", "format: x".encode("utf-16"), "is not UTF-8 text: save the file as UTF-8"),
        (
            "runs.csv",
            b"name,version\na,1\n",
            DIRECTORY,
        ),
        (
            "runs.csv.gz",
            gzip.compress(b"name\n"),
            DIRECTORY,
        ),
        (
            "runs.tsv",
            b"name\tversion\n",
            DIRECTORY,
        ),
        (
            "Dataset.csv",
            b"uid:ID\na\n",
            f"{DIRECTORY}: name '.'",
        ),
    ],
    ids=range(17),
)
def test_other_formats_are_named_in_the_error(
    name: str, content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (error,) = errors_of(write_file(name, content))
    assert error.replace(":1: ", ": ", 1).startswith(f"{name}: {message}")  # a file or its line


@pytest.mark.parametrize(
    ("separator", "name"), [(";", "semicolons (;)"), ("\t", "tabs"), ("|", "vertical bars (|)")]
)
def test_other_separators_are_named(separator: str, name: str, tmp_path: Path) -> None:
    rows = ["uid:ID(Dataset),num_rows:long", "a,5"]
    text = "\n".join(rows).replace(",", separator)
    write_file(str(tmp_path / "Dataset.csv"), text)
    (error,) = errors_of(str(tmp_path))
    assert error.endswith(f"Dataset.csv:1: cells are separated by {name}: write commas")


def test_compressed_csv_is_not_skipped(tmp_path: Path) -> None:
    write_file(str(tmp_path / "Dataset.csv"), "uid:ID\na\n")
    write_file(str(tmp_path / "Model.csv.gz"), gzip.compress(b"uid:ID\na\n"))
    (error,) = errors_of(str(tmp_path))
    assert "Model.csv.gz: CSV files are read uncompressed" in error


@pytest.mark.parametrize(
    ("cells", "fixes"),
    [
        ("inf,True", ["write Infinity", "write true"]),
        ("nan,FALSE", ["write NaN", "write false"]),
        ("-Inf,true", ["write -Infinity"]),
    ],
)
def test_spellings_of_other_programs(cells: str, fixes: list[str], tmp_path: Path) -> None:
    header = "uid:ID(Metric),name,value:double,greater_is_better:boolean"
    write_file(str(tmp_path / "Metric.csv"), f"{header}\ne/a,a,{cells}\n")
    found = [error.rpartition(": ")[2] for error in errors_of(str(tmp_path))]
    assert found[: len(fixes)] == fixes


@pytest.mark.parametrize(
    "line",
    [
        "NEO4J_URI: bolt://host",
        "export neo4j_uri x",
        "NEO4J_PASSWORD",
        "- NEO4J_URI=bolt://host",
        '{"NEO4J_URI": "bolt://host"}',
        "set NEO4J_URI=bolt://host",
        "ENV NEO4J_URI=bolt://host",
        "$env:NEO4J_URI = 'bolt://host'",
    ],
)
def test_line_that_sets_nothing_is_an_error(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genai_graph.database.settings import read_settings

    write_file(str(tmp_path / "settings"), f"# comment\nFOO: x\nNEO4J_URI_OLD: x\n{line}\n")
    monkeypatch.setenv("GENAI_GRAPH_ENV_FILE", str(tmp_path / "settings"))
    with pytest.raises(SettingsError, match=r"settings:4: \w+: expected NAME=VALUE: write \w+="):
        read_settings()


# Relationships are no properties


def test_relationship_in_constructor_says_connect() -> None:
    dataset = Dataset(name="d")
    fix = (
        r"Model\.trained_on: is a relationship: save the node, then call model\.trained_on\.connect"
    )
    for call in (Model, Model.upsert):
        with pytest.raises(UnknownPropertyError, match=fix):
            call(name="m", trained_on=[dataset])
    with pytest.raises(UnknownPropertyError, match=r"Metric\.experiment: is a relationship"):
        Metric(uid="m", name="m", value=1, experiment="run")


def test_relationship_cannot_be_assigned() -> None:
    metric = Metric(uid="m", name="m", value=1)
    with pytest.raises(
        UnknownPropertyError, match=r"then call metric\.experiment\.connect\(node\)"
    ):
        metric.experiment = Experiment()  # type: ignore[assignment]
    assert metric.experiment.name == "experiment"


# Lookups


@pytest.mark.any_engine
def test_lookup_errors_say_what_was_asked(graph: Connection) -> None:
    with pytest.raises(Dataset.DoesNotExist) as missing:
        Dataset.nodes.get(size__gt=5, uid="nope")
    assert str(missing.value) == "no Dataset matches size__gt=5, uid='nope'"
    assert isinstance(missing.value, (GenaiGraphError, NodeNotFoundError))
    assert isinstance(missing.value, neomodel.DoesNotExist)
    assert not isinstance(missing.value, Model.DoesNotExist)
    assert str(pickle.loads(pickle.dumps(missing.value))) == str(missing.value)
    with pytest.raises(Dataset.DoesNotExist, match="no Dataset exists"):
        Dataset.nodes.get()
    first, second = Dataset(name="a").save(), Dataset(name="b").save()
    with pytest.raises(MultipleNodesError, match="more than one Dataset exists: get it by its uid"):
        Dataset.nodes.get()
    with pytest.raises(neomodel.MultipleNodesReturned, match=r"matches name__in=\['a', 'b'\]"):
        Dataset.nodes.filter(name__in=["a", "b"]).get()
    model = Model(name="m").save()
    for dataset in (first, second):
        model.trained_on.connect(dataset)
    with pytest.raises(MultipleNodesError, match="more than one Dataset exists"):
        model.trained_on.get()
    assert Dataset.nodes.get_or_none(uid="nope") is None


@pytest.mark.any_engine
def test_invalid_filter_names_the_property(graph: Connection) -> None:
    with pytest.raises(PropertyTypeError, match=r"created_at: expected a time"):
        Dataset.nodes.filter(created_at__gt="2024").all()


# Status


def test_status_of_a_new_graph(embedded: Connection, cli: Run) -> None:
    for index in query("SHOW INDEXES"):
        if index.get("owningConstraint") is None and index["type"] != "LOOKUP":
            query(f"DROP INDEX `{index['name']}`", write=True)
            break
    shown = cli("status").stdout
    assert "schema    none yet: the graph is empty" in shown
    assert json.loads(cli("status", "--json").stdout)["empty"] is True
    Dataset(uid="a", name="a").save()
    assert json.loads(cli("status", "--json").stdout)["empty"] is False
