"""Imported Croissant files and cards, compared with mlcroissant and huggingface_hub.

Their readings are made by data/import/read_independently.py. With GENAI_GRAPH_IMPORT_DATA, another
directory of files with an expected.json is compared, too.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from genai_graph import import_from
from genai_graph.errors import ImportSourceError

SAMPLES = Path(__file__).parent / "data" / "import"
OTHERS = os.environ.get("GENAI_GRAPH_IMPORT_DATA")
HUB = re.compile(r"https://huggingface.co/datasets/")
# Values that a dataset of a score may have and that name a split.
SPLITS = {"unknown", "dev", "validation", "test", "train", "eval"}
UNDEFINED = re.compile(r"/undefined/?\Z|\ANone\Z")
# A number, a percentage, or a number with its deviation.
NUMBER = re.compile(r"\s*(-?[0-9.]+(?:e-?[0-9]+)?)\s*(?:%|(?:±|\+/-)\s*[0-9.]+)?\s*\Z")
MISSING = (None, "", [], "None")
RELATIONS = {
    "finetune": "fine-tuned",
    "adapter": "adapted",
    "quantized": "quantized",
    "merge": "merged",
    None: None,
}


def cases(pattern: str) -> list[Any]:
    found = []
    for root in [SAMPLES, *([Path(OTHERS)] if OTHERS else [])]:
        expected = Path(os.environ.get("GENAI_GRAPH_IMPORT_EXPECTED", ""))
        if root == SAMPLES or not expected.is_file():
            expected = root / "expected.json"
        for name, answer in json.loads(expected.read_text()).items():
            if name.startswith(pattern):
                found.append(pytest.param(root / name, answer, id=name))
    return found


def import_file(kind: str, path: Path, **options: Any) -> tuple[dict[str, Any], list[Any], Any]:
    """Return the nodes by label and uid, the edges, and the report."""
    report = import_from(kind, path, output="out.jsonl", overwrite=True, **options)
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()[1:]]
    nodes = {(row["node"], row["uid"]): row["props"] for row in rows if "node" in row}
    edges = [(r["edge"], r["from"][1], r["to"][1], r.get("props", {})) for r in rows if "edge" in r]
    for item, read in report.read.items():
        assert read == report.written[item] + sum(report.skipped.get(item, {}).values()), item
    return nodes, edges, report


# Croissant


def short(text: str) -> str:
    """Return the last part of a name: a data type, or the id of a node."""
    return re.split(r"[/#:]", text)[-1]


def english(text: Any) -> Any:
    return text["en"] if isinstance(text, dict) else text


def field_names(fields: list[Any]) -> list[Any]:
    return [[name, sorted(map(short, types)), field_names(inner)] for name, types, inner in fields]


def stored_names(fields: list[Any]) -> list[Any]:
    found = []
    for field in fields:
        types = field.get("type", [])
        listed = [types] if isinstance(types, str) else types
        inner = stored_names(field.get("fields", []))
        found.append([field["name"], sorted(map(short, listed)), inner])
    return found


@pytest.mark.parametrize(("path", "expected"), cases("croissant"))
def test_a_croissant_file_is_read_as_by_mlcroissant(path: Path, expected: dict[str, Any]) -> None:
    nodes, _, report = import_file("croissant", path)
    assert not report.messages
    # Sources of the dataset are nodes without any property.
    (uid,) = (uid for (_, uid), props in nodes.items() if set(props) != {"origin"})
    props = nodes["Dataset", uid]
    metadata = props.get("metadata") or {}
    url = expected["url"] or ""
    if HUB.match(url):
        assert uid == HUB.sub("", url)
    elif expected["name"]:  # mlcroissant knows no other name
        name, version = english(expected["name"]), expected["version"]
        assert uid == (f"{name}@{version}" if version else name)
    for name, value in (
        ("description", expected["description"]),
        ("url", expected["url"]),
        ("citation", expected["citation"]),
        ("creator", ", ".join(name for name in expected["creators"] if name)),
    ):
        assert (props.get(name) or "") == ("" if value in MISSING else english(value)), name
    given = [text for text in expected["license"] if not UNDEFINED.search(text)]
    original = metadata.get("license") or props.get("license") or ""
    assert original == ", ".join(given)
    assert props.get("tags", []) == list(dict.fromkeys(expected["keywords"]))
    hashes = [file["sha256"] for file in expected["files"]]
    if len(hashes) == 1 and re.fullmatch(r"[0-9a-fA-F]{64}", hashes[0] or ""):
        assert props["digest"] == f"sha256:{hashes[0].lower()}"
    else:
        assert "digest" not in props
    assert sorted(
        [each["name"], stored_names(each["fields"])] for each in props.get("data_schema", [])
    ) == sorted([name, field_names(fields)] for name, fields in expected["record_sets"])


# Cards


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value in MISSING else [value]


@pytest.mark.parametrize(("path", "expected"), cases("huggingface"))
def test_a_card_is_read_as_by_huggingface_hub(path: Path, expected: dict[str, Any]) -> None:
    if "error" in expected:
        with pytest.raises(ImportSourceError):
            import_file("hf", path)
        return
    nodes, edges, _ = import_file("hf", path, name="org/it")
    label = "Dataset" if expected["is_dataset"] else "Model"
    uid = "/".join(path.parts[-4].split("--")[1:]) if "snapshots" in path.parts else "org/it"
    props = nodes[label, uid]
    if not expected["is_dataset"]:
        assert props.get("framework") == (expected["library_name"] or None)
        if expected["pipeline_tag"]:
            assert props["task"] == expected["pipeline_tag"]
        trained = [end for kind, _, end, _ in edges if kind == "TRAINED_ON"]
        texts = [str(each) for each in as_list(expected["datasets"]) if not isinstance(each, dict)]
        assert trained == list(dict.fromkeys(texts))
        parents = [
            (end, p.get("kind"))
            for kind, start, end, p in edges
            if kind == "DERIVED_FROM" and start == uid
        ]
        kind = RELATIONS[expected["base_model_relation"]]
        bases = [str(base) for base in as_list(expected["base_model"]) if base]
        assert parents == [(base, kind) for base in dict.fromkeys(bases)]
    tags = as_list(expected["tags"])
    if not any(isinstance(tag, bool) for tag in tags):  # on and off are texts in YAML 1.2
        assert props.get("tags", []) == list(dict.fromkeys(map(str, tags)))
    if expected["license"] not in (None, "other"):
        written = (props.get("metadata") or {}).get("license") or props["license"]
        assert written.lower() == ", ".join(as_list(expected["license"])).lower()
    scores = [each["value"] for each in expected["results"] if NUMBER.match(str(each["value"]))]
    if scores:  # huggingface_hub ignores all of them if one is invalid
        found = [float(props["value"]) for (kind, _), props in nodes.items() if kind == "Metric"]
        assert sorted(found) == sorted(map(number, scores))


def number(value: Any) -> float:
    found = NUMBER.match(str(value))
    assert found is not None
    return float(found[1])
