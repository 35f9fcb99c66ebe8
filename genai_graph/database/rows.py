"""Rows of a result: a list of dicts that can become a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.errors import MissingExtraError
from genai_graph.pictures.html_table import MAX_ROWS, remaining_rows_note
from genai_graph.pictures.text_table import text_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas


class Rows(list[dict[str, Any]]):
    """The rows of a query, each a dict; `columns` are the names of the values.

    If there are no rows, the embedded engine does not return the names.
    """

    def __init__(self, rows: Iterable[dict[str, Any]] = (), columns: Iterable[str] = ()) -> None:
        super().__init__(rows)
        self.columns = tuple(columns)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the first rows as a table in IPython, unless they are part of another object."""
        if len(printer.stack) > 1:
            printer.text(repr(self))
            return
        rows = [list(row.values()) for row in self[:MAX_ROWS]]
        note = remaining_rows_note(len(self) - len(rows), "to_pandas()")
        notes = "\n".join(filter(None, [note, *self.notes]))
        printer.text(text_table(self.columns, rows, note=notes))

    @property
    def notes(self) -> list[str]:
        """Lines to show below the rows."""
        return []

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a DataFrame.

        Raises `MissingExtraError` if pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        return pandas.DataFrame(list(self), columns=list(self.columns))
