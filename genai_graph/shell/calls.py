"""The call that is being typed: its function and the start of an argument."""

from __future__ import annotations

from typing import NamedTuple

_OPENING, _CLOSING = "([{", ")]}"


class OpenCall(NamedTuple):
    """An unfinished call. `callee` is the dotted name without arguments, ``Model.nodes.filter``.

    `argument` is the text after the last comma. `quote` is the quote if it is an open string.
    """

    callee: str
    argument: str
    quote: str = ""


def find_open_call(code: str) -> OpenCall | None:
    """Return the innermost call that is not closed at the end of the code, or None."""
    brackets: list[int] = []  # the positions of those that are open
    partners: dict[int, int] = {}  # of the closed ones: the opening position by the closing one
    start, quote, position = 0, "", 0
    while position < len(code):
        character = code[position]
        if quote:
            position += character == "\\"
            if character == quote:
                quote = ""
        elif character in "'\"":
            quote, start = character, position + 1
        elif character in _OPENING:
            brackets.append(position)
        elif character in _CLOSING and brackets:
            partners[position] = brackets.pop()
        position += 1
    if not brackets or code[brackets[-1]] != "(":
        return None
    opening = brackets[-1]
    callee = _dotted_name(code, opening, partners)
    if not callee:
        return None
    if quote:
        return OpenCall(callee, code[start:], quote) if start > opening else None
    return OpenCall(callee, _after_last_comma(code, opening, partners))


def _after_last_comma(code: str, opening: int, partners: dict[int, int]) -> str:
    position = len(code) - 1
    while position > opening and code[position] != ",":
        position = partners.get(position, position) - 1
    return code[position + 1 :].lstrip()


def _dotted_name(code: str, end: int, partners: dict[int, int]) -> str:
    """Return the dotted name that ends at a position, without its brackets."""
    name, position = "", end - 1
    while position >= 0:
        character = code[position]
        if character in _CLOSING and position in partners:
            position = partners[position]
        elif character.isidentifier() or character.isdigit() or character == ".":
            name = character + name
        elif not (character.isspace() and name.startswith(".")):
            break
        position -= 1
    return name
