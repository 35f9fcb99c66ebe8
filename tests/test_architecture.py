"""The shape of the package: who may import whom, how long a function may be, what is documented."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import genai_graph

PACKAGE = Path(genai_graph.__file__).parent
# From the lowest room up; a room knows only those before it, and those beside it not at all.
ROOMS = [
    {"errors"},
    {"database", "shown"},
    {"pictures"},
    {"models"},
    {"schema", "access"},
    {"status", "exchange"},
    {"questions", "integrity"},
    {"cli", "shell", "pytest_plugin"},
]
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
LONGEST_FUNCTION = 60
# The command line offers the shell; both are at the top.
SAME_LEVEL = {("cli", "shell")}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent != PACKAGE or room_of(path) in LEVELS
    ]


def imported_rooms(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "genai_graph":
                names = [f"genai_graph.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "genai_graph" and rest.split(".")[0] in LEVELS:
                yield rest.split(".")[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    room = room_of(path)
    for other in set(imported_rooms(ast.parse(path.read_text()))) - {room}:
        assert LEVELS[other] < LEVELS[room] or (room, other) in SAME_LEVEL, (
            f"{room} imports {other}"
        )


def test_every_module_has_a_place_in_the_rooms() -> None:
    homeless = {room_of(path) for path in PACKAGE.rglob("*.py") if room_of(path) not in LEVELS} - {
        "__init__",
        "__main__",
    }
    assert not homeless


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def test_no_function_is_longer_than_sixty_lines() -> None:
    long = [
        name
        for name, node in functions()
        if node.end_lineno is not None and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("name", [name for name in genai_graph.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name: str) -> None:
    thing = getattr(genai_graph, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        for attribute, value in vars(thing).items():
            if inspect.isfunction(value) and not attribute.startswith("_"):
                assert value.__doc__, f"{name}.{attribute}"


def test_the_public_names_are_those_that_are_there() -> None:
    assert set(genai_graph.__all__) <= set(dir(genai_graph))
    with pytest.raises(AttributeError, match="nonsense"):
        genai_graph.nonsense  # noqa: B018


def test_help_imports_neither_neomodel_nor_the_driver() -> None:
    code = (
        "import sys\nfrom genai_graph.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'neomodel', 'neo4j', 'pydantic', 'msgspec', 'rich', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
