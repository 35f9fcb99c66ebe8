"""Parsing of search expressions into a tree of comparisons, with the position of each part."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import lark

from genai_graph.errors import SearchError

MAX_LENGTH, MAX_DEPTH = 20_000, 100

_GRAMMAR = r"""
?expression: conjunction (_OR conjunction)*
?conjunction: condition (_AND condition)*
?condition: _NOT condition -> negation
    | "(" expression ")"
    | key COMPARISON value -> comparison
    | key [NOT] (LIKE | ILIKE | CONTAINS) value -> comparison
    | key [NOT] IN "(" [value ("," value)*] ")" -> membership
    | key _IS [NOT] _NULL -> null_check
    | NAME "(" value ")" -> call
ordering: key [ASC | DESC]
key: part ("." part)*
part: NAME | WORD | BACKQUOTED | DOUBLE_QUOTED
value: SINGLE_QUOTED | DOUBLE_QUOTED | NUMBER | TRUE | FALSE

COMPARISON: "!=" | "<>" | "<=" | ">=" | "==" | "=" | "<" | ">"
_OR.3: /OR(?![\w-])/i
_AND.3: /AND(?![\w-])/i
_NOT.3: /NOT(?![\w-])/i
NOT.3: /NOT(?![\w-])/i
LIKE.3: /LIKE(?![\w-])/i
ILIKE.3: /ILIKE(?![\w-])/i
CONTAINS.3: /CONTAINS(?![\w-])/i
IN.3: /IN(?![\w-])/i
_IS.3: /IS(?![\w-])/i
_NULL.3: /NULL(?![\w-])/i
ASC.3: /ASC(?![\w-])/i
DESC.3: /DESC(?![\w-])/i
TRUE.3: /TRUE(?![\w-])/i
FALSE.3: /FALSE(?![\w-])/i
NAME: /[^\W\d][\w-]*/
WORD: /\d[\w-]*/
BACKQUOTED: /`[^`]+`/
SINGLE_QUOTED: /'(?:[^']|'')*'/
DOUBLE_QUOTED: /"(?:[^"]|"")*"/
NUMBER: /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/
%ignore /\s+/
"""


class Part(NamedTuple):
    """A part of a key; a quoted one is exactly one name."""

    name: str
    is_quoted: bool


class Key(NamedTuple):
    """A key, such as ``metrics.accuracy``, and its position in the expression."""

    parts: tuple[Part, ...]
    position: int

    def __str__(self) -> str:
        return ".".join(part.name for part in self.parts)


class Value(NamedTuple):
    """A literal: a text, a number or a boolean."""

    value: Any
    position: int


@dataclass(frozen=True)
class Condition:
    """A comparison: ``=``, ``<>``, ``<``, ``LIKE``, ``NOT IN``, ``NULL`` (is null) and others."""

    key: Key
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Call:
    """A function of a value, such as ``rests_on("COCO")``."""

    name: str
    value: Value
    position: int


@dataclass(frozen=True)
class Not:
    """The complement of a condition."""

    child: Expression


@dataclass(frozen=True)
class Junction:
    """Conditions connected by AND or OR."""

    connector: str
    children: tuple[Expression, ...]


Expression = Condition | Call | Not | Junction


class OrderKey(NamedTuple):
    """A sort key."""

    key: Key
    descending: bool


def parse_expression(text: str) -> Expression | None:
    """Parse an expression, or return None for an empty one. Raises `SearchError`."""
    if not text.strip():
        return None
    _refuse_size(text)
    expression: Expression = _parse(text, "expression")
    if _depth(expression) > MAX_DEPTH:
        raise SearchError(f"expected at most {MAX_DEPTH} levels of parentheses and NOT")
    return expression


def parse_ordering(text: str) -> OrderKey:
    """Parse a sort key, such as ``metrics.accuracy DESC``. Raises `SearchError`."""
    _refuse_size(text)
    ordering: OrderKey = _parse(text, "ordering")
    return ordering


def parse_key(text: str) -> Key:
    """Parse a key, such as ``parameters.lr``. Raises `SearchError`."""
    _refuse_size(text)
    key: Key = _parse(text, "key")
    return key


def _refuse_size(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise SearchError(f"expected at most {MAX_LENGTH:,} characters, got {len(text):,}")


def _depth(expression: Expression) -> int:
    depth, level = 0, [expression]
    while level:
        depth += 1
        level = [
            child
            for one in level
            for child in (
                one.children
                if isinstance(one, Junction)
                else (one.child,)
                if isinstance(one, Not)
                else ()
            )
        ]
    return depth


@functools.cache
def _parser(start: str) -> lark.Lark:
    return lark.Lark(_GRAMMAR, start=start, parser="lalr", propagate_positions=True)


def _parse(text: str, start: str) -> Any:
    try:
        return _Builder().transform(_parser(start).parse(text))
    except lark.exceptions.UnexpectedInput as error:
        position = len(text) if _is_end(error) else error.pos_in_stream or 0
        raise error_at(text, position, _describe(error)) from None
    except RecursionError:
        raise SearchError("the expression is nested too deeply") from None


def _is_end(error: lark.exceptions.UnexpectedInput) -> bool:
    token = getattr(error, "token", None)
    return token is not None and token.type == "$END"


_NAMES = {
    "COMPARISON": "a comparison such as =",
    "_AND": "AND",
    "_OR": "OR",
    "NAME": "a name",
    "SINGLE_QUOTED": "a text in quotes",
    "NUMBER": "a number",
    "RPAR": ")",
    "LPAR": "(",
}


def _describe(error: lark.exceptions.UnexpectedInput) -> str:
    accepted = getattr(error, "accepts", None) or getattr(error, "allowed", None) or ()
    names = [_NAMES[name] for name in _NAMES if name in accepted]
    return f"expected {' or '.join(names)}" if names else "unexpected text"


def error_at(text: str, position: int, problem: str) -> SearchError:
    """Return the error for a position in an expression, which it shows."""
    start = max(0, position - 30)
    near = text[start : position + 30].replace("\n", " ")
    found = f"near {near!r}" if position < len(text) else "at the end"
    return SearchError(f"character {position + 1}, {found}: {problem}", position)


class _Builder(lark.Transformer):  # type: ignore[type-arg]
    def expression(self, children: list[Any]) -> Junction:
        return Junction("OR", tuple(children))

    def conjunction(self, children: list[Any]) -> Junction:
        return Junction("AND", tuple(children))

    def negation(self, children: list[Any]) -> Not:
        return Not(children[0])

    def comparison(self, children: list[Any]) -> Expression:
        key, *negation, operator, value = children
        name = {"==": "=", "!=": "<>"}.get(operator.upper(), operator.upper())
        return Condition(key, _negated(name, *negation), (value,))

    def membership(self, children: list[Any]) -> Expression:
        key, negation, _, *values = children
        given = tuple(value for value in values if value is not None)
        return Condition(key, _negated("IN", negation), given)

    def null_check(self, children: list[Any]) -> Expression:
        key, negation = children
        return Condition(key, "NULL" if negation is None else "NOT NULL", ())

    def call(self, children: list[Any]) -> Call:
        name, value = children
        return Call(str(name), value, name.start_pos)

    def ordering(self, children: list[Any]) -> OrderKey:
        direction = children[1] if len(children) > 1 else None
        return OrderKey(children[0], direction is not None and direction.upper() == "DESC")

    @lark.v_args(meta=True)
    def key(self, meta: Any, children: list[Part]) -> Key:
        return Key(tuple(children), meta.start_pos)

    def part(self, children: list[Any]) -> Part:
        (token,) = children
        if token.type in ("NAME", "WORD"):
            return Part(str(token), False)
        return Part(_unquoted(token), True)

    def value(self, children: list[Any]) -> Value:
        (token,) = children
        if token.type in ("TRUE", "FALSE"):
            return Value(token.type == "TRUE", token.start_pos)
        if token.type == "NUMBER":
            return Value(_number(str(token)), token.start_pos)
        return Value(_unquoted(token), token.start_pos)


def _negated(operator: str, negation: object = None) -> str:
    return operator if negation is None else f"NOT {operator}"


def _unquoted(token: Any) -> str:
    text, quote = token[1:-1], token[0]
    if quote == "`":
        return str(text)
    return str(text.replace(quote * 2, quote))


def _number(text: str) -> int | float:
    try:
        number = int(text) if len(text) < 20 else float(text)
    except ValueError:
        number = float(text)
    return float(number) if isinstance(number, int) and abs(number) >= 2**63 else number
