"""Generate the sections of the documentation that repeat the code: tables and the diagram.

``python docs/derived.py`` updates them, ``--check`` only compares. They are in the Markdown files
between ``<!-- derived: NAME -->`` and ``<!-- end -->``, so that they can be read without building
the site. NAME is a key of `SECTIONS` or a label.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from genai_graph import schema, schema_diagram
from genai_graph.cli import main as command_line
from genai_graph.database.settings import Settings
from genai_graph.ogm.node import Node
from genai_graph.questions import Parameter, Question, find, names
from genai_graph.registry import EDGES, INCOMING, NODES, OUTGOING, EdgeType, properties_of

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_URL_WITH_CREDENTIALS = "https://user:password@host/"
_SECTION = re.compile(r"(<!-- derived: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def update(text: str) -> str:
    """Return a page with its derived sections generated from the code."""
    return _SECTION.sub(lambda match: f"{match[1]}\n{section(match[2])}\n\n{match[3]}", text)


def section(name: str) -> str:
    """Return a section by name."""
    return SECTIONS[name]() if name in SECTIONS else _properties(NODES[name])


def _table(*rows: Iterable[str]) -> str:
    """Return a table; the first row is the header."""
    header, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *body])


# Models


def _shared() -> str:
    shared = properties_of(Node)
    return _table(["on every node", "type", ""], *(_row(Node, name) for name in shared))


def _properties(cls: type[Node]) -> str:
    own = [name for name in properties_of(cls) if name not in properties_of(Node)]
    return _table(["property", "type", ""], *(_row(cls, name) for name in own))


def _row(cls: type[Node], name: str) -> list[str]:
    prop: Any = properties_of(cls)[name]
    notes = [prop.help_text] if prop.help_text else []
    if prop.redact(_URL_WITH_CREDENTIALS) != _URL_WITH_CREDENTIALS:
        notes.append("stored without credentials")
    if prop.sensitive:
        notes.append("[encrypted](access.md#encryption) if keys are configured")
    return [f"`{name}`", "; ".join([prop.type_name, *_marks(cls, name, prop)]), "; ".join(notes)]


def _marks(cls: type[Node], name: str, prop: Any) -> Iterator[str]:
    if prop.is_required:
        yield "required"
    if prop.unique_index:
        yield "unique"
    elif prop.is_indexed:
        on_every_engine = {(index.label, index.property) for index in schema.on_embedded()}
        yield "indexed" if (cls.__name__, name) in on_every_engine else "indexed on Neo4j"


def _edges() -> str:
    return _table(["edge", "at the source", "at the target", "properties"], *map(_edge, EDGES))


def _edge(edge_type: EdgeType) -> list[str]:
    outgoing, incoming = OUTGOING[edge_type.source], INCOMING[edge_type.target]
    source = next(name for name, rel in outgoing.items() if rel.edge_type == edge_type)
    target = next(name for name, rel in incoming.items() if rel.edge_type == edge_type)
    properties: dict[str, Any] = properties_of(EDGES[edge_type])
    described = "; ".join(
        f"`{name}`: {prop.type_name} ({prop.help_text})" for name, prop in properties.items()
    )
    return [f"`{edge_type}`{_constraints(edge_type)}", f"`{source}`", f"`{target}`", described]


def _constraints(edge_type: EdgeType) -> str:
    constraints = {
        "acyclic": edge_type.acyclic,
        "one source": edge_type.single_source,
        "one target": edge_type.single_target,
    }
    declared = ", ".join(name for name, is_declared in constraints.items() if is_declared)
    return f" ({declared})" if declared else ""


def _sensitive() -> str:
    shared = [name for name, prop in properties_of(Node).items() if prop.sensitive]
    labels_by_name = {name: ["every node"] for name in shared}
    for label, cls in NODES.items():
        for name, prop in properties_of(cls).items():
            if prop.sensitive and name not in shared:
                labels_by_name.setdefault(name, []).append(label)
    rows = ([f"`{name}`", ", ".join(labels)] for name, labels in labels_by_name.items())
    return _table(["property", "of"], *rows)


def _graph() -> str:
    return f"```mermaid\n{schema_diagram.mermaid()}```"


# Questions


def _questions() -> str:
    return "\n\n".join(_question(find(name)) for name in names())


def _question(question: Question) -> str:
    parts = [f"### {question.name}", f"{question.title}."]
    if question.parameters:
        parts.append("\n".join(map(_parameter, question.parameters.values())))
    columns = question.columns.items()
    parts.append(_table(["column", ""], *([f"`{name}`", text] for name, text in columns)))
    return "\n\n".join(parts)


def _parameter(parameter: Parameter) -> str:
    default = f", default: {parameter.default or 'all'}"
    type_ = parameter.type + ("" if parameter.is_required else default)
    return f"- `{parameter.name}` ({type_}): {parameter.help}"


# Commands


def _commands() -> str:
    commands = sorted(command_line.commands.items())
    return _table(
        ["command", "", "options or subcommands"],
        *(_command(name, command) for name, command in commands),
    )


def _command(name: str, command: click.Command) -> list[str]:
    pieces = command.collect_usage_pieces(click.Context(command))
    omitted = "[OPTIONS]", "COMMAND [ARGS]..."
    usage = " ".join([name, *(piece for piece in pieces if piece not in omitted)])
    details = ", ".join(_options_or_subcommands(command))
    return [f"`{usage}`", command.get_short_help_str(limit=1_000), details]


def _options_or_subcommands(command: click.Command, prefix: str = "") -> Iterator[str]:
    """Yield the options of a command, or the commands of a group, recursively."""
    if not isinstance(command, click.Group):
        options = (param for param in command.params if isinstance(param, click.Option))
        yield from (f"`{option.opts[-1]}`" for option in options)
        return
    for name, inner in command.commands.items():
        if isinstance(inner, click.Group):
            yield from _options_or_subcommands(inner, f"{prefix}{name} ")
        else:
            yield f"`{prefix}{name}`"


# Settings


def _settings() -> str:
    return _table(
        ["variable", "default", "meaning"],
        *(
            [f"`{field.validation_alias}`", _default(field.default), str(field.description)]
            for field in Settings.model_fields.values()
        ),
    )


def _default(value: object) -> str:
    return f"`{value}`" if isinstance(value, (str, float)) and value else ""


SECTIONS: dict[str, Callable[[], str]] = {
    "graph": _graph,
    "every-node": _shared,
    "edges": _edges,
    "sensitive": _sensitive,
    "questions": _questions,
    "commands": _commands,
    "settings": _settings,
}


def main(*, check: bool) -> int:
    """Update the pages, or report outdated ones; return the number of pages that were outdated."""
    outdated = {page: new for page in PAGES if (new := update(text := _read(page))) != text}
    for page, new in outdated.items():
        if check:
            click.echo(f"{page.relative_to(ROOT)} is outdated: run make reference", err=True)
        else:
            page.write_text(new, encoding="utf-8")
    return len(outdated)


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


if __name__ == "__main__":
    is_check = "--check" in sys.argv
    number = main(check=is_check)
    sys.exit(is_check and number > 0)
