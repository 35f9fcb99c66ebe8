"""Import of Croissant descriptions of datasets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from genai_graph import Dataset, import_from
from genai_graph.errors import FixtureError, ImportSourceError
from genai_graph.importers import ImportReport

CONTEXT = {"@vocab": "https://schema.org/", "sc": "https://schema.org/"}


def write_json(path: str, content: Any) -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def croissant(**properties: Any) -> dict[str, Any]:
    return {"@context": CONTEXT, "@type": "sc:Dataset", **properties}


def import_to_file(*sources: str, **options: Any) -> tuple[dict[str, Any], ImportReport, list[Any]]:
    """Return the datasets by uid, the report, and the derivations."""
    report = import_from("croissant", *sources, output="out.jsonl", overwrite=True, **options)
    for item, read in report.read.items():
        assert read == report.written[item] + sum(report.skipped.get(item, {}).values())
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()[1:]]
    nodes = {row["uid"]: row["props"] for row in rows if row.get("node") == "Dataset"}
    edges = [(r["from"][1], r["to"][1]) for r in rows if r.get("edge") == "DERIVED_FROM"]
    return nodes, report, edges


def one_dataset(**properties: Any) -> dict[str, Any]:
    """Return the properties that one description gives."""
    write_json("one/metadata.json", croissant(**{"name": "one", **properties}))
    nodes, _, _ = import_to_file("one/metadata.json")
    (props,) = nodes.values()
    return {key: value for key, value in props.items() if key != "origin"}


def test_a_description_is_mapped() -> None:
    csv = {"@type": "cr:FileObject", "@id": "a.csv", "sha256": "A" * 64, "contentSize": "4.5 KB"}
    field = {"@type": "cr:Field", "name": "age", "dataType": "sc:Integer"}
    person = {"@type": "sc:Person", "email": "a@b.c", "name": "Ann"}
    organization = {"@type": "Organization", "name": "Org"}
    assert one_dataset(
        name="titanic",
        version=1.10,
        description="About",
        license="https://creativecommons.org/licenses/by/4.0/",
        creator=[person, organization],
        publisher=organization,
        datePublished="2025-01-01",
        citeAs="@article",
        keywords="a, b,,a",
        url="https://www.openml.org/search?type=data&id=31",
        conformsTo="http://mlcommons.org/croissant/1.0",
        distribution=[{**csv, "encodingFormat": "text/csv"}, {"@type": "cr:FileSet"}],
        recordSet={"@type": "cr:RecordSet", "@id": "people", "field": [field]},
    ) == {
        "description": "About",
        "license": "CC-BY-4.0",
        "creator": "Ann, Org",
        "citation": "@article",
        "url": "https://www.openml.org/search?type=data&id=31",
        "tags": ["a", "b"],
        "size": 4500,
        "digest": f"sha256:{'a' * 64}",
        "encoding_format": "text/csv",
        "data_schema": [{"name": "people", "fields": [{"name": "age", "type": "sc:Integer"}]}],
        "metadata": {
            "croissant": {
                "conforms_to": "http://mlcommons.org/croissant/1.0",
                "publisher": "Org",
                "date_published": "2025-01-01",
                "openml_id": 31,
            },
            "license": "https://creativecommons.org/licenses/by/4.0/",
        },
    }


@pytest.mark.parametrize(
    ("properties", "uid"),
    [
        ({"name": "a@b", "version": "1.0"}, "a%40b@1.0"),
        ({"name": "a", "version": "None"}, "a"),
        ({"name": {"de": "drei", "en": "three"}}, "three"),
        ({"name": [{"@language": "de", "@value": "x"}, {"@language": "en", "@value": "y"}]}, "y"),
        ({"url": "https://example.org/data/things?x#y"}, "things"),
        ({"url": "https://example.org/"}, "here"),
        ({}, "here"),
        ({"name": "m", "version": "3", "url": "https://huggingface.co/datasets/o/m"}, "o/m"),
        ({"name": "m", "sameAs": ["https://huggingface.co/datasets/mnist/"]}, "mnist"),
        ({"name": "m", "@id": "https://hf.co/datasets/o/m/tree/main"}, "o/m"),
        ({"name": "m", "url": [{"@value": "https://hf.co/datasets/mnist/viewer"}]}, "mnist"),
        ({"name": "m", "version": float("nan")}, "m"),
        ({"name": "m", "version": True}, "m"),
        ({"name": "m", "version": 2}, "m@2"),
    ],
)
def test_datasets_are_identified(properties: dict[str, Any], uid: str) -> None:
    nodes, _, _ = import_to_file(write_json("here/metadata.json", croissant(**properties)))
    assert set(nodes) == {uid}


SCHEMA = "https://schema.org/"
FILE = {"contentSize": "5 B", "sha256": "a" * 64}


@pytest.mark.parametrize(
    "document",
    [
        {
            "@context": {**CONTEXT, "type": "@type", "File": "cr:FileObject", "title": "sc:name"},
            "type": "sc:Dataset",
            "title": "x",
            "distribution": [{"type": "File", **FILE}],
        },
        {
            "@context": ["https://schema.org", {"Data": {"@id": "sc:Dataset"}}],
            "type": ["Data"],
            "name": "x",
            "distribution": {"type": "DataDownload", **FILE},
        },
        [
            {
                "@type": [f"{SCHEMA}Dataset"],
                f"{SCHEMA}name": [{"@value": "x"}],
                f"{SCHEMA}distribution": [
                    {
                        "@type": ["http://mlcommons.org/croissant/FileObject"],
                        f"{SCHEMA}contentSize": [{"@value": "5 B"}],
                        f"{SCHEMA}sha256": [{"@value": "a" * 64}],
                    }
                ],
            }
        ],
        {
            "@context": CONTEXT,
            "@graph": [
                {"@id": "_:f", "@type": "cr:FileObject", **FILE, "contentSize": {"@id": "_:s"}},
                {"@id": "_:s", "@type": "QuantitativeValue", "value": 5, "unitText": "B"},
                {"@id": "_:d", "@type": "sc:Dataset", "name": "x", "distribution": {"@id": "_:f"}},
            ],
        },
    ],
)
def test_documents_of_all_forms_are_read(document: Any) -> None:
    nodes, report, _ = import_to_file(write_json("any.json", document))
    props = {key: value for key, value in nodes["x"].items() if key != "origin"}
    assert props == {"size": 5, "digest": f"sha256:{'a' * 64}", "metadata": None}
    assert not report.messages


def test_all_datasets_of_a_file_are_imported() -> None:
    base = {"@id": "#b", "@type": "sc:Dataset", "name": "base", "license": "mit"}
    derived = {"@id": "#a", "@type": "sc:Dataset", "name": "a", "isBasedOn": {"@id": "#b"}}
    nameless = {"@type": "sc:Dataset", "description": "text"}
    page = {"@id": "https://huggingface.co/datasets/o/m", "@type": "sc:Dataset"}
    graph = [derived, base, nameless, page]
    write_json("two.json", {"@context": CONTEXT, "@graph": graph})
    nodes, report, edges = import_to_file("two.json")
    assert set(nodes) == {"a", "base"}
    assert nodes["base"]["license"] == "MIT"
    assert edges == [("a", "base")]
    assert report.messages == [
        "two.json: dataset 3: a dataset without a name or url is not imported"
    ]


@pytest.mark.parametrize(
    ("properties", "expected", "message"),
    [
        ({"creator": ["Ann", {"email": "b@c.d"}, {"x": 1}]}, {"creator": "Ann, b@c.d"}, "a map"),
        ({"author": {"name": "Ann"}}, {"creator": "Ann"}, None),
        ({"keywords": ["a, b"]}, {"tags": ["a, b"]}, None),
        ({"description": {"eng": "e", "deu": "d"}}, {"description": "e"}, None),
        ({"description": ["a", "b"]}, {"description": "a"}, "description: 2 values: the first"),
        ({"citeAs": True}, {}, "citeAs: expected a text, got True"),
        ({"version": True}, {}, "version: expected a text, got True"),
        ({"version": float("nan")}, {}, "version: expected a text, got nan"),
        ({"license": {"a": 1}}, {}, "license: expected a text, got a map"),
        ({"recordSet": "x"}, {}, "recordSet: expected a map, got 'x'"),
        ({"isBasedOn": "x" * 9000}, {}, "isBasedOn: an indexed string is limited to 8000 bytes"),
        ({"isBasedOn": {"a": 1}}, {}, "isBasedOn: expected a text, got a map"),
        ({"creator": "sk-hunter2AAAAAAAAAAAAAAAA"}, {}, "creator looks like a secret"),
        (
            {"inLanguage": ["en", "fr"], "rai:dataBiases": {"@value": "few"}, "password": "x"},
            {"metadata": {"croissant": {"in_language": ["en", "fr"], "data_biases": "few"}}},
            "password looks like a secret",
        ),
        (
            {"distribution": [{"@type": "cr:FileObject", "sha256": ["a" * 64, "b" * 64]}]},
            {},
            "sha256: expected a hash of 64 digits, got a list",
        ),
        ({"distribution": [{"@type": "cr:FileObject", **FILE}] * 2}, {"size": 10}, None),
        ({"name": "one", "url": ["https://x.org/1"]}, {"url": "https://x.org/1"}, None),
    ],
)
def test_values_are_imported_or_reported(
    properties: dict[str, Any], expected: dict[str, Any], message: str | None
) -> None:
    write_json("one.json", croissant(**{"name": "one", **properties}))
    nodes, report, _ = import_to_file("one.json")
    props = {key: value for key, value in nodes["one"].items() if key != "origin" and value}
    assert props == expected
    messages = "\n".join(report.messages)
    assert messages == "" if message is None else message in messages


def test_nodes_of_a_graph_are_put_in_the_place_of_references() -> None:
    record_set = {"@id": "#r", "@type": "cr:RecordSet", "field": [{"@id": "#x"}, {"@id": "#y"}]}
    nodes = [
        {"@id": "#ann", "@type": "Person", "givenName": "Ann", "familyName": "Lee"},
        {"@id": "#mit", "@type": "CreativeWork", "name": "MIT"},
        {"@id": "#f", "@type": "cr:FileObject", "contentSize": "2 KB", "sha256": "a" * 64},
        record_set,
        {"@id": "#x", "@type": "cr:Field", "dataType": "sc:Text", "subField": {"@id": "#x"}},
        *({"@id": f"#{n}", "subField": {"@id": f"#{n + 1}"}} for n in range(5_000)),
        {"@id": "#y", "name": "y", "subField": [{"@id": "#0"}]},
    ]
    dataset = croissant(
        name="flat",
        creator=[{"@id": "#ann"}, {"@list": [{"name": "Bob"}]}],
        publisher={"@id": "#ann"},
        license={"@id": "#mit"},
        distribution={"@id": "#f"},
        recordSet={"@id": "#r"},
    )
    write_json("flat/metadata.json", {"@graph": [*nodes, dataset]})
    props = import_to_file("flat")[0]["flat"]
    assert (props["creator"], props["license"], props["size"]) == ("Ann Lee, Bob", "MIT", 2000)
    assert props["digest"] == f"sha256:{'a' * 64}"
    assert props["metadata"]["croissant"]["publisher"] == "Ann Lee"
    first, second = props["data_schema"][0]["fields"]
    assert first == {"name": "#x", "type": "sc:Text", "fields": [{"name": "#x"}]}
    assert second["name"] == "y"


def test_texts_in_several_languages_are_english() -> None:
    texts = [{"@language": "fr", "@value": "f"}, {"@language": "EN", "@value": "e"}]
    props = one_dataset(
        description=texts, keywords={"fr": ["c"], "en": ["a", "b"]}, citeAs={"@none": ["x", "y"]}
    )
    assert (props["description"], props["tags"], props["citation"]) == ("e", ["a", "b"], "x")


@pytest.mark.parametrize(
    ("license_", "expected"),
    [
        ("mit", "MIT"),
        (["mit", "own words"], "MIT, own words"),
        ({"@type": "CreativeWork", "url": "https://opensource.org/licenses/MIT"}, "MIT"),
        ({"@type": "CreativeWork", "name": "apache-2.0"}, "Apache-2.0"),
        ({"@id": "https://choosealicense.com/licenses/odc-by/"}, "ODC-By-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("creativecommons.org/publicdomain/mark/1.0", "CC-PDM-1.0"),
        ("https://www.apache.org/licenses/LICENSE-2.0.html", "Apache-2.0"),
        ("https://spdx.org/licenses/Own-1.0", "https://spdx.org/licenses/Own-1.0"),
        (["mit", {"a": 1}], "MIT"),
        ("None", None),
        ("https://choosealicense.com/licenses/undefined/", None),
        ([], None),
    ],
)
def test_licenses_have_spdx_spelling(license_: Any, expected: str | None) -> None:
    assert one_dataset(license=license_).get("license") == expected


@pytest.mark.parametrize(
    ("files", "size"),
    [
        ([{"contentSize": "117743 B"}], 117_743),
        ([{"contentSize": "1 KiB"}, {"contentSize": 10}], 1_034),
        ([{"contentSize": "1,000 MB"}], 10**9),
        ([{"contentSize": "5 B"}, {}], None),
        ([{"contentSize": "5 B"}, {"contentSize": "9 B", "containedIn": {"@id": "zip"}}], 5),
        ([{"contentSize": "many"}], None),
        ([{"contentSize": "1,5 kB"}], 1_500),
        ([{"contentSize": "1.2.3 B"}], None),
        ([{"contentSize": "9" * 400 + ".5 B"}], None),
        ([{"contentSize": "1.2 GB"}, {"contentSize": "1 200 bytes"}], 1_200_001_200),
        (
            [{"contentSize": {"@type": "QuantitativeValue", "value": 5, "unitText": "MB"}}],
            5 * 10**6,
        ),
        ([{"contentSize": {"value": "2", "unitCode": "E34"}}], 2 * 10**9),
        ([{"contentSize": {"value": 5, "unitText": "cartons"}}], None),
        ([], None),
    ],
)
def test_sizes_are_added(files: list[dict[str, Any]], size: int | None) -> None:
    distribution = [{"@type": "https://schema.org/FileObject", **file} for file in files]
    assert one_dataset(distribution=distribution).get("size") == size


def test_sources_are_connected() -> None:
    squad = {"@id": "x", "prov:locatedAt": "https://huggingface.co/datasets/rajpurkar/squad"}
    based_on = [
        "https://ann:hunter2@example.org/other?token=hunter2",
        {"@type": "Thing"},
        {"@type": "Dataset", "name": "b", "version": "2"},
    ]
    write_json("a/metadata.json", croissant(name="a", isBasedOn=based_on))
    write_json("b/croissant.json", {"@graph": [{"@type": "Thing"}, croissant(name="c")]})
    write_json("c/any.json", croissant(**{"name": "d", "prov:wasDerivedFrom": squad}))
    write_json("c/no-croissant.json", {"a": 1})
    nodes, report, edges = import_to_file("a", "b", "c", namespace="team", project="p")
    assert sorted(edges) == [
        ("team/a", "team/b@2"),
        ("team/a", "team/https://example.org/other"),
        ("team/d", "rajpurkar/squad"),
    ]
    assert "team/c" in nodes
    assert report.read["files"] == 3
    assert report.edges["Project-HAS->Dataset"].created == 3
    for line in Path("out.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row.get("edge") == "DERIVED_FROM":
            place = {"team/a": "a", "team/d": "c"}[row["from"][1]]
            assert row["props"]["origin"] == f"croissant:{Path(place).resolve()}"


@pytest.mark.parametrize("name", ["x", "\u00e9"])
def test_files_of_one_dataset_are_one_node(name: str) -> None:
    decomposed = normalize("NFD", name)
    write_json("d/1/metadata.json", croissant(name=name, license="mit", citation="@a"))
    write_json("d/2/metadata.json", croissant(name=decomposed, description="text", citation="@b"))
    nodes, report, _ = import_to_file("d")
    assert set(nodes) == {name}
    assert (nodes[name]["license"], nodes[name]["description"]) == ("MIT", "text")
    kept = "citation: '@b': the value in d/1/metadata.json is kept"
    assert report.messages == [f"d/2/metadata.json: Dataset {name!r}: {kept}"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "metadata.json:1: is not JSON"),
        ({"@type": "Person"}, "has no node of the type Dataset"),
        ("[" * 3_000 + "]" * 3_000, "is nested"),
        ([1, None], "has no node of the type Dataset"),
    ],
)
def test_invalid_files_are_skipped(content: Any, problem: str) -> None:
    write_json("d/bad/metadata.json", content)
    write_json("d/good/metadata.json", croissant(name="\ud800x"))
    nodes, report, _ = import_to_file("d")
    assert set(nodes) == {"\ufffdx"}
    assert problem in report.messages[0]
    with pytest.raises(FixtureError, match=r"is not|is nested|has no node"):
        import_to_file("d", strict=True)
    write_json("d/bad/package.json", {"name": "no Croissant file"})
    for path in ("d/bad/metadata.json", "d/bad"):
        with pytest.raises(ImportSourceError, match=r"is not|is nested|has no node"):
            import_to_file(path)
    with pytest.raises(ImportSourceError, match="no such file"):
        import_to_file("missing")


def test_importing_again_changes_nothing(graph: None) -> None:
    write_json("d/metadata.json", croissant(name="x", license="mit", keywords=["a"]))
    import_from("croissant", "d")
    x = Dataset.nodes.get(uid="x")
    x.description = "mine"
    x.save()
    report = import_from("croissant", "d")
    assert report.nodes["Dataset"].unchanged == 1
    assert Dataset.nodes.get(uid="x").description == "mine"
