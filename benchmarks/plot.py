"""Plot the first load: entities per second by engine and size."""

from __future__ import annotations

from pathlib import Path

from benchmarks import loads
from benchmarks.measurement import Result


def draw(path: Path, results: list[Result]) -> bool:
    """Draw the plot as SVG; return False if matplotlib is not installed or there are no results."""
    chosen = [result for result in results if result.title == loads.FIRST]
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        return False
    if not chosen:
        return False
    mpl.rcParams["svg.hashsalt"] = "genai_graph"  # makes the file reproducible
    figure = Figure(figsize=(2 + 1.6 * len(chosen), 4), layout="constrained")
    axes = figure.subplots()
    contenders = list(dict.fromkeys(name for result in chosen for name in result.values))
    width = 0.8 / len(contenders)
    for number, contender in enumerate(contenders):
        bars = [(i, result) for i, result in enumerate(chosen) if contender in result.values]
        axes.bar(
            [i + number * width for i, _ in bars],
            [result.entities / result.median(contender) for _, result in bars],
            width,
            label=contender,
        )
    middle = width * (len(contenders) - 1) / 2
    labels = [f"{result.engine}\n{result.entities:,}" for result in chosen]
    axes.set_xticks([i + middle for i in range(len(chosen))], labels)
    axes.set_ylabel("entities per second")
    axes.set_title("First load")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    return True
