"""The plot: the first load in entities a second, a group of bars for each engine and size."""

from __future__ import annotations

from pathlib import Path

from benchmarks import loading
from benchmarks.measuring import Result


def draw(path: Path, results: list[Result]) -> bool:
    """Draw the plot as SVG; return False when matplotlib or anything to draw is missing."""
    chosen = [result for result in results if result.title == loading.FIRST]
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        return False
    if not chosen:
        return False
    mpl.rcParams["svg.hashsalt"] = "genai_graph"  # the same bytes for the same results
    figure = Figure(figsize=(2 + 1.6 * len(chosen), 4), layout="constrained")
    axes = figure.subplots()
    contenders = list(dict.fromkeys(name for result in chosen for name in result.values))
    width = 0.8 / len(contenders)
    for number, contender in enumerate(contenders):
        bars = [(place, one) for place, one in enumerate(chosen) if contender in one.values]
        axes.bar(
            [place + number * width for place, _ in bars],
            [one.entities / one.median(contender) for _, one in bars],
            width,
            label=contender,
        )
    middle = width * (len(contenders) - 1) / 2
    labels = [f"{one.engine}\n{one.entities:,}" for one in chosen]
    axes.set_xticks([place + middle for place in range(len(chosen))], labels)
    axes.set_ylabel("entities a second")
    axes.set_title("First load")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    return True
