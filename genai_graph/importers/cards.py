"""Cards of the Hugging Face Hub: finding repositories, and the front matter of README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genai_graph.errors import ImportSourceError
from genai_graph.exchange.formats.parsing import DocumentError, decode_utf8
from genai_graph.importers.files import (
    MAX_CARD_BYTES,
    Unreadable,
    UnreadableFileError,
    is_inside,
    list_readable,
    read_bytes,
)
from genai_graph.importers.safe_yaml import Document, parse_yaml

README = "README.md"
RESULTS = ".eval_results"
_SPACE = re.compile(r"[\s\ufeff]*")
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# A line of `---` alone is a rule in Markdown; with a key after it, it starts front matter.
_UNFINISHED = re.compile(r"---[ \t]*\n\s*[\w-]+:(?:\s|\Z)")
_DISPLACED = re.compile(
    r"^---+[ \t]*\n(?:(?!---)[^\n]*\n)*?(?:license|language|tags|datasets|base_model|library_name"
    r"|pipeline_tag|model-index|task_categories|dataset_info):",
    re.MULTILINE,
)
_CACHED = re.compile(r"(models|datasets)--(.+)\Z")
_LABELS = {"models": "Model", "datasets": "Dataset"}
# Keys that only cards of datasets have.
_DATASET_KEYS = (
    *("dataset_info", "task_categories", "source_datasets", "size_categories"),
    "annotations_creators",
)


@dataclass
class Repository:
    """A repository of the Hub or a copy: its directory, its id, and the label of its node if known.

    `root` limits where links may lead. `revision` is the commit in the cache.
    """

    directory: Path
    root: Path
    id: str
    label: str | None
    revision: str | None = None
    readme: str = README

    @property
    def card(self) -> Path:
        """The path of the card, which may not exist."""
        return self.directory / self.readme


def find_repositories(
    source: str, name: str | None, unreadable: Unreadable
) -> Iterator[Repository]:
    """Yield the repositories of a README.md, a directory, or the cache of the Hub.

    The id is that of the cache directory, else `name`, else the path below the directory, else the
    name of the directory. Directories that can't be read are added to `unreadable`. Raises
    `ImportSourceError` if the source does not exist.
    """
    path = Path(source).expanduser()
    if path.is_file():
        directory = path.absolute().parent
        yield _cached_snapshot(directory, path.name) or Repository(
            path.parent,
            path.parent,
            name or directory.name,
            _label(directory.parts),
            readme=path.name,
        )
        return
    if not path.is_dir():
        raise ImportSourceError(source, "no such file or directory")
    snapshot = _cached_snapshot(path.absolute(), README)
    if snapshot is not None:
        yield snapshot
    else:
        yield from _walk(path, path, name, unreadable)


def _walk(
    directory: Path, root: Path, name: str | None, unreadable: Unreadable
) -> Iterator[Repository]:
    if (found := _CACHED.match(directory.absolute().name)) is not None:
        repository = _cached(directory, found[1], found[2], unreadable)
        if repository is not None:
            yield repository
        return
    if _is_repository(directory, root):
        below = directory.relative_to(root).parts
        parts = below or (directory.absolute().name,)
        if below and below[0] in _LABELS:
            parts = below[1:] or parts
        label = _label((*root.absolute().parts, *below))
        yield Repository(directory, root, name or "/".join(parts[-2:]), label)
        return
    for path in list_readable(directory, root, unreadable):
        if path.is_dir() and not path.is_symlink() and path.name != ".git":
            yield from _walk(path, root, name, unreadable)


def _is_repository(directory: Path, root: Path) -> bool:
    return any(
        (directory / entry).exists() and is_inside(directory / entry, root)
        for entry in (README, RESULTS)
    )


def _cached(directory: Path, group: str, name: str, unreadable: Unreadable) -> Repository | None:
    """Return the newest snapshot of a repository in the cache, or None if it has none."""
    try:
        revision = read_bytes(directory / "refs" / "main", 1_000).decode("ascii").strip()
    except (UnreadableFileError, UnicodeDecodeError):
        revision = ""
    entries = list_readable(directory / "snapshots", directory, unreadable)
    snapshots = [path.name for path in entries]
    if revision not in snapshots:
        if not snapshots:
            return None
        revision = snapshots[-1]
    snapshot = directory / "snapshots" / revision
    return Repository(snapshot, directory, name.replace("--", "/"), _LABELS[group], revision)


def _cached_snapshot(directory: Path, readme: str) -> Repository | None:
    """Return the repository of a directory that is a snapshot in the cache, or None."""
    if directory.parent.name != "snapshots":
        return None
    repository = directory.parent.parent
    found = _CACHED.match(repository.name)
    if found is None:
        return None
    name, label = found[2].replace("--", "/"), _LABELS[found[1]]
    return Repository(directory, repository, name, label, directory.name, readme)


def _label(parts: tuple[str, ...]) -> str | None:
    found = [part for part in parts if part in _LABELS]
    return _LABELS[found[-1]] if found else None


def label_of(card: dict[str, Any]) -> str:
    """Return the label of the node that a card describes, by the keys of the card."""
    return "Dataset" if any(key in card for key in _DATASET_KEYS) else "Model"


def read_front_matter(path: Path) -> Document:
    """Return the front matter of a card; without one, the content is an empty dict.

    Only empty lines and comments may be above it. Raises `UnreadableFileError`, and
    `DocumentError` with the line of the error.
    """
    text = decode_utf8(read_bytes(path, MAX_CARD_BYTES))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = _skip_comments(text)
    found = _FRONT_MATTER.match(text, start)
    if found is None:
        if _UNFINISHED.match(text, start):
            line = text.count("\n", 0, start) + 1
            raise DocumentError(line, "the front matter has no end: add a line with ---")
        return Document({}, _find_displaced(text, start))
    first_line = text.count("\n", 0, found.start(1)) + 1
    document = parse_yaml(found[1], first_line)
    if document.content is None:
        document.content = {}
    if not isinstance(document.content, dict):
        raise DocumentError(first_line, "expected a map as front matter")
    return document


def _skip_comments(text: str) -> int:
    """Return the position after white space and HTML comments at the start of a text."""
    position = 0
    while True:
        found = _SPACE.match(text, position)
        position = found.end() if found else position
        end = text.find("-->", position) if text.startswith("<!--", position) else -1
        if end < 0:
            return position
        position = end + len("-->")


def _find_displaced(text: str, start: int) -> list[tuple[int, str]]:
    """Return a notice of front matter below the start, where the Hub does not read it either."""
    found = _DISPLACED.search(text, start)
    if found is None:
        return []
    line = text.count("\n", 0, found.start()) + 1
    return [(line, "front matter is not read: it must start with --- in the first line")]
