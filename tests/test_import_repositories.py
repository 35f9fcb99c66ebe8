"""Import of model cards: repositories, links and files as they are found on disks."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from genai_graph import Connection, ImportReport, Model, check, import_from, query
from genai_graph.errors import FixtureError, ImportSourceError, SettingsError


def write_card(path: str, front_matter: str) -> Path:
    card = Path(path)
    card.parent.mkdir(parents=True)
    card.write_text(f"---\n{front_matter}---\n")
    return card


def import_cards(*sources: str, **options: object) -> tuple[str, ImportReport]:
    """Return the fixture that an import writes, and its report."""
    report = import_from("huggingface", *sources, output="out.jsonl", overwrite=True, **options)
    check("out.jsonl")
    return Path("out.jsonl").read_text(), report


def test_the_option_name_is_for_a_single_repository() -> None:
    write_card("hub/org/a/README.md", "license: mit\n")
    assert '"uid":"x/y"' in import_cards("hub", name="x/y")[0]
    write_card("hub/org/b/README.md", "license: mit\n")
    with pytest.raises(SettingsError, match="'x/y' is one repository"):
        import_cards("hub", name="x/y")


def test_metadata_of_users_is_kept(graph: Connection) -> None:
    write_card("org/m/README.md", "language: eo\n")
    import_from("huggingface", "org/m")
    first = Model.nodes.get()
    first.metadata = {**first.metadata, "mine": 1}
    first.save()
    counts = import_from("huggingface", "org/m").nodes["Model"]
    assert (counts.changed, counts.unchanged) == (0, 1)
    assert Model.nodes.get().metadata == {"card": {"language": "eo"}, "mine": 1}
    query("MATCH (n:Model) SET n.metadata = 'no json'", write=True)
    import_from("huggingface", "org/m")
    assert Model.nodes.get().metadata == {"card": {"language": "eo"}}


def test_links_inside_of_a_directory_are_followed_once() -> None:
    write_card("hub/org/real/README.md", "license: mit\n")
    Path("hub/org/link").symlink_to("real", target_is_directory=True)
    Path("hub/org/.git").mkdir()
    Path("hub/org/.git/README.md").write_text("---\nlicense: mit\n---\n")
    Path("hub/models--org--empty/snapshots").mkdir(parents=True)
    text, report = import_cards("hub")
    assert text.count('"node":"Model"') == 1
    assert report.read["cards"] == 1


def test_directory_named_like_a_snapshot_is_an_ordinary_one() -> None:
    write_card("mine/snapshots/abc/README.md", "license: mit\n")
    text, _ = import_cards("mine/snapshots/abc")
    assert '"uid":"snapshots/abc"' in text or '"uid":"abc"' in text


def test_values_of_metadata_are_plain_json() -> None:
    """Deep values are texts, so that the result can be stored and loaded."""
    deep = "[" * 45 + "1" + "]" * 45
    text, _ = import_cards_of(f"a: {deep}\nb: {{c: {'{d: ' * 40}1{'}' * 40}}}\ne: 1.5\nf: .inf\n")
    assert '"e":1.5' in text.replace("\\", "")
    assert '"f":"inf"' in text.replace("\\", "")


def import_cards_of(front_matter: str) -> tuple[str, ImportReport]:
    write_card("org/m/README.md", front_matter)
    return import_cards("org/m")


@pytest.mark.parametrize(
    "index",
    [
        "[{name: x}]",
        "[text]",
        "[{results: {task: {type: t}, dataset: {type: d, name: d}, "
        "metrics: [{type: acc, value: 1}]}}]",
    ],
)
def test_index_of_models_without_or_with_one_result(index: str) -> None:
    text, report = import_cards_of(f"model-index: {index}\n")
    assert ('"node":"Metric"' in text) == ("acc" in index)
    assert report.read["cards"] == 1


def test_strict_import_lists_some_of_the_skipped_items() -> None:
    for name in "abc":
        write_card(f"hub/org/{name}/README.md", "[]\n")
    with pytest.raises(FixtureError) as raised:
        import_cards("hub", strict=True, max_errors=2)
    assert len(raised.value.errors) == 2
    assert "1 more" in str(raised.value)


def test_dry_run_writes_no_file() -> None:
    write_card("org/m/README.md", "license: mit\n")
    report = import_from("huggingface", "org/m", output="out.jsonl", dry_run=True)
    assert report.nodes["Model"].pending == 1
    assert not os.path.exists("out.jsonl")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_directories_that_cannot_be_read_are_errors() -> None:
    Path("loop").symlink_to("loop")
    with pytest.raises(ImportSourceError, match="loop"):
        import_cards("loop")


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_empty_map_of_an_import(text: str) -> None:
    write_card("org/m/README.md", "license: mit\n")
    Path("map.yaml").write_text(text)
    assert import_cards("org/m", map="map.yaml")[0] == import_cards("org/m")[0]


def test_licenses_of_a_map() -> None:
    write_card("org/m/README.md", "license: house\n")
    Path("map.yaml").write_text("licenses: {house: LicenseRef-House}\n")
    text, _ = import_cards("org/m", map="map.yaml")
    assert '"license":"LicenseRef-House"' in text


def test_time_range_needs_a_time_zone() -> None:
    with pytest.raises(SettingsError, match="since"):
        import_from("mlflow", "missing", since=datetime(2026, 1, 1), output="x.jsonl")
    with pytest.raises(ImportSourceError):
        import_from("mlflow", "missing", since=datetime.now(timezone.utc), output="x.jsonl")
