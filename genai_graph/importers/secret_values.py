"""Parameters, tags and configuration values that are secrets, by their name or their shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from genai_graph.exchange.formats.parsing import LocatedList

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# As words of a name, so that `pad_token` and `max_tokens` are no secrets, but `dbPassword` is.
_NAMES = (
    ("password",),
    ("passwd",),
    ("passphrase",),
    ("pwd",),
    ("secret",),
    ("secrets",),
    ("credential",),
    ("credentials",),
    ("authorization",),
    ("apikey",),
    ("api", "key"),
    ("access", "key"),
    ("private", "key"),
    ("auth", "token"),
    ("access", "token"),
    ("api", "token"),
    ("bearer", "token"),
    ("refresh", "token"),
    ("session", "token"),
    ("hf", "token"),
    ("github", "token"),
    ("wandb", "token"),
)
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"
    r"|hf_[A-Za-z0-9]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|AIza[A-Za-z0-9_-]{35}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|[A-Za-z][A-Za-z0-9+.]{0,30}://[^\s/?#:@]*:[^\s/?#@]+@"  # a URL with a password
    r"|https?://[^\s/?#:@]+@"  # a URL with a token
    r")"
)

# A name with a value in a text: `--password=x`, `--api-key x`, `"password": "x"`.
_ASSIGNED = re.compile(
    r"(?<![\w.-])(?:--([\w-]{3,60})[ =]|([\w.-]{3,60})[\"']?\s{0,9}[:=])\s{0,9}[\"']?"
    r"(?!(?:null|none|true|false)\b|\*)[^\s\"',}\]]",
    re.IGNORECASE,
)


def is_secret(name: str, value: object) -> bool:
    """Return whether a value must not be stored: its name or its shape is that of a secret."""
    return is_secret_name(name) or (isinstance(value, str) and has_secret_shape(value))


@lru_cache(maxsize=4096)  # the runs of a source share their names
def is_secret_name(name: str) -> bool:
    """Return whether a name is that of a secret, in any spelling: `db.passwd`, `hfToken`."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any(
        tuple(words[start : start + len(secret)]) == secret
        for secret in _NAMES
        for start in range(len(words) - len(secret) + 1)
    )


def remove_secrets(value: Any, removed: Callable[[str], None], name: str = "") -> None:
    """Remove secrets from maps and lists in place; `removed` is called with the name of each."""
    if isinstance(value, dict):
        for key in list(value):
            has_secret_key = has_secret_shape(str(key))
            if has_secret_key or is_secret(str(key), value[key]):
                removed((name or "a key") if has_secret_key else str(key))
                del value[key]
            else:
                remove_secrets(value[key], removed, str(key))
    elif isinstance(value, list):
        for at in reversed(range(len(value))):
            if is_secret("", value[at]):
                removed(name)
                del value[at]
                if isinstance(value, LocatedList):
                    del value.lines[at]
            else:
                remove_secrets(value[at], removed, name)


def has_secret_shape(text: str) -> bool:
    """Return whether a text contains a key of a service, a token or a password."""
    return _SHAPES.search(text) is not None or any(
        is_secret_name(option or name) for option, name in _ASSIGNED.findall(text)
    )
