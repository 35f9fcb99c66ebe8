"""ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from genai_graph.cli.output import format_option, write_rows
from genai_graph.errors import UnknownQuestionError

if TYPE_CHECKING:
    from genai_graph.questions import Parameter, Question


class Questions(click.Group):
    """The questions as commands, each made of its file when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the questions."""
        from genai_graph.questions import names

        return list(names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return a question as a command; a name that none has is a usage error."""
        from genai_graph.questions import find

        try:
            return _command(find(cmd_name))
        except UnknownQuestionError as error:
            raise click.UsageError(str(error), ctx) from None


@click.group(
    cls=Questions,
    invoke_without_command=True,
    subcommand_metavar="[QUESTION [OPTIONS]]",
    options_metavar="",
)
@click.pass_context
def ask(ctx: click.Context) -> None:
    """Answer a question about the graph; without one, list the questions.

    The parameters of a question are its options: genai-graph ask QUESTION --help tells them.
    """
    if ctx.invoked_subcommand is None:
        from genai_graph.questions import find, names

        write_rows([_listed(find(name)) for name in names()], None)


def _listed(question: Question) -> dict[str, Any]:
    options = " ".join(map(_usage, question.parameters.values()))
    return {"question": question.name, "options": options, "answers": question.title}


def _usage(parameter: Parameter) -> str:
    usage = f"{_flag(parameter)} {_metavar(parameter)}{'...' if _is_list(parameter) else ''}"
    return usage if parameter.is_required else f"[{usage}]"


def _command(question: Question) -> click.Command:
    options: list[click.Parameter] = [
        _option(parameter) for parameter in question.parameters.values()
    ]
    columns = "\n".join(f"  {name}: {text}" for name, text in question.columns.items())
    command = click.Command(
        question.name,
        params=options,
        callback=_answering(question.name),
        help=f"{question.title}.\n\n\b\nColumns:\n{columns}",
        short_help=question.title,
    )
    limit = click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="The most rows; 0 is all.",
    )
    return limit(format_option(command))


def _answering(name: str) -> Any:
    def run(format: str | None, **parameters: Any) -> None:
        from genai_graph import ask
        from genai_graph.cli.connecting import connect

        with connect():
            answer = ask(name, **{key: _listed_value(value) for key, value in parameters.items()})
        write_rows(answer, format, answer.question.columns)
        if answer.notice:
            click.echo(answer.notice, err=True)

    return run


def _listed_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _option(parameter: Parameter) -> click.Option:
    # To click 8.3 None is a value, and what has a default is not missing.
    default = {} if parameter.default is None else {"default": parameter.default}
    return click.Option(
        [_flag(parameter)],
        type=int if parameter.type == "integer" else str,
        multiple=_is_list(parameter),
        required=parameter.is_required,
        show_default=bool(default),
        **default,
        metavar=_metavar(parameter),
        help=_sentence(parameter),
    )


def _sentence(parameter: Parameter) -> str:
    text = f"{parameter.help[:1].upper()}{parameter.help[1:]}"
    return f"{text}; may be repeated." if _is_list(parameter) else f"{text}."


def _flag(parameter: Parameter) -> str:
    return f"--{parameter.name.replace('_', '-')}"


def _metavar(parameter: Parameter) -> str:
    return {"integer": "N"}.get(parameter.type, "UID" if parameter.label else "TEXT")


def _is_list(parameter: Parameter) -> bool:
    return parameter.type.startswith("list")
