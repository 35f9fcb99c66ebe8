"""Encryption: sensitive values are ciphertexts in the graph, and clear with the key."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import neo4j
import pytest
from conftest import ROOT, Run, write_file
from test_secrets import format_with_locals

import genai_graph
from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    Model,
    Project,
    ask,
    connect,
    dump,
    load,
    query,
    schema,
)
from genai_graph.access.keys import count_by_key, rotate
from genai_graph.database import current_connection
from genai_graph.database.keyring import Keyring, ValueLocation, generate_key, key_id_of
from genai_graph.database.sandbox import sandbox
from genai_graph.errors import (
    GenaiGraphError,
    MissingExtraError,
    PropertyError,
    SettingsError,
    UnsupportedError,
)
from genai_graph.registry import NODES
from genai_graph.storage import batching
from genai_graph.storage.encrypted_values import Replacement, replace_ciphertexts

SECRET = "s3://very-secret/place"
METADATA = {"contact": "very-secret person", "n": [1, 2.5, None]}
Keys = Callable[..., Connection]


@pytest.fixture
def keys(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """A function that reconnects with the given keys."""
    opened: list[Connection] = []

    def set_keys(*keys: str, encrypted: str | None = None) -> Connection:
        for connection in opened:
            connection.close()
        for name, value in (("KEYS", ",".join(keys)), ("ENCRYPTED", encrypted or "")):
            monkeypatch.setenv(f"GENAI_GRAPH_{name}", value)
        opened.append(connect())
        return opened[-1]

    yield set_keys
    for connection in opened:
        connection.close()


def stored_value(uid: str, name: str) -> Any:
    """Return a value as stored; `query` does not decrypt."""
    return query("MATCH (n {uid: $uid}) RETURN n[$name] AS value", uid=uid, name=name)[0]["value"]


def dump_with_the_driver(connection: Connection) -> str:
    """Return all nodes and edges as text, read without this package."""
    driver = connection.driver("READ")
    assert isinstance(driver, neo4j.Driver)
    with driver.session(database=connection.database) as session:
        nodes = [repr(dict(row["n"])) for row in session.run("MATCH (n) RETURN n")]
        edges = [repr(dict(row["r"])) for row in session.run("MATCH ()-[r]->() RETURN r")]
    return "\n".join(nodes + edges)


def write_fixture(path: str, **props: Any) -> str:
    """Write a fixture with one dataset, in the format of the file extension."""
    if path.endswith(".jsonl"):
        rows = [{"format": "genai_graph/1"}, {"node": "Dataset", "uid": "d", "props": props}]
        Path(path).write_text("\n".join(map(json.dumps, rows)))
    else:
        Path(path).write_text(json.dumps({"format": "genai_graph/1", "Dataset": {"d": props}}))
    return path


def test_every_write_encrypts_sensitive_values(keys: Keys) -> None:
    connection = keys(generate_key())
    saved = Dataset(name="saved", location="x", metadata={"x": 1}).save()
    saved.location, saved.metadata = SECRET, METADATA
    saved.save()
    Model.upsert(name="upserted", location="x")
    Model.upsert(name="upserted", location=SECRET, metadata=METADATA)
    Dataset.nodes.bulk_create({"name": "bulk", "location": SECRET})
    run = Experiment(uid="run", environment={"token": "very-secret"}).save()
    run.record("accuracy", 0.9, metadata=METADATA)
    for name in ("d.jsonl", "d.json", "d.yaml"):
        load(write_fixture(name, location="x"))
        load(write_fixture(name, location=SECRET, metadata=METADATA))
        Dataset.nodes.get(uid="d").delete()
    load(write_fixture("d.jsonl", location=SECRET, metadata=METADATA))
    found = dump_with_the_driver(connection)
    assert "upserted" in found
    assert "very-secret" not in found
    assert found.count("enc:1:") == 9


def test_empty_values_are_stored_in_the_clear(keys: Keys) -> None:
    """They contain no secret, and questions search for them."""
    keys(generate_key())
    Experiment(uid="saved", status="FINISHED", environment={}, metadata={"x": 1}).save()
    Experiment.upsert(uid="changed", status="FINISHED", environment={"x": 1})
    Experiment.upsert(uid="changed", environment={})
    load(write_fixture("d.jsonl", location="", metadata=[]))
    assert [stored_value("d", name) for name in ("location", "metadata")] == ["", "[]"]
    assert stored_value("changed", "environment") == "{}"
    found = Dataset.nodes.get(uid="d")
    assert (found.location, found.metadata) == ("", [])
    missing = {row["experiment"]: row["missing"] for row in ask("not-reproducible")}
    assert all("environment" in missing[uid] for uid in ("saved", "changed"))
    assert (count_by_key().clear, rotate().reencrypted) == (0, 0)


def test_an_encrypted_empty_value_is_read_as_empty(keys: Keys) -> None:
    old = generate_key()
    keys(old)
    Dataset(name="d", location="x").save()
    token = Keyring.read(old).encrypt("{}", ValueLocation("Dataset", "d", "metadata"))
    query("MATCH (d:Dataset) SET d.metadata = $token", write=True, token=f'"{token}"')
    assert Dataset.nodes.get(uid="d").metadata == {}
    keys(generate_key(), old)
    assert rotate().reencrypted == 2
    assert stored_value("d", "metadata") == "{}"
    assert Dataset.nodes.get(uid="d").metadata == {}


def test_values_of_csv_files_are_encrypted(keys: Keys) -> None:
    keys()
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    dump("folder", format="csv")
    query("MATCH (n) DETACH DELETE n", write=True)
    connection = keys(generate_key())
    load("folder")
    assert "very-secret" not in dump_with_the_driver(connection)
    assert Dataset.nodes.get(uid="d").metadata == METADATA


@pytest.mark.slow
def test_the_files_of_the_embedded_engine_contain_no_clear_text(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contain(text: str) -> bool:
        for path in own_home.rglob("*"):
            with contextlib.suppress(
                FileNotFoundError
            ):  # the engine still deletes files after it stopped
                if path.is_file() and text.encode() in path.read_bytes():
                    return True
        return False

    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        Dataset(name="to-be-found", location=SECRET, metadata=METADATA).save()
    assert contain("to-be-found")
    assert not contain("very-secret")
    assert not contain(os.environ["GENAI_GRAPH_KEYS"])


def test_values_are_clear_with_the_key(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    found = Dataset.nodes.get(uid="d")
    assert (found.location, found.metadata) == (SECRET, METADATA)
    found.refresh()
    assert (found.location, found.metadata) == (SECRET, METADATA)
    Project(name="p").save().datasets.connect(found)
    assert [each.location for each in Project.nodes.get(uid="p").datasets] == [SECRET]


@pytest.mark.parametrize(
    "value", [" ", "é\n\U0001f600", "enc:1:", "enc:1:x:y", '"enc:1:', "x" * 9000]
)
def test_strings_round_trip(keys: Keys, value: str) -> None:
    keys(generate_key())
    Dataset(name="d", location=value, metadata=[value]).save()
    found = Dataset.nodes.get(uid="d")
    assert (found.location, found.metadata) == (value, [value])
    assert key_id_of(stored_value("d", "location"))


def test_writing_an_equal_value_changes_nothing(keys: Keys) -> None:
    keys(generate_key())
    path = write_fixture("d.jsonl", location=SECRET, metadata=METADATA)
    load(path)
    before, time = stored_value("d", "location"), Dataset.nodes.get(uid="d").updated_at
    assert load(path).nodes["Dataset"].unchanged == 1
    Dataset.upsert(uid="d", location=SECRET, metadata=METADATA)
    Dataset.nodes.get(uid="d").save()
    assert (stored_value("d", "location"), Dataset.nodes.get(uid="d").updated_at) == (before, time)


def test_equal_values_have_different_ciphertexts(keys: Keys) -> None:
    keys(generate_key())
    for cls, name in ((Dataset, "a"), (Dataset, "b"), (Model, "c")):
        cls(uid=name, name=name, location=SECRET, metadata=SECRET).save()
    texts = [stored_value(uid, name) for uid in "abc" for name in ("location", "metadata")]
    assert len({text.strip('"') for text in texts}) == 6


def test_the_ciphertext_of_a_json_property_is_json(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", metadata=METADATA).save()
    assert key_id_of(json.loads(stored_value("d", "metadata")))


def test_a_value_without_its_key_is_an_encrypted_value(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    key = key_id_of(stored_value("d", "location"))
    for keys_set in ([], [generate_key()]):
        keys(*keys_set)
        found = Dataset.nodes.get(uid="d")
        assert str(found.location) == f"<encrypted with the key {key}>"
        assert repr(found.metadata) == f"<encrypted with the key {key}>"
        assert found.to_dict()["location"] == stored_value("d", "location")
        with pytest.raises(TypeError):
            _ = found.metadata["contact"]


@pytest.mark.parametrize("others", [0, 1])
def test_saving_an_undecryptable_value_keeps_it(keys: Keys, others: int) -> None:
    key = generate_key()
    keys(key)
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    keys(*(generate_key() for _ in range(others)))
    found = Dataset.nodes.get(uid="d")
    found.description = "new"
    found.save()
    found.save()
    Dataset.upsert(uid="d", description="newer", location=found.location)
    keys(key)
    found = Dataset.nodes.get(uid="d")
    assert (found.location, found.metadata, found.description) == (SECRET, METADATA, "newer")


def _load(**props: Any) -> None:
    load(write_fixture("d.jsonl", **props))


def _upsert(**props: Any) -> None:
    Dataset.upsert(uid="d", **props)


def _save(**props: Any) -> None:
    found = Dataset.nodes.get(uid="d")
    for name, value in props.items():
        setattr(found, name, value)
    found.save()


def _save_after_a_concurrent_encryption(**props: Any) -> None:
    """Save a node that was read before another client encrypted the value."""
    token = stored_value("d", "location")
    query("MATCH (d:Dataset) REMOVE d.location", write=True)
    found = Dataset.nodes.get(uid="d")
    found.location = props["location"] or "x"
    query("MATCH (d:Dataset) SET d.location = $token", write=True, token=token)
    found.save()


@pytest.mark.parametrize("value", [SECRET, None])
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("write", [_load, _upsert, _save, _save_after_a_concurrent_encryption])
def test_an_undecryptable_value_is_not_replaced_or_removed(
    keys: Keys, write: Callable[..., None], others: int, value: str | None
) -> None:
    key = generate_key()
    keys(key)
    _load(location=SECRET)
    before = stored_value("d", "location")
    keys(*(generate_key() for _ in range(others)))
    with pytest.raises(GenaiGraphError, match=r"'d': location: .* GENAI_GRAPH_KEYS"):
        write(location=value)
    assert stored_value("d", "location") == before
    keys(generate_key(), key)
    write(location="public")
    assert Dataset.nodes.get(uid="d").location == "public"


def _write_five_nodes(**props: Any) -> str:
    """Write a fixture with the dataset d as its last node, after two projects and a dataset."""
    lines = [{"format": "genai_graph/1"}]
    lines += [{"node": "Project", "uid": uid, "props": {}} for uid in "pq"]
    lines += [{"node": "Dataset", "uid": "c", "props": {}}]
    lines += [{"node": "Dataset", "uid": "d", "props": props}]
    return write_file("many.jsonl", "\n".join(map(json.dumps, lines)))


def _assert_load_writes_nothing(message: str) -> None:
    """Check that a load in batches of one node fails before the nodes that precede d."""
    for dry_run in (True, False):
        with pytest.raises(GenaiGraphError, match=message):
            load("many.jsonl", dry_run=dry_run, batch_size=1, atomic=False)
        assert [node.uid for cls in (Project, Dataset) for node in cls.nodes.all()] == ["d"]


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("value", ["else", None])
def test_load_checks_undecryptable_values_before_the_first_write(
    keys: Keys, others: int, value: str | None
) -> None:
    keys(generate_key())
    _load(location=SECRET)
    _write_five_nodes(location=value)
    keys(*(generate_key() for _ in range(others)))
    _assert_load_writes_nothing(r"^many.jsonl:5: Dataset 'd': location: .* GENAI_GRAPH_KEYS")


def test_load_checks_moved_ciphertexts_before_the_first_write(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="e", location=SECRET).save()
    _write_five_nodes(location=stored_value("e", "location"))
    Dataset.nodes.get(uid="e").delete()
    Dataset(name="d").save()
    _assert_load_writes_nothing(r"^many.jsonl:5: Dataset 'd': location: .* belongs elsewhere")


def test_load_checks_the_setting_before_the_first_write(keys: Keys) -> None:
    keys()
    Dataset(name="d").save()
    keys(encrypted="nonsense")
    _write_five_nodes(location="x")
    _assert_load_writes_nothing("^GENAI_GRAPH_ENCRYPTED: 'nonsense': no such property")


def test_a_value_rejected_during_the_load_must_be_fixed_first(keys: Keys) -> None:
    keys(generate_key(), encrypted="Dataset.creator")
    Dataset.upsert(name="d", creator="very-secret")
    keys()
    _write_five_nodes(creator="else")
    with pytest.raises(PropertyError, match=r"3 of 4 .*: fix the value, and load again"):
        load("many.jsonl", batch_size=1, atomic=False)


def test_record_does_not_remove_an_undecryptable_value(keys: Keys) -> None:
    keys(generate_key())
    run = Experiment(uid="run").save()
    run.record("accuracy", 0.9, metadata=METADATA)
    keys(generate_key())
    with pytest.raises(PropertyError, match=r"metadata: .* GENAI_GRAPH_KEYS"):
        run.record("accuracy", 0.8, metadata={"other": 1})
    run.record("accuracy", 0.7)


def test_a_rejected_save_keeps_the_transaction_of_a_sandbox(keys: Keys) -> None:
    keys(generate_key())
    _load(location=SECRET)
    keys()
    with sandbox():
        Dataset(name="e").save()
        with pytest.raises(PropertyError):
            _save(location="x")
        assert Dataset.nodes.get(uid="e")


def test_a_ciphertext_of_the_same_key_replaces_an_undecryptable_value(keys: Keys) -> None:
    key = generate_key()
    keys(key)
    _load(location=SECRET)
    dump("secret.jsonl")
    _load(location="else")
    keys(generate_key())
    load("secret.jsonl")
    keys(key)
    assert Dataset.nodes.get(uid="d").location == SECRET


def test_an_undecryptable_value_can_not_be_moved(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    keys()
    moved = Dataset(name="e", location=Dataset.nodes.get(uid="d").location)
    with pytest.raises(PropertyError, match="'e': location: a value of Dataset 'd'"):
        moved.save()


def test_a_moved_ciphertext_is_rejected(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    with pytest.raises(PropertyError, match="belongs elsewhere or is corrupt"):
        Dataset(name="e", location=stored_value("d", "location")).save()
    query(
        "CREATE (:Dataset {uid: 'f', name: 'f', location: $x})",
        write=True,
        x=stored_value("d", "location"),
    )
    assert "encrypted" in str(Dataset.nodes.get(uid="f").location)


def test_a_dump_can_be_loaded_with_any_key(keys: Keys) -> None:
    key = generate_key()
    for name in ("d.jsonl", "d.yaml", "folder"):
        keys(key)
        Dataset(name="d", location=SECRET, metadata=METADATA).save()
        dump(name, format="csv" if name == "folder" else None)
        before = stored_value("d", "location"), stored_value("d", "metadata")
        for keys_set in ([key], [generate_key()], []):
            keys(*keys_set)
            query("MATCH (n) DETACH DELETE n", write=True)
            load(name)
            assert (stored_value("d", "location"), stored_value("d", "metadata")) == before
            assert load(name).nodes["Dataset"].unchanged == 1
        query("MATCH (n) DETACH DELETE n", write=True)


def test_loading_a_decrypted_dump_encrypts_it(keys: Keys) -> None:
    key = generate_key()
    keys(key)
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    dump("clear.jsonl", decrypt=True)
    assert SECRET in Path("clear.jsonl").read_text()
    assert load("clear.jsonl").nodes["Dataset"].unchanged == 1


def test_dump_decrypt_reports_undecryptable_values(keys: Keys, cli: Run) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    assert "very-secret" not in cli("dump").stdout
    assert SECRET in cli("dump", "--decrypt").stdout
    keys()
    result = cli("dump", "--decrypt", "-o", "out.jsonl")
    assert result.exit_code == 1
    assert "Dataset 'd': location: is encrypted with the key" in result.stderr
    assert "GENAI_GRAPH_KEYS does not contain" in result.stderr
    assert not Path("out.jsonl").exists()


def test_rotate_encrypts_everything_with_the_first_key(keys: Keys, cli: Run) -> None:
    old, new = generate_key(), generate_key()
    keys()
    Dataset(name="clear", location=SECRET, metadata=METADATA).save()
    keys(old)
    Dataset(name="old", location=SECRET, metadata=METADATA).save()
    keys(new, old)
    Dataset(name="new", location=SECRET).save()
    times = [row["t"] for row in query("MATCH (n) RETURN n.updated_at AS t ORDER BY n.uid")]
    first, second = Keyring.read(f"{new},{old}")
    assert cli("access", "keys", "status").stdout == (
        f"{first}  1 values (the first key)\n{second}  2 values\nplaintext 2 values\n"
    )
    done = cli("access", "keys", "rotate")
    assert (done.exit_code, done.stderr) == (0, "encrypted 4 values with the first key\n")
    assert (count_by_key().encrypted, count_by_key().clear) == ({first: 5}, 0)
    assert rotate().reencrypted == 0
    assert [row["t"] for row in query("MATCH (n) RETURN n.updated_at AS t ORDER BY n.uid")] == times
    keys(new)
    assert {each.location for each in Dataset.nodes.all()} == {SECRET}
    assert Dataset.nodes.get(uid="clear").metadata == METADATA


def test_rotate_limits_the_size_of_its_messages(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys()
    for number in range(20):
        Dataset(name=f"d{number}", metadata={"text": "x" * 2_000}).save()
    keys(generate_key())
    monkeypatch.setattr(current_connection(), "largest_message", 20_000)
    monkeypatch.setattr(batching, "BATCH_BYTES", 10_000)
    assert rotate().reencrypted == 20


def test_rotate_skips_and_reports_undecryptable_values(keys: Keys, cli: Run) -> None:
    lost = generate_key()
    keys(lost)
    Dataset(name="d", location=SECRET).save()
    before = stored_value("d", "location")
    keys(generate_key())
    done = cli("access", "keys", "rotate")
    assert done.exit_code == 1
    assert f"skipped 1 values of {key_id_of(before)}: add that key" in done.stderr
    assert stored_value("d", "location") == before
    assert "is not in GENAI_GRAPH_KEYS" in cli("access", "keys", "status").stdout


def test_rotate_and_status_report_corrupt_values(keys: Keys, cli: Run) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    query(
        "CREATE (:Dataset {uid: 'e', name: 'e', location: $x})",
        write=True,
        x=stored_value("d", "location"),
    )
    done = cli("access", "keys", "rotate")
    assert done.exit_code == 1
    assert "1 can't be decrypted although the key is available" in done.stderr
    assert "add that key" not in done.stderr
    status = cli("access", "keys", "status").stdout
    assert "2 values (the first key; 1 can't be decrypted" in status


def test_rotate_without_keys_suggests_generate(keys: Keys, cli: Run) -> None:
    keys()
    done = cli("access", "keys", "rotate")
    assert (done.exit_code, done.stderr) == (
        1,
        "GENAI_GRAPH_KEYS is not set: `genai-graph access keys generate` prints a new key\n",
    )


def test_an_interrupted_rotation_can_be_repeated(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_ROWS", 2)
    keys()
    for number in range(6):
        Dataset(name=str(number), location=SECRET).save()
    keys(generate_key())

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(stop)
    assert count_by_key().clear == 4
    assert rotate().reencrypted == 4
    assert count_by_key().clear == 0


def test_a_rotation_does_not_overwrite_a_concurrent_change(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    stale = Replacement("d", "location", {"location": "stale"}, "wrong")
    assert replace_ciphertexts("Dataset", [stale]) == 0
    assert Dataset.nodes.get(uid="d").location == SECRET


@pytest.mark.parametrize("suffix", ["", "__contains", "__in", "__ne"])
def test_filtering_by_an_encrypted_property_is_rejected(keys: Keys, suffix: str) -> None:
    keys(generate_key())
    value = ["x"] if suffix == "__in" else "x"
    for nodes in (Dataset.nodes, Project(name="p").save().datasets):
        with pytest.raises(UnsupportedError, match=r"Dataset\.location: is encrypted"):
            nodes.filter(**{f"location{suffix}": value}).all()
        with pytest.raises(UnsupportedError, match=r"Dataset\.location: is encrypted"):
            nodes.exclude(**{f"location{suffix}": value}).all()
    with pytest.raises(UnsupportedError):
        Project.nodes.filter(**{f"datasets__location{suffix}": value}).all()
    with pytest.raises(UnsupportedError, match=r"^metadata: is encrypted"):
        Project.nodes.filter(metadata={}).all()


def test_ordering_by_an_encrypted_property_is_rejected(keys: Keys) -> None:
    keys(generate_key())
    for nodes in (Dataset.nodes, Project(name="p").save().datasets):
        for name in ("location", "-location"):
            with pytest.raises(UnsupportedError, match=r"Dataset\.location: is encrypted"):
                nodes.order_by(name)


def test_filtering_for_null_is_supported(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    Dataset(name="e").save()
    assert [each.uid for each in Dataset.nodes.filter(location__isnull=True)] == ["e"]


def test_filtering_works_without_keys(keys: Keys) -> None:
    keys()
    Dataset(name="d", location=SECRET).save()
    assert len(Dataset.nodes.filter(location=SECRET).order_by("location")) == 1


def test_schema_show_lists_unsearchable_properties(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsearchable() -> set[str]:
        lines = cli("schema", "show").stdout.splitlines()
        return {line.split()[0] for line in lines if "encrypted" in line}

    marked = {f"{label}.metadata" for label in ("Project", "Dataset", "Model", "Experiment")}
    marked |= {"Metric.metadata", "Dataset.location", "Model.location", "Experiment.environment"}
    assert unsearchable() == marked
    monkeypatch.setenv("GENAI_GRAPH_ENCRYPTED", "Dataset.creator, parameters")
    assert unsearchable() == {"Dataset.creator", "Experiment.parameters"}


def test_the_setting_selects_the_encrypted_properties(keys: Keys) -> None:
    keys(generate_key(), encrypted="Dataset.creator")
    Dataset(name="d", location="public", creator="very-secret", metadata={"x": 1}).save()
    assert (stored_value("d", "location"), stored_value("d", "metadata.x")) == ("public", 1)
    assert key_id_of(stored_value("d", "creator"))
    assert Dataset.nodes.get(uid="d").creator == "very-secret"
    Dataset.nodes.filter(location="public").all()
    with pytest.raises(UnsupportedError):
        Dataset.nodes.filter(creator="x").all()


def test_values_are_decrypted_after_the_setting_changes(keys: Keys) -> None:
    key = generate_key()
    keys(key, encrypted="Dataset.creator")
    Dataset(name="d", creator="very-secret").save()
    keys(key)
    assert Dataset.nodes.get(uid="d").creator == "very-secret"


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("Dataset.lokation", "no such property"),
        ("Datasett.location", "no such property"),
        ("nonsense", "no such property"),
        ("uid", "can't be encrypted"),
        ("Model.name", "can't be encrypted"),
        ("Model.status", "can't be encrypted"),
        ("Metric.split", "can't be encrypted"),
        ("size", "can't be encrypted"),
    ],
)
def test_an_invalid_setting_is_reported(keys: Keys, setting: str, problem: str) -> None:
    keys(generate_key(), encrypted=f"metadata,{setting}")
    with pytest.raises(SettingsError, match=f"GENAI_GRAPH_ENCRYPTED: '{setting}': {problem}"):
        Dataset(name="d").save()


def test_generate_prints_a_valid_key(cli: Run) -> None:
    one, other = (cli("access", "keys", "generate").stdout for _ in range(2))
    assert one != other
    assert len(list(Keyring.read(f"{one},{other}"))) == 2


@pytest.mark.parametrize("wrong", ["short", "", "é" * 86, "A" * 85, "A" * 87, "*" * 86])
def test_an_invalid_key_is_reported_without_its_text(
    wrong: str, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = generate_key()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", f"{right},{wrong}")
    result = cli("status")
    assert result.exit_code == 1
    assert "GENAI_GRAPH_KEYS: expected comma-separated keys" in result.stderr
    assert "key 2 is invalid" in result.stderr
    assert right[:8] not in result.stderr
    assert not wrong or wrong not in result.stderr


@pytest.mark.parametrize("missing", [False, True])
def test_keys_are_not_in_the_frames_of_errors(
    monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    monkeypatch.setenv(
        "GENAI_GRAPH_KEYS", f"{generate_key()},{'' if missing else 'wrong'}".strip(",")
    )
    key = os.environ["GENAI_GRAPH_KEYS"].split(",")[0]
    if missing:
        monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises((SettingsError, MissingExtraError)) as raised:
        connect()
    shown = format_with_locals(raised.value)
    assert key not in shown
    assert repr(base64.urlsafe_b64decode(f"{key}==")) not in shown


def test_keys_are_not_in_reprs(keys: Keys) -> None:
    key = generate_key()
    connection = keys(key)
    from genai_graph.database.settings import read_settings

    shown = repr((connection, vars(connection), connection.keyring, read_settings()))
    assert key not in shown
    assert key[:8] not in shown


def test_a_ciphertext_is_bound_to_its_location_and_authenticated() -> None:
    ring = Keyring.read(generate_key())
    location = ValueLocation("Dataset", "d", "location")
    token = ring.encrypt(SECRET, location)
    assert ring.decrypt(token, location) == SECRET
    for other in (
        location._replace(label="Model"),
        location._replace(uid="e"),
        location._replace(property="x"),
    ):
        assert ring.decrypt(token, other) is None
    changed = token[:-4] + ("A" if token[-4] != "A" else "B") + token[-3:]
    assert ring.decrypt(changed, location) is None


def test_without_cryptography_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with pytest.raises(MissingExtraError, match=r"genai-graph\[encryption\]"):
        genai_graph.connect()


def test_the_page_lists_the_sensitive_properties() -> None:
    page = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    rows = page.split("| property | classes |\n| --- | --- |\n")[1].split("\n\n")[0].splitlines()
    listed = set()
    for row in rows:
        name, labels = (cell.strip(" `") for cell in row.strip("|").split("|"))
        listed |= {
            f"{label}.{name}" for label in (NODES if labels == "every node" else labels.split(", "))
        }
    assert listed == set(schema.list_unsearchable())
