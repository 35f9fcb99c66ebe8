"""Answering questions: validate the parameters, run the statement, return its rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from genai_graph.conversion import to_exact_int
from genai_graph.database import clamp_limit, current_connection, query, quote_name, run_in_worker
from genai_graph.database.rows import Rows
from genai_graph.errors import (
    QueryError,
    QuestionError,
    QuestionFileError,
    ReadOnlyError,
    SourceLocation,
)
from genai_graph.pictures.html_table import MAX_ROWS, html_table, remaining_rows_note
from genai_graph.properties.messages import did_you_mean
from genai_graph.questions.catalog import get_question
from genai_graph.questions.facts import SUPPLIERS, GraphFacts
from genai_graph.questions.notices import Omitted, find_notices
from genai_graph.questions.property_names import undeclared_properties
from genai_graph.questions.splits import canonical_name
from genai_graph.registry import NODES
from genai_graph.storage.lookups import existing_uids
from genai_graph.storage.suggestions import node_not_found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from genai_graph.questions.question import Question

# As in the messages of the embedded engine and of Neo4j.
_LINE = re.compile(r" at line (\d+):\d+(?: -)?| \(line (\d+), column \d+ \(offset: \d+\)\)")


class Answer(Rows):
    """The answer to a question: a list of rows, each a dict.

    `notices` report what the answer leaves out, such as metrics of which it is unknown whether
    greater is better, and which values of parameters the graph lacks or has in another spelling.
    """

    def __init__(
        self, question: Question, rows: Iterable[dict[str, Any]], notices: Iterable[str] = ()
    ) -> None:
        super().__init__(rows, question.columns)
        self.question = question
        self.notices = list(notices)

    @property
    def notes(self) -> list[str]:
        """The notices, shown below the rows."""
        return self.notices

    def _repr_html_(self) -> str:
        """Return the first rows as an HTML table, for notebooks."""
        columns = self.question.columns
        rows = [[row.get(name) for name in columns] for row in self[:MAX_ROWS]]
        remaining = remaining_rows_note(len(self) - len(rows), "to_pandas()")
        note = "; ".join(filter(None, [*self.notices, remaining]))
        return html_table(self.question.title, columns, rows, note=note)


def ask(name: str, *, limit: int = 0, **parameters: Any) -> Answer:
    """Answer a question, for example ``ask("license-impact", licenses=["CC-BY-NC-4.0"])``.

    `limit` is the maximum number of rows; 0 means no limit. ``genai-graph ask`` lists the questions
    and ``genai-graph ask NAME --help`` their parameters. Nodes are identified by their uids.

    Raises `UnknownQuestionError`, `QuestionError` for a missing, unknown or invalid parameter, and
    `NodeNotFoundError` if a parameter is the uid of a node that does not exist.
    """
    question = get_question(name)
    row_limit = to_exact_int(limit)
    if row_limit is None or row_limit < 0:
        raise QuestionError(f"limit: expected an integer of at least 0, got {limit!r}")
    facts, statement_values = _prepare(question, parameters)
    rows, omitted = _run(question, statement_values, row_limit)
    return Answer(question, rows, find_notices(question, facts, rows, omitted))


def statement_parameters(name: str, **parameters: Any) -> dict[str, Any]:
    """Return all parameters of the statement of a question, with those that `ask` supplies.

    Raises the same errors as `ask`.
    """
    return _prepare(get_question(name), parameters)[1]


def _prepare(question: Question, given: Mapping[str, Any]) -> tuple[GraphFacts, dict[str, Any]]:
    """Validate parameters, and read what the statement needs besides."""
    values = question.validate(given)
    current_connection()  # the labels of own classes are known when a connection is open
    for parameter in question.parameters.values():
        uid = values[parameter.name]
        if parameter.label and parameter.label not in NODES:
            hint = did_you_mean(parameter.label, NODES) or f": expected one of {', '.join(NODES)}"
            raise QuestionFileError(parameter.location, f"unknown label {parameter.label!r}{hint}")
        if parameter.label and uid is not None and not existing_uids(parameter.label, [uid]):
            raise node_not_found(parameter.label, uid)
    if values.get("split") and "split_names" in question.supplied:
        values["split"] = canonical_name(values["split"])
    _refuse_undeclared_properties(question)
    facts = GraphFacts(values)
    return facts, {**values, **{name: SUPPLIERS[name](facts) for name in question.supplied}}


def _run(
    question: Question, parameters: dict[str, Any], limit: int
) -> tuple[list[dict[str, Any]], Omitted]:
    """Return the rows, and all values that were left out or not ranked, without a limit."""
    statement = _build_statement(question, is_limited=limit > 0)
    try:
        (record,) = query(statement, {**parameters, "limit": clamp_limit(limit)})
    except ReadOnlyError:
        problem = "the statement may write: questions can only read"
        raise QuestionFileError(question.location, problem) from None
    except QueryError as error:
        raise _file_error(question, str(error)) from error
    left_out = {name: record[f"left_out_{name}"] for name in question.left_out}
    not_ranked = {uid for uids in record.get("not_ranked", []) for uid in uids}
    rows = [dict(zip(question.columns, row, strict=True)) for row in record["rows"]]
    return rows, Omitted(left_out, len(not_ranked))


def _refuse_undeclared_properties(question: Question) -> None:
    """Raise an error for the first one: a database finds no value, and the answer is empty."""
    if not question.is_built_in:
        for line, problem in undeclared_properties(question.cypher):
            raise QuestionFileError(_location(question, line), problem)


def _file_error(question: Question, message: str) -> QuestionFileError:
    """Return the error of a statement, at its line in the file if the message contains a line."""
    match = _LINE.search(message)
    if match is None:
        return QuestionFileError(question.location, message)
    line = int(match[1] or match[2]) - 2  # _build_statement adds a line before the statement
    problem = _LINE.sub(":" if match[1] else "", message, count=1)
    return QuestionFileError(_location(question, line), problem)


def _location(question: Question, line: int) -> SourceLocation:
    """Return the location of a line of the statement, counted from 0."""
    first = question.location.line or 1
    return SourceLocation(question.location.file, first + max(line, 0))


def _build_statement(question: Question, *, is_limited: bool) -> str:
    """Return a statement for one record with all rows, because the driver has a cost per record."""
    columns = f"[{', '.join(map(quote_name, question.columns))}]"
    rows = f"CASE WHEN left_out IS NULL THEN {columns} END" if question.left_out else columns
    returned = [
        f"collect(CASE left_out WHEN '{name}' THEN {name} END) AS left_out_{name}"
        for name in question.left_out
    ]
    if question.not_ranked:
        returned.append("collect(not_ranked) AS not_ranked")
    limit_clause, first = "", "[..$limit]" if is_limited else ""
    # Own statements may end with a LIMIT, or be a UNION.
    if question.is_built_in and not returned and is_limited:
        limit_clause, first = "LIMIT $limit", ""
    returned = [f"collect({rows}){first} AS rows", *returned]
    return f"CALL () {{\n{question.cypher}\n{limit_clause}}} RETURN {', '.join(returned)}"


async def aask(name: str, *, limit: int = 0, **parameters: Any) -> Answer:
    """Answer a question with `ask` in a worker thread."""
    return await run_in_worker(ask, name, limit=limit, **parameters)
