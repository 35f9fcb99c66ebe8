"""The results as tables, put between the two marks of a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path

from benchmarks import asking, dumping, loading, memory, offline
from benchmarks.measuring import SECONDS, Result

BEGIN = "<!-- Made by `make bench`, not by hand, as far as the next mark. -->"
END = "<!-- Made by hand from here on. -->"
_TITLES = {
    loading.FIRST: "Into an empty graph: nodes and edges, with unique uids and all indexes.",
    loading.WRITING: "The same runs; the loop has nothing to parse and to check.",
    loading.SECOND: "Nothing changes: the loader finds that out, the loop writes all anew.",
    loading.ROW_BY_ROW: "Fewer entities, since many would take minutes; one transaction each.",
    loading.NODES_ALONE: "Without the edges, which neomodel has no bulk writing for.",
    dumping.DUMP: "All of it, sorted, into JSON Lines; the baseline sorts and writes nothing.",
    offline.CHECK: "All rules, over all lines, without a database.",
    offline.NODES: "Without a server, up to the bytes of the statements.",
    offline.EDGES: "Without a server, up to the bytes of the statements.",
    asking.LOOKUPS: (
        "One node among many, warm, by its unique uid and by an indexed name, and one step from "
        "there: as quick in a large graph as in a small one. The baseline reads nothing."
    ),
    asking.ALL: (
        "Each question, its first 100 rows, warm, on a graph as a hub of models has it "
        "(`benchmarks/hub.py`): 2,500 nodes and 9,800 edges, 1,300 models trained on 400 datasets "
        "7,300 times. The baseline is the round trip for one node."
    ),
    asking.FROM_A_NODE: (
        "Those that start from a node, in the graph of the loads: their time is that of the node's "
        "surroundings, whatever the size of the graph. All rows, warm."
    ),
    memory.MEMORY: "Of a fresh process, in one run.",
}


def write(page: Path, plot: Path | None, results: list[Result]) -> None:
    """Put the tables of the results, and the plot, into a page; the rest of it stays."""
    text = (
        page.read_text(encoding="utf-8") if page.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    )
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    image = f"![The first load, in entities a second]({plot.name})\n\n" if plot else ""
    made = image + "\n".join(_sections(results))
    page.write_text(f"{before}{BEGIN}\n\n{made}\n{END}{after}", encoding="utf-8")


def _sections(results: list[Result]) -> Iterator[str]:
    yield from _machines(results)
    for title, explanation in _TITLES.items():
        chosen = [result for result in results if result.title == title]
        if chosen:
            yield f"### {title}\n\n{explanation}\n"
            yield from _table(chosen)
    growing = list(_growth([one for one in results if one.title == loading.FIRST]))
    if growing:
        yield "### Growth\n\nThe time for an entity, beside the time in the smaller graph.\n"
        yield "| engine | entities | what | time for an entity |\n|---|---|---|---:|"
        yield from growing
        yield ""


def _machines(results: list[Result]) -> Iterator[str]:
    for machine in dict.fromkeys(result.machine for result in results):
        engines = dict.fromkeys(one.engine for one in results if one.machine == machine)
        named = ", ".join(engine for engine in engines if engine != offline.ENGINE)
        yield f"Measured on {machine}{'; ' if named else ''}{named}.\n"


def _table(results: list[Result]) -> Iterator[str]:
    is_rate = results[0].unit == SECONDS
    columns = ["engine", "entities", "what", "median"]
    columns += ["a second", "times as fast (range)"] if is_rate else ["times as much (range)"]
    yield f"| {' | '.join(columns)} |"
    yield "|---|---:|---|" + "---:|" * (len(columns) - 3)
    for result in results:
        for contender in result.values:
            yield f"| {' | '.join(_row(result, contender))} |"
    yield ""


def _row(result: Result, contender: str) -> Iterable[str]:
    median = result.median(contender)
    yield result.engine
    yield f"{result.entities:,}"
    yield contender
    yield f"{median:,.3g} s" if result.unit == SECONDS else _amount(median, result.unit)
    if result.unit == SECONDS:
        yield f"{result.entities / median:,.0f}"
    yield "baseline" if contender == result.baseline else _ratio(result, contender)


def _amount(median: float, unit: str) -> str:
    return f"{median:,.{0 if median >= 10 else 1}f} {unit}"


def _ratio(result: Result, contender: str) -> str:
    ratios = result.ratios(contender)
    between = f" ({_short(min(ratios))}-{_short(max(ratios))})" if len(ratios) > 1 else ""
    return f"{_short(_middle(result, contender))}{between}"


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _middle(result: Result, contender: str) -> float:
    """Return the ratio of the medians."""
    shares = result.median(result.baseline), result.median(contender)
    return shares[0] / shares[1] if result.unit == SECONDS else shares[1] / shares[0]


def _growth(results: list[Result]) -> Iterator[str]:
    for engine, group in groupby(results, key=lambda result: result.engine):
        for small, large in pairwise(group):
            for contender in large.values:
                if contender in small.values:
                    before = small.median(contender) / small.entities
                    after = large.median(contender) / large.entities
                    sizes = f"{large.entities:,} beside {small.entities:,}"
                    yield f"| {engine} | {sizes} | {contender} | {after / before:.2f} |"
