"""Import of Croissant descriptions of datasets (versions 0.8, 1.0 and 1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_graph.errors import ImportSourceError, SourceLocation
from genai_graph.exchange.formats.parsing import DocumentError
from genai_graph.importers import json_ld
from genai_graph.importers.builder import RecordBuilder, plain_json
from genai_graph.importers.context import Context
from genai_graph.importers.files import (
    Unreadable,
    UnreadableFileError,
    origin_of,
    read_bytes,
    walk_files,
)
from genai_graph.importers.hub_ids import dataset_of_page
from genai_graph.importers.records import Notice, Read, Skipped, SourceInfo, Written
from genai_graph.importers.safe_yaml import parse_json
from genai_graph.importers.secret_values import has_secret_shape, remove_secrets
from genai_graph.ogm.uids import escape_part, versioned_uid
from genai_graph.properties.messages import describe
from genai_graph.properties.redaction import strip_credentials

if TYPE_CHECKING:
    from genai_graph.importers.records import ImportRecord

_FILE_NAMES = ("metadata.json", "croissant.json")
_OPENML_PAGE = re.compile(
    r"https?://(?:www\.)?openml\.org/(?:d/|search\?(?:.*&)?id=)([0-9]+)(?:[/?#&].*)?\Z"
)
_PREFIXES = ("kilo", "mega", "giga", "tera", "peta")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.IGNORECASE)
_SIZE = re.compile(r"([0-9]{1,20}(?:[.,\s][0-9]{1,20}){0,9})\s?([A-Za-z][A-Za-z0-9]*|[24][LP])?\Z")
_UNITS: dict[str, int] = {
    **dict.fromkeys(["b", "byte", "bytes"], 1),
    **{f"{word}byte": 1000**power for power, word in enumerate(_PREFIXES, 1)},
    **{f"{word}bytes": 1000**power for power, word in enumerate(_PREFIXES, 1)},
    # Codes of UN/CEFACT, as in `unitCode`: AD is a byte, 2P a kilobyte.
    **dict(zip(["ad", "2p", "4l", "e34", "e35"], [1, 10**3, 10**6, 10**9, 10**12], strict=True)),
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", 1)},
}
_FILES = {"FileObject", "DataDownload"}  # the latter in descriptions for search engines
_GIT = "git+https"  # the format of a repository, whatever files it has
_MAX_SIZE = 2**63 - 1
_MAX_FIELD_DEPTH = 20


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
        self._events: list[ImportRecord] = []

    def records(self, paths: tuple[str, ...]) -> Iterator[ImportRecord]:
        yield SourceInfo(f"{', '.join(paths)} (Croissant)", item="files")
        found = 0
        problem: Skipped | None = None
        unreadable: Unreadable = []
        for path in paths:
            self._builder.origin = origin_of("croissant", path)
            for file, is_certain in _find_files(path, unreadable):
                records = list(self._map_file(file, is_certain))
                if not records:
                    continue
                found += 1
                skipped = [r for r in records if isinstance(r, Skipped) and r.item == "files"]
                problem = skipped[0] if skipped else None
                yield from records
        for directory, message in unreadable:
            yield Read("directories")
            at = SourceLocation(str(directory))
            yield Skipped(at, "directories", "unreadable", message=message)
        if not found:
            raise ImportSourceError(", ".join(paths), "no Croissant file found")
        if found == 1 and problem is not None:
            raise ImportSourceError(str(problem.location), problem.message)
        yield from self._builder.finish()

    def _map_file(self, path: Path, is_certain: bool) -> Iterator[ImportRecord]:
        """Map a file; one that is not a Croissant file is ignored or, if `is_certain`, reported."""
        location = SourceLocation(str(path))
        notices: list[str] = []
        content: Any = None
        problem = ""
        try:
            data = read_bytes(path)
            if not is_certain and b'"@context"' not in data:
                return
            content = parse_json(data, notices)
        except UnreadableFileError as error:
            problem = str(error)
        except DocumentError as error:
            problem, location = str(error), SourceLocation(str(path), error.line)
        datasets = json_ld.find_nodes(content, "Dataset")
        if not datasets and not is_certain:
            return
        yield Read("files")
        if not datasets:
            problem = problem or "is not a Croissant file: it has no node of the type Dataset"
            yield Skipped(location, "files", "unreadable", message=problem)
            return
        yield Written("files")
        yield from (Notice(location, notice) for notice in notices)
        for number, dataset in enumerate(datasets, 1):
            at = location if number == 1 else SourceLocation(f"{path}: dataset {number}")
            self._map_dataset(_Description(dataset, at, self._events), path, len(datasets) > 1)
            yield from self._events
            self._events.clear()

    def _map_dataset(self, dataset: _Description, path: Path, is_one_of_several: bool) -> None:
        location, node = dataset.location, dataset.node
        url, hub_id = dataset.text("url"), _hub_id(node)
        name, version = dataset.text("name"), dataset.text("version")
        found_name = name or _name_from_url(url)
        if is_one_of_several and hub_id is None and found_name is None:
            message = "a dataset without a name or url is not imported"
            self._events.append(Read("datasets"))
            self._events.append(Skipped(location, "datasets", "without a name", message=message))
            return
        if hub_id is not None:
            uid = versioned_uid(hub_id, None)
            uid = self._context.dataset_uid(uid, name=hub_id, location=url, local=False)
        else:
            found_name = found_name or path.absolute().parent.name
            uid = versioned_uid(found_name, version)
            uid = self._context.dataset_uid(uid, name=found_name, location=url)
        self._events.append(Read("datasets"))
        if problem := self._builder.uid_error("Dataset", uid):
            message = f"Dataset {uid[:100]!r}: {problem}"
            self._events.append(Skipped(location, "datasets", "invalid name", message=message))
            return
        self._events.append(Written("datasets"))
        license_, metadata = self._license(dataset)
        files = _top_level_files(dataset)
        values = {
            "description": dataset.text("description"),
            "license": license_,
            "creator": ", ".join(dataset.labels("creator", "author")) or None,
            "citation": dataset.text("citeAs") or "\n".join(dataset.labels("citation")) or None,
            "url": url,
            "tags": _keywords(dataset) or None,
            "size": _total_size(dataset, files),
            "digest": _digest(dataset, files),
            "encoding_format": _encoding_format(dataset, files),
            "data_schema": _data_schema(dataset) or None,
        }
        sources = self._sources(dataset)
        details = {
            "name": name if hub_id is not None else None,
            "version": version if hub_id is not None else None,
            "conforms_to": ", ".join(dataset.labels("conformsTo")),
            "publisher": ", ".join(dataset.labels("publisher")),
            "date_published": dataset.text("datePublished"),
            "openml_id": _openml_id(node),
        }
        kept = {key: value for key, value in details.items() if value}
        kept = {**dataset.other_values(), **kept}
        metadata |= {"croissant": kept} if kept else {}
        self._builder.collect("Dataset", uid, {**values, "metadata": metadata or None}, location)
        for source in sources:
            self._builder.collect("Dataset", source, {}, location)
            ends = ("Dataset", uid, "DERIVED_FROM", "Dataset", source)
            self._builder.collect_edge(ends, location)
        if self._context.project is not None:
            project = escape_part(self._context.project)
            self._builder.collect("Project", project, {}, location)
            self._builder.collect_edge(("Project", project, "HAS", "Dataset", uid), location)

    def _license(self, dataset: _Description) -> tuple[str | None, dict[str, Any]]:
        """Return the license, and the metadata with its text if that was changed."""
        texts = []
        for item in dataset.items("license"):
            found = json_ld.text(item)
            if found is None and isinstance(item, dict):
                found = json_ld.text(json_ld.get(item, "url", "identifier", "name"))
                found = found or json_ld.text(item.get("@id"))
            found = dataset.check_text("license", found, item)
            if found is not None and not found.rstrip("/").endswith("/undefined"):
                texts.append(found)
        if not texts:
            return None, {}
        original = ", ".join(texts)
        license_ = ", ".join(map(self._context.license, texts))
        return license_, {} if license_ == original else {"license": original}

    def _sources(self, dataset: _Description) -> list[str]:
        """Return the uids of the datasets that a dataset was derived from."""
        found = []
        for key in ("wasDerivedFrom", "isBasedOn"):
            for item in dataset.items(key):
                name = dataset.check_text(key, _hub_id(item) or json_ld.label(item), item)
                if name is not None and _hub_id(item) is not None:
                    uid = versioned_uid(name, None)
                    found.append(self._context.dataset_uid(uid, name=name, local=False))
                elif name is not None:
                    version = json_ld.text(json_ld.get(item, "version"))
                    uid = versioned_uid(name, version)
                    uid = self._context.dataset_uid(uid, name=name)
                    if problem := self._builder.uid_error("Dataset", uid):
                        dataset.report(f"{key}: {problem}")
                    else:
                        found.append(uid)
        return found


class _Description:
    """A node of the type Dataset; values that can't be read are reported as `events`."""

    def __init__(
        self, node: dict[str, Any], location: SourceLocation, events: list[ImportRecord]
    ) -> None:
        self.node = node
        self.location = location
        self._events = events
        self._read: set[str] = set()

    def items(self, name: str) -> list[Any]:
        """Return the values of a property."""
        self._read.add(name)
        return json_ld.items(json_ld.get(self.node, name))

    def text(self, name: str) -> str | None:
        """Return the text of a property; of several texts the first one counts."""
        self._read.add(name)
        value = json_ld.get(self.node, name)
        given = json_ld.items_in_english(value)
        texts = {json_ld.text(item) for item in given} - {None}
        if len(texts) > 1 and not any(isinstance(g, dict) and "@language" in g for g in given):
            message = f"{name}: {len(texts)} values: the first one is imported"
            self._events.append(Notice(self.location, message))
        return self.check_text(name, json_ld.text(value), value)

    def labels(self, *names: str) -> list[str]:
        """Return the texts or names in the first of some properties that has any."""
        for name in names:
            self._read.add(name)
            things = json_ld.items_in_english(json_ld.get(self.node, name))
            checked = [self.check_text(name, json_ld.label(thing), thing) for thing in things]
            if found := [text for text in checked if text is not None]:
                return found
        return []

    def check_text(self, name: str, text: str | None, value: Any) -> str | None:
        """Return a text; report a value without one, and a secret."""
        text = strip_credentials(text) if text and "://" in text.split(maxsplit=1)[0] else text
        if text is not None and has_secret_shape(text):
            self.skip_secret(name)
            return None
        if text is None and not json_ld.is_missing(value):
            self.report(f"{name}: expected a text, got {describe(value)}")
        return text

    def report(self, message: str) -> None:
        """Report a value that is not imported."""
        skipped = Skipped(self.location, "values", "invalid", message=message)
        self._events += [Read("values"), skipped]

    def other_values(self) -> dict[str, Any]:
        """Return the values of all properties that were not read, without secrets."""
        found = {
            _snake_case(json_ld.local_name(key)): plain_json(_without_tags(value))
            for key, value in self.node.items()
            if not key.startswith("@") and json_ld.local_name(key) not in self._read
        }
        remove_secrets(found, self.skip_secret)
        return found

    def skip_secret(self, name: str) -> None:
        """Report a secret."""
        self._events += [Read("keys"), Skipped(self.location, "keys", "secret")]
        message = f"{name} looks like a secret and is not imported"
        self._events.append(Notice(self.location, message))


def _without_tags(value: Any) -> Any:
    """Return a value without the language or type that JSON-LD adds to it."""
    if isinstance(value, list):
        return [_without_tags(item) for item in value]
    return value.get("@value", value) if isinstance(value, dict) else value


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _find_files(source: str, unreadable: Unreadable) -> Iterator[tuple[Path, bool]]:
    """Yield the JSON files of a path, and whether they must be Croissant files."""
    path = Path(source)
    if path.is_file():
        yield path, True
    elif path.is_dir():
        for file in walk_files(path, path, unreadable):
            if file.suffix in (".json", ".jsonld"):
                yield file, file.name in _FILE_NAMES
    else:
        raise ImportSourceError(source, "no such file or directory")


def _hub_id(node: Any) -> str | None:
    """Return the id of a dataset of the Hugging Face Hub, from the address of its page."""
    return next(filter(None, map(dataset_of_page, _addresses(node))), None)


def _openml_id(node: Any) -> int | None:
    for address in _addresses(node):
        if found := _OPENML_PAGE.match(address):
            return int(found[1])
    return None


def _addresses(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        names = ("url", "sameAs", "locatedAt", "atLocation")
        for value in (*(json_ld.get(node, name) for name in names), node.get("@id")):
            yield from filter(None, map(json_ld.text, json_ld.items(value)))


def _name_from_url(url: str | None) -> str | None:
    parts = [part for part in re.split(r"[?#]", url or "")[0].split("/") if part]
    return parts[-1] if len(parts) > 2 else None


def _keywords(dataset: _Description) -> list[str]:
    found = dataset.labels("keywords")
    if isinstance(json_ld.get(dataset.node, "keywords"), str):
        found = ",".join(found).split(",")
    stripped = (keyword.strip() for keyword in found)
    return list(dict.fromkeys(keyword for keyword in stripped if keyword))


# Files


def _top_level_files(dataset: _Description) -> list[Any]:
    """Return the files that are not in an archive or a repository."""
    found = []
    for each in dataset.items("distribution"):
        types = json_ld.types_of(each)
        if types & _FILES and not json_ld.items(json_ld.get(each, "containedIn")):
            found.append(each)
        elif not types & {*_FILES, "FileSet"}:
            dataset.report(f"distribution: expected a FileObject, got {_describe_value(each)}")
    return found


def _total_size(dataset: _Description, files: list[Any]) -> int | None:
    """Return the sum of the sizes of files, or None if one of them is unknown."""
    sizes = []
    for file in files:
        value = json_ld.get(file, "contentSize")
        sizes.append(_parse_size(value))
        if sizes[-1] is None and not json_ld.is_missing(value) and value != " B":
            shown = _describe_value(_size_text(value) or value)
            dataset.report(f"contentSize: expected a size such as 1.2 GB, got {shown}")
    known = [size for size in sizes if size is not None]
    total = sum(known)
    return total if known and len(known) == len(sizes) and total <= _MAX_SIZE else None


def _parse_size(value: Any) -> int | None:
    """Return the bytes of a size such as ``117743 B``, ``4.698 MB``, or of a quantity."""
    found = _SIZE.match((_size_text(value) or "").strip())
    if found is None:
        return None
    number, unit = re.sub(r"\s", "", found[1]), (found[2] or "B").lower()
    thousands = re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+(\.[0-9]+)?", number)
    plain = number.replace(",", "") if thousands else number.replace(",", ".")
    try:
        factor = _UNITS[unit]
        return round(float(plain) * factor) if "." in plain else int(plain) * factor
    except (KeyError, ValueError, OverflowError):
        return None


def _size_text(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    number = json_ld.text(json_ld.get(value, "value"))  # of a QuantitativeValue
    if number is None:
        return json_ld.text(value)
    unit = json_ld.text(json_ld.get(value, "unitText")) or json_ld.text(
        json_ld.get(value, "unitCode")
    )
    return f"{number} {unit or ''}"


def _digest(dataset: _Description, files: list[Any]) -> str | None:
    """Return the hash of the file if there is only one: it is then that of the data."""
    if len(files) != 1:
        return None
    value = json_ld.get(files[0], "sha256")
    texts = {json_ld.text(item) for item in json_ld.items(value)} - {None}
    text = next(iter(texts)) or "" if len(texts) == 1 else ""
    if _SHA256.match(text):
        return f"sha256:{text.lower()}"
    is_repository = json_ld.text(json_ld.get(files[0], "encodingFormat")) == _GIT
    if not (json_ld.is_missing(value) or is_repository or text == "SHA256"):  # a placeholder
        dataset.report(f"sha256: expected a hash of 64 digits, got {_describe_value(value)}")
    return None


def _encoding_format(dataset: _Description, files: list[Any]) -> str | None:
    formats = json_ld.items(json_ld.get(files[0], "encodingFormat")) if len(files) == 1 else []
    checked = [dataset.check_text("encodingFormat", json_ld.text(each), each) for each in formats]
    found = ", ".join(filter(None, checked))
    return None if found in (_GIT, "") else found


def _describe_value(value: Any) -> str:
    text = None if isinstance(value, list) else json_ld.text(value)
    return "a secret" if text and has_secret_shape(text) else describe(text or value)


# Record sets


def _data_schema(dataset: _Description) -> list[dict[str, Any]]:
    """Return the record sets with their fields, and the data types of these."""
    found = []
    for each in dataset.items("recordSet"):
        if isinstance(each, dict):
            found.append({"name": _node_name(each), "fields": _fields(dataset, each, "field", 0)})
        else:
            dataset.report(f"recordSet: expected a map, got {_describe_value(each)}")
    remove_secrets(found, dataset.skip_secret)
    return found


def _fields(
    dataset: _Description, node: dict[str, Any], key: str, depth: int
) -> list[dict[str, Any]]:
    found = []
    for field in json_ld.items(json_ld.get(node, key)):
        if not isinstance(field, dict):
            dataset.report(f"{key}: expected a map, got {_describe_value(field)}")
            continue
        given = json_ld.items(json_ld.get(field, "dataType"))
        types = [text for each in given if (text := json_ld.label(each)) is not None]
        entry: dict[str, Any] = {"name": _node_name(field)}
        if types:
            entry["type"] = types[0] if len(types) == 1 else types
        if depth < _MAX_FIELD_DEPTH and (inner := _fields(dataset, field, "subField", depth + 1)):
            entry["fields"] = inner
        found.append(entry)
    return [plain_json(entry) for entry in found]


def _node_name(node: dict[str, Any]) -> str:
    return json_ld.text(json_ld.get(node, "name")) or json_ld.text(node.get("@id")) or ""
