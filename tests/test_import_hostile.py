"""Imports from sources with secrets, traps and faults: nothing is executed, shown or stored."""

from __future__ import annotations

import csv
import hashlib
import json
import lzma
import os
import sqlite3
import traceback
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from test_import_mlflow import DATA, run_named, unpack

from genai_graph import import_from
from genai_graph.errors import GenaiGraphError, ImportSourceError
from genai_graph.importers.files import MAX_CARD_BYTES, MAX_FILE_BYTES

SECRETS = {
    "db.password": "hunter2-1",
    "hfToken": "hunter2-2",
    "aws_secret_access_key": "hunter2-3",
    "note": "sk-hunter2AAAAAAAAAAAAAAAA",
    "comment": "see AKIAHUNTER2AAAAAAAAA",
    "x": "eyJhunter2hunter2.eyJhunter2.sig",
    "key": "-----BEGIN RSA PRIVATE KEY----- hunter2",
    "dsn": "from postgresql://ann:hunter2@db/x",
    "Authorization": "hunter2-4",
    "remote": "pip install git+https://hunter2@git.example.org/ann/code",
    "command": "train.py --db-password=hunter2",
    "options": "--lr 0.1 --api-key hunter2",
    "config": '{"lr": 0.1, "db": {"password": "hunter2"}}',
}


def output(kind: str, *sources: str, **options: Any) -> tuple[str, str]:
    """Return the fixture and the messages of an import."""
    report = import_from(kind, *sources, output="out.jsonl", overwrite=True, **options)
    return Path("out.jsonl").read_text(), "\n".join([*report.messages, str(report)])


@pytest.mark.parametrize("table", ["params", "tags"])
def test_secrets_of_runs_are_reported_without_their_values(table: str) -> None:
    unpack("3.17.db")
    with sqlite3.connect("3.17.db") as database:
        for name, value in {**SECRETS, "pad_token": "<pad>", "max_tokens": "12"}.items():
            row = (run_named("base"), name, value)
            database.execute(f"INSERT INTO {table} (run_uuid, key, value) VALUES (?, ?, ?)", row)
    written, messages = output("mlflow", "3.17.db")
    assert "hunter2" not in (written + messages).lower()
    for name in SECRETS:
        assert f"{name!r} looks like a secret and is not imported" in messages
    assert "<pad>" in written
    assert "max_tokens" in written


def test_secrets_in_notes_and_descriptions_are_not_imported() -> None:
    unpack("3.17.db")
    secret, url = SECRETS["note"], "https://ci:hunter2@git.example.org/ann/code.git"
    tags = {"mlflow.note.content": secret, "mlflow.source.git.repoURL": url}
    with sqlite3.connect("3.17.db") as database:
        for name, value in tags.items():
            row = (run_named("base"), name, value)
            database.execute("REPLACE INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", row)
        database.execute("UPDATE runs SET source_name = ?", [secret])
        for table in ("registered_models", "model_versions"):
            database.execute(f"UPDATE {table} SET description = ?", [secret])
        database.execute(
            "REPLACE INTO experiment_tags (experiment_id, key, value) "
            "SELECT experiment_id, 'mlflow.note.content', ? FROM experiments",
            [secret],
        )
    report = import_from("mlflow", "3.17.db", output="out.jsonl")
    written = Path("out.jsonl").read_text()
    assert "hunter2" not in (written + "\n".join(report.messages)).lower()
    assert "https://git.example.org/ann/code.git" in written
    assert report.read["tags"] == report.written["tags"] + report.skipped["tags"]["secret"]


def test_secrets_in_other_texts_of_mlflow_are_not_imported() -> None:
    unpack("3.17.db")
    secret, schema = SECRETS["note"], json.dumps({"api_key": "hunter2", "columns": ["a"]})
    run, (table, column) = run_named("base"), ("registered_model_tags", "key, value, name")
    with sqlite3.connect("3.17.db") as database:
        texts = dict.fromkeys(["name", "user_id", "source_version"], secret)
        for name, value in texts.items():
            database.execute(f"UPDATE runs SET {name} = ? WHERE run_uuid = ?", [value, run])
        tags = ("mlflow.user", "mlflow.source.git.commit")
        database.execute("DELETE FROM tags WHERE key IN (?, ?)", tags)
        database.execute(
            f"INSERT INTO {table} ({column}) SELECT 'api_key', ?, name FROM registered_models",
            [secret],
        )
        database.execute(
            "UPDATE datasets SET dataset_source = ?, dataset_schema = ?",
            ["host=db password=hunter2", schema],
        )
    written, messages = output("mlflow", "3.17.db")
    assert "hunter2" not in (written + messages).lower()
    assert '"columns":["a"]' in written
    for name in ("name", "user", "source version", "tag 'api_key' of the registered model"):
        assert f": {name} looks like a secret and is not imported" in messages
    assert ": location looks like a secret" in messages
    assert ": api_key looks like a secret" in messages


def test_texts_of_a_source_are_escaped_in_the_summary() -> None:
    unpack("3.17.db")
    with sqlite3.connect("3.17.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", ["\x1b[2J"])
    assert r"(MLflow, schema \x1b[2J)" in output("mlflow", "3.17.db")[1]


def test_secrets_of_cards_and_tables_are_not_imported() -> None:
    Path("m").mkdir()
    result = {"metrics": [{"type": "acc", "value": 1, "args": SECRETS}], "source": SECRETS}
    settings = json.dumps(
        {
            "license": "mit",
            "deep": [SECRETS],
            "pad_token": "<pad>",
            "model-index": [{"results": [result]}],
        }
    )
    Path("m/README.md").write_text(f"---\n{settings}\n---\n")
    config = {"architectures": [SECRETS["note"]], "base_model_name_or_path": SECRETS["dsn"]}
    for name in ("config.json", "adapter_config.json"):
        Path("m", name).write_text(json.dumps({**config, "_name_or_path": SECRETS["note"]}))
    written, messages = output("hf", "m")
    assert "hunter2" not in (written + messages).lower()
    assert "<pad>" in written
    names = [f"params.{name}" for name in SECRETS]
    with Path("runs.csv").open("w", newline="") as stream:
        table = [["run_id", "start_time", *names], ["r1", "", *SECRETS.values()]]
        csv.writer(stream).writerows(table)
    written, messages = output("csv", "runs.csv", project="p")
    assert "hunter2" not in (written + messages).lower()
    assert '"r1"' in written
    texts = {"description": SECRETS["command"], "citeAs": SECRETS["dsn"], "name": "d"}
    description = {"@context": "https://schema.org/", "@type": "Dataset", **texts}
    Path("d.json").write_text(json.dumps(description))
    written, messages = output("croissant", "d.json")
    assert "hunter2" not in (written + messages).lower()
    assert "d.json: citeAs looks like a secret and is not imported" in messages


def test_secrets_in_texts_of_a_table_are_not_imported() -> None:
    mapping = {name: name for name in ("id", "description", "source", "tags")}
    secret, url = SECRETS["note"], "https://ann:hunter2@example.org/code"
    Path("runs.csv").write_text(
        f"id,description,source,tags\nr1,{secret},{url},password=hunter2\nr2,fine,train.py,a=b\n"
    )
    written, messages = output("csv", "runs.csv", map=mapping)
    assert "hunter2" not in (written + messages).lower()
    assert "'description' looks like a secret" in messages
    for kept in ("https://example.org/code", "fine", "train.py", "a=b"):
        assert kept in written


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://ann:hunter2@127.0.0.1:1/x",
        "postgresql://127.0.0.1:1/x?user=ann&password=hunter2",
        "mysql://ann:hunter2@127.0.0.1:1/x",
        "http://ann:hunter2@127.0.0.1:1",
        "http://127.0.0.1:1/?token=hunter2",
        "ftp://ann:hunter2@x/y",
        "postgresql://ann:hunter2@[bad/x",
        "postgresql://ann:hunter2@127.0.0.1:1:1/x",
        "http://ann:hunter2@127.0.0.1:port/",
        "http://ann:hunter2@[bad/",
    ],
)
def test_the_password_of_a_source_is_never_shown(
    uri: str, cli: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(GenaiGraphError) as raised:
        import_from("mlflow", uri, output="out.jsonl")
    shown = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert "hunter2" not in "".join(
        line for line in shown.splitlines(True) if f'"{uri}"' not in line
    )
    done = cli("import", "mlflow", uri, "-o", "out.jsonl", "--json")
    assert done.exit_code == 1
    assert "hunter2" not in done.output
    assert "Traceback" not in done.output
    assert not Path("out.jsonl").exists()


def test_a_database_is_only_read() -> None:
    unpack("3.17.db")
    before = hashlib.sha256(Path("3.17.db").read_bytes()).digest()
    os.chmod("3.17.db", 0o444)
    output("mlflow", "3.17.db")
    output("mlflow", "sqlite:///3.17.db")
    assert hashlib.sha256(Path("3.17.db").read_bytes()).digest() == before
    assert sorted(path.name for path in Path().iterdir()) == ["3.17.db", "out.jsonl"]


@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [("hf", "README.md", MAX_CARD_BYTES), ("croissant", "metadata.json", MAX_FILE_BYTES)],
)
def test_large_and_special_files_are_not_read(kind: str, name: str, size: int) -> None:
    Path("a").mkdir()
    with open(Path("a", name), "wb") as file:
        file.truncate(size + 1)
    with pytest.raises(ImportSourceError, match=f"larger than {size >> 20} MiB"):
        output(kind, str(Path("a", name)))
    Path("b").mkdir()
    os.mkfifo(Path("b", name))
    with pytest.raises(ImportSourceError):
        output(kind, "b")
    Path("c").mkdir()
    Path("c", name).symlink_to("/etc/hostname")
    with pytest.raises(ImportSourceError):
        output(kind, "c")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"@context": "' + "[" * 50, "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"@type": "Dataset", "name": ' + "[" * 5_000, "is "),
        ("[" * 51 + "{}" + "]" * 51, "is nested more than 50 levels deep"),
        ('{"@type": "Dataset", "version": ' + "1" * 5_000 + "}", "is not JSON: Exceeds the limit"),
    ],
)
def test_json_beyond_the_limits_is_an_error(content: str, problem: str) -> None:
    Path("metadata.json").write_text(content)
    with pytest.raises(ImportSourceError, match=f"metadata.json:1: {problem}"):
        output("croissant", "metadata.json")


def test_names_of_files_that_are_not_unicode_are_reported() -> None:
    for name, content in {
        b"hf/\xff/x/README.md": b"---\nlicense: mit\n---\n",
        b"hf/org/good/README.md": b"---\nlicense: mit\n---\n",
        b"croissant/\xff/metadata.json": b'{"@context": {}, "@type": "Dataset"}',
        b"csv/\xff.csv": b"id\ngood\n",
    }.items():
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as file:
            file.write(content)
    for kind in ("hf", "croissant"):
        written, messages = output(kind, kind)
        assert ("good" in written) is (kind == "hf")
        assert "expected Unicode text" in messages
    written, _ = output("csv", os.fsdecode(b"csv/\xff.csv"), map={"id": "id"})
    assert "good" in written


@pytest.mark.parametrize("kind", ["hf", "croissant"])
def test_directories_that_can_not_be_read_are_reported(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("d/good").mkdir(parents=True)
    Path("d/lost").mkdir()
    Path("d/good/README.md").write_text("# x\n")
    Path("d/good/metadata.json").write_text('{"@type": "Dataset", "name": "good"}')
    iterdir = Path.iterdir

    def iterdir_without_permission(path: Path) -> Any:
        if path.name == "lost":  # chmod would not keep root out
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", iterdir_without_permission)
    written, messages = output(kind, "d")
    assert "good" in written
    assert "d/lost: can't be read: Permission denied" in messages


@pytest.mark.parametrize("kind", ["hf", "croissant", "csv"])
@pytest.mark.parametrize("path", ["", "a\0b", "~nobody-of-this-name/x"])
def test_invalid_paths_are_errors(kind: str, path: str) -> None:
    with pytest.raises(ImportSourceError):
        output(kind, path)


def test_half_surrogate_pairs_are_replaced() -> None:
    values = ["x\ud800y", {"\udc00": ["\ud83d\ude00", 1]}]
    content = {"@type": "Dataset", "name": "d", "description": values[0], "x": values}
    Path("metadata.json").write_text(json.dumps(content))
    written, _ = output("croissant", "metadata.json")
    assert "x\ufffdy" in written


def test_hostile_names_are_escaped_on_the_terminal(cli: Run) -> None:
    unpack("3.17.db")
    with sqlite3.connect("3.17.db") as database:
        name = "evil\x1b[2J\x07\u202e"
        database.execute("UPDATE input_tags SET value = ? WHERE value = 'calibration'", (name,))
    done = cli("import", "mlflow", "3.17.db", "-o", "out.jsonl")
    assert done.exit_code == 0
    assert "evil" in done.stderr
    assert not {"\x1b", "\x07", "\u202e"} & set(done.output)


def test_a_damaged_database_is_an_error() -> None:
    data = lzma.decompress((DATA / "3.17.db.xz").read_bytes())
    Path("cut.db").write_bytes(data[: len(data) // 2])
    Path("zeros.db").write_bytes(data[:8192] + bytes(len(data) - 8192))
    for name in ("cut.db", "zeros.db"):
        with pytest.raises(ImportSourceError, match=f"{name}: "):
            output("mlflow", name)
