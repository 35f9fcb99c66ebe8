"""Encryption: sensitive values are ciphertext in the graph, and clear to who has the key."""

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
from conftest import ROOT, Run, written
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
from genai_graph.access.keys import rotate, usage
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
from genai_graph.storage import nodes
from genai_graph.storage.encrypted_values import replace_ciphertexts

SECRET = "s3://very-secret/place"
METADATA = {"contact": "very-secret person", "n": [1, 2.5, None]}
Keys = Callable[..., Connection]


@pytest.fixture
def keys(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """Connect anew with these keys, or with none."""
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


def raw(uid: str, name: str) -> Any:
    """Return what the graph has, through `query`, which shows it as it is."""
    return query("MATCH (n {uid: $uid}) RETURN n[$name] AS found", uid=uid, name=name)[0]["found"]


def everything_over_the_bare_driver(connection: Connection) -> str:
    """Return all that is in the graph, read without this package."""
    driver = connection.driver("READ")
    assert isinstance(driver, neo4j.Driver)
    with driver.session(database=connection.database) as session:
        nodes = [repr(dict(row["n"])) for row in session.run("MATCH (n) RETURN n")]
        edges = [repr(dict(row["r"])) for row in session.run("MATCH ()-[r]->() RETURN r")]
    return "\n".join(nodes + edges)


def fixture(path: str, **props: Any) -> str:
    """Write a fixture of one dataset in the format that the name tells."""
    if path.endswith(".jsonl"):
        rows = [{"format": "genai_graph/1"}, {"node": "Dataset", "uid": "d", "props": props}]
        Path(path).write_text("\n".join(map(json.dumps, rows)))
    else:
        Path(path).write_text(json.dumps({"format": "genai_graph/1", "Dataset": {"d": props}}))
    return path


def test_no_way_of_writing_leaves_a_sensitive_value_in_the_clear(keys: Keys) -> None:
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
        load(fixture(name, location="x"))
        load(fixture(name, location=SECRET, metadata=METADATA))
        Dataset.nodes.get(uid="d").delete()
    load(fixture("d.jsonl", location=SECRET, metadata=METADATA))
    found = everything_over_the_bare_driver(connection)
    assert "upserted" in found
    assert "very-secret" not in found
    assert found.count("enc:1:") == 9


def test_what_is_empty_stays_clear_on_every_path(keys: Keys) -> None:
    """It holds no secret, and questions tell it from what is not empty."""
    keys(generate_key())
    Experiment(uid="saved", status="FINISHED", environment={}, metadata={"x": 1}).save()
    Experiment.upsert(uid="changed", status="FINISHED", environment={"x": 1})
    Experiment.upsert(uid="changed", environment={})
    load(fixture("d.jsonl", location="", metadata=[]))
    assert [raw("d", name) for name in ("location", "metadata")] == ["", "[]"]
    assert raw("changed", "environment") == "{}"
    found = Dataset.nodes.get(uid="d")
    assert (found.location, found.metadata) == ("", [])
    told = {row["experiment"]: row["missing"] for row in ask("not-reproducible")}
    assert all("environment" in told[uid] for uid in ("saved", "changed"))
    assert (usage().clear, rotate().written) == (0, 0)


def test_what_was_empty_and_encrypted_is_read_as_empty(keys: Keys) -> None:
    old = generate_key()
    keys(old)
    Dataset(name="d", location="x").save()
    token = Keyring.read(old).encrypt("{}", ValueLocation("Dataset", "d", "metadata"))
    query("MATCH (d:Dataset) SET d.metadata = $token", write=True, token=f'"{token}"')
    assert Dataset.nodes.get(uid="d").metadata == {}
    keys(generate_key(), old)
    assert rotate().written == 2
    assert raw("d", "metadata") == "{}"
    assert Dataset.nodes.get(uid="d").metadata == {}


def test_csv_is_encrypted_on_its_way_in(keys: Keys) -> None:
    keys()
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    dump("folder", format="csv")
    query("MATCH (n) DETACH DELETE n", write=True)
    connection = keys(generate_key())
    load("folder")
    assert "very-secret" not in everything_over_the_bare_driver(connection)
    assert Dataset.nodes.get(uid="d").metadata == METADATA


def test_the_files_of_the_embedded_engine_hold_no_clear_text(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def holds(text: str) -> bool:
        for path in own_home.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # the engine tidies up after its end
                if path.is_file() and text.encode() in path.read_bytes():
                    return True
        return False

    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        Dataset(name="to-be-found", location=SECRET, metadata=METADATA).save()
    assert holds("to-be-found")
    assert not holds("very-secret")
    assert not holds(os.environ["GENAI_GRAPH_KEYS"])


def test_with_the_key_python_sees_clear_values(keys: Keys) -> None:
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
def test_any_text_comes_back_as_it_was(keys: Keys, value: str) -> None:
    keys(generate_key())
    Dataset(name="d", location=value, metadata=[value]).save()
    found = Dataset.nodes.get(uid="d")
    assert (found.location, found.metadata) == (value, [value])
    assert key_id_of(raw("d", "location"))


def test_the_same_value_in_the_same_place_changes_nothing(keys: Keys) -> None:
    keys(generate_key())
    path = fixture("d.jsonl", location=SECRET, metadata=METADATA)
    load(path)
    before, time = raw("d", "location"), Dataset.nodes.get(uid="d").updated_at
    assert load(path).nodes["Dataset"].unchanged == 1
    Dataset.upsert(uid="d", location=SECRET, metadata=METADATA)
    Dataset.nodes.get(uid="d").save()
    assert (raw("d", "location"), Dataset.nodes.get(uid="d").updated_at) == (before, time)


def test_equal_values_in_two_places_can_not_be_told(keys: Keys) -> None:
    keys(generate_key())
    for cls, name in ((Dataset, "a"), (Dataset, "b"), (Model, "c")):
        cls(uid=name, name=name, location=SECRET, metadata=SECRET).save()
    texts = [raw(uid, name) for uid in "abc" for name in ("location", "metadata")]
    assert len({text.strip('"') for text in texts}) == 6


def test_a_json_property_stays_json(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", metadata=METADATA).save()
    assert key_id_of(json.loads(raw("d", "metadata")))


def test_without_the_key_a_value_says_that_it_is_encrypted(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    key = key_id_of(raw("d", "location"))
    for others in ([], [generate_key()]):
        keys(*others)
        found = Dataset.nodes.get(uid="d")
        assert str(found.location) == f"<encrypted with the key {key}>"
        assert repr(found.metadata) == f"<encrypted with the key {key}>"
        with pytest.raises(TypeError):
            _ = found.metadata["contact"]


@pytest.mark.parametrize("others", [0, 1])
def test_saving_what_could_not_be_decrypted_leaves_it_as_it_is(keys: Keys, others: int) -> None:
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
    load(fixture("d.jsonl", **props))


def _upsert(**props: Any) -> None:
    Dataset.upsert(uid="d", **props)


def _save(**props: Any) -> None:
    found = Dataset.nodes.get(uid="d")
    for name, value in props.items():
        setattr(found, name, value)
    found.save()


def _save_over_what_came_meanwhile(**props: Any) -> None:
    """Save a node that was read before the value was encrypted."""
    token = raw("d", "location")
    query("MATCH (d:Dataset) REMOVE d.location", write=True)
    found = Dataset.nodes.get(uid="d")
    found.location = props["location"] or "x"
    query("MATCH (d:Dataset) SET d.location = $token", write=True, token=token)
    found.save()


@pytest.mark.parametrize("value", [SECRET, None])
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("way", [_load, _upsert, _save, _save_over_what_came_meanwhile])
def test_what_can_not_be_read_is_neither_replaced_nor_removed(
    keys: Keys, way: Callable[..., None], others: int, value: str | None
) -> None:
    key = generate_key()
    keys(key)
    _load(location=SECRET)
    before = raw("d", "location")
    keys(*(generate_key() for _ in range(others)))
    with pytest.raises(GenaiGraphError, match=r"'d': location: .* GENAI_GRAPH_KEYS"):
        way(location=value)
    assert raw("d", "location") == before
    keys(generate_key(), key)
    way(location="public")
    assert Dataset.nodes.get(uid="d").location == "public"


def _many(**props: Any) -> str:
    """Write a fixture of d and of two projects and a dataset, which come to the graph before it."""
    lines = [{"format": "genai_graph/1"}]
    lines += [{"node": "Project", "uid": uid, "props": {}} for uid in "pq"]
    lines += [{"node": "Dataset", "uid": "c", "props": {}}]
    lines += [{"node": "Dataset", "uid": "d", "props": props}]
    return written("many.jsonl", "\n".join(map(json.dumps, lines)))


def _refused_before_the_first_write(told: str) -> None:
    """Tell whether a load in batches of one finds the fault of d by its checks."""
    for dry_run in (True, False):
        with pytest.raises(GenaiGraphError, match=told):
            load("many.jsonl", dry_run=dry_run, batch_size=1, transaction_limit=0)
        assert [node.uid for cls in (Project, Dataset) for node in cls.nodes.all()] == ["d"]


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("value", ["else", None])
def test_a_load_tells_what_it_may_not_replace_before_the_first_write(
    keys: Keys, others: int, value: str | None
) -> None:
    keys(generate_key())
    _load(location=SECRET)
    _many(location=value)
    keys(*(generate_key() for _ in range(others)))
    _refused_before_the_first_write(r"^many.jsonl:5: Dataset 'd': location: .* GENAI_GRAPH_KEYS")


def test_a_load_tells_a_text_of_another_place_before_the_first_write(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="e", location=SECRET).save()
    _many(location=raw("e", "location"))
    Dataset.nodes.get(uid="e").delete()
    Dataset(name="d").save()
    _refused_before_the_first_write(r"^many.jsonl:5: Dataset 'd': location: .* another place")


def test_a_load_tells_a_wrong_setting_before_the_first_write(keys: Keys) -> None:
    keys()
    Dataset(name="d").save()
    keys(encrypted="nonsense")
    _many(location="x")
    _refused_before_the_first_write("^GENAI_GRAPH_ENCRYPTED: 'nonsense': no such property")


def test_what_is_refused_while_it_is_written_is_to_be_mended_first(keys: Keys) -> None:
    keys(generate_key(), encrypted="Dataset.creator")
    Dataset.upsert(name="d", creator="very-secret")
    keys()
    _many(creator="else")
    with pytest.raises(PropertyError, match=r"3 of 4 .*: mend that, and load again"):
        load("many.jsonl", batch_size=1, transaction_limit=0)


def test_a_record_removes_no_value_that_can_not_be_read(keys: Keys) -> None:
    keys(generate_key())
    run = Experiment(uid="run").save()
    run.record("accuracy", 0.9, metadata=METADATA)
    keys(generate_key())
    with pytest.raises(PropertyError, match=r"metadata: .* GENAI_GRAPH_KEYS"):
        run.record("accuracy", 0.8, metadata={"other": 1})
    run.record("accuracy", 0.7)


def test_a_refused_save_leaves_the_transaction_of_a_sandbox_as_it_is(keys: Keys) -> None:
    keys(generate_key())
    _load(location=SECRET)
    keys()
    with sandbox():
        Dataset(name="e").save()
        with pytest.raises(PropertyError):
            _save(location="x")
        assert Dataset.nodes.get(uid="e")


def test_a_text_under_the_same_key_replaces_what_can_not_be_read(keys: Keys) -> None:
    key = generate_key()
    keys(key)
    _load(location=SECRET)
    dump("secret.jsonl")
    _load(location="else")
    keys(generate_key())
    load("secret.jsonl")
    keys(key)
    assert Dataset.nodes.get(uid="d").location == SECRET


def test_a_value_that_can_not_be_decrypted_can_not_be_moved(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    keys()
    moved = Dataset(name="e", location=Dataset.nodes.get(uid="d").location)
    with pytest.raises(PropertyError, match="'e': location: this value of Dataset 'd'"):
        moved.save()


def test_a_text_of_another_place_is_refused_rather_than_read_as_garbage(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    with pytest.raises(PropertyError, match="made for another place, or was changed"):
        Dataset(name="e", location=raw("d", "location")).save()
    query(
        "CREATE (:Dataset {uid: 'f', name: 'f', location: $x})", write=True, x=raw("d", "location")
    )
    assert "encrypted" in str(Dataset.nodes.get(uid="f").location)


def test_a_dump_is_loaded_as_it_is_with_the_key_with_another_and_without(keys: Keys) -> None:
    key = generate_key()
    for name in ("d.jsonl", "d.yaml", "folder"):
        keys(key)
        Dataset(name="d", location=SECRET, metadata=METADATA).save()
        dump(name, format="csv" if name == "folder" else None)
        before = raw("d", "location"), raw("d", "metadata")
        for others in ([key], [generate_key()], []):
            keys(*others)
            query("MATCH (n) DETACH DELETE n", write=True)
            load(name)
            assert (raw("d", "location"), raw("d", "metadata")) == before
            assert load(name).nodes["Dataset"].unchanged == 1
        query("MATCH (n) DETACH DELETE n", write=True)


def test_a_dump_of_clear_values_is_encrypted_when_it_is_loaded(keys: Keys) -> None:
    key = generate_key()
    keys(key)
    Dataset(name="d", location=SECRET, metadata=METADATA).save()
    dump("clear.jsonl", decrypt=True)
    assert SECRET in Path("clear.jsonl").read_text()
    assert load("clear.jsonl").nodes["Dataset"].unchanged == 1


def test_a_dump_decrypts_on_demand_only_and_tells_what_it_can_not(keys: Keys, cli: Run) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    assert "very-secret" not in cli("dump").stdout
    assert SECRET in cli("dump", "--decrypt").stdout
    keys()
    refused = cli("dump", "--decrypt", "-o", "out.jsonl")
    assert refused.exit_code == 1
    assert "Dataset 'd': location: is encrypted with the key" in refused.stderr
    assert "GENAI_GRAPH_KEYS does not hold" in refused.stderr
    assert not Path("out.jsonl").exists()


def test_rotate_puts_everything_under_the_first_key(keys: Keys, cli: Run) -> None:
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
        f"{first}  1 values (the first key)\n{second}  2 values\nclear     2 values\n"
    )
    done = cli("access", "keys", "rotate")
    assert (done.exit_code, done.stderr) == (0, "4 values were put under the first key\n")
    assert (usage().keys, usage().clear) == ({first: 5}, 0)
    assert rotate().written == 0
    assert [row["t"] for row in query("MATCH (n) RETURN n.updated_at AS t ORDER BY n.uid")] == times
    keys(new)
    assert {each.location for each in Dataset.nodes.all()} == {SECRET}
    assert Dataset.nodes.get(uid="clear").metadata == METADATA


def test_rotate_sends_no_more_at_once_than_the_engine_takes(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys()
    for number in range(20):
        Dataset(name=f"d{number}", metadata={"text": "x" * 2_000}).save()
    keys(generate_key())
    monkeypatch.setattr(current_connection(), "largest_message", 20_000)
    monkeypatch.setattr(nodes, "BATCH_BYTES", 10_000)
    assert rotate().written == 20


def test_rotate_leaves_what_it_can_not_decrypt_and_says_so(keys: Keys, cli: Run) -> None:
    lost = generate_key()
    keys(lost)
    Dataset(name="d", location=SECRET).save()
    before = raw("d", "location")
    keys(generate_key())
    done = cli("access", "keys", "rotate")
    assert done.exit_code == 1
    assert f"1 under {key_id_of(before)} can't be decrypted" in done.stderr
    assert raw("d", "location") == before
    assert "is not in GENAI_GRAPH_KEYS" in cli("access", "keys", "status").stdout


def test_rotate_and_status_tell_what_the_key_itself_can_not_decrypt(keys: Keys, cli: Run) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    query(
        "CREATE (:Dataset {uid: 'e', name: 'e', location: $x})", write=True, x=raw("d", "location")
    )
    done = cli("access", "keys", "rotate")
    assert done.exit_code == 1
    assert "1 of them can't be decrypted, though it is there" in done.stderr
    assert "add that key" not in done.stderr
    status = cli("access", "keys", "status").stdout
    assert "2 values (the first key; 1 of them can't be decrypted" in status


def test_rotate_without_keys_says_how_to_make_one(keys: Keys, cli: Run) -> None:
    keys()
    done = cli("access", "keys", "rotate")
    assert (done.exit_code, done.stderr) == (
        1,
        "GENAI_GRAPH_KEYS: there is no key: `genai-graph access keys generate` makes one\n",
    )


def test_a_rotation_that_was_cut_short_is_finished_by_the_next(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "BATCH", 2)
    keys()
    for number in range(6):
        Dataset(name=str(number), location=SECRET).save()
    keys(generate_key())

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(stop)
    assert usage().clear == 4
    assert rotate().written == 4
    assert usage().clear == 0


def test_a_value_that_changed_meanwhile_is_not_overwritten_by_a_rotation(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    assert replace_ciphertexts("Dataset", [("d", "location", "stale", "wrong")]) == 0
    assert Dataset.nodes.get(uid="d").location == SECRET


@pytest.mark.parametrize("suffix", ["", "__contains", "__in", "__ne"])
def test_a_filter_on_an_encrypted_property_is_refused(keys: Keys, suffix: str) -> None:
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


def test_an_order_by_an_encrypted_property_is_refused(keys: Keys) -> None:
    keys(generate_key())
    for nodes in (Dataset.nodes, Project(name="p").save().datasets):
        for name in ("location", "-location"):
            with pytest.raises(UnsupportedError, match=r"Dataset\.location: is encrypted"):
                nodes.order_by(name)


def test_a_filter_for_nothing_is_sound(keys: Keys) -> None:
    keys(generate_key())
    Dataset(name="d", location=SECRET).save()
    Dataset(name="e").save()
    assert [each.uid for each in Dataset.nodes.filter(location__isnull=True)] == ["e"]


def test_without_keys_a_filter_is_as_it_was(keys: Keys) -> None:
    keys()
    Dataset(name="d", location=SECRET).save()
    assert len(Dataset.nodes.filter(location=SECRET).order_by("location")) == 1


def test_schema_show_tells_what_can_not_be_searched(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> set[str]:
        lines = cli("schema", "show").stdout.splitlines()
        return {line.split()[0] for line in lines if "encrypted" in line}

    marked = {f"{label}.metadata" for label in ("Project", "Dataset", "Model", "Experiment")}
    marked |= {"Metric.metadata", "Dataset.location", "Model.location", "Experiment.environment"}
    assert told() == marked
    monkeypatch.setenv("GENAI_GRAPH_ENCRYPTED", "Dataset.creator, parameters")
    assert told() == {"Dataset.creator", "Experiment.parameters"}


def test_the_setting_chooses_what_is_encrypted(keys: Keys) -> None:
    keys(generate_key(), encrypted="Dataset.creator")
    Dataset(name="d", location="public", creator="very-secret", metadata={"x": 1}).save()
    assert (raw("d", "location"), raw("d", "metadata")) == ("public", '{"x":1}')
    assert key_id_of(raw("d", "creator"))
    assert Dataset.nodes.get(uid="d").creator == "very-secret"
    Dataset.nodes.filter(location="public").all()
    with pytest.raises(UnsupportedError):
        Dataset.nodes.filter(creator="x").all()


def test_what_was_encrypted_is_still_read_when_the_setting_changes(keys: Keys) -> None:
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
def test_a_wrong_setting_is_told(keys: Keys, setting: str, problem: str) -> None:
    keys(generate_key(), encrypted=f"metadata,{setting}")
    with pytest.raises(SettingsError, match=f"GENAI_GRAPH_ENCRYPTED: '{setting}': {problem}"):
        Dataset(name="d").save()


def test_generate_prints_one_key_that_is_taken(cli: Run) -> None:
    one, other = (cli("access", "keys", "generate").stdout for _ in range(2))
    assert one != other
    assert len(list(Keyring.read(f"{one},{other}"))) == 2


@pytest.mark.parametrize("wrong", ["short", "", "é" * 86, "A" * 85, "A" * 87, "*" * 86])
def test_a_wrong_key_is_told_without_a_part_of_it(
    wrong: str, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = generate_key()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", f"{right},{wrong}")
    told = cli("status")
    assert told.exit_code == 1
    assert "GENAI_GRAPH_KEYS: expected keys as" in told.stderr
    assert "key 2 is invalid" in told.stderr
    assert right[:8] not in told.stderr
    assert not wrong or wrong not in told.stderr


@pytest.mark.parametrize("missing", [False, True])
def test_keys_are_in_no_frame_that_an_error_keeps(
    monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    monkeypatch.setenv(
        "GENAI_GRAPH_KEYS", f"{generate_key()},{'' if missing else 'wrong'}".strip(",")
    )
    key = os.environ["GENAI_GRAPH_KEYS"].split(",")[0]
    if missing:
        monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises((SettingsError, MissingExtraError)) as refused:
        connect()
    shown = format_with_locals(refused.value)
    assert key not in shown
    assert repr(base64.urlsafe_b64decode(f"{key}==")) not in shown


def test_keys_are_in_no_repr(keys: Keys) -> None:
    key = generate_key()
    connection = keys(key)
    from genai_graph.database.settings import read_settings

    shown = repr((connection, vars(connection), connection.keyring, read_settings()))
    assert key not in shown
    assert key[:8] not in shown


def test_an_encrypted_text_is_bound_to_its_place_and_can_not_be_changed() -> None:
    ring = Keyring.read(generate_key())
    spot = ValueLocation("Dataset", "d", "location")
    token = ring.encrypt(SECRET, spot)
    assert ring.decrypt(token, spot) == SECRET
    for other in (
        spot._replace(label="Model"),
        spot._replace(uid="e"),
        spot._replace(property="x"),
    ):
        assert ring.decrypt(token, other) is None
    changed = token[:-4] + ("A" if token[-4] != "A" else "B") + token[-3:]
    assert ring.decrypt(changed, spot) is None


def test_without_the_extra_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with pytest.raises(MissingExtraError, match=r"genai-graph\[encryption\]"):
        genai_graph.connect()


def test_the_page_lists_what_is_marked() -> None:
    page = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    rows = page.split("| property | of |\n| --- | --- |\n")[1].split("\n\n")[0].splitlines()
    told = set()
    for row in rows:
        name, labels = (cell.strip(" `") for cell in row.strip("|").split("|"))
        told |= {
            f"{label}.{name}" for label in (NODES if labels == "every node" else labels.split(", "))
        }
    assert told == set(schema.unsearchable())
