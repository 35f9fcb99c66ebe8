"""The ``import`` command: each kind of source is a subcommand, built from its declaration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from genai_graph.cli.connecting import connect
from genai_graph.cli.load_dump import load_options
from genai_graph.errors import SettingsError

if TYPE_CHECKING:
    from genai_graph.importers.kinds import Kind, Option


class KindGroup(click.Group):
    """A group whose commands are the kinds of import, loaded when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the kinds."""
        from genai_graph.importers.kinds import list_kinds

        return list_kinds()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the command of a kind; raise a usage error for an unknown name."""
        from genai_graph.importers.kinds import find_kind, list_kinds

        try:
            return _build_command(find_kind(cmd_name))
        except SettingsError as error:
            if cmd_name in list_kinds():  # a broken kind of another package: still list the others
                return _build_failing_command(cmd_name, error)
            raise click.UsageError(str(error), ctx) from None


@click.group(name="import", cls=KindGroup, subcommand_metavar="KIND [SOURCE]... [OPTIONS]")
def import_() -> None:
    """Import from MLflow, Hugging Face and others.

    Reads existing records and merges them into the graph: importing again changes nothing. Items
    that can't be imported are skipped, counted and reported. See genai-graph import KIND --help.
    """


_SHARED_OPTIONS = (
    click.option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write a fixture (.jsonl, .jsonl.gz, .jsonl.xz, or - for stdout) instead of loading; "
        "needs no database.",
    ),
    click.option("--force", "overwrite", is_flag=True, help="Overwrite an existing output."),
    click.option("--strict", is_flag=True, help="Treat items that would be skipped as errors."),
    click.option(
        "--namespace", metavar="NAME", help="Prefix for names that are local to the source."
    ),
    click.option(
        "--map", metavar="FILE", help="YAML file that maps names of the source to uids and terms."
    ),
)
_UPDATE_OPTIONS = (
    click.option(
        "--incremental",
        is_flag=True,
        help="Skip runs whose name, status, end and newest metric are the same in the graph. Other "
        "changes, such as a tag set after the end, need an import without this option.",
    ),
    click.option(
        "--prune",
        is_flag=True,
        help="Delete items that an earlier import created and the source no longer has.",
    ),
    click.option("--yes", is_flag=True, help="Prune without asking for confirmation."),
)
_PROJECT_OPTION = click.option(
    "--project", metavar="NAME", help="Project that owns the imported nodes."
)


def _build_failing_command(name: str, error: SettingsError) -> click.Command:
    """Return a command that raises the error of a kind that can't be loaded."""

    def fail(ignored: tuple[str, ...]) -> None:
        raise error

    return click.Command(
        name,
        params=[click.Argument(["ignored"], nargs=-1, type=click.UNPROCESSED)],
        callback=fail,
        context_settings={"ignore_unknown_options": True},
        help=str(error),
        short_help="(can't be loaded)",
    )


def _build_command(kind: Kind) -> click.Command:
    def run(sources: tuple[str, ...], as_json: bool, **options: Any) -> None:
        if as_json and options["output"] == "-":
            raise click.UsageError("--json and -o - both write to standard output: use one")
        if kind.maximum_sources is not None and len(sources) > kind.maximum_sources:
            raise click.UsageError(f"expected {kind.sources}, got {len(sources)} sources")
        _import(kind, sources, as_json, options)

    command: Any = click.Command(
        kind.name,
        params=[_build_option(option) for option in kind.options],
        callback=run,
        help=f"{kind.summary}\n\n{kind.description}",
        short_help=kind.summary,
    )
    if kind.has_project:
        command = _PROJECT_OPTION(command)
    for option in (*(_UPDATE_OPTIONS if kind.has_runs else ()), *_SHARED_OPTIONS, *load_options):
        command = option(command)
    required = kind.minimum_sources > 0
    arguments = click.argument("sources", metavar=kind.sources, nargs=-1, required=required)
    result: click.Command = arguments(command)
    return result


def _import(kind: Kind, sources: tuple[str, ...], as_json: bool, options: dict[str, Any]) -> None:
    from contextlib import nullcontext

    from genai_graph import import_from
    from genai_graph.cli.progress_bar import show_progress

    def confirm(lines: list[str]) -> bool:
        click.echo("\n".join(lines), err=True)
        return click.confirm(f"Delete {len(lines):,} items?", err=True)

    prompts = options.get("prune") and not options["yes"] and not options["dry_run"]
    options.pop("yes", None)
    if prompts:
        options["confirm"] = confirm
    connection: Any = nullcontext() if options["output"] else connect()
    with connection, show_progress(bars=not prompts) as progress:
        report = import_from(kind.name, *sources, progress=progress, **options)
    for message in report.messages[: options["max_errors"]]:
        click.echo(message, err=True)
    omitted = max(len(report.messages) - options["max_errors"], 0) + report.omitted_messages
    if omitted:
        click.echo(f"and {omitted:,} more", err=True)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        click.echo(str(report), err=True)
    if report.pruned:
        verb = "would be pruned" if options["dry_run"] else "pruned"
        for line in report.pruned:
            click.echo(f"{verb}: {line}", err=True)
    if options["dry_run"]:
        click.echo("no errors; nothing was written (dry run)", err=True)


def _build_option(option: Option) -> click.Option:
    flag = f"--{option.flag or option.name.replace('_', '-')}"
    if option.type is bool:
        # Three states if there is no default: --history, --no-history, and neither.
        names = f"{flag}/--no-{flag[2:]}" if option.default is None else flag
        return click.Option(
            [names, option.name], is_flag=True, default=option.default, help=option.help
        )
    return click.Option(
        [flag, option.name],
        type=click.IntRange(min=0) if option.type is int else str,
        multiple=option.multiple,
        default=option.default,
        show_default=option.default is not None,
        metavar=option.metavar or None,
        help=option.help,
    )
