"""Callbacks that validate labels given as arguments, before a connection is opened."""

from __future__ import annotations

from typing import Any

import click


def known_label(context: Any, parameter: Any, label: str) -> str:
    """Return a known label; raise a usage error for an unknown one."""
    from genai_graph.exchange.formats.builders import unknown_label
    from genai_graph.registry import NODES, close

    close()
    if label not in NODES:
        raise click.BadParameter(unknown_label(label))
    return label


def known_labels(context: Any, parameter: Any, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return known labels; raise a usage error for an unknown one."""
    return tuple(known_label(context, parameter, label) for label in labels)
