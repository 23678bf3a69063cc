"""HTTP/1.1 over asyncio streams: as much of it as AWS's JSON protocol needs.

1. A connection carries one exchange at a time, and is pooled again only after a whole answer.
2. A request that is cancelled, times out or breaks off takes its connection with it, so a long poll
   ends at once when nobody waits for it.
3. A pooled connection may have died unseen (AWS closes idle ones, a frozen Lambda container sees
   nothing): if it ends before the first byte of an answer, the request goes out on a fresh one.
4. The pool belongs to one event loop, as its sockets do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

CONNECT_SECONDS_MAX: Final = 5.0  # within a region a handshake takes milliseconds
HEAD_BYTES_MAX: Final = 64 * 1024  # AWS answers with about 300 bytes of headers
BODY_BYTES_MAX: Final = 32 * 1024 * 1024  # DynamoDB's largest answer is 16 MB (BatchGetItem)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes: scheme, host, port and path of a URL."""

    host: str
    port: int
    tls: bool
    path: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Split an endpoint's URL.

        Raises:
            ValueError: it is not an http or https URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https URL")
        tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls, parts.path or "/")

    @property
    def netloc(self) -> str:
        """Host and port as the Host header has them: the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def abort(self) -> None:
        self.writer.transport.abort()


class _Stale(Exception):
    """A pooled connection ended before it answered."""


class Pool:
    """Keep-alive connections to any number of hosts.

    Args:
        connections_max: exchanges at the same time over all hosts; further ones wait their turn.
        make_tls: makes the context that trusts AWS's endpoints; reading its certificates takes some
            40 ms, which a plain HTTP endpoint need not spend.
    """

    def __init__(self, connections_max: int, make_tls: Callable[[], ssl.SSLContext]) -> None:
        self._slots = asyncio.Semaphore(connections_max)
        self._idle: defaultdict[Address, list[_Connection]] = defaultdict(list)
        self._make_tls = make_tls
        self._tls: ssl.SSLContext | None = None

    async def post(
        self, address: Address, headers: Mapping[str, str], body: bytes, seconds_max: float
    ) -> Answer:
        """Send a request and read its whole answer.

        Raises:
            OSError: no connection, it broke off, it took too long (TimeoutError), or what came
                back is not HTTP (ConnectionError).
        """
        lines = [f"POST {address.path} HTTP/1.1", f"Host: {address.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        request = "\r\n".join(lines).encode("latin-1") + body
        async with self._slots:
            if (idle := self._take(address)) is not None:
                try:
                    return await self._exchange(address, idle, request, seconds_max)
                except _Stale:
                    self._drop(address)
            fresh = await self._connect(address)
            try:
                return await self._exchange(address, fresh, request, seconds_max)
            except _Stale as error:
                raise ConnectionResetError(f"{address.netloc} closed without an answer") from error

    def trust(self) -> ssl.SSLContext:
        """The TLS context of all connections, made at the first call."""
        if self._tls is None:
            self._tls = self._make_tls()
        return self._tls

    async def close(self) -> None:
        """Close the pooled connections."""
        for address in list(self._idle):
            self._drop(address)
        await asyncio.sleep(0)  # lets the transports report that they are closed

    def _take(self, address: Address) -> _Connection | None:
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if not (connection.reader.at_eof() or connection.writer.is_closing()):
                return connection
            connection.abort()
        return None

    def _drop(self, address: Address) -> None:
        for connection in self._idle.pop(address, ()):
            connection.abort()

    async def _connect(self, address: Address) -> _Connection:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(
                address.host,
                address.port,
                ssl=self.trust() if address.tls else None,
                limit=HEAD_BYTES_MAX,
            )
        return _Connection(reader, writer)

    async def _exchange(
        self, address: Address, connection: _Connection, request: bytes, seconds_max: float
    ) -> Answer:
        try:
            async with asyncio.timeout(seconds_max):
                connection.writer.write(request)
                answer = await _read(connection.reader)
        except BaseException:
            connection.abort()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            connection.abort()
        else:
            self._idle[address].append(connection)
        return answer


async def _read(reader: asyncio.StreamReader) -> Answer:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionResetError("the connection broke off within the headers") from error
        raise _Stale from error
    except ConnectionError as error:
        raise _Stale from error
    except asyncio.LimitOverrunError as error:
        raise ConnectionError(f"more than {HEAD_BYTES_MAX} bytes of headers") from error
    try:
        status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        return Answer(int(status_line.split(" ", 2)[1]), headers, await _body(reader, headers))
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the connection broke off within the body") from error
    except (ValueError, LookupError, asyncio.LimitOverrunError) as error:
        raise ConnectionError(f"the answer is not HTTP/1.1: {head[:80]!r}") from error


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        return await _exactly(reader, int(headers["content-length"]))
    chunks = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        chunks += await _exactly(reader, size)
        await reader.readexactly(2)
        if len(chunks) > BODY_BYTES_MAX:
            raise ConnectionError(f"more than {BODY_BYTES_MAX} bytes of body")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return bytes(chunks)


async def _exactly(reader: asyncio.StreamReader, size: int) -> bytes:
    if size > BODY_BYTES_MAX:
        raise ConnectionError(f"more than {BODY_BYTES_MAX} bytes of body")
    return await reader.readexactly(size)
