"""The environment of a run: machine, packages, and the version of the code."""

from __future__ import annotations

import functools
import getpass
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genai_graph.properties.redaction import strip_credentials

_TIMEOUT = 5.0  # seconds for git and nvidia-smi each


def describe_environment() -> dict[str, Any]:
    """Return the version of Python, the machine, and the versions of the imported packages."""
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hostname": platform.node(),
        "cpu": _cpu(),
        "cpu_count": os.cpu_count(),
        "gpus": _gpus(),
        "packages": imported_packages(),
    }
    return {name: value for name, value in found.items() if value}


def imported_packages() -> dict[str, str]:
    """Return the versions of the imported packages, by the names of their modules."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if "." in name or name.startswith("_") or name in sys.stdlib_module_names:
            continue
        # Not getattr: it would run the code of modules that are imported lazily.
        known = getattr(module, "__dict__", {}).get("__version__")
        with suppress(PackageNotFoundError, ValueError):
            found[name] = known if isinstance(known, str) else version(name)
    return found


@functools.cache
def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@functools.cache
def _gpus() -> list[str]:
    """Return the names and the memory of NVIDIA's GPUs, if nvidia-smi responds."""
    if shutil.which("nvidia-smi") is None:
        return []
    output = _run("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv")
    return (output or "").splitlines()[1:]  # without the header


def describe_code() -> dict[str, str]:
    """Return `source`, and in a git repository `code_version` and `code_url`.

    The version is the commit, with ``-dirty`` if tracked files were changed.
    """
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    found = {"source": os.path.abspath(main)} if main else {}
    directory = os.path.dirname(found["source"]) if main else os.getcwd()
    commit = _run("git", "-C", directory, "rev-parse", "HEAD")
    if not commit:
        return found
    changes = _run("git", "-C", directory, "status", "--porcelain", "--untracked-files=no")
    url = _run("git", "-C", directory, "remote", "get-url", "origin")
    found["code_version"] = f"{commit}-dirty" if changes else commit
    if url:
        found["code_url"] = strip_credentials(url)
    return found


def current_user() -> str | None:
    """Return the name of the user, or None if it is unknown."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, such as in a container
        return None


def _run(*command: str) -> str | None:
    """Return the output of a command, or None if it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=True,
            # git must not take locks that disturb the user's commands, nor ask for a password.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
