"""Answering questions: validate the parameters, run the statement, return its rows."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from genai_graph.conversion import to_exact_int
from genai_graph.database import (
    clamp_limit,
    current_connection,
    query,
    quote_name,
    run_in_worker,
    stream,
)
from genai_graph.database.rows import Rows
from genai_graph.database.transaction import read_in_transaction
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
from genai_graph.questions.facts import GraphFacts
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

# A function that reads the rows of a question, and counts the values that its statement leaves out.
_Reader: TypeAlias = "Callable[[Question, dict[str, Any], Omitted], Iterable[dict[str, Any]]]"


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

    def answer() -> Answer:
        run = QuestionRun(question, limit, parameters)
        rows = list(run.rows(_read_all))
        return Answer(question, rows, run.notices())

    return read_in_transaction(answer)


class QuestionRun:
    """A question with its parameters: the rows of its answer, then the notices.

    Raises the same errors as `ask`.
    """

    def __init__(self, question: Question, limit: int, given: Mapping[str, Any]) -> None:
        self.question = question
        row_limit = to_exact_int(limit)
        if row_limit is None or row_limit < 0:
            raise QuestionError(f"limit: expected an integer of at least 0, got {limit!r}")
        self._limit = row_limit
        self._values = _validate(self.question, given)
        self._facts = GraphFacts(self._values)
        self._omitted = Omitted({name: Counter() for name in self.question.left_out})
        self._is_empty = True

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as the database finds them."""
        return self.rows(_stream)

    def rows(self, read: _Reader) -> Iterator[dict[str, Any]]:
        """Yield the rows that a function reads."""
        remaining = self._limit
        for supplied in self._facts.supply_in_parts(self.question.supplied):
            row_limit = clamp_limit(remaining) if self._limit else 0
            values = {**self._values, **supplied, "limit": row_limit}
            for row in _explain_errors(self.question, read, values, self._omitted):
                self._is_empty = False
                yield row
                remaining -= 1
            if self._limit and not remaining:
                return

    def notices(self) -> list[str]:
        """Read and return the notices, which are complete only after all rows were read."""
        return find_notices(self.question, self._facts, self._omitted, is_empty=self._is_empty)


def statement_parameters(name: str, **parameters: Any) -> dict[str, Any]:
    """Return all parameters of the statement of a question, with those that `ask` supplies.

    Raises the same errors as `ask`.
    """
    question = get_question(name)
    values = _validate(question, parameters)
    return {**values, **GraphFacts(values).supply(question.supplied)}


def _validate(question: Question, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return valid parameters; the nodes that they name exist."""
    values = question.validate(given)
    current_connection()  # the labels of users' classes are known when a connection is open
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
    return values


def _explain_errors(
    question: Question, read: _Reader, parameters: dict[str, Any], omitted: Omitted
) -> Iterator[dict[str, Any]]:
    """Yield the rows; errors name the file of the question."""
    try:
        yield from read(question, parameters, omitted)
    except ReadOnlyError:
        problem = "the statement may write: questions can only read"
        raise QuestionFileError(question.location, problem) from None
    except QueryError as error:
        raise _file_error(question, str(error)) from error


def _refuse_undeclared_properties(question: Question) -> None:
    """Raise an error for the first undeclared property: databases would find no value, silently."""
    if not question.is_built_in:
        for line, problem in undeclared_properties(question.cypher):
            raise QuestionFileError(_location(question, line), problem)


def _file_error(question: Question, message: str) -> QuestionFileError:
    """Return the error of a statement, at its line in the file if the message contains a line."""
    match = _LINE.search(message)
    if match is None:
        return QuestionFileError(question.location, message)
    line = int(match[1] or match[2]) - 2  # _call adds a line before the statement
    if line > question.cypher.count("\n"):  # in the RETURN that _build_statement adds
        line = 0
    problem = _LINE.sub(":" if match[1] else "", message, count=1)
    return QuestionFileError(_location(question, line), problem)


def _location(question: Question, line: int) -> SourceLocation:
    """Return the location of a line of the statement, counted from 0."""
    first = question.location.line or 1
    return SourceLocation(question.location.file, first + max(line, 0))


def _read_all(
    question: Question, parameters: dict[str, Any], omitted: Omitted
) -> list[dict[str, Any]]:
    """Read one record with all rows, because the driver has a cost per record."""
    columns = f"[{', '.join(map(quote_name, question.columns))}]"
    rows = f"CASE WHEN left_out IS NULL THEN {columns} END" if question.left_out else columns
    first = "[..$limit]" if parameters["limit"] else ""
    returned = [f"collect({rows}){first} AS rows"]
    returned += [
        f"collect(CASE left_out WHEN '{name}' THEN {name} END) AS left_out_{name}"
        for name in question.left_out
    ]
    if question.not_ranked:
        returned.append("collect(not_ranked) AS not_ranked")
    (record,) = query(f"{_call(question, parameters)} RETURN {', '.join(returned)}", parameters)
    for name, counts in omitted.left_out.items():
        counts.update(record[f"left_out_{name}"])
    omitted.not_ranked.update(uid for uids in record.get("not_ranked", []) for uid in uids)
    return [dict(zip(question.columns, row, strict=True)) for row in record["rows"]]


def _stream(
    question: Question, parameters: dict[str, Any], omitted: Omitted
) -> Iterator[dict[str, Any]]:
    """Read a record for each row."""
    returned = [f"{quote_name(name)} AS {quote_name(name)}" for name in question.columns]
    returned += ["left_out AS left_out"] if question.left_out else []
    returned += ["not_ranked AS not_ranked"] if question.not_ranked else []
    remaining = parameters["limit"] or math.inf
    for row in stream(f"{_call(question, parameters)} RETURN {', '.join(returned)}", parameters):
        name = row.pop("left_out", None)
        omitted.not_ranked.update(row.pop("not_ranked", None) or ())
        if name is not None:
            omitted.left_out[name][row[name]] += 1
        elif remaining > 0:  # later rows are only read to count those that are left out
            remaining -= 1
            yield row


def _call(question: Question, parameters: Mapping[str, Any]) -> str:
    """Return the clause with the statement of a question, limited if this stops its work."""
    # A user's statement may end with a LIMIT, or be a UNION. Rows that are left out do not count.
    if not parameters["limit"] or question.left_out:
        return f"CALL () {{\n{question.cypher}\n}}"
    if question.is_built_in:
        return f"CALL () {{\n{question.cypher}\nLIMIT $limit}}"
    return f"CALL () {{\n{question.cypher}\n}} WITH * LIMIT $limit"


async def aask(name: str, *, limit: int = 0, **parameters: Any) -> Answer:
    """Answer a question with `ask` in a worker thread."""
    return await run_in_worker(ask, name, limit=limit, **parameters)
