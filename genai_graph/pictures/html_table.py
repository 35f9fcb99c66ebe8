"""Rows as an HTML table for notebooks, without colours: the notebook's theme applies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text, truncate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

MAX_ROWS = 20  # of a node set or an answer
_MAX_TEXT_LENGTH = 200


def html_table(
    title: str, columns: Mapping[str, str], rows: Collection[Iterable[Any]], *, note: str = ""
) -> str:
    """Return rows as an HTML table; `columns` maps names to descriptions, shown as tooltips.

    Values are truncated. All text is escaped, since it is only assigned to elements.
    """
    container = Element("div")
    table = SubElement(container, "table")
    _set_text(SubElement(table, "caption", style="caption-side: top; text-align: left"), title)
    header = SubElement(SubElement(table, "thead"), "tr")
    for name, description in columns.items():
        tooltip = {"title": escape_unprintable(description)} if description else {}
        _set_text(SubElement(header, "th", tooltip, style="text-align: left"), name)
    body = SubElement(table, "tbody")
    for row in rows:
        line = SubElement(body, "tr")
        for value in row:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            alignment = "right" if is_number else "left"
            _set_text(SubElement(line, "td", style=f"text-align: {alignment}"), to_text(value))
    if note or not rows:
        _set_text(SubElement(container, "p"), note or "no rows")
    return tostring(container, encoding="unicode", method="html")


def remaining_rows_note(count: int, method: str) -> str:
    """Return a note on the omitted rows and the method that returns all rows, or ""."""
    return f"… and {count:,} more: {method} returns all of them" if count > 0 else ""


def _set_text(element: Element, text: str) -> None:
    element.text = truncate(text, _MAX_TEXT_LENGTH)
