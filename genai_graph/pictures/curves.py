"""Learning curves: the histories of metrics, as SVG by matplotlib or on a terminal by plotext."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from genai_graph.errors import MissingExtraError, escape_unprintable

_MOST_POINTS = 1_000  # of a curve: more than a picture has pixels
_COLUMNS = 2
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_LONGEST_LABEL = 60


@dataclass(frozen=True)
class Curve:
    """A named series of values by step, ascending."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]

    def thinned(self, limit: int = _MOST_POINTS) -> Curve:
        """Return the curve with the smallest and the largest value of each part of its steps."""
        count = len(self.steps)
        if count <= limit:
            return self
        kept = {0, count - 1}
        parts = limit // 2
        for part in range(parts):
            indices = range(part * count // parts, (part + 1) * count // parts)
            finite = [index for index in indices if math.isfinite(self.values[index])]
            kept.add(min(finite, key=self.values.__getitem__, default=indices[0]))
            kept.add(max(finite, key=self.values.__getitem__, default=indices[0]))
        ordered = sorted(kept)
        return Curve(
            self.name,
            [self.steps[index] for index in ordered],
            [self.values[index] for index in ordered],
        )


def curve_of(name: str, properties: Mapping[str, Any]) -> Curve | None:
    """Return the curve of a metric by its properties, or None without a history to draw."""
    steps, values = properties.get("steps"), properties.get("values")
    if not isinstance(steps, list) or not isinstance(values, list) or len(steps) != len(values):
        return None
    is_drawn = len(steps) > 1 and all(isinstance(each, (int, float)) for each in (*steps, *values))
    return Curve(name, steps, values) if is_drawn else None


@dataclass(frozen=True)
class Plot:
    """Learning curves by title, one panel for each; notebooks display them as SVG."""

    panels: Mapping[str, Sequence[Curve]]

    def _repr_svg_(self) -> str | None:
        return self.svg if self.panels and can_draw_svg() else None

    def __str__(self) -> str:
        return "\n".join(draw_text(title, curves) for title, curves in self.panels.items())

    @property
    def svg(self) -> str:
        """The picture as SVG. Raises `MissingExtraError` without matplotlib."""
        return draw_svg(self.panels)

    def save(self, path: str | Path) -> None:
        """Write the picture as an SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8")


def can_draw_svg() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def can_draw_text() -> bool:
    """Return whether plotext is installed."""
    return find_spec("plotext") is not None


def draw_svg(panels: Mapping[str, Sequence[Curve]], *, width: float = 8.0) -> str:
    """Return an SVG picture with a panel for each title, without scripts and references."""
    if not can_draw_svg():
        raise MissingExtraError("matplotlib", "plot")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    # Text stays text, and equal curves give equal bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "genai_graph"}):
        figure = Figure(figsize=(width, 2.6 * rows), layout="constrained")
        places = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, (title, curves) in zip(places, panels.items(), strict=False):
            _draw_panel(axes, title, curves)
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    text = stream.getvalue()
    return text[text.index("<svg") :]  # without the XML declaration, as part of a page


def _draw_panel(axes: Any, title: str, curves: Sequence[Curve]) -> None:
    lines = []
    for curve in curves:
        thin = curve.thinned()
        values = [value if math.isfinite(value) else math.nan for value in thin.values]
        marker = "o" if len(values) == 1 else ""
        lines += axes.plot(thin.steps, values, linewidth=1.2, marker=marker)
    texts = [axes.set_title(_label(title), fontsize=9)]
    if len(curves) > 1:
        legend = axes.legend(lines, [f" {_label(curve.name)}" for curve in curves], fontsize=7)
        texts += legend.get_texts()
    for text in texts:
        text.set_parse_math(False)  # a name with two dollar signs is no formula
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)


def _label(name: str) -> str:
    return textwrap.shorten(escape_unprintable(name), _LONGEST_LABEL, placeholder="...") or " "


def draw_text(title: str, curves: Sequence[Curve], *, columns: int = 80, rows: int = 16) -> str:
    """Return curves as text of a terminal. Raises `MissingExtraError` without plotext."""
    if not can_draw_text():
        raise MissingExtraError("plotext", "plot")
    import plotext

    plotext.clear_figure()
    plotext.plotsize(columns, rows)
    plotext.title(_label(title))
    for curve in curves:
        thin = curve.thinned(2 * columns)
        points = [
            (step, value)
            for step, value in zip(thin.steps, thin.values, strict=True)
            if math.isfinite(value)
        ]
        if points:
            label = _label(curve.name) if len(curves) > 1 else None
            plotext.plot(*map(list, zip(*points, strict=True)), label=label, marker="braille")
    lines = plotext.uncolorize(plotext.build()).splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
