"""A cluster as the driver sees it: ports in front of one Neo4j server, each a member with a role.

Members answer routing requests themselves and forward everything else. Followers reject writes.
Members can be killed, revived and hung, and connections can be cut after a COMMIT. This shows the
client's half of a cluster, not Neo4j's replication: all members have the data at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from neo4j._codec.packstream.v1 import PackableBuffer, Packer, UnpackableBuffer, Unpacker

T = TypeVar("T")

RESET, RUN, BEGIN, COMMIT, ROLLBACK, PULL, ROUTE = 0x0F, 0x10, 0x11, 0x12, 0x13, 0x3F, 0x66
SUCCESS, RECORD, IGNORED, FAILURE = 0x70, 0x71, 0x7E, 0x7F
_MANIFEST = b"\x00\x00\x01\xff"  # the negotiation of versions that is not implemented here
_LOST = (asyncio.IncompleteReadError, ConnectionError)


def failure(code: str, message: str, gql_status: str, description: str) -> bytes:
    """Return the response to a request that failed."""
    fields = {
        "code": code,
        "neo4j_code": code,
        "message": message,
        "gql_status": gql_status,
        "description": f"error: connection exception - {description}",
        "diagnostic_record": {"OPERATION": "", "OPERATION_CODE": "0", "CURRENT_SCHEMA": "/"},
    }
    return _pack(FAILURE, fields)


def _pack(tag: int, *fields: Any) -> bytes:
    buffer = PackableBuffer()
    Packer(buffer).pack_struct(bytes([tag]), fields)
    return struct.pack(">H", len(buffer.data)) + bytes(buffer.data) + b"\0\0"


def _unpack(body: bytes) -> list[Any]:
    buffer = UnpackableBuffer()
    buffer.data, buffer.used = bytearray(body), len(body)
    unpacker = Unpacker(buffer)
    size, _ = unpacker.unpack_structure_header()
    return [unpacker.unpack() for _ in range(size)]


async def _read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return a message as sent, and without the headers of its chunks."""
    raw, body = b"", b""
    while True:
        header = await reader.readexactly(2)
        raw += header
        size = struct.unpack(">H", header)[0]
        if size:
            chunk = await reader.readexactly(size)
            raw, body = raw + chunk, body + chunk
        elif body:
            return raw, body


_NOT_A_LEADER = failure(
    "Neo.ClientError.Cluster.NotALeader",
    "No write operations are allowed directly on this database.",
    "08N07",
    "not the leader",
)
UNAVAILABLE = failure(
    "Neo.TransientError.General.DatabaseUnavailable",
    "The database is not currently available to serve your request.",
    "08N09",
    "database unavailable",
)


class Cluster:
    """Three members in front of a server; the methods may be called by any thread."""

    def __init__(self, server: str, size: int = 3) -> None:
        self._backend = int(server.rpartition(":")[2])
        self._loop = asyncio.new_event_loop()
        self._listening: dict[int, socket.socket] = {}
        self._sessions: set[asyncio.Task[None]] = set()
        self._writers: dict[int, set[asyncio.StreamWriter]] = defaultdict(set)
        self.ports = [0] * size
        self.leader: int | None = 0
        self.up: set[int] = set()
        self.hung: set[int] = set()
        self.cuts = 0  # connections still to be cut after a COMMIT
        self.drops = 0  # connections still to be cut before a COMMIT, which the server does not get
        self.delay = 0.0  # seconds until the server gets the COMMIT of a connection that is cut
        self.refusals = 0  # requests still to be refused
        self.refusal = UNAVAILABLE
        self.keeps_alive = False  # whether hung members send empty messages
        self.begun: Counter[tuple[str, int]] = Counter()  # (access mode, member)
        self.with_bookmarks = 0
        self.waiting: Counter[int] = Counter()  # connections to hung members
        self.most_waiting = 0  # hung members with connections at the same time
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        for member in range(size):
            self.revive(member)

    @property
    def uri(self) -> str:
        """The addresses of all members."""
        return "neo4j://" + ",".join(map(self.address, range(len(self.ports))))

    def address(self, member: int) -> str:
        return f"127.0.0.1:{self.ports[member]}"

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def kill(self, *members: int) -> None:
        """Close the ports and connections of members; without a leader, writes are rejected."""

        async def kill() -> None:
            for member in members:
                self.up.discard(member)
                self._loop.remove_reader(self._listening[member])
                self._listening[member].close()
                for writer in list(self._writers[member]):
                    writer.transport.abort()
                if self.leader == member:
                    self.leader = None

        self._call(kill())

    def revive(self, member: int) -> None:
        """Open the port of a member again."""

        async def open_port() -> None:
            listening = socket.create_server(("127.0.0.1", self.ports[member]), backlog=100)
            listening.setblocking(False)
            self._listening[member] = listening
            self.ports[member] = listening.getsockname()[1]
            self.up.add(member)
            self._loop.add_reader(listening, self._accept, member)

        self._call(open_port())

    def _accept(self, member: int) -> None:
        # Not `asyncio.start_server`, which leaks a connection that it accepts while it is closed.
        with contextlib.suppress(OSError):  # the client has given up
            connection, _ = self._listening[member].accept()
            connection.setblocking(False)
            session = self._loop.create_task(_Session(self, member).serve(connection))
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)

    def close(self) -> None:
        self.kill(*self.up)
        self.hung.clear()

        async def wait_for_sessions() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(tasks, timeout=5) if tasks else None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._call(wait_for_sessions())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def routing_table(self, database: str | None) -> dict[str, Any]:
        up = sorted(self.up)
        leaders = [] if self.leader is None else [self.address(self.leader)]
        followers = [self.address(member) for member in up if member != self.leader]
        servers = [
            {"addresses": leaders, "role": "WRITE"},
            {"addresses": followers or leaders, "role": "READ"},
            {"addresses": [self.address(member) for member in up], "role": "ROUTE"},
        ]
        return {"ttl": 300, "db": database, "servers": servers}

    def databases(self) -> list[list[Any]]:
        """Return the rows of SHOW DATABASES."""
        return [
            ["neo4j", [], True, self.address(member), "primary", member == self.leader, "online"]
            for member in sorted(self.up)
        ]


class _Session:
    """A connection of a client to a member, and the member's connection to the server."""

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    def __init__(self, cluster: Cluster, member: int) -> None:
        self._cluster, self._member = cluster, member
        # Responses of the member itself, in their order; None for those that the server will send.
        self._responses: deque[bytes | None] = deque()
        self._has_failed = self._in_transaction = self._is_cut = False
        self._rows: list[list[Any]] | None = None
        self._mode = "w"

    async def serve(self, connection: socket.socket) -> None:
        self._reader, self._writer = await asyncio.open_connection(sock=connection)
        writers = self._cluster._writers[self._member]
        writers.add(self._writer)
        if self._member not in self._cluster.up:
            self._writer.transport.abort()
        upstream: asyncio.StreamWriter | None = None
        try:
            hello = await self._reader.readexactly(20)
            await self._wait_for_handshake()
            versions = [hello[i : i + 4] for i in range(4, 20, 4)]
            offered = b"".join(b"\0\0\0\0" if one == _MANIFEST else one for one in versions)
            source, upstream = await asyncio.open_connection("127.0.0.1", self._cluster._backend)
            upstream.write(hello[:4] + offered)
            self._writer.write(await source.readexactly(4))
            works = [self._forward_responses(source), self._forward_requests(upstream)]
            tasks = [asyncio.create_task(work) for work in works]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(result, (*_LOST, asyncio.CancelledError, type(None))):
                    raise result
        except _LOST:
            pass
        finally:
            writers.discard(self._writer)
            for writer in (self._writer, upstream):
                if writer is not None:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()

    async def _forward_responses(self, source: asyncio.StreamReader) -> None:
        while True:
            raw, body = await _read_message(source)
            await self._wait_while_hung()
            if self._is_cut:
                continue
            self._writer.write(raw)
            if body[1] != RECORD:
                self._responses.popleft()
                self._flush()

    async def _forward_requests(self, upstream: asyncio.StreamWriter) -> None:
        while True:
            raw, body = await _read_message(self._reader)
            await self._wait_while_hung()
            tag = body[1]
            if tag == RESET:
                self._has_failed = False
            elif self._has_failed:
                self._respond(_pack(IGNORED))
                continue
            if self._answer(tag, body):
                continue
            if tag in (COMMIT, ROLLBACK, RESET):
                self._in_transaction = False
            self._responses.append(None)
            is_commit = tag == COMMIT and self._mode == "w"
            if is_commit and self._cluster.drops > 0:
                self._cluster.drops -= 1
                self._writer.transport.abort()
                return
            self._is_cut = is_commit and self._cluster.cuts > 0
            self._cluster.cuts -= self._is_cut
            if self._is_cut and self._cluster.delay:
                self._writer.transport.abort()
                await asyncio.sleep(self._cluster.delay)
            upstream.write(raw)
            await upstream.drain()
            if self._is_cut:
                await asyncio.sleep(0.3)  # the server commits
                self._writer.transport.abort()
                return

    async def _wait_for_handshake(self) -> None:
        """Wait while the member hangs, or until the client has given up."""
        waiting = self._cluster.waiting
        gone = asyncio.ensure_future(self._reader.read(1))
        waiting[self._member] += 1
        while self._member in self._cluster.hung and not gone.done():
            self._cluster.most_waiting = max(self._cluster.most_waiting, len(+waiting))
            await asyncio.sleep(0.05)
        waiting[self._member] -= 1
        if gone.done():
            raise ConnectionResetError
        gone.cancel()

    async def _wait_while_hung(self) -> None:
        while self._member in self._cluster.hung:
            if self._cluster.keeps_alive:
                self._writer.write(b"\0\0")
            await asyncio.sleep(0.05)

    def _respond(self, *messages: bytes) -> None:
        self._responses.extend(messages)
        self._flush()

    def _flush(self) -> None:
        while self._responses and (response := self._responses[0]) is not None:
            self._writer.write(response)
            self._responses.popleft()

    def _answer(self, tag: int, body: bytes) -> bool:
        """Answer a message that the server does not get."""
        if tag in (ROUTE, BEGIN) and self._cluster.refusals:
            self._cluster.refusals -= 1
            self._has_failed = True
            self._respond(self._cluster.refusal)
            return True
        if tag == ROUTE:
            database = _unpack(body)[2]
            name = database.get("db") if isinstance(database, dict) else database
            self._respond(_pack(SUCCESS, {"rt": self._cluster.routing_table(name)}))
            return True
        if tag == RUN and body.find(b"SHOW DATABASES") > 0:
            columns = ["name", "aliases", "home", "address", "role", "writer", "currentStatus"]
            self._respond(_pack(SUCCESS, {"fields": columns, "qid": 0}))
            self._rows = self._cluster.databases()
            return True
        if tag == PULL and self._rows is not None:
            self._respond(*(_pack(RECORD, row) for row in self._rows), _pack(SUCCESS, {}))
            self._rows = None
            return True
        if tag in (BEGIN, RUN) and not self._in_transaction:
            fields = _unpack(body) if tag == BEGIN or len(body) < 1 << 16 else [None, None, {}]
            extra = fields[0] if tag == BEGIN else fields[2]
            self._mode, self._in_transaction = extra.get("mode", "w"), tag == BEGIN
            self._cluster.begun[self._mode, self._member] += 1
            self._cluster.with_bookmarks += bool(extra.get("bookmarks"))
        if tag in (BEGIN, RUN) and self._mode == "w" and self._member != self._cluster.leader:
            self._has_failed, self._in_transaction = True, False
            self._respond(_NOT_A_LEADER)
            return True
        return False


@contextlib.contextmanager
def running(server: str) -> Iterator[Cluster]:
    """Run a cluster in front of a server."""
    cluster = Cluster(server)
    try:
        yield cluster
    finally:
        cluster.close()


def elect(cluster: Cluster, leader: int) -> None:
    """Let another member lead."""
    cluster.leader = leader


def after(seconds: float, work: Callable[[], None]) -> threading.Timer:
    """Call a function later, in another thread."""
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer
