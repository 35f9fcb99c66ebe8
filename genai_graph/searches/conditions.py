"""The conditions of a search as a tree of the node sets, which is compiled to Cypher.

Every text of an expression becomes a parameter, or is looked up among the declared names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from genai_graph.errors import PropertyError, SearchError
from genai_graph.importers.context import Context
from genai_graph.lineage import dependents
from genai_graph.ogm.conditions import (
    And,
    Call,
    Comparison,
    Not,
    Or,
    Path,
    Target,
    Tree,
    relationships_of,
    step_over,
)
from genai_graph.ogm.json_lookups import parse_json_lookup
from genai_graph.properties.json_columns import column
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.registry import NODES, properties_of
from genai_graph.searches import parsing
from genai_graph.searches.parsing import Condition, Expression, Junction, Key, Value, error_at
from genai_graph.storage.lookups import existing_uids
from genai_graph.storage.suggestions import node_not_found

KINDS = {
    "experiments": "Experiment",
    "models": "Model",
    "datasets": "Dataset",
    "projects": "Project",
    "metrics": "Metric",
}
# MLflow's names of attributes, tags and groups.
_ALIASES = {
    "run_id": "uid",
    "run_name": "name",
    "run name": "name",
    "start_time": "started_at",
    "created": "started_at",
    "end_time": "ended_at",
    "user_id": "created_by",
    "user": "created_by",
    "id": "uid",
}
_TAG_PROPERTIES = {
    "mlflow.runName": "name",
    "mlflow.user": "created_by",
    "mlflow.source.name": "source",
    "mlflow.source.git.commit": "code_version",
    "mlflow.source.git.repoURL": "code_url",
    "mlflow.note.content": "description",
}
_ATTRIBUTES = ("attributes", "attribute", "attr", "run")
_GROUPS = {
    **dict.fromkeys(("metrics", "metric"), "metrics"),
    **dict.fromkeys(("parameters", "parameter", "params", "param"), "parameters"),
    **dict.fromkeys(("tags", "tag"), "tags"),
}
_EXAMPLES = {
    name: f"{name}.{key}"
    for group, key in (("metrics", "accuracy"), ("parameters", "lr"), ("tags", "team"))
    for name, other in _GROUPS.items()
    if other == group
}
# Names of relationships, in the singular: of a label, or of any.
_RELATIONSHIPS = {
    "Experiment": {"parent": "part_of", "dataset": "datasets", "model": "models"},
    "Model": {"parent": "parents", "dataset": "trained_on"},
    "Dataset": {"parent": "parents", "model": "trained_models"},
}
JSON_NEEDS_KEY = "is JSON: add a key, such as parameters.lr"
_ORDER = ("<", "<=", ">", ">=")
_TAG = (
    "coalesce(head([tag IN {n}.tags WHERE tag STARTS WITH {0} | substring(tag, size({0}))] "
    "+ [tag IN {n}.tags WHERE tag = {1} | '']), {n}[{2}])"
)


# Digests imported from MLflow have the prefix `mlflow:`, which those in its filter strings lack.
_DIGEST = "CASE WHEN {x} STARTS WITH 'mlflow:' THEN substring({x}, 7) ELSE {x} END"


class Operand(NamedTuple):
    """The value that a key refers to: a property, a value in JSON, a tag or that of a metric.

    `expression` is a template for the target, whose parameters are `values`. `metric` is the name
    of the related metric that has the target.
    """

    target: Target
    expression: str = "{x}"
    values: tuple[Any, ...] = ()
    metric: str | None = None
    alternative: Target | None = None  # the same key of JSON with dots in it
    convert: Callable[[str], str] = str  # from the text of a search to that compared

    @property
    def is_text(self) -> bool:
        """Whether values are texts, as all tags and MLflow's parameters are."""
        return bool(self.target.keys) or self.expression != "{x}"

    @property
    def is_own(self) -> bool:
        """Whether it is a property of the node, or a value in one."""
        return self.expression == "{x}" and not self.target.path


class Resolver:
    """Finds the operands of keys, for nodes of a label; errors show the position in a text."""

    def __init__(self, label: str, text: str) -> None:
        self.label = label
        self.text = text

    def error(self, position: int, problem: str) -> SearchError:
        """Return an error at a position."""
        return error_at(self.text, position, problem)

    def resolve(self, key: Key) -> Operand:
        """Return the operand of a key. Raises `SearchError` for an unknown name."""
        parts = list(key.parts)
        path: Path = ()
        label = self.label
        while True:
            first, *rest = parts
            if rest and not first.is_quoted and first.name in _ATTRIBUTES:
                parts = rest
                continue
            group = None if first.is_quoted else _GROUPS.get(first.name)
            if rest and group is not None and (found := _in_group(group, label, path, rest)):
                return found
            own = self._own(label, path, first.name, rest) or _on_edge(path, first.name, rest)
            if own is not None:
                return own
            step = _RELATIONSHIPS.get(label, {}).get(first.name, first.name)
            known = relationships_of(label)
            step = step if step in known else f"{step}s"
            if not rest or step not in known:
                raise self.error(key.position, self._unknown(label, first.name, rest))
            path = (*path, step_over(label, step))
            label, parts = path[-1].far, rest

    def _own(
        self, label: str, path: Path, name: str, rest: Sequence[parsing.Part]
    ) -> Operand | None:
        known = properties_of(NODES[label])
        name = name if name in known else _ALIASES.get(name.lower(), name)
        if name not in known or (rest and not known[name].is_json):
            return None
        if (label, name) == ("Dataset", "digest"):
            return Operand(Target(path, label, name), _DIGEST, convert=_without_prefix)
        return _json_operand(Target(path, label, name), rest)

    def _unknown(self, label: str, name: str, rest: Sequence[parsing.Part]) -> str:
        related = (*relationships_of(label), *_RELATIONSHIPS.get(label, ()))
        names = [*properties_of(NODES[label]), *related, *_GROUPS, *_ALIASES]
        if name in properties_of(NODES[label]):
            return f"{name!r} is not JSON, and has no key {rest[0].name!r}"
        if name in names and not rest:
            return f"{name!r} needs a key, such as {_EXAMPLES.get(name, f'{name}.uid')}"
        hint = did_you_mean(name, names)
        return f"unknown name {name!r}{hint}: {label} has {', '.join(properties_of(NODES[label]))}"


def _on_edge(path: Path, name: str, rest: Sequence[parsing.Part]) -> Operand | None:
    """Return the operand of a property of the last edge; MLflow has contexts instead of roles."""
    is_context = name == "context"
    name = "role" if is_context else name
    if rest or not path or name not in properties_of(path[-1].edge_class):
        return None
    target = Target(path, path[-1].far, name, path[-1].edge_type)
    return Operand(target, convert=_role_of) if is_context else Operand(target)


def _role_of(context: str) -> str:
    """Return the role as which a context of MLflow is imported."""
    return Context().role(context)[0] or context


def _without_prefix(digest: str) -> str:
    return digest.removeprefix("mlflow:")


def _in_group(group: str, label: str, path: Path, rest: Sequence[parsing.Part]) -> Operand | None:
    """Return the operand of a metric, a parameter or a tag, or None if the label has none."""
    joined = ".".join(part.name for part in rest)
    if group == "metrics":
        if "metrics" not in relationships_of(label):
            return None
        step = step_over(label, "metrics")
        return Operand(Target((*path, step), step.far, "value"), metric=joined)
    if group == "parameters":
        names = [name for name in ("parameters", "hyperparameters") if _has(label, name)]
        return _json_operand(Target(path, label, names[0]), rest) if names else None
    if joined in _TAG_PROPERTIES and _has(label, _TAG_PROPERTIES[joined]):
        return Operand(Target(path, label, _TAG_PROPERTIES[joined]))
    if joined == "mlflow.parentRunId" and "part_of" in relationships_of(label):
        step = step_over(label, "part_of")
        return Operand(Target((*path, step), step.far, "uid"))
    is_mlflow = joined.startswith("mlflow.")
    keys = ("mlflow", joined.removeprefix("mlflow.")) if is_mlflow else ("tags", joined)
    values = (f"{joined}=", joined, column("metadata", keys))
    return Operand(Target(path, label, "tags"), _TAG, values)


def _has(label: str, name: str) -> bool:
    return name in properties_of(NODES[label])


def _json_operand(target: Target, rest: Sequence[parsing.Part]) -> Operand:
    """Return the operand of a value in JSON; an unquoted key may have dots, as MLflow's have."""
    keys = tuple(part.name for part in rest)
    alternative = replace(target, keys=(".".join(keys),)) if len(keys) > 1 else None
    return Operand(replace(target, keys=keys), alternative=alternative)


# Trees


def to_tree(expression: Expression, resolver: Resolver) -> Tree:
    """Return the conditions of an expression. Raises `SearchError`, `UnsupportedError`."""
    if isinstance(expression, Junction):
        children = tuple(to_tree(child, resolver) for child in expression.children)
        return And(children) if expression.connector == "AND" else Or(children)
    if isinstance(expression, parsing.Not):
        return Not(to_tree(expression.child, resolver))
    if isinstance(expression, parsing.Call):
        return _call(expression, resolver)
    operand = resolver.resolve(expression.key)
    if operand.alternative is not None:
        nested, dotted = (
            _condition(operand._replace(target=target), expression, resolver)
            for target in (operand.target, operand.alternative)
        )
        both = And if expression.operator == "NULL" else Or
        return both((nested, dotted))
    return _condition(operand, expression, resolver)


def _condition(operand: Operand, condition: Condition, resolver: Resolver) -> Tree:
    if operand.metric is not None:
        return _metric_condition(operand, condition, resolver)
    if operand.target.is_json and not operand.target.keys:
        raise resolver.error(condition.key.position, JSON_NEEDS_KEY)
    tree = _comparison(operand, condition, resolver)
    if condition.operator == "NULL" and operand.target.path:
        return Not(_comparison(operand, replace(condition, operator="NOT NULL"), resolver))
    return tree


def _metric_condition(operand: Operand, condition: Condition, resolver: Resolver) -> Tree:
    """Return a condition on one metric, as a `Call`: other conditions may hold for others."""
    target = operand.target
    named = Comparison(replace(target, name="name"), "exact", "{x} = {0}", (operand.metric,))
    if condition.operator == "NULL":
        return Not(Call(named))
    if condition.operator == "NOT NULL":
        return Call(named)
    return Call(And((named, _comparison(operand, condition, resolver))))


def _comparison(operand: Operand, condition: Condition, resolver: Resolver) -> Tree:
    operator, target = condition.operator, operand.target
    offset = len(operand.values)
    x = operand.expression
    if operator in ("NULL", "NOT NULL"):
        if target.is_json:  # a value that is not native exists, too
            return _json_null(target, "exact" if operator == "NULL" else "ne")
        test = "IS NULL" if operator == "NULL" else "IS NOT NULL"
        return _checked(Comparison(target, "isnull", f"{x} {test}", operand.values))
    if operator.startswith("NOT ") and not target.path:
        positive = _comparison(operand, replace(condition, operator=operator[4:]), resolver)
        exists = _comparison(operand, replace(condition, operator="NOT NULL"), resolver)
        return And((exists, Not(positive)))
    positive_operator = operator.removeprefix("NOT ")
    values = [_converted(operand, each, positive_operator, resolver) for each in condition.values]
    template, parameters = _template(operand, positive_operator, values, offset)
    if positive_operator != operator:  # of a related node, which other conditions refer to, too
        template = f"({x} IS NOT NULL AND NOT coalesce({template}, false))"
    lookup = {"=": "exact", "IN": "in"}.get(operator, operator)
    return _checked(Comparison(target, lookup, template, (*operand.values, *parameters)))


def _json_null(target: Target, name: str) -> Tree:
    lookup = parse_json_lookup(target.prop, str(target), target.keys, [name], None)
    found = _checked(Comparison(target, lookup.name, lookup.template, lookup.values))
    return Not(found) if lookup.negated else found


def _checked(comparison: Comparison) -> Comparison:
    comparison.refuse_encrypted()
    return comparison


def _template(
    operand: Operand, operator: str, values: list[Any], offset: int
) -> tuple[str, list[Any]]:
    """Return the template of a comparison and its parameters, numbered from `offset`."""
    x, p = operand.expression, f"{{{offset}}}"
    text = f"toStringOrNull({x})" if operand.is_text else x
    is_json = operand.is_text and x == "{x}"
    if operator in ("LIKE", "ILIKE"):
        return f"{text} =~ {p}", [_like(values[0], ignore_case=operator == "ILIKE")]
    if operator == "CONTAINS":
        if hasattr(operand.target.prop, "item") and x == "{x}":
            return f"{p} IN {x}", values
        return f"{text} CONTAINS {p}", values
    if operator == "IN":
        if is_json:
            return _in_json(operand.target, values, offset)
        if operand.is_text:
            texts = [value for value in values if isinstance(value, str)]
            return f"({x} IN {p} OR {text} IN {{{offset + 1}}})", [values, texts]
        return f"{x} IN {p}", [values]
    (value,) = values
    if not operand.is_text:
        return f"{x} {operator} {p}", values
    # In MLflow, parameters and tags are texts; in the graph, they may be numbers.
    if isinstance(value, str):
        if operand.expression == _TAG and operator == "=" and value:
            prefix = operand.values[0]
            return _equal_tag(text, p, f"{{{offset + 1}}}"), [value, f"{prefix}{value}"]
        if is_json and operator in ("=", "<>"):
            equal, parameters = _in_json(operand.target, values, offset)
            is_other = f"({x} IS NOT NULL AND NOT {equal})"
            return equal if operator == "=" else is_other, parameters
        return f"{text} {operator} {p}", values
    if isinstance(value, bool):
        return f"{x} {operator} {p}", values
    number = f"toFloatOrNull({x})"
    if operator == "<>":
        return f"({x} <> {p} AND coalesce({number} <> {p}, true))", values
    # Only texts meet `x >= ''`: Neo4j looks them up in an index with it, as it does numbers.
    is_text = f"{x} >= '' AND " if is_json else ""
    return f"({x} {operator} {p} OR ({is_text}{number} {operator} {p}))", values


def _in_json(target: Target, listed: list[Any], offset: int) -> tuple[str, list[Any]]:
    """Return the template of a test for values; texts stand for numbers and booleans, too.

    An index finds the values that are possible; their types are compared after that. Neo4j takes
    `n.name` from the parameters if it uses an index (7.0 for a stored 7), but reads `n[name]`.
    """
    texts = [value for value in listed if isinstance(value, str)]
    possible = [*listed, *(value for text in texts for value in _values_of(text))]
    forms = [form for text in texts for form in _forms(text)]
    given, stored, name = (f"{{{offset + index}}}" for index in (1, 2, 3))
    is_equal = f"{{x}} IN {given} OR toStringOrNull({{n}}[{name}]) IN {stored}"
    parameters = [possible, listed, forms, column(target.name, target.keys)]
    return f"({{x}} IN {{{offset}}} AND ({is_equal}))", parameters


def _values_of(text: str) -> list[Any]:
    """Return the boolean or the numbers that a text may stand for."""
    if text.lower() in ("true", "false"):
        return [text.lower() == "true"]
    values: list[Any] = []
    with suppress(ValueError):
        values.append(float(text))
        integer = int(text)
        values += [integer] if abs(integer) < 2**63 else []
    return values


def _forms(text: str) -> list[str]:
    """Return a text, and Cypher's form of the boolean or number that Python writes like it."""
    if text in ("True", "False"):
        return [text, text.lower()]
    with suppress(ValueError):
        number = float(text)
        if repr(number) == text and not 1e-3 <= abs(number) < 1e7 and isfinite(number):
            mantissa, exponent = f"{Decimal(text).normalize():e}".split("e")
            mantissa += "" if "." in mantissa else ".0"
            return [text, f"{mantissa}E{int(exponent)}"]
    return [text]


def _equal_tag(text: str, value: str, item: str) -> str:
    """Return the template for an equal tag; most nodes are ruled out before `_TAG` is computed."""
    is_possible = f"{item} IN {{n}}.tags OR toStringOrNull({{n}}[{{2}}]) = {value}"
    return f"CASE WHEN {is_possible} THEN {text} = {value} ELSE false END"


def _like(pattern: str, *, ignore_case: bool) -> str:
    """Return the regular expression of a pattern with ``%`` and ``_``."""
    parts = {"%": r"[\s\S]*", "_": r"[\s\S]"}
    body = "".join(parts.get(character, re.escape(character)) for character in pattern)
    return f"(?iu){body}" if ignore_case else body


def _converted(operand: Operand, value: Value, operator: str, resolver: Resolver) -> Any:
    """Return a literal as a value of the property; raise `SearchError` if it does not fit."""
    prop, found = operand.target.prop, value.value
    found = operand.convert(found) if isinstance(found, str) else found
    if operator in ("LIKE", "ILIKE", "CONTAINS"):
        if not isinstance(found, str):
            raise resolver.error(value.position, f"expected a text in quotes, got {found}")
        return found
    if operand.is_text:
        return found
    try:
        if prop.is_timestamp:
            return _time(found)
        if hasattr(prop, "item"):
            raise PropertyError(f"is a {prop.type_name}: use CONTAINS")
        if operator in ("=", "IN", *_ORDER, "<>") and isinstance(found, str):
            return prop.to_db(prop.validate(prop.from_file(found)))
        return prop.to_db(prop.validate(found))
    except PropertyError as error:
        raise resolver.error(value.position, f"{operand.target.name}: {error}") from None


def _time(value: Any) -> datetime:
    """Return a time given in ISO 8601, in UTC unless it says otherwise, or in milliseconds."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=value)
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except (ValueError, TypeError, AttributeError, OverflowError):
        problem = "expected a time such as '2026-03-01T09:00:00Z', or milliseconds"
        raise PropertyError(f"{problem}, got {describe(value)}") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc)


# Functions


def _call(call: parsing.Call, resolver: Resolver) -> Tree:
    if call.name.lower() not in _FUNCTIONS:
        raise resolver.error(call.position, f"unknown function {call.name!r}: use rests_on")
    if not isinstance(call.value.value, str):
        raise resolver.error(call.value.position, "expected a uid in quotes")
    return _FUNCTIONS[call.name.lower()](call, resolver)


def _rests_on(call: parsing.Call, resolver: Resolver) -> Tree:
    """Return the condition that a node depends on a dataset or a model, at any distance."""
    uid = call.value.value
    label = next((one for one in ("Dataset", "Model") if existing_uids(one, [uid])), None)
    if label is None:
        raise resolver.error(call.value.position, str(node_not_found("Dataset", uid)))
    uids = dependents(label, uid)
    paths: dict[str, list[Path]] = {
        "Model": [()],
        "Dataset": [()],
        "Experiment": [(step_over("Experiment", name),) for name in ("models", "datasets")],
        "Metric": [(step_over("Metric", name),) for name in ("model", "dataset")],
    }
    if resolver.label not in paths:
        raise resolver.error(call.position, f"rests_on can't be used for {resolver.label}")
    alternatives = []
    for path in paths[resolver.label]:
        far = path[-1].far if path else resolver.label
        target = Target(path, far, "uid")
        alternatives.append(Comparison(target, "in", "{x} IN {0}", (uids.get(far, []),)))
    return Or(tuple(alternatives)) if len(alternatives) > 1 else alternatives[0]


_FUNCTIONS: dict[str, Callable[[parsing.Call, Resolver], Tree]] = {"rests_on": _rests_on}
