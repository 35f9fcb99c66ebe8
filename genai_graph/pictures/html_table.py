"""Rows as a table of HTML, for notebooks: without colours, so that those of the notebook hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text, truncate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


MAX_ROWS = 20  # that are shown, of nodes and of an answer
_LONGEST = 200


def html_table(
    title: str, columns: Mapping[str, str], rows: Collection[Iterable[Any]], *, note: str = ""
) -> str:
    """Return rows as a table; `columns` are their names, each with what it means.

    The values are cut, and all texts are escaped: they are put into elements, never into markup.
    """
    whole = Element("div")
    made = SubElement(whole, "table")
    _text(SubElement(made, "caption", style="caption-side: top; text-align: left"), title)
    head = SubElement(SubElement(made, "thead"), "tr")
    for name, meaning in columns.items():
        told = {"title": escape_unprintable(meaning)} if meaning else {}
        _text(SubElement(head, "th", told, style="text-align: left"), name)
    body = SubElement(made, "tbody")
    for row in rows:
        line = SubElement(body, "tr")
        for value in row:
            _text(SubElement(line, "td", style=f"text-align: {_side(value)}"), to_text(value))
    if note or not rows:
        _text(SubElement(whole, "p"), note or "no rows")
    return tostring(whole, encoding="unicode", method="html")


def remaining_rows_note(count: int, where: str) -> str:
    """Return what is to be said of the rows that are not shown, and where they are."""
    return f"… and {count:,} more: {where} has all of them" if count > 0 else ""


def _text(element: Element, text: str) -> None:
    element.text = truncate(text, _LONGEST)


def _side(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "right" if is_number else "left"
