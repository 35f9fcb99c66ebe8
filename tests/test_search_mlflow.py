"""Filter strings of MLflow: its own answers, recorded by data/mlflow/make_searches.py."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from genai_graph import Connection, import_from, search

DATA = Path(__file__).parent / "data" / "mlflow"


def test_filter_strings_of_mlflow_find_the_same(graph: Connection) -> None:
    Path("searches.db").write_bytes(lzma.decompress((DATA / "searches.db.xz").read_bytes()))
    import_from("mlflow", "searches.db")
    expected = json.loads((DATA / "searches.json").read_text())
    found = [
        [kind, text, sorted(row["name"] for row in search(text, kind=kind, columns="name"))]
        for kind, text, _ in expected
    ]
    assert found == expected
