"""Import of MLflow stores: databases, tracking servers and file stores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from genai_graph.errors import ImportSourceError, SettingsError
from genai_graph.importers.context import Context
from genai_graph.importers.mlflow.database import DatabaseStore
from genai_graph.importers.mlflow.file_store import FileStore
from genai_graph.importers.mlflow.mapping import StoreMapping
from genai_graph.importers.mlflow.selection import RunSelection
from genai_graph.importers.mlflow.server_store import ServerStore
from genai_graph.properties.messages import describe
from genai_graph.properties.redaction import strip_credentials

if TYPE_CHECKING:
    from genai_graph.importers.mlflow.entities import Store
    from genai_graph.importers.records import ImportRecord

URI_VARIABLE = "MLFLOW_TRACKING_URI"
_DEFAULT_DATABASE, _DEFAULT_DIRECTORY = "mlflow.db", "mlruns"
__all__ = ["records"]


def records(
    uri: str | None = None,
    *,
    context: Context | None = None,
    experiments: Sequence[str] = (),
    exclude_experiments: Sequence[str] = (),
    since: Any = None,
    until: Any = None,
    with_deleted: bool = False,
    history: bool | None = None,
    history_limit: int = 10_000,
) -> Iterator[ImportRecord]:
    """Yield the records of an MLflow store.

    `uri` is the URL of a database or a server, or the directory of a file store. The default is
    ``MLFLOW_TRACKING_URI``, then ``./mlflow.db``, then ``./mlruns``. docs/importing.md describes
    the options.

    Raises `ImportSourceError` if the store can't be read, `SettingsError`, `MissingExtraError`.
    """
    if not isinstance(history_limit, int) or history_limit < 0:
        raise SettingsError(
            f"history_limit: expected an integer from 0, got {describe(history_limit)}"
        )
    selection = RunSelection(experiments, exclude_experiments, since, until, with_deleted)
    store = open_store(uri or _default_uri())
    context = context or Context()
    if context.known_runs is not None:
        selection.compare_with(context.known_runs(f"mlflow:{store.location}"))
    mapping = StoreMapping(store, context, selection, history, history_limit)
    try:
        yield from mapping.records()
    finally:
        mapping.close()
        store.close()


def open_store(uri: str) -> Store:
    """Open the store at a URI."""
    scheme, separator, _ = uri.partition("://")
    if not separator and not uri.startswith("file:"):
        path = Path(uri)
        return DatabaseStore(f"sqlite:///{path}") if path.is_file() else FileStore(path)
    if uri.startswith("file:"):
        parts = urlsplit(uri)
        host = "" if parts.netloc == "localhost" else parts.netloc
        return FileStore(Path(host + unquote(parts.path)))
    if scheme.partition("+")[0] in ("sqlite", "postgresql", "postgres", "mysql", "mariadb"):
        return DatabaseStore(uri)
    if scheme in ("http", "https"):
        return ServerStore(uri)
    raise ImportSourceError(
        strip_credentials(uri),
        "expected a database URL (sqlite:///mlflow.db, postgresql://..., mysql://...), a server "
        "(http://..., https://...) or a directory",
    )


def _default_uri() -> str:
    uri = os.environ.get(URI_VARIABLE)
    if uri:
        return uri
    if Path(_DEFAULT_DATABASE).is_file():
        return _DEFAULT_DATABASE
    if Path(_DEFAULT_DIRECTORY).is_dir():
        return _DEFAULT_DIRECTORY
    raise ImportSourceError(
        "mlflow",
        f"no store: set {URI_VARIABLE}, or give a URI such as sqlite:///mlflow.db (there is no "
        f"./{_DEFAULT_DATABASE} and no ./{_DEFAULT_DIRECTORY})",
    )
