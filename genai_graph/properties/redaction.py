"""Removal of credentials from URLs: user info, signatures, tokens.

The graph and its dumps have other readers than the data that a location points to.
"""

from __future__ import annotations

import functools
import logging
import re
from urllib.parse import unquote

_log = logging.getLogger("genai_graph")
# User info in `scheme://user:password@host`. After a third slash comes a path, not a host. A
# password may contain slashes, unless it starts like a port; an Amazon resource name (arn:aws:...)
# is not user info. A user without a password is a token for HTTP; for other schemes it is a plain
# user name or an Azure container. Oracle writes `user/password@`.
_LOGIN = re.compile(
    r"(?<=//)(?<!///)[^/?#\s:@\[]*:[^/?#\s]*@"
    r"|(?<=//)(?<!///)(?!arn:)[^/?#\s:@\[]+:(?![0-9]*(?:[/?#]|$))[^\s@]{0,256}@"
    r"|(?<=http://)[^/?#\s]+@"
    r"|(?<=https://)[^/?#\s]+@"
    r"|(?:(?<=jdbc:oracle:thin:)|(?<=jdbc:oracle:oci:))[^/?#\s:@]+/[^\s?]{0,256}(?=@)",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"x-(?:amz|goog)-[\w-]*|sig|signature|awsaccesskeyid|googleaccessid|key-pair-id|auth|pass"
    r"|[\w-]*(?:token|secret|passw(?:or)?d|passphrase|pwd|credentials?|api[_-]?key|access[_-]?key"
    r"|account[_-]?key|private[_-]?key|secret[_-]?key|shared[_-]?access[_-]?signature)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:(?P<in_query>[?&#])|;|^)(?P<name>[^=?&#;]*)=")
_VALUE_IN_QUERY, _VALUE = re.compile(r"[^&#]*&?"), re.compile(r"[^;&#]*;?")
_DANGLING = re.compile(r"[?&;]+(?=#|$)|#$")


def strip_credentials(text: str) -> str:
    """Return a location without user info and secret parameters, otherwise unchanged."""
    return _strip(text) if "@" in text or "=" in text else text


def _strip(text: str) -> str:
    """Remove credentials until none are left: a parameter can contain a URL with a login."""
    while True:
        bare = _LOGIN.sub("", text)
        without = _without_parameters(bare)
        if without == text:
            return text
        text = bare if without == bare else _DANGLING.sub("", without)


def _without_parameters(text: str) -> str:
    """Remove the parameters with secret names, percent-encoded or not."""
    kept, end = [], 0
    for found in _NAME.finditer(text):
        if found.start("name") >= end and _SECRET.fullmatch(unquote(found["name"])):
            value = _VALUE_IN_QUERY if found["in_query"] else _VALUE
            kept.append(text[end : found.start("name")])
            end = value.match(text, found.end()).end()  # type: ignore[union-attr]
    return "".join([*kept, text[end:]])


@functools.lru_cache(maxsize=1024)
def warn_of_credentials(name: str, kept: str) -> None:
    """Warn once that credentials were removed from a property: a load may read it repeatedly."""
    _log.warning("%s: credentials were removed from a location: %s is stored", name, kept)
