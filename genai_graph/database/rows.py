"""Rows of a result: a list of dicts that can become a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.errors import MissingExtraError

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

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a DataFrame.

        Raises `MissingExtraError` if pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        return pandas.DataFrame(list(self), columns=list(self.columns))
