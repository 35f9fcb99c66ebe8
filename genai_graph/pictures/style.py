"""Colours and limits that several formats share.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which colour-blind readers
can distinguish, lightened to serve as a background of dark text.
"""

from __future__ import annotations

import zlib

INK = "#222222"
_COLORS = {
    "Project": "#e5c1d6",
    "Dataset": "#a5dbf5",
    "Model": "#f7cf85",
    "Experiment": "#8fd6bd",
    "Metric": "#f5ec9a",
}
# For labels of users' own classes: the rest of the palette, lightened likewise.
_MORE_COLORS = ("#f2c4a0", "#b9c7e8", "#d9d9d9", "#c3e59a", "#e3b7b7")
MAX_LINE_LENGTH = 48  # DOT and SVG make a box as wide as its text


def color_of(label: str) -> str:
    """Return the background of the nodes with a label, always the same one."""
    known = _COLORS.get(label)
    return known or _MORE_COLORS[zlib.crc32(label.encode()) % len(_MORE_COLORS)]
