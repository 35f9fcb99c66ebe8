"""The .cypher files of questions.

A file is a header of comments, an empty line, and one statement. The header is the source of the
command, its options, its help and the documentation::

    // Rank models on a dataset by a metric
    //
    // A paragraph with details, optional.
    //
    // Parameters:
    //   metric (string): the name of the metric
    //   min_shared (integer, default 1): ...
    // Supplied by ask:
    //   known_directions (map): ...
    // Columns:
    //   model: ...
    // Left out:
    //   metric: ...
    // Not ranked:
    //   value: ...

A parameter with a default, which is a JSON value, is optional. An entry is continued by lines with
deeper indentation.

A statement with entries ``Left out`` returns a column `left_out` as well: the name of an entry,
or null. Rows with a name are left out of the answer; a notice contains the text of the entry and
the values of its column. A statement with an entry ``Not ranked`` returns a column
`not_ranked`: the uids of scores that are listed without a rank, or null; a notice has their number.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

from genai_graph.database.cypher import strip_quoted
from genai_graph.errors import QuestionError, QuestionFileError, SourceLocation
from genai_graph.properties.messages import did_you_mean
from genai_graph.questions.facts import SUPPLIERS
from genai_graph.questions.question import TYPES, Parameter, Question

_HEADINGS = ("Parameters", "Supplied by ask", "Columns", "Left out", "Not ranked")
_ENTRY = re.compile(
    r"  (?P<name>\w+)"
    r"(?: \((?P<type>.*?)(?:, default (?P<default>.*))?\))?"
    r": (?P<text>.*)"
)
_PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Options of the command, and arguments of `ask`.
_RESERVED = ("name", "limit", "format", "strict", "help")
_PARAMETER = re.compile(r"\$(\w+)")


class _Entry(NamedTuple):
    """An entry of a section, and the number of its line."""

    line: int
    name: str
    type: str | None
    default: str | None
    text: str


def parse_question(name: str, text: str, file: str, *, is_built_in: bool) -> Question:
    """Parse the text of a file; raise `QuestionFileError` with the line of the first error."""
    return _Parser(text, file).parse(name, is_built_in=is_built_in)


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._lines = text.splitlines()
        headers = (at for at, line in enumerate(self._lines) if not line.startswith("//"))
        self._end = next(headers, len(self._lines))  # of the header

    def parse(self, name: str, *, is_built_in: bool) -> Question:
        header = [line.removeprefix("//").removeprefix(" ") for line in self._lines[: self._end]]
        title = header[0].strip() if header else ""
        if not title:
            self._refuse(1, "expected a title: begin the file with  // TITLE")
        first = next((at for at, line in enumerate(header) if _heading(line)), len(header))
        sections = self._sections(header, first)
        parameters = {}
        for entry in sections["Parameters"]:
            parameters[entry.name] = self._parameter(entry)
        for entry in sections["Supplied by ask"]:
            self._require_supplier(entry, parameters)
        if not sections["Columns"]:
            self._refuse(self._end, "expected the columns: add  // Columns:  and  //   NAME: TEXT")
        supplied = tuple(entry.name for entry in sections["Supplied by ask"])
        not_ranked = [entry.text for entry in sections["Not ranked"]]
        cypher, line = self._statement({*parameters, *supplied})
        return Question(
            name,
            title,
            " ".join(" ".join(header[1:first]).split()),
            parameters,
            supplied,
            {entry.name: entry.text for entry in sections["Columns"]},
            {entry.name: entry.text for entry in sections["Left out"]},
            not_ranked[0] if not_ranked else None,
            cypher,
            SourceLocation(self._file, line),
            is_built_in,
        )

    def _sections(self, header: list[str], first: int) -> dict[str, list[_Entry]]:
        """Return the entries of each section."""
        sections: dict[str, list[_Entry]] = {heading: [] for heading in _HEADINGS}
        entries: list[_Entry] = []
        for line, text in self._join_continued(header, first):
            if (heading := _heading(text)) is not None:
                if heading not in sections:
                    hint = did_you_mean(heading, _HEADINGS) or f": use {', '.join(_HEADINGS)}"
                    self._refuse(line, f"unknown section {heading!r}{hint}")
                entries = sections[heading]
                continue
            match = _ENTRY.fullmatch(text)
            if match is None:
                self._refuse(line, f"invalid entry {text.strip()!r}: write  //   NAME (TYPE): TEXT")
            if match["name"] in (entry.name for entry in entries):
                self._refuse(line, f"duplicate {match['name']!r}: remove one of them")
            entries.append(_Entry(line, **match.groupdict()))
        return sections

    @staticmethod
    def _join_continued(header: list[str], first: int) -> Iterator[tuple[int, str]]:
        """Yield the lines of the sections with their numbers; continued lines are joined."""
        joined: list[tuple[int, str]] = []
        for number, text in enumerate(header[first:], first + 1):
            if text.startswith("   ") and joined:
                line, before = joined.pop()
                joined.append((line, f"{before} {text.strip()}"))
            elif text.strip():
                joined.append((number, text))
        yield from joined

    def _parameter(self, entry: _Entry) -> Parameter:
        if not _PARAMETER_NAME.fullmatch(entry.name) or keyword.iskeyword(entry.name):
            self._refuse(
                entry.line,
                f"invalid parameter name {entry.name!r}: use a-z, 0-9 and underscores",
            )
        if entry.name in _RESERVED:
            self._refuse(entry.line, f"the parameter name {entry.name!r} is reserved: rename it")
        location = SourceLocation(self._file, entry.line)
        required = Parameter(entry.name, entry.type or "", entry.text, location)
        if not required.has_known_type:
            self._refuse(
                entry.line,
                f"{entry.name}: unknown type {entry.type or ''!r}: expected one of "
                f"{', '.join(TYPES)}, or uid of a LABEL",
            )
        if entry.default is None:
            return required
        optional = Parameter(entry.name, required.type, entry.text, location, is_required=False)
        try:
            default = optional.validate(json.loads(entry.default))
        except json.JSONDecodeError:
            self._refuse(
                entry.line, f"{entry.name}: default {entry.default} is not JSON: quote strings"
            )
        except QuestionError as error:
            self._refuse(entry.line, f"default of {error}")
        return Parameter(
            entry.name, required.type, entry.text, location, is_required=False, default=default
        )

    def _require_supplier(self, entry: _Entry, parameters: Mapping[str, Parameter]) -> None:
        if entry.name not in SUPPLIERS:
            hint = did_you_mean(entry.name, SUPPLIERS) or f": use {', '.join(SUPPLIERS)}"
            self._refuse(entry.line, f"ask does not supply {entry.name!r}{hint}")
        licenses = parameters.get("licenses")
        if entry.name == "licensed_datasets" and (
            licenses is None or licenses.type != "list of strings"
        ):
            self._refuse(
                entry.line,
                "licensed_datasets needs the licenses: declare the parameter  "
                "licenses (list of strings)",
            )

    def _statement(self, names: set[str]) -> tuple[str, int]:
        """Return the statement without its semicolon, and the number of its first line."""
        lines = self._lines[self._end :]
        skipped = next((at for at, line in enumerate(lines) if line.strip()), None)
        if skipped is None:
            self._refuse(len(self._lines), "expected a statement after the header")
        first = self._end + skipped + 1
        cypher = "\n".join(lines[skipped:]).rstrip().removesuffix(";")
        code = strip_quoted(cypher)
        if (at := code.find(";")) >= 0:
            self._refuse(first + code.count("\n", 0, at), "expected one statement: remove the rest")
        for match in _PARAMETER.finditer(code):
            if match[1] not in names:
                hint = did_you_mean(match[1], names) or ": declare it in the header"
                line = first + code.count("\n", 0, match.start())
                self._refuse(line, f"undeclared parameter ${match[1]}{hint}")
        return cypher, first

    def _refuse(self, line: int, problem: str) -> NoReturn:
        raise QuestionFileError(SourceLocation(self._file, max(line, 1)), problem)


def _heading(line: str) -> str | None:
    """Return the name of a section if a line of the header begins one."""
    match = re.fullmatch(r"(\w[\w ]*):\s*", line)
    return match[1] if match else None
