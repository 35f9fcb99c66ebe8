"""Generate the parts of the documentation that are derived from the code.

``python docs/derived.py`` writes them into the Markdown pages, between ``<!-- derived: NAME -->``
and ``<!-- end -->``; with ``--check`` it exits with 1 if a page is out of date. NAME is one of
`SECTIONS` or the label of a node class.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from genai_graph import properties, schema, schema_diagram, type_stubs
from genai_graph.cli import main as command_line
from genai_graph.database.settings import Settings
from genai_graph.ogm.edge import Edge
from genai_graph.ogm.node import Node
from genai_graph.questions import Parameter, Question, get_question, list_built_in_questions
from genai_graph.registry import EDGES, INCOMING, NODES, OUTGOING, EdgeType, properties_of

ROOT = Path(__file__).parent.parent
STUBS = ROOT / "genai_graph" / "signatures.pyi"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_URL_WITH_CREDENTIALS = "https://user:password@host/"
_SECTION = re.compile(r"(<!-- derived: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def update(text: str) -> str:
    """Return the text of a page with up-to-date derived sections."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{section(found[2])}\n\n{found[3]}", text)


def section(name: str) -> str:
    """Return the text of a derived section."""
    return SECTIONS[name]() if name in SECTIONS else _properties(NODES[name])


def _table(*rows: Iterable[str]) -> str:
    """Return a Markdown table; the first row is the header."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body])


# Models


def _shared() -> str:
    known = properties_of(Node)
    return _table(["property", "type", "description"], *(_row(Node, name) for name in known))


def _properties(cls: type[Node]) -> str:
    shared: dict[str, Any] = properties_of(Node)
    own = [name for name, prop in properties_of(cls).items() if prop is not shared.get(name)]
    return _table(["property", "type", "description"], *(_row(cls, name) for name in own))


def _row(cls: type[Node], name: str) -> list[str]:
    prop: Any = properties_of(cls)[name]
    notes = [prop.help_text] if prop.help_text else []
    if prop.redact(_URL_WITH_CREDENTIALS) != _URL_WITH_CREDENTIALS:
        notes.append("[credentials are removed](security.md#secrets)")
    if prop.sensitive:
        notes.append("[encrypted](access.md#encryption) if keys are configured")
    return [f"`{name}`", "; ".join([prop.type_name, *_marks(cls, name, prop)]), "; ".join(notes)]


def _marks(cls: type[Node], name: str, prop: Any) -> Iterator[str]:
    if prop.is_required:
        yield "required"
    if prop.unique_index:
        yield "unique"
    elif prop.is_indexed:
        everywhere = {(index.label, index.property) for index in schema.list_declared("embedded")}
        labels = [label for label, each in NODES.items() if properties_of(each).get(name) is prop]
        is_everywhere = all((label, name) in everywhere for label in labels)
        yield "indexed" if is_everywhere else "indexed on Neo4j"


def _edges() -> str:
    head = ["edge", "attribute of the source", "attribute of the target", "properties"]
    return _table(head, *map(_edge, EDGES))


def _edge(edge_type: EdgeType) -> list[str]:
    outgoing, incoming = OUTGOING[edge_type.source], INCOMING[edge_type.target]
    source = [name for name, rel in outgoing.items() if rel.edge_type == edge_type]
    target = [name for name, rel in incoming.items() if rel.edge_type == edge_type]
    known: dict[str, Any] = properties_of(EDGES[edge_type])
    properties = "; ".join(
        f"`{name}`: {prop.type_name} ({prop.help_text})"
        for name, prop in known.items()
        if name not in properties_of(Edge)
    )
    edge = f"`{edge_type}`{_constraints(edge_type)}"
    return [edge, f"`{source[0]}`", f"`{target[0]}`", properties]


def _constraints(edge_type: EdgeType) -> str:
    constraints = {
        "no cycles": edge_type.acyclic,
        "one source": edge_type.single_source,
        "at most one target": edge_type.single_target,
        f"one per {' and '.join(name for name, _ in edge_type.key)}": bool(edge_type.key),
    }
    present = ", ".join(text for text, applies in constraints.items() if applies)
    return f" ({present})" if present else ""


def _sensitive() -> str:
    shared = [name for name, prop in properties_of(Node).items() if prop.sensitive]
    found = {name: ["every node"] for name in shared}
    for label, cls in NODES.items():
        for name, prop in properties_of(cls).items():
            if prop.sensitive and name not in shared:
                found.setdefault(name, []).append(label)
    return _table(
        ["property", "classes"],
        *([f"`{name}`", ", ".join(labels)] for name, labels in found.items()),
    )


def _graph() -> str:
    return f"```mermaid\n{schema_diagram.mermaid()}```"


def _property_types() -> str:
    """Return a table of the property types with the arguments of their constructors."""
    names = sorted(set(properties.__all__) - {"Property"})
    return _table(
        ["type", "values", "arguments"],
        *(_property_type(name, getattr(properties, name)) for name in names),
    )


def _property_type(name: str, cls: type) -> list[str]:
    summary = (inspect.getdoc(cls) or "").splitlines()[0]
    arguments = [name for name in inspect.signature(cls).parameters if name != "unique"]  # the uid
    return [f"`{name}`", summary.removesuffix("."), ", ".join(f"`{each}`" for each in arguments)]


# Questions


def _questions() -> str:
    return "\n\n".join(_question(get_question(name)) for name in list_built_in_questions())


def _question(question: Question) -> str:
    parts = [f"### {question.name}", f"{question.title}. {question.description}".strip()]
    if question.parameters:
        parts.append("\n".join(map(_parameter, question.parameters.values())))
    columns = question.columns.items()
    parts.append(_table(["column", ""], *([f"`{name}`", text] for name, text in columns)))
    for name, reason in question.left_out.items():
        parts.append(f"Left out and reported: {reason} (`{name}`).")
    if question.not_ranked:
        parts.append(f"Not ranked and reported: {question.not_ranked}.")
    return "\n\n".join(parts)


def _parameter(parameter: Parameter) -> str:
    optional = f"; default: {parameter.default or 'all'}"
    type_ = parameter.type + ("" if parameter.is_required else optional)
    return f"- `{parameter.name}` ({type_}): {parameter.help}"


# Commands


# Habits


def _habits() -> str:
    """Return a table for each class of tests/test_habits.py, with a row for each test."""
    tree = ast.parse((ROOT / "tests" / "test_habits.py").read_text(encoding="utf-8"))
    return "\n\n".join(_habit_table(cls) for cls in tree.body if isinstance(cls, ast.ClassDef))


def _habit_table(cls: ast.ClassDef) -> str:
    title = (ast.get_docstring(cls) or "").removesuffix(".")
    rows = []
    for test in cls.body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            habit, _, here = inspect.cleandoc(ast.get_docstring(test) or "").partition("\n\n")
            rows.append([_without_stop(habit), _without_stop(" ".join(here.split()))])
    return _table([title, "in genai_graph"], *rows)


def _without_stop(text: str) -> str:
    return text if text.endswith("...") else text.removesuffix(".")


def _commands() -> str:
    commands = sorted(command_line.commands.items())
    return _table(
        ["command", "description", "options or subcommands"],
        *(_command(name, command) for name, command in commands),
    )


def _command(name: str, command: click.Command) -> list[str]:
    # click keeps the help option of the first context, with the names that this one gives it.
    parent = click.Context(command_line, **command_line.context_settings)
    pieces = command.collect_usage_pieces(click.Context(command, parent=parent))
    left_out = "[OPTIONS]", "COMMAND [ARGS]..."
    usage = " ".join([name, *(piece for piece in pieces if piece not in left_out)])
    return [f"`{usage}`", command.get_short_help_str(limit=1_000), ", ".join(_below(command))]


def _below(command: click.Command, before: str = "") -> Iterator[str]:
    """Yield the options of a command, or the commands of a group and its subgroups."""
    if not isinstance(command, click.Group):
        options = (param for param in command.params if isinstance(param, click.Option))
        yield from (f"`{'/'.join([o.opts[-1], *o.secondary_opts])}`" for o in options)
        return
    for name, inner in command.commands.items():
        if isinstance(inner, click.Group):
            yield from _below(inner, f"{before}{name} ")
        else:
            yield f"`{before}{name}`"


# Settings


def _settings() -> str:
    return _table(
        ["variable", "default", "description"],
        *(
            [f"`{field.validation_alias}`", _default(field.default), str(field.description)]
            for field in Settings.model_fields.values()
        ),
    )


def _default(value: object) -> str:
    return f"`{value}`" if isinstance(value, (str, float)) and value else ""


SECTIONS: dict[str, Callable[[], str]] = {
    "graph": _graph,
    "habits": _habits,
    "every-node": _shared,
    "property-types": _property_types,
    "edges": _edges,
    "sensitive": _sensitive,
    "questions": _questions,
    "commands": _commands,
    "settings": _settings,
}


def main(*, check: bool) -> int:
    """Update the pages and the stubs, or report those that are out of date; return their number."""
    outdated = {page: new for page in PAGES if (new := update(text := _read(page))) != text}
    if (stubs := type_stubs.render()) != _read(STUBS):
        outdated[STUBS] = stubs
    for page, new in outdated.items():
        if check:
            click.echo(f"{page.relative_to(ROOT)} is out of date: run  make reference", err=True)
        else:
            page.write_text(new, encoding="utf-8")
    return len(outdated)


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


if __name__ == "__main__":
    outdated = main(check="--check" in sys.argv)
    sys.exit("--check" in sys.argv and outdated > 0)
