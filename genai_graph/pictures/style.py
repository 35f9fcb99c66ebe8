"""Colours and limits that several formats share.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which colour-blind readers
can distinguish, lightened to serve as a background of dark text.
"""

from __future__ import annotations

INK = "#222222"
COLORS = {
    "Project": "#e5c1d6",
    "Dataset": "#a5dbf5",
    "Model": "#f7cf85",
    "Experiment": "#8fd6bd",
    "Metric": "#f5ec9a",
}
MAX_LINE_LENGTH = 48  # DOT and SVG make a box as wide as its text
