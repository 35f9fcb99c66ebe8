"""Locations without what opens them: a login, a signature, a token.

Others may read the graph, and its dumps; a location should tell where something is, and no more.
"""

from __future__ import annotations

import functools
import logging
import re
from urllib.parse import unquote

_log = logging.getLogger("genai_graph")
# The login in `scheme://user:password@host`; behind a third slash is a path. A password may have
# slashes in it; what begins like a port has none, and a name of Amazon's (arn:aws:...) is none.
# Without a password, it is a token where the scheme is http: elsewhere a mere user, or a container
# of Azure's. Oracle writes `user/password@`.
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
_NAME = re.compile(r"(?:(?P<within>[?&#])|;|^)(?P<name>[^=?&#;]*)=")
_VALUE_WITHIN, _VALUE = re.compile(r"[^&#]*&?"), re.compile(r"[^;&#]*;?")
_LEFT_OPEN = re.compile(r"[?&;]+(?=#|$)|#$")


def without_secrets(text: str) -> str:
    """Return a location without its login and its secret parameters, all else as it is."""
    return _stripped(text) if "@" in text or "=" in text else text


def _stripped(text: str) -> str:
    """Leave out what there is until there is no more: a login can stand in a parameter."""
    while True:
        bare = _LOGIN.sub("", text)
        without = _without_parameters(bare)
        if without == text:
            return text
        text = bare if without == bare else _LEFT_OPEN.sub("", without)


def _without_parameters(text: str) -> str:
    """Leave out the parameters that are secret by their names, however those are written."""
    kept, at = [], 0
    for found in _NAME.finditer(text):
        if found.start("name") >= at and _SECRET.fullmatch(unquote(found["name"])):
            value = _VALUE_WITHIN if found["within"] else _VALUE
            kept.append(text[at : found.start("name")])
            at = value.match(text, found.end()).end()  # type: ignore[union-attr]
    return "".join([*kept, text[at:]])


@functools.lru_cache(maxsize=1024)
def warn_once(name: str, kept: str) -> None:
    """Warn of what was left out of a property; once, though a load looks at a value twice."""
    _log.warning("%s: a login, a signature or a token was left out: %s is kept", name, kept)
