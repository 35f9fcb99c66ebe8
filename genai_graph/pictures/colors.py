"""The colours of the labels: light ones that dark ink is read on, also by the colour-blind.

They are those of Okabe and Ito, lightened: "Color Universal Design" (2008).
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
