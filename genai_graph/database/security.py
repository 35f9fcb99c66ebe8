"""Transport security: TLS, or plaintext to localhost only."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import neo4j

from genai_graph.database.addresses import ALL_SEEDS, DEFAULT_PORT, Resolver, split_uri
from genai_graph.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

    from genai_graph.database.settings import Settings


HANDSHAKE_TIMEOUT = 2.5  # seconds


def security_options(settings: Settings, uri: str) -> tuple[str, dict[str, Any]]:
    """Return the address and the options for the driver: security, and how addresses are resolved.

    Trusted certificates imply TLS and verification with every scheme. The driver accepts an SSL
    context with the schemes bolt and neo4j only, hence the scheme is replaced.

    Raises `SettingsError` for plaintext to another machine.
    """
    uris = split_uri(uri)
    parts = urlsplit(uris[0])
    scheme, _, security = parts.scheme.partition("+")
    if settings.trusted_certificates is not None:
        context = _trusted_context(settings.trusted_certificates)
    elif security:
        context = _default_context(verify=security == "s")
    else:
        context = None
    seeds = [neo4j.Address((url.hostname, url.port or DEFAULT_PORT)) for url in map(urlsplit, uris)]
    check = _accept if context is not None or settings.allow_plaintext else _require_loopback
    for seed in seeds:
        check(seed.host)
    options: dict[str, Any] = {"resolver": Resolver(seeds, context, check)}
    if context is not None:
        options["ssl_context"] = context
        parts = parts._replace(scheme=scheme)
    if len(seeds) > 1:
        parts = parts._replace(netloc=ALL_SEEDS)
    return parts.geturl(), options


class HandshakeTimeoutContext(ssl.SSLContext):
    """An SSL context whose handshakes always have a short timeout.

    A silent server would otherwise use up the time for all others. Once its deadline for a
    connection has expired, neo4j 6.1 even removes the socket's timeout.
    """

    def wrap_socket(self, sock: socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Perform the handshake; the driver then sets its own timeout."""
        sock.settimeout(min(sock.gettimeout() or HANDSHAKE_TIMEOUT, HANDSHAKE_TIMEOUT))
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


def _accept(host: str) -> None:
    """Do nothing: any host may be used."""


def _require_loopback(host: str) -> None:
    """Reject other machines, which a routing table may contain."""
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
