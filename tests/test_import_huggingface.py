"""Import of cards of the Hugging Face Hub."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from genai_graph import Model, ask, import_from, query
from genai_graph.errors import FixtureError, ImportSourceError
from genai_graph.importers import ImportReport

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.abc"


def write_card(path: str, front_matter: str, text: str = "# Title\n") -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"---\n{front_matter}---\n{text}", encoding="utf-8")
    return path


class Graph:
    """The content of an imported fixture: nodes by label and uid, edges by type and ends."""

    def __init__(self, path: str) -> None:
        self.nodes: dict[str, dict[str, Any]] = defaultdict(dict)
        self.edges: dict[str, dict[tuple[str, str], Any]] = defaultdict(dict)
        for line in Path(path).read_text().splitlines()[1:]:
            row = json.loads(line)
            if "node" in row:
                self.nodes[row["node"]][row["uid"]] = row["props"]
            else:
                ends = row["from"][1], row["to"][1]
                props = row.get("props", {})
                self.edges[row["edge"]][ends] = {k: v for k, v in props.items() if k != "origin"}


def import_to_file(*sources: str, **options: Any) -> tuple[Graph, ImportReport]:
    report = import_from("hf", *sources, output="out.jsonl", overwrite=True, **options)
    for item, read in report.read.items():
        assert read == report.written[item] + sum(report.skipped.get(item, {}).values()), item
    return Graph("out.jsonl"), report


CARD = f"""\
license: apache-2.0
library_name: peft
pipeline_tag: text-generation
language: no
tags: [on, 1.10, lora]
datasets: [squad_v2, https://huggingface.co/datasets/org/other]
base_model: [org/base, org/base, ""]
base_model_relation: adapter
extra_gated_prompt: please
api_key: abc
deep: {{hf_token: x, note: {JWT}, keep: 0o17}}
"""


def test_a_model_card_is_mapped() -> None:
    write_card("hub/org/tiny/README.md", CARD)
    Path("hub/org/tiny/config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    graph, report = import_to_file("hub", project="models", namespace="team")
    model = graph.nodes["Model"]["org/tiny"]
    assert model["license"] == "Apache-2.0"
    assert model["framework"] == "peft"
    assert model["task"] == "text-generation"
    assert model["tags"] == ["on", "1.10", "lora"]
    assert model["architecture"] == "LlamaForCausalLM"
    assert model["origin"] == f"huggingface:{Path('hub').resolve()}"
    assert model["metadata"] == {
        "card": {"language": "no", "deep": {"keep": 15}},
        "license": "apache-2.0",
    }
    assert graph.edges["DERIVED_FROM"] == {("org/tiny", "org/base"): {"kind": "adapted"}}
    assert graph.edges["TRAINED_ON"] == {
        ("org/tiny", "squad_v2"): {"role": "training"},
        ("org/tiny", "org/other"): {"role": "training"},
    }
    assert ("team/models", "org/tiny") in graph.edges["HAS"]
    assert JWT not in Path("out.jsonl").read_text()
    assert report.skipped["keys"]["secret"] == 3


RESULTS = """\
model-index:
- name: PPO
  results:
  - task: {type: text-classification}
    dataset: {type: glue, name: GLUE, args: cola}
    metrics:
    - {type: acc, value: 0.5, name: Accuracy}
    - {type: reward, value: 7.56 +/- 2.71}
    - {type: gain, value: 7.1%}
    - {type: text, value: n/a}
  - dataset: {type: squad_v2, config: squad_v2, split: validation, revision: abc, args: {k: 3}}
    metrics:
    - {type: mae, value: 1, name: MAE (dex)}
    - {type: mae, value: 2, name: baseline}
    - {type: f1, value: 1}
    - {type: f1, value: 2, args: {k: 4}}
  - dataset: {type: dev, name: dev}
    metric: {type: cos, value: .nan}
  - dataset: {type: Unknown, name: Unknown}
    metrics: [{type: cos, value: 0.25}]
  - task: {type: text-classification}
    metrics: [{type: bare, value: 20.0 ± 1.2}, nothing]
- name: other
  results: nonsense
"""


def test_each_result_is_read_on_its_own() -> None:
    write_card("org/scored/README.md", RESULTS)
    graph, report = import_to_file("org/scored/README.md", name="org/scored")
    run = "org/scored/README.md"
    prefix = "org%2Fscored%2FREADME.md"
    metrics = {
        uid.removeprefix(f"{prefix}/"): (props["value"], props["metadata"] or {})
        for uid, props in graph.nodes["Metric"].items()
    }
    revision = {"revision": "abc", "args": {"k": 3}}
    task = {"task": "text-classification", "dataset": "GLUE"}
    assert metrics == {
        "acc/glue:cola": (0.5, {**task, "name": "Accuracy"}),
        "reward/glue:cola": (7.56, {**task, "plus_minus": 2.71}),
        "gain/glue:cola": (7.1, task),
        "MAE (dex)/squad_v2/validation": (1, {**revision, "name": "MAE (dex)"}),
        "baseline/squad_v2/validation": (2, {**revision, "name": "baseline"}),
        "f1/squad_v2/validation": (2, {**revision, "card": {"args": {"k": 4}}}),
        "cos//dev": ("NaN", {}),
        "cos": (0.25, {}),
        "bare": (20, {"task": "text-classification", "plus_minus": 1.2}),
    }
    assert graph.nodes["Metric"][f"{prefix}/gain/glue:cola"]["unit"] == "%"
    assert graph.edges["DERIVED_FROM"] == {("glue:cola", "glue"): {"kind": "subset"}}
    assert graph.edges["RUN"] == {(run, "org/scored"): {"role": "input"}}
    assert graph.nodes["Model"]["org/scored"].get("task") is None
    lines = [message.partition("README.md:")[2] for message in report.messages]
    assert lines == [
        "11: text: expected a number, got 'n/a'",
        "23: metric: expected a map, got 'nothing'",
        "24: results: expected a list, got 'nonsense'",
        "16: f1: replaced by the score in line 17",
    ]


INVALID_RESULTS = """\
model-index:
  name: m
  results:
  - text
  - {metrics: text}
  - {task: {type: x}}
  - dataset: squad
    metrics:
    - {value: 1}
    - {type: a, value: true}
    - {type: b, value: [1]}
    - {type: c, value: -.inf}
"""


def test_invalid_results_are_reported_with_their_lines() -> None:
    write_card("hub/org/text/README.md", "model-index: text\n")
    write_card("hub/org/mixed/README.md", INVALID_RESULTS)
    results = Path("hub/org/mixed/.eval_results")
    results.mkdir()
    (results / "broken.yaml").write_text("a: 1\nb: [\n")
    (results / "list.yaml").write_text(
        "- text\n- {dataset: cais/hle, value: 0.5, value: 1.5, date: soon}\n"
    )
    (results / "text.yml").write_text("text")
    graph, report = import_to_file("hub")
    assert {uid: props["value"] for uid, props in graph.nodes["Metric"].items()} == {
        "org%2Fmixed%2FREADME.md/c/squad": "-Infinity",
        "org%2Fmixed%2F.eval_results%2Flist.yaml/default/cais%2Fhle": 1.5,
    }
    assert sorted(message.removeprefix("hub/org/") for message in report.messages) == [
        "mixed/.eval_results/broken.yaml:3: is not YAML: did not find expected node content",
        "mixed/.eval_results/list.yaml:1: result: expected a map, got 'text'",
        "mixed/.eval_results/list.yaml:2: date: expected a date, got 'soon'",
        "mixed/.eval_results/list.yaml:2: duplicate key 'value': the last value counts",
        "mixed/.eval_results/text.yml:1: expected a list of results, got 'text'",
        "mixed/README.md:10: metric: has no type",
        "mixed/README.md:11: a: expected a number, got True",
        "mixed/README.md:12: b: expected a number, got a list",
        "mixed/README.md:5: result: expected a map, got 'text'",
        "mixed/README.md:6: metrics: expected a list, got 'text'",
        "text/README.md:2: model-index: expected a list, got 'text'",
    ]


def test_invalid_values_of_a_card_are_reported() -> None:
    write_card(
        "hub/org/odd/README.md",
        "base_model: [org/base, {a: 1}]\nbase_model_relation: sibling\nlicense: other\n"
        f"tags: [true, 1.50]\npipeline_tag: {'x' * 9000}\nlicense_name: own-1\n"
        f"notes: [{JWT}, kept]\ndatasets: [[x]]\n",
    )
    Path("hub/org/odd/config.json").write_text("{")
    Path("hub/org/results/.eval_results").mkdir(parents=True)
    Path("hub/org/results/.eval_results/a.yaml").write_text("{dataset: {id: x}, value: 1}")
    graph, report = import_to_file("hub")
    odd = graph.nodes["Model"]["org/odd"]
    assert (odd["license"], odd["metadata"]["license"]) == ("own-1", "other")
    assert odd["metadata"]["card"]["notes"] == ["kept"]
    assert odd["tags"] == ["true", "1.50"]
    assert "task" not in odd
    assert report.skipped["properties"]["invalid value"] == 1
    assert graph.edges["DERIVED_FROM"] == {("org/odd", "org/base"): {}}
    assert report.skipped["references"]["not an id"] == 2
    assert graph.nodes["Metric"]["org%2Fresults%2F.eval_results%2Fa.yaml/default/x"]["value"] == 1
    messages = "\n".join(report.messages)
    for problem in (
        "base_model: expected the id of a repository, got a map",
        "datasets: expected the id of a repository, got a list",
        "unknown base_model_relation 'sibling'",
        "config.json: is not JSON: ",
        "Model 'org/odd': task: an indexed string is limited to 8000 bytes",
    ):
        assert problem in messages


def test_a_dataset_card_is_mapped() -> None:
    write_card(
        "datasets/org/data/README.md",
        "pretty_name: My Data\nlicenses: [odbl, CC-BY-4.0, own]\n"
        "source_datasets: [original, extended|squad, extended|other-web, org/raw]\n"
        "dataset_info:\n  config_name: a\n  dataset_size: 1000\n"
        "  features: [{name: x}, {name: y}]\n"
        "  splits: [{name: train, num_examples: 10}, {name: test, num_examples: 5}]\n",
    )
    graph, _ = import_to_file(".")
    dataset = graph.nodes["Dataset"]["org/data"]
    assert dataset["description"] == "My Data"
    assert dataset["license"] == "ODbL-1.0, CC-BY-4.0, own"
    assert (dataset["num_rows"], dataset["size"], dataset["num_features"]) == (15, 1000, 2)
    assert set(graph.edges["DERIVED_FROM"]) == {("org/data", "squad"), ("org/data", "org/raw")}


def test_the_cache_of_the_hub_is_read() -> None:
    snapshot = Path("hub/models--org--tiny/snapshots/111")
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "card").write_text("---\nlicense: mit\n---\n")
    snapshot.mkdir(parents=True)
    (snapshot / "README.md").symlink_to("../../blobs/card")
    (snapshot / "config.json").symlink_to("/etc/hostname")
    (snapshot / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("111")
    write_card("hub/datasets--org--data/snapshots/222/README.md", "license: mit\n")
    (snapshot / ".eval_results").mkdir()
    (snapshot / ".eval_results" / "hle.yaml").write_text(
        "- dataset: {id: cais/hle, task_id: default, revision: r1}\n  value: 20.9\n"
        f"  date: '2025-01-15'\n  verifyToken: {JWT}\n  notes: no-tools\n"
        "- dataset: {id: Idavidrein/gpqa, task_id: gpqa_diamond}\n  value: 0.4\n"
    )
    graph, _ = import_to_file("hub")
    model = graph.nodes["Model"]["org/tiny"]
    assert (model["license"], model["metadata"]["revision"]) == ("MIT", "111")
    assert "architecture" not in model
    assert graph.nodes["Dataset"]["org/data"]["metadata"]["revision"] == "222"
    run = "org/tiny/.eval_results/hle.yaml"
    metrics = graph.nodes["Metric"]
    default = metrics[f"{run.replace('/', '%2F')}/default/cais%2Fhle"]
    assert (default["value"], default["description"]) == (20.9, "no-tools")
    assert default["recorded_at"] == "2025-01-15T00:00:00Z"
    assert default["metadata"] == {"revision": "r1"}
    assert ("Idavidrein/gpqa:gpqa_diamond", "Idavidrein/gpqa") in graph.edges["DERIVED_FROM"]
    alone, _ = import_to_file(str(snapshot))  # the path that snapshot_download() returns
    tiny = alone.nodes["Model"]["org/tiny"]
    assert (tiny["license"], tiny["metadata"]) == (model["license"], model["metadata"])
    assert metrics.keys() == alone.nodes["Metric"].keys()
    assert JWT not in Path("out.jsonl").read_text()
    alone, _ = import_to_file(str(snapshot / "README.md"))
    assert alone.nodes["Model"]["org/tiny"]["license"] == "MIT"


BILLION_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]\n", "README.md:2: expected a map as front matter"),
        ("license: {{LICENSE}}\n", "README.md:2: has a map or a list as a key"),
        ("a: 1\nx: !!python/object/apply:os.system [touch hacked]\n", "3: has the YAML tag"),
        (BILLION_LAUGHS, "has more than 500,000 values"),
        ("a: *b\n", "README.md:2: "),
        ("a: [\n", "is not YAML"),
        ("a: 1\nb: \x07\n", "README.md:3: character not allowed in YAML"),
        ("a: " + "[" * 200 + "\n", "README.md:"),
    ],
)
def test_invalid_cards_are_skipped(content: str, problem: str) -> None:
    write_card("hub/org/bad/README.md", content)
    write_card("hub/org/good/README.md", "license: mit\n")
    graph, report = import_to_file("hub")
    assert set(graph.nodes["Model"]) == {"org/good"}
    assert report.skipped["cards"].total() == 1
    assert any(problem in message for message in report.messages)
    assert not Path("hacked").exists()
    with pytest.raises(FixtureError):
        import_to_file("hub", strict=True)
    with pytest.raises(ImportSourceError):
        import_to_file("hub/org/bad/README.md")


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ("# Title\n", None),
        ("---\n\nA line above: the text\n", None),
        ("---\r\nlicense: mit\r\nlanguage: eo\r\n---\r\n\r\n# x\r\n", {"language": "eo"}),
        ("\ufeff---\nlicense: mit\nx: 1\nx: 2\n---", {"x": 2}),
        (
            "---\nb: &b {x: 1, y: 2}\nc: {<<: *b, y: 3}\nd: {<<: [*b, 4]}\n&k e: *k\n*k : 5\n---\n",
            {"b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}, "d": {"x": 1, "y": 2}, "e": 5},
        ),
        ("---\n# nothing\n---\n", None),
        ("<!-- made\nby a tool -->\n\n<!---->\ufeff\n---\nx: 1\n---\n", {"x": 1}),
        ("\ufeff\r\r---\rx: 1\r---\r", {"x": 1}),
        ('---\n{"x": "\\ud83d\\ude00\\udc00"}\n---\n', {"x": "\U0001f600\ufffd"}),
    ],
)
def test_cards_of_all_forms_are_read(content: str, keys: dict[str, Any] | None) -> None:
    Path("m").mkdir()
    Path("m/README.md").write_bytes(content.encode())
    graph, _ = import_to_file("m")
    metadata = graph.nodes["Model"]["m"]["metadata"]
    assert (metadata and metadata["card"]) == keys


def test_front_matter_without_an_end_is_reported() -> None:
    Path("card").mkdir()
    Path("card/README.md").write_text("---\nlicense: mit\n# Title\n")
    with pytest.raises(ImportSourceError, match="front matter has no end: add a line with ---"):
        import_to_file("card")


@pytest.mark.parametrize(
    ("card", "line"),
    [("# Title\n---\nNote: a\n---\nlicense: mit\n---\n", 4), ("----\ntags: [a]\n----\n", 1)],
)
def test_front_matter_at_another_place_is_reported(card: str, line: int) -> None:
    Path("card").mkdir()
    Path("card/README.md").write_text(card)
    _, report = import_to_file("card")
    problem = "front matter is not read: it must start with --- in the first line"
    assert report.messages == [f"card/README.md:{line}: {problem}"]


@pytest.mark.parametrize(
    ("front_matter", "property_", "message"),
    [
        (
            "license: {name: mit, link: x}\n",
            ("metadata", {"license": {"name": "mit", "link": "x"}}),
            None,
        ),
        ("license: mit\nlicenses: [mit, {id: isc}]\n", ("license", "MIT, ISC"), None),
        ("license: {a: 1}\n", None, "2: license: expected a text, got a map"),
        ("license:\n- mit\n- [x]\n", ("license", "MIT"), "4: license: expected a text, got a"),
        ("tags: [1.10, 0x10, {a: 1}]\n", ("tags", ["1.10", "0x10"]), "2: tags: expected a text"),
        ("library_name: [peft]\n", ("framework", "peft"), None),
        ("library_name: {a: 1}\n", None, "2: library_name: expected a text, got a map"),
        ("pipeline_tag: [a, b]\n", None, "2: pipeline_tag: expected one text, got 'a, b'"),
        ("base_model: ./out\n", None, "expected the id of a repository, got './out'"),
        ("base_model: [a, b]\nbase_model_relation: [x, y, z]\n", None, "3 relations of 2 models"),
        (f"datasets: {'x' * 9000}\n", None, "2: datasets: an indexed string is limited to 8000"),
        (
            f"model-index: [{{metrics: [{{type: {'x' * 9000}, value: 1}}]}}]\n",
            None,
            "an indexed string is limited to 8000 bytes",
        ),
        ("model-index: [{name: x}, 1]\n", None, "2: model-index: expected a map, got 1"),
        (
            "model-index: [{metrics: [{type: a, value: 1e400}]}]\n",
            None,
            "2: a: expected a number, got '1e400'",
        ),
    ],
)
def test_values_of_an_unexpected_type_are_read_or_reported(
    front_matter: str, property_: tuple[str, Any] | None, message: str | None
) -> None:
    write_card("m/README.md", front_matter)
    graph, report = import_to_file("m")
    props = graph.nodes["Model"]["m"]
    if property_ is None:
        assert props.keys() <= {"origin", "metadata"}
    else:
        assert props[property_[0]] == property_[1]
    messages = "\n".join(report.messages)
    assert messages == "" if message is None else message in messages
    assert "safe_yaml" not in messages


@pytest.mark.parametrize(
    ("card", "adapter", "config", "bases"),
    [
        ("", "org/base", "org/other", {"org/base": "adapted"}),
        ("", "https://huggingface.co/gpt2/tree/main", None, {"gpt2": "adapted"}),
        ("base_model: hf.co/org/x\n", None, None, {"org/x": None}),
        ("base_model: org/x\n", "org/base", "org/other", {"org/x": None}),
        ("base_model: org/base\n", "org/base", None, {"org/base": "adapted"}),
        (
            "base_model: [org/base, b, c]\nbase_model_relation: [merge, quantized, merge]\n",
            "org/base",
            None,
            {"org/base": "merged", "b": "quantized", "c": "merged"},
        ),
        ("base_model: none\n", "/home/ann/base", "org/base", {"org/base": None}),
        ("", None, "org/tiny", {}),
        ("", None, "tiny", {}),
        *(("", None, path, {}) for path in ("./x", "/x/y", "C:\\x", "output", "x/checkpoint-10")),
    ],
)
def test_configurations_name_base_models(
    card: str, adapter: str | None, config: str | None, bases: dict[str, str | None]
) -> None:
    write_card("hub/org/tiny/README.md", card)
    for name, key, value in (
        ("adapter_config.json", "base_model_name_or_path", adapter),
        ("config.json", "_name_or_path", config),
    ):
        if value is not None:
            Path("hub/org/tiny", name).write_text(json.dumps({key: value}))
    graph, report = import_to_file("hub")
    found = graph.edges["DERIVED_FROM"]
    assert {base: props.get("kind") for (_, base), props in found.items()} == bases
    is_path = adapter is not None and adapter.startswith("/")
    assert report.skipped.get("values", {}) == ({"invalid": 1} if is_path else {})


def test_sources_without_cards_are_errors() -> None:
    Path("empty").mkdir()
    for source, problem in {"empty": "no README.md found", "missing": "no such file"}.items():
        with pytest.raises(ImportSourceError, match=problem):
            import_to_file(source)


def test_cycles_and_duplicates_are_reported() -> None:
    write_card("hub/a/x/README.md", "base_model: a/y\n")
    write_card("hub/a/y/README.md", "base_model: a/x\n")
    write_card("copy/a/y/README.md", "base_model: a/z\n")
    graph, report = import_to_file("hub", "copy")
    assert "DERIVED_FROM" not in graph.edges
    assert report.skipped["edges"]["cycle"] == 2
    assert report.skipped["cards"]["duplicate"] == 1


def test_questions_follow_imported_cards(graph: None) -> None:
    write_card("hub/org/base/README.md", "license: cc-by-nc-4.0\ndatasets: [squad_v2]\n")
    write_card("hub/org/tuned/README.md", "base_model: org/base\n" + RESULTS)
    write_card("datasets/squad_v2/README.md", "license: gpl-3.0\n")
    import_from("huggingface", "hub", "datasets")
    again = import_from("huggingface", "hub", "datasets")
    assert not [c for c in {**again.nodes, **again.edges}.values() if c.created or c.changed]
    assert Model.nodes.get(uid="org/tuned").parents.all()[0].license == "CC-BY-NC-4.0"
    impact = ask("license-impact", licenses=["GPL-3.0"])
    assert "org/tuned" in str(impact)
    assert "org/tuned" in str(ask("contaminated-scores"))
    rows = query("MATCH (m:Metric) WHERE isNaN(m.value) RETURN m.name AS name")
    assert [row["name"] for row in rows] == ["cos"]


def test_the_alias_is_a_command(cli: Run) -> None:
    write_card("org/x/README.md", "license: mit\n")
    done = cli("import", "hf", ".", "-o", "-")
    assert done.exit_code == 0
    assert '"license":"MIT"' in done.stdout
    assert ". (Hugging Face): 1 cards" in done.stderr
