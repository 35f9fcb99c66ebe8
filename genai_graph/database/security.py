"""Transport security: TLS, or plaintext to localhost only."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genai_graph.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

    import neo4j

    from genai_graph.database.settings import Settings


HANDSHAKE_TIMEOUT = 2.5  # seconds, if the driver sets none


def security_options(settings: Settings, uri: str) -> tuple[str, dict[str, Any]]:
    """Return the address and the security options for the driver.

    Trusted certificates imply TLS and verification with every scheme. The driver accepts an SSL
    context with the schemes bolt and neo4j only, hence the scheme is replaced.

    Raises `SettingsError` for plaintext to another machine.
    """
    parts = urlsplit(uri)
    scheme, _, security = parts.scheme.partition("+")
    if settings.trusted_certificates is not None:
        context = _trusted_context(settings.trusted_certificates)
    elif security:
        context = _default_context(verify=security == "s")
    elif settings.allow_plaintext:
        return uri, {}
    else:
        _require_loopback(parts.hostname or "")
        return uri, {"resolver": _resolve_loopback}
    return parts._replace(scheme=scheme).geturl(), {"ssl_context": context}


class HandshakeTimeoutContext(ssl.SSLContext):
    """An SSL context whose handshakes always have a timeout.

    Once its deadline for a connection has expired, neo4j 6.1 removes the socket's timeout, and the
    handshake with a silent server would block forever.
    """

    def wrap_socket(self, sock: socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Perform the handshake; the driver then sets its own timeout."""
        if not sock.gettimeout():
            sock.settimeout(HANDSHAKE_TIMEOUT)
        return super().wrap_socket(sock, *args, **options)


def _default_context(*, verify: bool) -> ssl.SSLContext:
    """Return a context that trusts the system's certificate authorities, or any certificate."""
    context = HandshakeTimeoutContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trusted_context(authorities: Path) -> ssl.SSLContext:
    context = HandshakeTimeoutContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError:
        raise SettingsError(
            f"NEO4J_TRUSTED_CERTIFICATES: {authorities}: no certificates in PEM format"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"NEO4J_TRUSTED_CERTIFICATES: {authorities}: can't be read: {error.strerror}"
        ) from None
    return context


def _resolve_loopback(address: neo4j.Address) -> list[neo4j.Address]:
    """Reject other machines, which a routing table may contain."""
    _require_loopback(address.host)
    return [address]


def _require_loopback(host: str) -> None:
    if f".{host.lower()}".endswith(".localhost"):
        return
    with contextlib.suppress(ValueError):  # raised for a host name
        if ipaddress.ip_address(host).is_loopback:
            return
    raise SettingsError(
        f"the password and all data would be sent to {host} in plaintext: use neo4j+s:// or "
        "bolt+s:// in NEO4J_URI (with NEO4J_TRUSTED_CERTIFICATES for a private certificate "
        "authority), or set NEO4J_ALLOW_PLAINTEXT=1 if the network itself is secure"
    )
