"""The property type of docs/architecture.md: one class works in the graph and in all formats."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from typing import Any

import msgspec
import pytest
from conftest import ROOT
from documentation import examples

from genai_graph.database import Connection
from genai_graph.errors import PropertyError

CODE = examples(ROOT / "docs" / "architecture.md")
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
# In a separate process, since the registry of this one is closed.
PROGRAM = (
    CODE
    + """
import sys
from pathlib import Path

from genai_graph import Node, check, clear, connect, dump, load


class Deployment(Node):
    request = UUIDProperty(index=True, help_text="request that started it")


from genai_graph.errors import FixtureError, PropertyError

value = uuid.UUID(sys.argv[1])
with connect():
    Deployment(uid="d", request=value).save()
    try:
        Deployment(uid="e", request="no UUID")
    except PropertyError as error:
        assert "expected a UUID, got 'no UUID'" in str(error), error
    else:
        raise AssertionError
    for name in ("d.jsonl", "d.yaml", "folder"):
        dump(name, format="csv" if name == "folder" else None)
        clear()
        assert load(name).nodes["Deployment"].created == 1, name
        assert Deployment.nodes.get(request=value).request == value, name
    dump("d.cypher")
    assert str(value) in Path("d.cypher").read_text()
for name in ("d.jsonl", "d.yaml", "folder/Deployment.csv"):
    path = Path(name)
    path.write_text(path.read_text().replace(str(value), "wrong"))
    try:
        check("folder" if "folder" in name else name)
    except FixtureError as error:
        assert "expected a UUID, got 'wrong'" in str(error), error
    else:
        raise AssertionError(name)
"""
)


@pytest.fixture
def prop() -> Any:
    names: dict[str, Any] = {}
    exec(CODE, names)
    return names["UUIDProperty"]()


def test_values_are_converted(prop: Any) -> None:
    text = str(UUID)
    assert prop.validate(UUID) == UUID
    assert prop.to_python(prop.to_db(UUID)) == UUID
    assert prop.from_msgspec(msgspec.json.decode(f'"{text}"', type=prop.annotation)) == text
    assert (prop.to_json(text), prop.to_yaml(text)) == (text, f'"{text}"')
    assert prop.from_file(text) == UUID
    assert prop.from_csv(prop.to_csv(text)) == text
    assert prop.normalize_stored(text.upper()) == text
    assert prop.to_cypher(text) == f'"{text}"'


@pytest.mark.parametrize("value", ["x", 3, None])
def test_invalid_values_are_rejected(prop: Any, value: object) -> None:
    with pytest.raises(PropertyError, match="expected a UUID, got"):
        prop.validate(prop.from_file(value))


def test_the_type_works_in_the_graph_and_in_all_formats(embedded: Connection) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(UUID)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
