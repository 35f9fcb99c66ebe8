"""The catalog of questions: those of this package and the user's own.

The user's own are the .cypher files in the directory `GENAI_GRAPH_QUESTIONS`, and in the packages
that the entry points ``genai_graph.questions`` name. Files are read when they are needed, so that a
change takes effect at once; the questions of a package that is installed later need a new process.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import TYPE_CHECKING

from genai_graph.database.settings import read_settings
from genai_graph.errors import (
    QuestionFileError,
    SettingsError,
    SourceLocation,
    UnknownQuestionError,
)
from genai_graph.properties.messages import did_you_mean
from genai_graph.questions.question_file import parse_question

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from genai_graph.questions.question import Question

QUESTIONS_SETTING, _ENTRY_POINTS = "GENAI_GRAPH_QUESTIONS", "genai_graph.questions"
_SUFFIX = ".cypher"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def list_questions() -> tuple[str, ...]:
    """Return the names of all questions, without the user's files that have an invalid name.

    Raises `SettingsError` if a directory of the user's questions can't be read.
    """
    return _sorted_names(_own_files()[0])


def read_questions() -> tuple[list[Question], list[QuestionFileError]]:
    """Return all valid questions by name, and the errors of the other files.

    Raises `SettingsError` if a directory of the user's questions can't be read.
    """
    own, invalid = _own_files()
    questions, errors = [], list(invalid.values())
    for name in _sorted_names(own):
        if name not in invalid:
            try:
                questions.append(_read_by_name(name, own))
            except QuestionFileError as error:
                errors.append(error)
    return questions, errors


def list_built_in_questions() -> tuple[str, ...]:
    """Return the names of the questions of this package."""
    return tuple(sorted(_built_in_files()))


def get_question(name: str) -> Question:
    """Return a question by its name.

    Raises `UnknownQuestionError` if it does not exist, and `QuestionFileError` if its file is
    invalid.
    """
    own, invalid = _own_files()
    names = _sorted_names(own)
    suggestion = ""
    if isinstance(name, str):
        if name in invalid:
            raise invalid[name]
        if name in names:
            return _read_by_name(name, own)
        suggestion = did_you_mean(name, names)
    hint = suggestion or f": expected one of {', '.join(names)}"
    raise UnknownQuestionError(f"unknown question {name!r}{hint}")


def _sorted_names(own: Mapping[str, Traversable]) -> tuple[str, ...]:
    return tuple(sorted({**_built_in_files(), **own}))


def _read_by_name(name: str, own: Mapping[str, Traversable]) -> Question:
    if name in own:
        return _read_question(name, own[name], is_built_in=False)
    return _built_in_question(name)


@functools.cache
def _built_in_files() -> dict[str, Traversable]:
    entries = ((entry.name, entry) for entry in files(__package__).iterdir())
    return {name.removesuffix(_SUFFIX): file for name, file in entries if name.endswith(_SUFFIX)}


@functools.cache
def _built_in_question(name: str) -> Question:
    return _read_question(name, _built_in_files()[name], is_built_in=True)


def _own_files() -> tuple[dict[str, Traversable], dict[str, QuestionFileError]]:
    """Return the user's files, and the errors of invalid names, by the names of the questions."""
    found: dict[str, Traversable] = {}
    errors: dict[str, QuestionFileError] = {}
    for file in _iter_own_files():
        name = file.name.removesuffix(_SUFFIX)
        problem = ""
        if not _NAME.fullmatch(name):
            problem = f"invalid name {name!r}: use a-z and digits, with hyphens between words"
        elif name in _built_in_files():
            problem = f"the package has a question {name!r}: rename the file"
        elif name in found:
            problem = f"a question of this name exists ({found[name]}): rename the file"
        if problem:
            errors[name] = QuestionFileError(SourceLocation(str(file)), problem)
        else:
            found[name] = file
    return found, errors


def _iter_own_files() -> Iterator[Traversable]:
    directory = read_settings().questions
    if directory is not None:
        try:
            yield from _cypher_files(directory)
        except OSError as error:
            raise SettingsError(
                f"{QUESTIONS_SETTING}: {directory}: can't be read: {error.strerror}"
            ) from None
    for point in _entry_points(tuple(sys.path)):
        try:
            yield from _cypher_files(files(point.value))
        except (ImportError, OSError, TypeError) as error:
            raise SettingsError(
                f"entry point {_ENTRY_POINTS}: {point.name} = {point.value}: {error}: expected a "
                "package that contains .cypher files"
            ) from None


@functools.cache
def _entry_points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return the entry points of the packages in `path`, the value of `sys.path`.

    Cached, because the search reads the metadata of all installed packages.
    """
    return tuple(entry_points(group=_ENTRY_POINTS))


def _cypher_files(directory: Traversable) -> list[Traversable]:
    found = (entry for entry in directory.iterdir() if entry.name.endswith(_SUFFIX))
    return sorted(found, key=lambda entry: entry.name)


def _read_question(name: str, file: Traversable, *, is_built_in: bool) -> Question:
    path = str(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problem = "not UTF-8 text: save it as UTF-8"
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
    else:
        return parse_question(name, text, path, is_built_in=is_built_in)
    raise QuestionFileError(SourceLocation(path), problem) from None
