"""The lines of a journal: nodes, edges, and the points of metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from genai_graph.conversion import to_exact_float, to_exact_int
from genai_graph.errors import PropertyError, PropertyTypeError
from genai_graph.exchange.formats.jsonl import encode_record
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.models import Experiment, Metric
from genai_graph.ogm.managers import require_class
from genai_graph.ogm.node import Node
from genai_graph.ogm.uids import metric_uid
from genai_graph.properties.json_values import INTEGER_MAX, INTEGER_MIN
from genai_graph.properties.messages import describe
from genai_graph.properties.validation import clean_fields, deflate_values, full_clean
from genai_graph.registry import EDGES, EdgeType

_NON_FINITE = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


class Series:
    """The points of one metric: the start of their lines, and the step after the last one."""

    __slots__ = ("_prefix", "next_step", "properties", "uid")

    def __init__(self, uid: str, next_step: int) -> None:
        self.uid = uid
        self.next_step = next_step
        self.properties: dict[str, Any] = {}
        self._prefix = f'{{"point":{json.dumps(uid)},"value":'

    def point(self, value: Any, step: int) -> bytes:
        """Return the line of a point."""
        if type(value) is float and math.isfinite(value):
            return f'{self._prefix}{value!r},"step":{step}}}\n'.encode()
        text = repr(to_value(value))
        return f'{self._prefix}{_NON_FINITE.get(text, text)},"step":{step}}}\n'.encode()


def to_name(value: Any) -> str:
    """Return the name of a metric. Raises `PropertyTypeError`."""
    if not isinstance(value, str):
        raise PropertyTypeError(f"Metric.name: expected a string, got {describe(value)}")
    return value


def to_value(value: Any) -> float:
    """Return the value of a metric as a float. Raises `PropertyTypeError`."""
    number = to_exact_float(value)
    if number is None:
        raise PropertyTypeError(f"Metric.value: expected a number, got {describe(value)}")
    return number


def to_step(value: Any) -> int:
    """Return a step as an integer. Raises `PropertyTypeError`."""
    step = to_exact_int(value, allow_float=True)
    if step is None or not INTEGER_MIN <= step <= INTEGER_MAX:
        raise PropertyTypeError(f"Metric.step: expected an integer, got {describe(value)}")
    return step


def node_line(label: str, uid: str, values: Mapping[str, Any]) -> bytes:
    """Return the line of a node with database values."""
    return encode_record(NodeRecord(uid, dict(values), 0, label, "", None))


def edge_line(edge_type: EdgeType, source: str, target: str, **properties: Any) -> bytes:
    """Return the line of an edge. Raises `PropertyError`."""
    cls = EDGES[edge_type]
    given = {name: value for name, value in properties.items() if value is not None}
    values = deflate_values(cls, full_clean(cls, given))
    return encode_record(EdgeRecord(source, target, values, 0, edge_type, "", None))


def metric_lines(experiment: str, name: str, values: list[float]) -> list[bytes]:
    """Return the lines of a metric with a whole history. Raises `PropertyError`."""
    if not values:
        raise PropertyError(f"Metric {name!r}: expected at least one value")
    given = full_clean(Metric, {"name": name, "steps": list(range(len(values))), "values": values})
    uid = clean_fields(Metric, {"uid": metric_uid(experiment, given["name"], None, None)})["uid"]
    return [
        edge_line(Experiment.metrics.edge_type, experiment, uid),
        node_line("Metric", uid, deflate_values(Metric, given)),
    ]


def describe_node(cls: Any, node: Any, argument: str) -> tuple[str, bytes]:
    """Return the uid and the line of a node: all values of a new one, else its uid alone.

    A node may be given by its uid. Raises `EdgeTypeError` for another class.
    """
    if isinstance(node, str):
        uid = clean_fields(cls, {"uid": node})["uid"]
        return uid, node_line(cls.__label__, uid, {})
    require_class(node, cls, argument)
    values = {} if node.was_saved else _values_of(node)
    uid = node.saved_uid if node.was_saved else values.pop("uid")
    return uid, node_line(cls.__label__, uid, values)


def _values_of(node: Node) -> dict[str, Any]:
    values = deflate_values(type(node), node._validated_values())
    return {name: value for name, value in values.items() if value is not None}


def tag_list(tags: Mapping[str, Any] | Iterable[str]) -> list[str]:
    """Return tags as texts: a mapping as ``name=value``."""
    if isinstance(tags, Mapping):
        return [f"{name}={value}" for name, value in tags.items()]
    return [tags] if isinstance(tags, str) else list(tags)
