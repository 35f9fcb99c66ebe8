"""The ``ask`` command: each question is a subcommand, built from its .cypher file."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from genai_graph.cli.connecting import connect
from genai_graph.cli.output import format_option, strict_option, write_rows
from genai_graph.errors import UnknownQuestionError, escape_unprintable

if TYPE_CHECKING:
    from genai_graph.questions import Parameter, Question


_CLICK_TYPES = {"integer": click.INT, "number": click.FLOAT, "boolean": click.BOOL}
_METAVARS = {"integer": "N", "number": "X", "boolean": "true|false"}


class QuestionGroup(click.Group):
    """A group whose commands are the questions, loaded when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the valid questions."""
        from genai_graph.questions import read_questions

        return [question.name for question in read_questions()[0]]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the command of a question; raise a usage error for an unknown name."""
        from genai_graph.questions import get_question

        try:
            return _build_command(get_question(cmd_name))
        except UnknownQuestionError as error:
            raise click.UsageError(str(error), ctx) from None


@click.group(
    cls=QuestionGroup,
    invoke_without_command=True,
    subcommand_metavar="[QUESTION [OPTIONS]]",
    options_metavar="",
)
@click.pass_context
def ask(ctx: click.Context) -> None:
    """Answer a question about the graph.

    Without QUESTION, lists the questions, and reports invalid files of your own. The parameters of
    a question are options: see genai-graph ask QUESTION --help.
    """
    if ctx.invoked_subcommand is None:
        from genai_graph.questions import read_questions

        questions, errors = read_questions()
        write_rows(list(map(_summarize, questions)), None)
        for error in errors:
            click.echo(str(error), err=True)
        if errors:
            raise SystemExit(1)


def _summarize(question: Question) -> dict[str, Any]:
    usages = []
    for parameter in question.parameters.values():
        usage = f"{_flag(parameter)} {_metavar(parameter)}{'...' * _is_list(parameter)}"
        usages.append(usage if parameter.is_required else f"[{usage}]")
    return {"question": question.name, "options": " ".join(usages), "answers": question.title}


def _build_command(question: Question) -> click.Command:
    def run(format: str | None, strict: bool, limit: int, **parameters: Any) -> None:
        from genai_graph.questions import QuestionRun

        with connect():
            answer = QuestionRun(question, limit, parameters)
            write_rows(answer, format, question.columns)
            notices = answer.notices()
        for notice in notices:
            click.echo(escape_unprintable(notice), err=True)
        if strict and notices:
            raise SystemExit(1)

    columns = ["\b", "Columns:"]  # \b keeps click from joining the lines of a paragraph
    for name, text in question.columns.items():
        entry = f"{name}: {text}"
        columns.append(textwrap.fill(entry, 76, initial_indent="  ", subsequent_indent="    "))
    omitted = [
        f"Left out and reported ({name}): {reason}." for name, reason in question.left_out.items()
    ]
    if question.not_ranked:
        omitted.append(f"Not ranked and reported: {question.not_ranked}.")
    paragraphs = [f"{question.title}.", question.description, "\n".join(columns), *omitted]
    command = click.Command(
        question.name,
        params=[_build_option(parameter) for parameter in question.parameters.values()],
        callback=run,
        help="\n\n".join(filter(None, paragraphs)),
    )
    limit = click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Maximum number of rows; 0 means no limit.",
    )
    return limit(format_option(strict_option(command)))


def _build_option(parameter: Parameter) -> click.Option:
    # Since click 8.3 an explicit default of None counts as a value, and the option as not missing.
    default = {} if parameter.default is None else {"default": parameter.default}
    is_list = _is_list(parameter)
    text = f"{parameter.help[:1].upper()}{parameter.help[1:]}"
    return click.Option(
        [_flag(parameter)],
        type=_CLICK_TYPES.get(parameter.type, click.STRING),
        multiple=is_list,
        required=parameter.is_required,
        show_default=True,
        **default,
        metavar=_metavar(parameter),
        help=f"{text}. May be repeated." if is_list else f"{text}.",
    )


def _flag(parameter: Parameter) -> str:
    return f"--{parameter.name.replace('_', '-')}"


def _metavar(parameter: Parameter) -> str:
    return "UID" if parameter.label else _METAVARS.get(parameter.type, "TEXT")


def _is_list(parameter: Parameter) -> bool:
    return parameter.type.startswith("list")
