"""What the pages have from the code: ``python docs/derived.py`` writes it, ``--check`` compares.

It stands in the Markdown between ``<!-- derived: NAME -->`` and ``<!-- end -->``, so that it is
read where Markdown is, with no site built. NAME is one of `SECTIONS`, or a label.
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
from genai_graph.properties.json_values import INTEGER_MIN
from genai_graph.properties.types import (
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    LocationProperty,
    Property,
)
from genai_graph.questions import Parameter, Question, get_question, list_questions
from genai_graph.registry import EDGES, INCOMING, NODES, OUTGOING, EdgeType, properties_of

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_SECTION = re.compile(r"(<!-- derived: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """Return a page with its derived sections as the code has them."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{section(found[2])}\n\n{found[3]}", text)


def section(name: str) -> str:
    """Return a section by its name."""
    return SECTIONS[name]() if name in SECTIONS else _properties(NODES[name])


def _table(*rows: Iterable[str]) -> str:
    """Return a table; the first row is its head."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body])


# Models

_TYPES: list[tuple[type[Property], str]] = [
    (IntegerProperty, "integer"),
    (FloatProperty, "number"),
    (BooleanProperty, "boolean"),
    (DateTimeProperty, "time"),
    (JSONProperty, "JSON"),
]


def _shared() -> str:
    known = properties_of(Node)
    return _table(["on every node", "type", ""], *(_row(Node, name) for name in known))


def _properties(cls: type[Node]) -> str:
    own = [name for name in properties_of(cls) if name not in properties_of(Node)]
    return _table(["property", "type", ""], *(_row(cls, name) for name in own))


def _row(cls: type[Node], name: str) -> list[str]:
    prop: Any = properties_of(cls)[name]
    notes = [prop.help_text] if prop.help_text else []
    if isinstance(prop, LocationProperty):
        notes.append("without secrets")
    if prop.sensitive:
        notes.append("[encrypted](access.md#encryption) where there are keys")
    return [f"`{name}`", "; ".join([_type(prop), *_marks(cls, name, prop)]), "; ".join(notes)]


def _type(prop: Any) -> str:
    if isinstance(prop, ArrayProperty):
        return f"list of {_type(prop.item)}s"
    if getattr(prop, "choices", None):
        return f"one of {', '.join(f'`{choice}`' for choice in prop.choices)}"
    name = next((name for kind, name in _TYPES if isinstance(prop, kind)), "string")
    least = getattr(prop, "minimum", INTEGER_MIN)
    return name if least == INTEGER_MIN else f"{name} from {least}"


def _marks(cls: type[Node], name: str, prop: Any) -> Iterator[str]:
    if prop.is_required:
        yield "required"
    if prop.unique_index:
        yield "unique"
    elif prop.is_indexed:
        everywhere = {(index.label, index.property) for index in schema.list_declared("embedded")}
        yield "indexed" if (cls.__name__, name) in everywhere else "indexed on Neo4j"


def _edges() -> str:
    return _table(["edge", "at the source", "at the target", "properties"], *map(_edge, EDGES))


def _edge(kind: EdgeType) -> list[str]:
    source = [name for name, rel in OUTGOING[kind.source].items() if rel.kind == kind]
    target = [name for name, rel in INCOMING[kind.target].items() if rel.kind == kind]
    known: dict[str, Any] = properties_of(EDGES[kind])
    properties = "; ".join(
        f"`{name}`: {_type(prop)} ({prop.help_text})" for name, prop in known.items()
    )
    return [f"`{kind}`{_rule(kind)}", f"`{source[0]}`", f"`{target[0]}`", properties]


def _rule(kind: EdgeType) -> str:
    rules = {
        "no circles": kind.acyclic,
        "one source": kind.single_source,
        "one target": kind.single_target,
    }
    told = ", ".join(rule for rule, holds in rules.items() if holds)
    return f" ({told})" if told else ""


def _sensitive() -> str:
    shared = [name for name, prop in properties_of(Node).items() if prop.sensitive]
    found = {name: ["every node"] for name in shared}
    for label, cls in NODES.items():
        for name, prop in properties_of(cls).items():
            if prop.sensitive and name not in shared:
                found.setdefault(name, []).append(label)
    return _table(
        ["property", "of"], *([f"`{name}`", ", ".join(labels)] for name, labels in found.items())
    )


def _graph() -> str:
    return f"```mermaid\n{schema_diagram.mermaid()}```"


# Questions


def _questions() -> str:
    return "\n\n".join(_question(get_question(name)) for name in list_questions())


def _question(question: Question) -> str:
    parts = [f"### {question.name}", f"{question.title}. {question.description}".strip()]
    if question.parameters:
        parts.append("\n".join(map(_parameter, question.parameters.values())))
    columns = question.columns.items()
    parts.append(_table(["column", ""], *([f"`{name}`", text] for name, text in columns)))
    return "\n\n".join(parts)


def _parameter(parameter: Parameter) -> str:
    optional = f", or else {parameter.default or 'all'}"
    type_ = parameter.type + ("" if parameter.is_required else optional)
    return f"- `{parameter.name}` ({type_}): {parameter.help}"


# Commands


def _commands() -> str:
    commands = sorted(command_line.commands.items())
    return _table(
        ["command", "what it does", "options, or commands below it"],
        *(_command(name, command) for name, command in commands),
    )


def _command(name: str, command: click.Command) -> list[str]:
    pieces = command.collect_usage_pieces(click.Context(command))
    left_out = "[OPTIONS]", "COMMAND [ARGS]..."
    usage = " ".join([name, *(piece for piece in pieces if piece not in left_out)])
    return [f"`{usage}`", command.get_short_help_str(limit=1_000), ", ".join(_below(command))]


def _below(command: click.Command, before: str = "") -> Iterator[str]:
    """Yield the options of a command, or the commands of a group, of its groups too."""
    if not isinstance(command, click.Group):
        options = (param for param in command.params if isinstance(param, click.Option))
        yield from (f"`{option.opts[-1]}`" for option in options)
        return
    for name, inner in command.commands.items():
        if isinstance(inner, click.Group):
            yield from _below(inner, f"{before}{name} ")
        else:
            yield f"`{before}{name}`"


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
    """Write the pages anew, or tell which are behind the code; return how many were behind."""
    behind = {page: new for page in PAGES if (new := renewed(text := _read(page))) != text}
    for page, new in behind.items():
        if check:
            click.echo(f"{page.relative_to(ROOT)} is behind the code: make reference", err=True)
        else:
            page.write_text(new, encoding="utf-8")
    return len(behind)


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


if __name__ == "__main__":
    found = main(check="--check" in sys.argv)
    sys.exit("--check" in sys.argv and found > 0)
