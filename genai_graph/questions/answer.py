"""Asking: parameters checked, one statement that reads, and its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.database import clamp_limit, query
from genai_graph.errors import MissingExtraError, QuestionError
from genai_graph.questions.catalog import find
from genai_graph.questions.directions import KNOWN_DIRECTIONS
from genai_graph.storage.lookups import existing_uids
from genai_graph.storage.suggestions import describe_missing_value, node_not_found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas

    from genai_graph.questions.catalog import Question


class Answer(list[dict[str, Any]]):
    """The rows of an answer, a list of dicts; `question` tells what was asked.

    `notice` says why there is no row, where it is for a value that nothing in the graph has.
    """

    def __init__(
        self, question: Question, rows: Iterable[dict[str, Any]], notice: str = ""
    ) -> None:
        super().__init__(rows)
        self.question = question
        self.notice = notice

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a DataFrame, with the columns also where there is no row.

        Raises `MissingExtraError` where pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        return pandas.DataFrame(list(self), columns=list(self.question.columns))

    def _repr_html_(self) -> str:
        """Show the first rows, as notebooks do."""
        from genai_graph.pictures.html_table import MAX_ROWS, html_table, remaining_rows_note

        columns = self.question.columns
        rows = [[row.get(name) for name in columns] for row in self[:MAX_ROWS]]
        note = self.notice or remaining_rows_note(len(self) - len(rows), "to_pandas()")
        return html_table(self.question.title, columns, rows, note=note)


def ask(name: str, *, limit: int = 0, **parameters: Any) -> Answer:
    """Answer a question by its name, such as ``ask("license-impact", licenses=["CC-BY-NC-4.0"])``.

    `limit` is the most rows that come, 0 is all. `genai-graph ask` lists the questions and
    ``genai-graph ask NAME --help`` their parameters; a column that names a node holds its uid.

    Raises `UnknownQuestionError`, `QuestionError` (a parameter that is missing, unknown or of the
    wrong type), `NodeNotFoundError` (a parameter names a node that is not there).
    """
    question = find(name)
    values = question.values(parameters)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise QuestionError(f"limit: expected an integer of at least 0, got {limit!r}")
    for parameter in question.parameters.values():
        uid = values[parameter.name]
        if parameter.label and uid is not None and not existing_uids(parameter.label, [uid]):
            raise node_not_found(parameter.label, uid)
    # All that a statement may refer to is sent, whether it does or not.
    given = {**values, "known_directions": KNOWN_DIRECTIONS, "limit": clamp_limit(limit)}
    rows = _rows(question, given, "\nLIMIT $limit" if limit else "")
    return Answer(question, rows, "" if rows else _why_none(question, values))


def _rows(question: Question, given: dict[str, Any], limit: str) -> list[dict[str, Any]]:
    """Run the question; all rows come as one, since to the driver every row has its price."""
    columns = list(question.columns)
    found = query(
        f"CALL () {{\n{question.cypher}{limit}\n}} RETURN collect([{', '.join(columns)}]) AS rows",
        given,
    )
    return [dict(zip(columns, row, strict=True)) for row in found[0]["rows"]]


def _why_none(question: Question, values: Mapping[str, Any]) -> str:
    """Return which of the values nothing in the graph has."""
    reasons = []
    for parameter in question.parameters.values():
        if parameter.as_in:
            value = values[parameter.name]
            asked = [value] if isinstance(value, str) else value
            reasons.append(describe_missing_value(*parameter.as_in, asked))
    return "; ".join(filter(None, reasons))
