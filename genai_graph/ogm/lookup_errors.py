"""Errors of `get` that are also neomodel's."""

from __future__ import annotations

from typing import Any

from neomodel import exceptions

from genai_graph.errors import MultipleNodesError, NodeNotFoundError


class DoesNotExist(NodeNotFoundError, exceptions.DoesNotExist):  # noqa: N818
    """No node matches; each node class has its own subclass, such as `Dataset.DoesNotExist`."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is an attribute of the node class, and not of a module.
        return exceptions.DoesNotExist.__reduce__(self)


class MultipleNodesReturned(MultipleNodesError, exceptions.MultipleNodesReturned):  # noqa: N818
    """Several nodes match; also neomodel's error of this name."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.message = message
