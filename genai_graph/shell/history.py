"""Where the shell keeps what was typed: it may hold secrets."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from genai_graph.database.settings import read_settings
from genai_graph.server.locks import open_private

if TYPE_CHECKING:
    from pathlib import Path


LENGTH = 10_000


def history_file(name: str) -> Path | None:
    """Return a file in the data folder that only its owner may read; say why when there is none."""
    file = read_settings().home / name
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(open_private(file))
    except OSError as error:
        print(f"no history is kept: {file}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return None
    return file
