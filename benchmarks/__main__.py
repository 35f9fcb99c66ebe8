"""``python -m benchmarks`` (or ``make bench``): measures, and writes docs/performance.md.

The results are kept in benchmarks/results/, a file for each engine, so that the page can tell of
several runs; ``--report-only`` writes it anew from what is kept.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks import engines, graph, plot, report, results
from benchmarks.run import PARTS, Run
from genai_graph.database.settings import read_settings

ROOT = Path(__file__).parent.parent
_PATH = click.Path(path_type=Path)


def _sizes(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    try:
        sizes = sorted({int(size) for size in text.split(",")})
    except ValueError:
        raise click.BadParameter("expected numbers with commas between them") from None
    if sizes[0] < graph.LEAST:
        raise click.BadParameter(f"expected at least {graph.LEAST}")
    return sizes


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sizes", default="10000,100000,1000000", callback=_sizes, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--slow-size",
    type=click.IntRange(min=graph.LEAST),
    default=5_000,
    show_default=True,
    help="Entities for what writes row by row.",
)
@click.option("--uri", envvar="NEO4J_URI", help="Measure on this server; its graph must be empty.")
@click.option(
    "--embedded/--no-embedded", default=True, show_default=True, help="Measure on it too."
)
@click.option("--neo4j", is_flag=True, help="Fetch Neo4j, start it, and measure on it too.")
@click.option("--home", type=_PATH, help="A data folder of these engines, instead of a new one.")
@click.option("--wipe", is_flag=True, help="Delete nodes of these labels that are there before.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="May be repeated.")
@click.option("--report-only", is_flag=True, help="Measure nothing, write the page anew.")
@click.option(
    "--results", "kept", type=_PATH, default=ROOT / "benchmarks" / "results", help="A folder."
)
@click.option(
    "--output",
    type=_PATH,
    default=ROOT / "docs" / "performance.md",
    help="The page; the plot is put beside it.",
)
def main(
    sizes: list[int],
    rounds: int,
    slow_size: int,
    uri: str | None,
    embedded: bool,
    neo4j: bool,
    home: Path | None,
    wipe: bool,
    only: tuple[str, ...],
    report_only: bool,
    kept: Path,
    output: Path,
) -> None:
    """Measure loads, dumps and checks, each beside a baseline of the same rounds."""
    kept, output = kept.absolute(), output.absolute()
    if not report_only:
        server = read_settings(uri=uri) if uri else None
        home = home and home.absolute()
        with _own_folder() as folder:
            run = Run(only or PARTS, sizes, slow_size, rounds, folder, kept)
            run.without_server()
            for name in ["embedded"] * embedded + ["neo4j"] * neo4j:
                _on_managed(name, run, home or folder / "home", is_new=home is None, wipe=wipe)
            if server is not None:
                run.on(server, wipe=wipe)
    _report(kept, output)


def _on_managed(name: str, run: Run, home: Path, *, is_new: bool, wipe: bool) -> None:
    settings = read_settings(home=home, engine=name).model_copy(update={"uri": None})
    with engines.kept(name, home) if is_new else contextlib.nullcontext():
        run.on(settings, wipe=wipe)


def _report(kept: Path, output: Path) -> None:
    found = results.read(kept)
    drawing = output.with_suffix(".svg")
    drawn = plot.draw(drawing, found)
    if not drawn:
        click.echo("no plot: it needs a first load, and the dependency group bench", err=True)
    report.write(output, drawing if drawn else None, found)


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """Work in a new folder, where no .env names another graph; it is gone afterwards."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="genai-graph-bench-") as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
