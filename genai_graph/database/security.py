"""What keeps others from listening: TLS, or a way that does not leave this machine."""

from __future__ import annotations

import ipaddress
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genai_graph.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    import neo4j

    from genai_graph.database.settings import Settings


def security_options(settings: Settings, uri: str) -> tuple[str, dict[str, Any]]:
    """Return the address as the driver takes it, and the options that secure the connection.

    Certificate authorities of one's own mean TLS with every scheme, and certificates that are
    checked; the driver itself takes them with bolt and neo4j only.

    Raises `SettingsError` for plain text to another machine.
    """
    parts = urlsplit(uri)
    scheme, is_encrypted, _ = parts.scheme.partition("+")
    if settings.trusted_certificates is not None:
        context = _trusting(settings.trusted_certificates)
        return parts._replace(scheme=scheme).geturl(), {"ssl_context": context}
    if is_encrypted or settings.allow_plaintext:
        return uri, {}
    _refuse_elsewhere(parts.hostname or "")
    return uri, {"resolver": _resolve_here}


def _trusting(authorities: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError:
        raise SettingsError(
            f"NEO4J_TRUSTED_CERTIFICATES: {authorities} has no certificates in PEM form"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"NEO4J_TRUSTED_CERTIFICATES: {authorities} can't be read: {error.strerror}"
        ) from None
    return context


def _resolve_here(address: neo4j.Address) -> list[neo4j.Address]:
    """Let the driver go to this machine only: a routing table may name others."""
    _refuse_elsewhere(address.host)
    return [address]


def _refuse_elsewhere(host: str) -> None:
    if not _is_loopback(host):
        raise SettingsError(
            f"the password and all data would go to {host} in plain text: use neo4j+s:// or "
            "bolt+s:// in NEO4J_URI (for certificates of your own, NEO4J_TRUSTED_CERTIFICATES), or "
            "set NEO4J_ALLOW_PLAINTEXT=1 where the network itself is safe"
        )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
