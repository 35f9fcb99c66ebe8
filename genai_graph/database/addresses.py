"""Addresses of servers: several in one URI, resolved and tried with time limits.

The driver's own limits have gaps: none applies to name resolution, and a server that accepts
connections but stays silent uses up the time for all others.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import neo4j
from neo4j._addressing import ResolvedAddress

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

DEFAULT_PORT = 7687
# Stands for all addresses of a URI. One of them would not do: if it were also the address of a
# member, connections to this member could reach another one.
ALL_SEEDS = "all-addresses.invalid"
TIMEOUT = 2.5  # seconds to resolve a name, and for each step of trying an address
# The first message of Bolt, with versions 5.0 to 5.8 and 4.4; the response has four bytes.
_HANDSHAKE = bytes.fromhex("6060b017 00080805 00000404 00000000 00000000")


def split_uri(uri: str) -> list[str]:
    """Split ``scheme://a:1,b:2`` into one URI for each address."""
    scheme, separator, rest = uri.partition("://")
    hosts, slash, tail = rest.partition("/")
    if not separator or "?" in hosts:
        return [uri]
    return [f"{scheme}://{host.strip()}{slash}{tail}" for host in hosts.split(",")]


class _Attempt(NamedTuple):
    """The addresses of a host, and whether a server responds at one of them."""

    host: neo4j.Address
    resolved: list[neo4j.Address]
    responds: bool


class Resolver:
    """Resolves addresses for the driver: names, and `ALL_SEEDS` to the addresses of a URI.

    Seeds that respond come first. `check` raises an error for a host that must not be used.
    """

    def __init__(
        self,
        seeds: list[neo4j.Address],
        ssl_context: ssl.SSLContext | None,
        check: Callable[[str], None],
    ) -> None:
        self._seeds = seeds
        self._context = ssl_context
        self._check = check

    def __call__(self, address: neo4j.Address) -> list[neo4j.Address]:
        """Return the addresses to try, in this order.

        Raises `neo4j.exceptions.ServiceUnavailable` if no name is resolved in time.
        """
        hosts = self._seeds if address.host == ALL_SEEDS else [address]
        for host in hosts:
            self._check(host.host)
        attempts = self._try_all(hosts)
        attempts.sort(key=lambda attempt: not attempt.responds)
        if not attempts:
            names = ", ".join(str(host.host) for host in hosts)
            raise neo4j.exceptions.ServiceUnavailable(
                f"timed out resolving {names}"
            ) from TimeoutError()
        return [resolved for attempt in attempts for resolved in attempt.resolved]

    def _try_all(self, hosts: list[neo4j.Address]) -> list[_Attempt]:
        """Try hosts at the same time, until one responds; a single host is only resolved."""
        finished: queue.SimpleQueue[_Attempt] = queue.SimpleQueue()
        for host in hosts:
            work = (host, finished, len(hosts) > 1)
            # A daemon thread does not keep the program from exiting.
            threading.Thread(target=self._try, args=work, daemon=True).start()
        attempts: list[_Attempt] = []
        deadline = time.monotonic() + TIMEOUT
        while len(attempts) < len(hosts) and not any(one.responds for one in attempts):
            try:
                attempts.append(finished.get(timeout=max(0, deadline - time.monotonic())))
            except queue.Empty:
                break
        tried = {attempt.host for attempt in attempts}
        if any(one.responds for one in attempts):
            # The driver resolves the others if it needs them.
            attempts += [_Attempt(host, [host], False) for host in hosts if host not in tried]
        return attempts

    def _try(
        self, host: neo4j.Address, finished: queue.SimpleQueue[_Attempt], connect: bool
    ) -> None:
        try:
            resolved = list(_resolve(host))
        except OSError:
            finished.put(_Attempt(host, [host], False))  # the driver reports the error
            return
        responds = connect and any(self._responds(address) for address in resolved)
        finished.put(_Attempt(host, resolved, responds))

    def _responds(self, address: neo4j.Address) -> bool:
        """Return whether a Bolt server responds at an address."""
        with contextlib.suppress(OSError):  # TLS errors included
            plain = socket.create_connection(tuple(address)[:2], timeout=TIMEOUT)
            with contextlib.ExitStack() as stack:
                stream = stack.enter_context(plain)
                if self._context is not None:
                    name = address._host_name
                    stream = stack.enter_context(
                        self._context.wrap_socket(plain, server_hostname=name)
                    )
                stream.settimeout(TIMEOUT)
                stream.sendall(_HANDSHAKE)
                return len(stream.recv(4)) == 4
        return False


def _resolve(host: neo4j.Address) -> Iterable[neo4j.Address]:
    """Yield the resolved addresses, which keep the name for the check of certificates."""
    found = socket.getaddrinfo(host.host, host.port, type=socket.SOCK_STREAM)
    for sockaddr in dict.fromkeys(info[4] for info in found):
        if len(sockaddr) == 2 or not sockaddr[3]:  # IPv4, or IPv6 that is not link-local
            yield ResolvedAddress(sockaddr, host_name=host._host_name)
