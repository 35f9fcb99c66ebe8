"""Import of Croissant descriptions of datasets (versions 0.8, 1.0 and 1.1)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_graph.errors import ImportSourceError, SourceLocation
from genai_graph.exchange.formats.parsing import DocumentError
from genai_graph.importers import json_ld
from genai_graph.importers.builder import RecordBuilder, plain_json
from genai_graph.importers.context import Context
from genai_graph.importers.files import UnreadableFileError, read_bytes, walk_files
from genai_graph.importers.records import Notice, Read, Skipped, SourceInfo, Written
from genai_graph.importers.safe_yaml import parse_json
from genai_graph.importers.secret_values import has_secret_shape
from genai_graph.ogm.uids import escape_part, versioned_uid
from genai_graph.properties.redaction import strip_credentials

if TYPE_CHECKING:
    from genai_graph.importers.records import ImportRecord

_FILE_NAMES = ("metadata.json", "croissant.json")
_HUB_PAGE = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/([^/?#]+(?:/[^/?#]+)?)(?:[/?#].*)?\Z"
)
_OPENML_PAGE = re.compile(
    r"https?://(?:www\.)?openml\.org/(?:d/|search\?(?:.*&)?id=)([0-9]+)(?:[/?#&].*)?\Z"
)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.IGNORECASE)
_SIZE = re.compile(r"([0-9]+(?:[.,][0-9]+)*)\s*([KMGTP]?i?B|bytes?)?\Z", re.IGNORECASE)
_UNITS = {
    **dict.fromkeys(["b", "byte", "bytes"], 1),
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", 1)},
}
_GIT = "git+https"  # a repository of files, and no format of them
_MAX_SIZE = 2**63 - 1


def records(*paths: str, context: Context | None = None) -> Iterator[ImportRecord]:
    """Yield the records of Croissant files, or of directories of them.

    docs/importing.md describes the mapping. Raises `ImportSourceError` if a path does not exist or
    has no readable Croissant file.
    """
    yield from _CroissantImport(context or Context()).records(paths)


class _CroissantImport:
    """Maps Croissant files; files of one dataset are one node."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._builder = RecordBuilder("")
        self._notices: list[Notice] = []

    def records(self, paths: tuple[str, ...]) -> Iterator[ImportRecord]:
        yield SourceInfo(f"{', '.join(paths)} (Croissant)", item="files")
        found, problem = 0, ""
        for path in paths:
            self._builder.origin = f"croissant:{os.path.realpath(path)}"
            for file, is_certain in _find_files(path):
                records = list(self._map_file(file, is_certain))
                found += bool(records)
                skipped = [each for each in records if isinstance(each, Skipped)]
                problem = skipped[0].message if skipped else ""
                yield from records
        if not found:
            raise ImportSourceError(", ".join(paths), "no Croissant file found")
        if found == 1 and problem:
            raise ImportSourceError(paths[0], problem)
        yield from self._builder.finish()

    def _map_file(self, path: Path, is_certain: bool) -> Iterator[ImportRecord]:
        """Map a file; another JSON file than a Croissant one is ignored unless `is_certain`."""
        name = str(path)
        line: int | None = None
        content: Any = None
        try:
            data = read_bytes(path)
            if not is_certain and b'"@context"' not in data:
                return
            content = parse_json(data)
            problem = ""
        except UnreadableFileError as error:
            problem = str(error)
        except DocumentError as error:
            problem, line = str(error), error.line
        dataset = json_ld.find_node(content, "Dataset")
        if dataset is None and not is_certain:
            return
        yield Read("files")
        if dataset is None:
            problem = problem or "is not a Croissant file: it has no node of the type Dataset"
            yield Skipped(SourceLocation(name, line), "files", "unreadable", message=problem)
            return
        yield Written("files")
        self._map_dataset(dataset, path, SourceLocation(name))
        yield from self._notices
        self._notices.clear()

    def _map_dataset(self, dataset: dict[str, Any], path: Path, location: SourceLocation) -> None:
        url = json_ld.text(json_ld.get(dataset, "url"))
        name = json_ld.text(json_ld.get(dataset, "name"))
        version = json_ld.text(json_ld.get(dataset, "version"))
        hub_id = _hub_id(dataset)
        if hub_id is not None:
            uid = versioned_uid(hub_id, None)
            uid = self._context.dataset_uid(uid, name=hub_id, location=url, local=False)
        else:
            name = name or _name_from_url(url) or path.absolute().parent.name
            uid = self._context.dataset_uid(versioned_uid(name, version), name=name, location=url)
        license_, metadata = self._license(dataset)
        files = [each for each in _distribution(dataset) if _is_top_level_file(each)]
        details = {
            "name": name if hub_id is not None else None,
            "version": version if hub_id is not None else None,
            "conforms_to": json_ld.text(json_ld.get(dataset, "conformsTo")),
            "publisher": ", ".join(json_ld.labels(json_ld.get(dataset, "publisher"))),
            "date_published": json_ld.text(json_ld.get(dataset, "datePublished")),
            "openml_id": _openml_id(dataset),
        }
        kept = {key: value for key, value in details.items() if value}
        self._builder.collect(
            "Dataset",
            uid,
            {
                "description": self._safe_text(dataset, location, "description"),
                "license": license_,
                "creator": ", ".join(json_ld.labels(json_ld.get(dataset, "creator"))) or None,
                "citation": self._safe_text(dataset, location, "citeAs", "citation"),
                "url": url,
                "tags": _keywords(dataset) or None,
                "size": _total_size(files),
                "digest": _digest(files),
                "encoding_format": _encoding_format(files),
                "data_schema": _data_schema(dataset) or None,
                "metadata": {**metadata, **({"croissant": kept} if kept else {})} or None,
            },
            location,
        )
        self._map_sources(uid, dataset, location)
        if self._context.project is not None:
            project = escape_part(self._context.project)
            self._builder.collect("Project", project, {}, location)
            self._builder.collect_edge(("Project", project, "HAS", "Dataset", uid), location)

    def _safe_text(
        self, dataset: dict[str, Any], location: SourceLocation, *names: str
    ) -> str | None:
        """Return the text of a property, or None if it contains a secret."""
        text = json_ld.text(json_ld.get(dataset, *names))
        if text is None or not has_secret_shape(text):
            return text
        message = f"{names[0]} looks like a secret and is not imported"
        self._notices.append(Notice(location, message))
        return None

    def _license(self, dataset: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Return the license, and the metadata with its text if that was changed."""
        texts = []
        for item in json_ld.items(json_ld.get(dataset, "license")):
            found = json_ld.text(item)
            if found is None and isinstance(item, dict):
                found = json_ld.text(json_ld.get(item, "url", "identifier", "name"))
                found = found or json_ld.text(item.get("@id"))
            if found is not None and not found.rstrip("/").endswith("/undefined"):
                texts.append(found)
        if not texts:
            return None, {}
        original = ", ".join(texts)
        license_ = ", ".join(map(self._context.license, texts))
        return license_, {} if license_ == original else {"license": original}

    def _map_sources(self, uid: str, dataset: dict[str, Any], location: SourceLocation) -> None:
        for key in ("wasDerivedFrom", "isBasedOn"):
            for item in json_ld.items(json_ld.get(dataset, key)):
                target = self._source_uid(item)
                if target is not None:
                    self._builder.collect("Dataset", target, {}, location)
                    ends = ("Dataset", uid, "DERIVED_FROM", "Dataset", target)
                    self._builder.collect_edge(ends, location)

    def _source_uid(self, item: Any) -> str | None:
        """Return the uid of a dataset that another one was derived from."""
        hub_id = _hub_id(item)
        if hub_id is not None:
            uid = versioned_uid(hub_id, None)
            return self._context.dataset_uid(uid, name=hub_id, local=False)
        name = next(json_ld.labels(item), None)
        if name is None:
            return None
        name = strip_credentials(name)  # an address, if the dataset has no name
        version = json_ld.text(json_ld.get(item, "version"))
        return self._context.dataset_uid(versioned_uid(name, version), name=name)


def _find_files(source: str) -> Iterator[tuple[Path, bool]]:
    """Yield the JSON files of a path, and whether they must be Croissant files."""
    path = Path(source)
    if path.is_file():
        yield path, True
    elif path.is_dir():
        for file in walk_files(path, path):
            if file.suffix in (".json", ".jsonld"):
                yield file, file.name in _FILE_NAMES
    else:
        raise ImportSourceError(source, "no such file or directory")


def _hub_id(node: Any) -> str | None:
    """Return the id of a dataset of the Hugging Face Hub, from the address of its page."""
    for address in _addresses(node):
        if found := _HUB_PAGE.match(address):
            return found[1]
    return None


def _openml_id(node: Any) -> int | None:
    for address in _addresses(node):
        if found := _OPENML_PAGE.match(address):
            return int(found[1])
    return None


def _addresses(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in (
            *(json_ld.get(node, "url"), json_ld.get(node, "sameAs"), node.get("@id")),
            *(json_ld.get(node, "locatedAt"), json_ld.get(node, "atLocation")),
        ):
            for item in json_ld.items(value):
                address = item.get("@id") if isinstance(item, dict) else item
                if isinstance(address, str):
                    yield address


def _name_from_url(url: str | None) -> str | None:
    parts = [part for part in re.split(r"[?#]", url or "")[0].split("/") if part]
    return parts[-1] if len(parts) > 2 else None


def _keywords(dataset: dict[str, Any]) -> list[str]:
    value = json_ld.get(dataset, "keywords")
    if isinstance(value, str):
        value = value.split(",")
    found = [keyword.strip() for keyword in json_ld.labels(value)]
    return list(dict.fromkeys(keyword for keyword in found if keyword))


# Files


def _distribution(dataset: dict[str, Any]) -> list[Any]:
    return json_ld.items(json_ld.get(dataset, "distribution"))


def _is_top_level_file(node: Any) -> bool:
    return "FileObject" in json_ld.types_of(node) and json_ld.get(node, "containedIn") is None


def _total_size(files: list[Any]) -> int | None:
    """Return the sum of the sizes of files, or None if one of them is unknown."""
    sizes = [_parse_size(json_ld.get(file, "contentSize")) for file in files]
    known = [size for size in sizes if size is not None]
    total = sum(known)
    return total if known and len(known) == len(sizes) and total <= _MAX_SIZE else None


def _parse_size(value: Any) -> int | None:
    """Return the bytes of a size such as ``117743 B`` or ``4.698 MB``."""
    found = _SIZE.match((json_ld.text(value) or "").strip())
    if found is None:
        return None
    number, unit = found[1], (found[2] or "B").lower()
    thousands = re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+(\.[0-9]+)?", number)
    plain = number.replace(",", "") if thousands else number.replace(",", ".")
    try:
        factor: int = _UNITS[unit]
        return round(float(plain) * factor) if "." in plain else int(plain) * factor
    except (ValueError, OverflowError):
        return None


def _digest(files: list[Any]) -> str | None:
    text = json_ld.text(json_ld.get(files[0], "sha256")) if len(files) == 1 else None
    return f"sha256:{text.lower()}" if text and _SHA256.match(text) else None


def _encoding_format(files: list[Any]) -> str | None:
    found = json_ld.text(json_ld.get(files[0], "encodingFormat")) if len(files) == 1 else None
    return None if found == _GIT else found


# Record sets


def _data_schema(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the record sets with their fields, and the data types of these."""
    return [
        {"name": _node_name(each), "fields": _fields(each, 0)}
        for each in json_ld.items(json_ld.get(dataset, "recordSet"))
        if isinstance(each, dict)
    ]


def _fields(node: dict[str, Any], depth: int) -> list[dict[str, Any]]:
    found = []
    for field in json_ld.items(json_ld.get(node, "field" if depth == 0 else "subField")):
        if not isinstance(field, dict):
            continue
        types = [t for each in json_ld.items(json_ld.get(field, "dataType")) if (t := _type(each))]
        entry: dict[str, Any] = {"name": _node_name(field)}
        if types:
            entry["type"] = types[0] if len(types) == 1 else types
        if depth < 5 and (inner := _fields(field, depth + 1)):
            entry["fields"] = inner
        found.append(entry)
    return [plain_json(entry) for entry in found]


def _type(value: Any) -> str | None:
    return value.get("@id") if isinstance(value, dict) else json_ld.text(value)


def _node_name(node: dict[str, Any]) -> str:
    return json_ld.text(json_ld.get(node, "name")) or json_ld.text(node.get("@id")) or ""
