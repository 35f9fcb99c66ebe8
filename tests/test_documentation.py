"""The documentation: examples run, lists are complete, generated parts are up to date."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path

import click
import derived
import pytest
import yaml
from conftest import FIXTURES, ROOT, Run, write_file
from documentation import (
    PAGES,
    PROGRAM,
    blocks,
    console,
    files_of,
    parse,
    statements,
    text_of,
    unexecuted_commands,
)

import genai_graph
from genai_graph.cli import main
from genai_graph.database import Connection, current_connection
from genai_graph.errors import NotConnectedError
from genai_graph.ogm.edge import Edge
from genai_graph.questions import get_question, list_built_in_questions
from genai_graph.questions.property_names import undeclared_properties
from genai_graph.registry import EDGES, NODES, properties_of

README = text_of(ROOT / "README.md")


each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
RUN = {"python", "output", "console"}
# Its examples manage users of the embedded engine.
ACCESS = next(page for page in PAGES if page.name == "access.md")
# test_own_classes.py runs its examples, since the registry of this process is closed.
PAGES_HERE = [page for page in PAGES if page.name != "own-classes.md"]
WITH_EXAMPLES = [page for page in PAGES_HERE if RUN & {language for language, _ in blocks(page)}]


@pytest.fixture
def run_examples(
    graph: Connection, cli: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], None]:
    def run(page: Path) -> None:
        (tmp_path / "fixtures").symlink_to(FIXTURES)  # examples write to this directory
        (tmp_path / "docs").symlink_to(ROOT / "docs")
        for name, content in files_of(page).items():
            Path(name).parent.mkdir(exist_ok=True)
            write_file(name, content)
        names: dict[str, object] = {"__name__": "__main__"}
        try:
            for language, text in blocks(page):
                if language == "python":
                    capsys.readouterr()
                    exec(compile(text, str(page), "exec"), names)
                elif language == "output":
                    assert_printed(text, capsys.readouterr().out)
                elif language == "console":
                    run_console(text, cli)
        finally:
            with contextlib.suppress(NotConnectedError):  # those that the examples have opened, too
                while True:
                    current_connection().close()

    return run


@pytest.mark.parametrize(
    "page", [page for page in WITH_EXAMPLES if page != ACCESS], ids=lambda page: page.name
)
def test_examples_run(page: Path, run_examples: Callable[[Path], None]) -> None:
    run_examples(page)


def test_examples_of_access_run(embedded: Connection, run_examples: Callable[[Path], None]) -> None:
    run_examples(ACCESS)


def run_console(text: str, cli: Run) -> None:
    for command in console(text):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in command.variables.items():
                patch.setenv(name, value)
            result = cli(*command.arguments)
        assert isinstance(result.exception, (SystemExit, type(None))), result.exception
        if command.output:
            assert_printed(command.output, result.output)
        else:
            assert result.exit_code == 0, f"{command.arguments}: {result.output}"


def assert_printed(expected: str, printed: str) -> None:
    """Compare outputs as doctest does: ``...`` matches any text."""
    matches = OutputChecker().check_output(expected, printed, ELLIPSIS)
    assert matches, f"expected:\n{expected}\nprinted:\n{printed}"


def test_output_of_demo(graph: Connection, cli: Run, tmp_path: Path) -> None:
    (tmp_path / "fixtures").symlink_to(FIXTURES)
    shown = README.partition("make demo\n")[2].partition("```text\n")[2].partition("stopped\n")[0]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    printed = cli("load", "torchvision").output
    for cypher in re.findall(r"^define \w+\n(.*?)^endef$", makefile, re.MULTILINE | re.DOTALL):
        printed += cli("query", "--format", "table", cypher).output
    expected = re.sub("entities in .*$", "entities in ...", shown, flags=re.MULTILINE)
    assert_printed(expected.partition("\n")[2], printed)


@each_page
def test_commands_exist(page: Path) -> None:
    for arguments in unexecuted_commands(page):
        try:
            parse(arguments)
        except click.UsageError as error:
            pytest.fail(f"{PROGRAM} {' '.join(arguments)}: {error.format_message()}")


@each_page
def test_code_blocks_have_a_language(page: Path) -> None:
    """A command in an indented block would be neither run nor parsed."""
    assert all(language for language, _ in blocks(page))
    assert not re.findall(rf"^    .*{PROGRAM} .*$", text_of(page), re.MULTILINE)


@each_page
def test_derived_sections_are_up_to_date(page: Path) -> None:
    text = text_of(page)
    assert derived.update(text) == text, "run  make reference"


def test_every_derived_section_is_in_a_page() -> None:
    text = "".join(map(text_of, PAGES))
    sections = set(re.findall("^<!-- derived: (.*) -->$", text, re.MULTILINE))
    assert sections == {*derived.SECTIONS, *NODES}


def test_every_property_has_a_help_text() -> None:
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
    return [param for param in command.params if isinstance(param, click.Option)]


def test_every_setting_is_in_the_readme() -> None:
    from genai_graph.database.settings import Settings

    for field in Settings.model_fields.values():
        assert f"`{field.validation_alias}`" in README


@pytest.mark.parametrize("page", PAGES_HERE, ids=lambda page: page.name)
def test_properties_in_cypher_are_declared(page: Path) -> None:
    problems = {problem for text in statements(page) for _, problem in undeclared_properties(text)}
    mistakes = {"Dataset: no property 'licence' is declared (did you mean 'license'?)"}
    assert problems <= (mistakes if page.name == "verify.md" else set())


def test_properties_in_questions_are_declared() -> None:
    for name in list_built_in_questions():
        assert not list(undeclared_properties(get_question(name).cypher)), name


def test_every_public_name_is_in_the_reference() -> None:
    page = text_of(ROOT / "docs" / "api.md")
    on_other_pages = {"__version__", "errors", "GenaiGraphError", "FixtureError"}  # errors.md
    for name in set(genai_graph.__all__) - on_other_pages:
        assert re.search(rf":: genai_graph\.{name}$", page, re.MULTILINE), name
    for name in set(genai_graph.properties.__all__) - {"Property"}:  # architecture.md
        assert f":: genai_graph.properties.{name}\n" in page, name


def test_fixture_of_readme_is_valid(tmp_path: Path) -> None:
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
    for edge_type, model in EDGES.items():
        line = next((line for line in page.splitlines() if str(edge_type) in line), "")
        assert line, edge_type
        on_edge = properties_of(model).keys() - properties_of(Edge).keys()
        assert all(f"`{name}`" in line for name in on_edge), edge_type
