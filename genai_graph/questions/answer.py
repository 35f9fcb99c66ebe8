"""Answering questions: validate the parameters, run the statement, return its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.database import clamp_limit, query
from genai_graph.errors import MissingExtraError, QuestionError
from genai_graph.pictures.html_table import MAX_ROWS, html_table, remaining_rows_note
from genai_graph.questions.catalog import get_question
from genai_graph.questions.directions import KNOWN_DIRECTIONS
from genai_graph.storage.lookups import existing_uids
from genai_graph.storage.suggestions import describe_missing_value, node_not_found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas

    from genai_graph.questions.catalog import Question


class Answer(list[dict[str, Any]]):
    """The answer to a question: a list of rows, each a dict.

    `notice` explains an empty answer, if a parameter has a value that no node has.
    """

    def __init__(
        self, question: Question, rows: Iterable[dict[str, Any]], notice: str = ""
    ) -> None:
        super().__init__(rows)
        self.question = question
        self.notice = notice

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a DataFrame; an empty answer keeps its columns.

        Raises `MissingExtraError` if pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        return pandas.DataFrame(list(self), columns=list(self.question.columns))

    def _repr_html_(self) -> str:
        """Return the first rows as an HTML table, for notebooks."""
        columns = self.question.columns
        rows = [[row.get(name) for name in columns] for row in self[:MAX_ROWS]]
        note = self.notice or remaining_rows_note(len(self) - len(rows), "to_pandas()")
        return html_table(self.question.title, columns, rows, note=note)


def ask(name: str, *, limit: int = 0, **parameters: Any) -> Answer:
    """Answer a question, for example ``ask("license-impact", licenses=["CC-BY-NC-4.0"])``.

    `limit` is the maximum number of rows; 0 means no limit. ``genai-graph ask`` lists the questions
    and ``genai-graph ask NAME --help`` their parameters. Nodes are identified by their uids.

    Raises `UnknownQuestionError`, `QuestionError` for a missing, unknown or invalid parameter, and
    `NodeNotFoundError` if a parameter is the uid of a node that does not exist.
    """
    question = get_question(name)
    values = question.validate(parameters)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise QuestionError(f"limit: expected an integer of at least 0, got {limit!r}")
    for parameter in question.parameters.values():
        uid = values[parameter.name]
        if parameter.label and uid is not None and not existing_uids(parameter.label, [uid]):
            raise node_not_found(parameter.label, uid)
    # One record with all rows, because the driver has a cost per record.
    records = query(
        f"CALL () {{\n{question.cypher}\n{'LIMIT $limit' if limit else ''}}} "
        f"RETURN collect([{', '.join(question.columns)}]) AS rows",
        {**values, "known_directions": KNOWN_DIRECTIONS, "limit": clamp_limit(limit)},
    )
    rows = [dict(zip(question.columns, row, strict=True)) for row in records[0]["rows"]]
    return Answer(question, rows, "" if rows else _explain_no_rows(question, values))


def _explain_no_rows(question: Question, values: Mapping[str, Any]) -> str:
    """Return a message about parameters with values that no node has, or ""."""
    reasons = []
    for parameter in question.parameters.values():
        if parameter.values_from:
            value = values[parameter.name]
            wanted = [value] if isinstance(value, str) else value
            reasons.append(describe_missing_value(*parameter.values_from, wanted))
    return "; ".join(filter(None, reasons))
