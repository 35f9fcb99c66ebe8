"""Read Croissant files and cards with the libraries of their makers, for test_import_comparison.py.

Needs mlcroissant and huggingface_hub, in an environment of their own, and not this package:

    python -m venv /tmp/readers && /tmp/readers/bin/pip install mlcroissant huggingface_hub
    /tmp/readers/bin/python read_independently.py DIRECTORY > DIRECTORY/expected.json

The answer has an entry for each `croissant/**/*.json` and `huggingface/**/README.md` in it.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlcroissant
from huggingface_hub import DatasetCard, ModelCard

_DATASET_KEYS = ("dataset_info", "task_categories", "source_datasets", "size_categories")


def read_croissant(path: Path) -> dict[str, Any]:
    metadata = mlcroissant.Dataset(jsonld=str(path)).metadata
    files = [
        {
            "size": each.content_size,
            "sha256": each.sha256,
            "formats": each.encoding_formats,
        }
        for each in metadata.distribution
        if isinstance(each, mlcroissant.FileObject) and not each.contained_in
    ]
    return {
        "name": metadata.name,
        "version": metadata.version,
        "description": metadata.description,
        "url": metadata.url,
        "license": metadata.license or [],
        "creators": [creator.name for creator in metadata.creators or []],
        "citation": metadata.cite_as,
        "keywords": metadata.keywords or [],
        "files": files,
        "record_sets": [
            [_name(each), list(map(_field, each.fields))] for each in metadata.record_sets
        ],
    }


def _field(field: Any) -> list[Any]:
    return [_name(field), list(map(str, field.data_types)), list(map(_field, field.sub_fields))]


def _name(node: Any) -> str:
    name = node.name or node.id
    return str(name["en"] if isinstance(name, dict) else name)


def read_card(path: Path) -> dict[str, Any]:
    plain = ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True).data.to_dict()
    in_datasets = any(part.partition("--")[0] == "datasets" for part in path.parts)
    is_dataset = in_datasets or any(key in plain for key in _DATASET_KEYS)
    card: Any = (DatasetCard if is_dataset else ModelCard).load(path, ignore_metadata_errors=True)
    values = card.data.to_dict()
    results = [
        {
            "task": result.task_type,
            "dataset": result.dataset_type,
            "config": result.dataset_config,
            "split": result.dataset_split,
            "metric": result.metric_type,
            "name": result.metric_name,
            "value": result.metric_value,
        }
        for result in getattr(card.data, "eval_results", None) or []
    ]
    names = ("license", "library_name", "pipeline_tag", "tags", "datasets", "base_model")
    more = ("pretty_name", "source_datasets", "language", "base_model_relation")
    return {
        "is_dataset": is_dataset,
        "results": results,
        **{name: values.get(name) for name in (*names, *more)},
    }


def attempt(read: Callable[[Path], dict[str, Any]], path: Path) -> dict[str, Any]:
    try:
        return read(path)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}


def main(root: Path) -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    found = {
        path.relative_to(root).as_posix(): attempt(read, path)
        for pattern, read in (
            ("croissant/**/*.json", read_croissant),
            ("huggingface/**/README.md", read_card),
        )
        for path in sorted(root.glob(pattern))
    }
    json.dump(found, sys.stdout, indent=1, default=str, ensure_ascii=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
