"""``python -m benchmarks`` (or ``make bench``): measure, and write docs/performance.md.

The results are stored in benchmarks/results/, one file per engine, so that the page can combine
several runs; ``--report-only`` writes the page from stored results.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks import engines, graph, hub, plot, report, results
from benchmarks.run import PARTS, Run
from genai_graph.database.settings import read_settings

ROOT = Path(__file__).parent.parent
_PATH = click.Path(path_type=Path)


def _sizes(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    try:
        sizes = sorted({int(size) for size in text.split(",")})
    except ValueError:
        raise click.BadParameter("expected comma-separated integers") from None
    if sizes[0] < graph.MIN_ENTITIES:
        raise click.BadParameter(f"expected at least {graph.MIN_ENTITIES}")
    return sizes


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sizes", default="10000,100000,1000000", callback=_sizes, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--slow-size",
    type=click.IntRange(min=graph.MIN_ENTITIES),
    default=5_000,
    show_default=True,
    help="Entities for contenders that write row by row.",
)
@click.option(
    "--hub-size",
    type=click.IntRange(min=hub.MIN_ENTITIES),
    default=hub.ENTITIES,
    show_default=True,
    help="Entities of the graph of the questions.",
)
@click.option(
    "--shape-size",
    type=click.IntRange(min=graph.MIN_ENTITIES),
    default=50_000,
    show_default=True,
    help="Entities of the graphs of other shapes.",
)
@click.option(
    "--uri", envvar="NEO4J_URI", help="Measure on this server, too; its graph must be empty."
)
@click.option(
    "--embedded/--no-embedded",
    default=True,
    show_default=True,
    help="Measure on the embedded engine.",
)
@click.option("--neo4j", is_flag=True, help="Install and start Neo4j, and measure on it, too.")
@click.option(
    "--runs", default=5_000, show_default=True, help="Runs of the MLflow store of the imports."
)
@click.option(
    "--mlflow",
    metavar="PYTHON",
    help="Python of an environment with MLflow 3.17, to measure its client, too.",
)
@click.option("--home", type=_PATH, help="Data directory of the engines; default: temporary.")
@click.option("--wipe", is_flag=True, help="First delete existing nodes of the labels used.")
@click.option(
    "--only", type=click.Choice(PARTS), multiple=True, help="Part to measure; may be repeated."
)
@click.option("--report-only", is_flag=True, help="Write the page from stored results only.")
@click.option(
    "--results",
    "stored",
    type=_PATH,
    default=ROOT / "benchmarks" / "results",
    help="Directory of the results.",
)
@click.option(
    "--output",
    type=_PATH,
    default=ROOT / "docs" / "performance.md",
    help="The page; the plot is written next to it.",
)
def main(
    sizes: list[int],
    rounds: int,
    slow_size: int,
    shape_size: int,
    hub_size: int,
    uri: str | None,
    embedded: bool,
    neo4j: bool,
    runs: int,
    mlflow: str | None,
    home: Path | None,
    wipe: bool,
    only: tuple[str, ...],
    report_only: bool,
    stored: Path,
    output: Path,
) -> None:
    """Measure loads, dumps, checks, imports and questions, each against a baseline."""
    stored, output = stored.absolute(), output.absolute()
    if not report_only:
        server = read_settings(uri=uri) if uri else None
        home = home and home.absolute()
        with _temporary_directory() as directory:
            run = Run(
                parts=only or PARTS,
                sizes=sizes,
                slow_size=slow_size,
                shape_size=shape_size,
                rounds=rounds,
                directory=directory,
                stored=stored,
                runs=runs,
                hub_size=hub_size,
                mlflow=mlflow,
            )
            run.measure_offline()
            for name in ["embedded"] * embedded + ["neo4j"] * neo4j:
                _measure_on_managed(
                    name, run, home or directory / "home", is_new=home is None, wipe=wipe
                )
            if server is not None:
                run.measure_on(server, wipe=wipe)
    _report(stored, output)


def _measure_on_managed(name: str, run: Run, home: Path, *, is_new: bool, wipe: bool) -> None:
    settings = read_settings(home=home, engine=name).model_copy(update={"uri": None})
    with engines.running(name, home) if is_new else contextlib.nullcontext():
        run.measure_on(settings, wipe=wipe)


def _report(stored: Path, output: Path) -> None:
    measured = results.read(stored)
    image = output.with_suffix(".svg")
    has_plot = plot.draw(image, measured)
    if not has_plot:
        click.echo("no plot: it needs results of a first load, and matplotlib", err=True)
    report.write(output, image if has_plot else None, measured)


@contextlib.contextmanager
def _temporary_directory() -> Iterator[Path]:
    """Change to a temporary directory, where no .env selects another graph."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="genai-graph-bench-") as directory:
        os.chdir(directory)
        try:
            yield Path(directory)
        finally:
            os.chdir(before)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
