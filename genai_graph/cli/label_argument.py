"""Labels as arguments: one that there is not is refused before anything is connected."""

from __future__ import annotations

from typing import Any

import click


def known_label(context: Any, parameter: Any, label: str) -> str:
    """Return a label that there is; another is a usage error."""
    from genai_graph.exchange.formats.builders import unknown_label
    from genai_graph.registry import NODES

    if label not in NODES:
        raise click.BadParameter(unknown_label(label))
    return label


def known_labels(context: Any, parameter: Any, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return labels that there are."""
    return tuple(known_label(context, parameter, label) for label in labels)
