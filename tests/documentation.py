"""Extract the examples of the documentation; run as a script, check their types.

test_documentation.py runs the examples:

- The ``python`` blocks of a page form one program. An ``output`` block is the output of the block
  above it.
- A ``console`` block contains commands after ``$``, each optionally followed by its output.
- In outputs, ``...`` matches any text.
- A block that starts with ``# NAME.yaml``, ``# NAME.py`` or ``// NAME.cypher`` is the content of
  that file; that comment of a .cypher file is not part of it.
- Commands in ``sh`` blocks and in the text are parsed only, because not all can run in a test.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```([\w{}-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|//) (\S+\.(?:yaml|py|cypher))\n")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
PROGRAM, PACKAGE = "genai-graph", "genai_graph"


class Command(NamedTuple):
    """A command of the program, with environment variables and the expected output."""

    variables: dict[str, str]
    arguments: list[str]
    output: str = ""


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return (language, text) of each code block of a page."""
    return _BLOCK.findall(text_of(page))


def files_of(page: Path) -> dict[str, str]:
    """Return the content of the files on a page by name."""
    return {
        found[1]: text[found.end() :] if found[1].endswith(".cypher") else text
        for _, text in blocks(page)
        if (found := _FILE.match(text))
    }


def examples(page: Path) -> str:
    """Return the Python blocks of a page as one program, without the content of files."""
    programs = [text for language, text in blocks(page) if language == "python"]
    return "\n\n".join(text for text in programs if not _FILE.match(text))


def statements(page: Path) -> Iterator[str]:
    """Yield the Cypher statements of a page: in blocks, in strings of Python, and in the text."""
    for language, text in blocks(page):
        if language == "cypher":
            yield text
        elif language == "python":
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Constant) and "MATCH" in str(node.value):
                    yield str(node.value)
        elif "MATCH" in text:
            yield from re.findall(r"[\"'](MATCH [^\n]*)[\"']$", text, re.MULTILINE)
    yield from (span for span in _SPAN.findall(_BLOCK.sub("", text_of(page))) if "MATCH" in span)


def console(text: str) -> Iterator[Command]:
    """Yield the commands of a console block."""
    for entry in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = entry.partition("\n")
        command = parse_command(shlex.split(line, comments=True))
        assert command is not None, f"expected {PROGRAM} after $: {line}"
        yield command._replace(output=output)


def parse_command(words: list[str]) -> Command | None:
    """Return a command of the program, or None for another program."""
    settings = [re.fullmatch(r"([A-Z]\w*)=(.*)", word) for word in words]
    count = next((at for at, match in enumerate(settings) if match is None), len(words))
    if words[count : count + 1] != [PROGRAM]:
        return None
    variables = {match[1]: match[2] for match in settings[:count] if match is not None}
    return Command(variables, words[count + 1 :])


def unexecuted_commands(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of the commands of a page that are not in console blocks."""
    prose = _BLOCK.sub("", text_of(page))
    spans = (span for span in _SPAN.findall(prose) if f"{PROGRAM} " in span)
    lines = (
        line for language, text in blocks(page) if language == "sh" for line in text.split("\n")
    )
    for line in (*lines, *spans):
        reader = shlex.shlex(line, posix=True, punctuation_chars="|;<>")
        reader.whitespace_split = True
        words = list(reader)
        while words:
            end = next((at for at, word in enumerate(words) if word in "|;<>"), len(words))
            if (command := parse_command(words[:end])) is not None:
                yield command.arguments
            words = words[end + 1 :]


def parse(arguments: list[str]) -> None:
    """Parse the arguments without running the command. Raises `click.UsageError`."""
    from genai_graph.cli import main

    name: str | None = PROGRAM
    command: click.Command | None = main
    context: click.Context | None = None
    while isinstance(command, click.Group) and arguments and arguments[0][0] != "-":
        context = click.Context(command, parent=context, info_name=name)
        name, command, arguments = command.resolve_command(context, arguments)
    if command is not None and not isinstance(command, click.Group):
        with contextlib.suppress(click.exceptions.Exit):  # --help
            command.make_context(name, list(arguments), parent=context)


def check_types() -> int:
    """Run mypy --strict on the examples of all pages."""
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for page in PAGES:
            if code := examples(page):
                file = Path(directory, f"{page.stem.lower()}_examples.py")
                file.write_text(code, encoding="utf-8")
                files.append(str(file))
            for name, text in files_of(page).items():
                if name.endswith(".py"):
                    Path(directory, name).write_text(text, encoding="utf-8")
        stubs = Path(directory, "typings")
        path = os.pathsep.join([directory, str(ROOT)])
        subprocess.run(
            [sys.executable, "-m", PACKAGE, "schema", "stubs", str(stubs)],
            env={**os.environ, "GENAI_GRAPH_MODELS": "team_graph", "PYTHONPATH": path},
            check=True,
        )
        return subprocess.run(
            [sys.executable, "-m", "mypy", *files],
            cwd=ROOT,
            env={**os.environ, "MYPYPATH": os.pathsep.join([str(stubs), directory])},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(check_types())
