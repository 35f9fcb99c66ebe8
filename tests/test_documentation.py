"""What the documentation says is so: its examples run, its lists are whole."""

from __future__ import annotations

import re
from pathlib import Path

import click
import derived
import pytest
import yaml
from conftest import FIXTURES, ROOT
from documentation import PAGES, examples

import genai_graph
from genai_graph.cli import main
from genai_graph.database import Connection, current
from genai_graph.models import EDGES, NODES
from genai_graph.models.checking import properties_of

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if examples(page)], ids=lambda page: page.name
)
def test_the_examples_run(page: Path, graph: Connection, tmp_path: Path) -> None:
    (tmp_path / "fixtures").symlink_to(FIXTURES)  # what the examples write stays in this folder
    try:
        exec(compile(examples(page), str(page), "exec"), {"__name__": "__main__"})
    finally:
        while current() is not graph:
            current().close()


@pytest.mark.parametrize("page", derived.PAGES, ids=lambda page: page.name)
def test_what_a_page_has_from_the_code_is_as_the_code_has_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert derived.renewed(text) == text, "make reference writes it"


def test_the_pages_have_all_that_can_be_derived() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in derived.PAGES)
    there = set(re.findall("<!-- derived: (.*) -->", text))
    assert there == {*derived.SECTIONS, *NODES}


def test_every_property_says_what_it_is_for() -> None:
    for cls in (*NODES.values(), *EDGES.values()):
        for name, prop in properties_of(cls).items():
            assert prop.help_text, f"{cls.__name__}.{name}"


def test_every_command_and_option_is_in_the_readme() -> None:
    for name, command in main.commands.items():
        line = next(line for line in README.splitlines() if line.startswith(f"| `{name}"))
        if isinstance(command, click.Group):
            assert all(part in line for part in command.commands), name
        else:
            assert all(option.opts[-1] in line for option in options_of(command)), name


def options_of(command: click.Command) -> list[click.Parameter]:
    return [each for each in command.params if isinstance(each, click.Option)]


def test_every_setting_is_in_the_readme() -> None:
    from genai_graph.database.settings import Settings

    for field in Settings.model_fields.values():
        assert f"`{field.validation_alias}`" in README


def test_the_fixture_of_the_readme_is_right(tmp_path: Path) -> None:
    text = README.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "readme.yaml").write_text(text)
    assert genai_graph.check("readme.yaml") == (7, 8)
    quickstart = yaml.safe_load((FIXTURES / "quickstart.yaml").read_text())
    assert set(yaml.safe_load(text)["Dataset"]) == set(quickstart["Dataset"])


def test_every_property_and_edge_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for label, cls in NODES.items():
        section = page.split(f"## {label}\n")[1].split("\n## ")[0]
        own = [
            name
            for name in properties_of(cls)
            if name not in properties_of(cls.__bases__[0]) or name in ("name", "version")
        ]
        for name in own:
            assert f"`{name}`" in section, f"{label}.{name}"
    for kind, model in EDGES.items():
        line = next((line for line in page.splitlines() if str(kind) in line), "")
        assert line, kind
        assert all(f"`{name}`" in line for name in properties_of(model)), kind
