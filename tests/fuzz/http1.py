"""What a provider's socket may bring: replies on a connection, and bodies that are packed."""

import asyncio
import re
import zlib
from collections.abc import Iterator
from http.client import HTTPResponse, IncompleteRead
from io import BytesIO
from socket import socket
from typing import Final, NamedTuple, cast
from unittest.mock import patch

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http1 import connection, unpack
from tokenwire_server.providers.http1.connection import Connection
from tokenwire_server.providers.http1.unpack import Unpacker

_SECONDS: Final = 5.0
"""Most that an exchange may take; one that does not hang takes milliseconds."""
_PIECES_PER_TURN: Final = 8
"""What comes before the reader has its turn: enough for the caps, few enough to be read in parts."""
_SMALL: Final = 128
"""A cap that inputs of a fuzzer's size reach."""
_UNPACKED_AT_ONCE: Final = 512
_FAILURES: Final = {Reason.PROVIDER_UNAVAILABLE, Reason.PROVIDER_BAD_RESPONSE, Reason.STREAM_TRUNCATED}
_HEAD: Final = re.compile(rb"HTTP/1\.[01] [2-9]\d\d[ -~]*\r\n([\w-]+:[ -~]*\r\n)*\r\n", re.ASCII)
"""Of a reply that the standard library reads as RFC 9112 has it: it splits lines at more than line feeds."""
_NEXT: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext"


class _Network(asyncio.Transport):
    """What a connection wants of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = asyncio.Event()
        self.reading.set()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def pause_reading(self) -> None:
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


class _Outcome(NamedTuple):
    """What became of a request."""

    status: int
    headers: dict[str, str]
    body: bytes
    failure: "Reason.ValueType | None"


class _Peer:
    """A connection and its network."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.network = _Network()
        self.largest = 0
        """Bytes of the largest piece of a body that was read."""
        self.connection.connection_made(self.network)

    async def outcome(self, data: bytes, size: int) -> _Outcome:
        """Of a request whose reply comes in pieces of this size."""
        async with asyncio.timeout(_SECONDS):
            outcome, _ = await asyncio.gather(self._ask(), self._bring(data, size))
        return outcome

    async def _ask(self) -> _Outcome:
        asked, body, failure = self.connection, b"", None
        try:
            await asked.send(b"", b"")
            while read := await asked.read():
                self.largest = max(self.largest, len(read))
                body += read
        except GatewayError as error:
            failure = error.reason
        return _Outcome(asked.status, asked.headers if asked.status else {}, body, failure)

    async def _bring(self, data: bytes, size: int) -> None:
        for number, piece in enumerate(_pieces(data, size)):
            if number % _PIECES_PER_TURN == 0:
                await asyncio.sleep(0)
            await self.network.reading.wait()
            if self.network.closed:
                break
            self.connection.data_received(piece)
        if self.network.closed or not self.connection.ended:
            self.connection.connection_lost(None)


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def reply(data: bytes) -> None:
    """However a reply is cut, the same comes of it: what the standard library reads as well, or a failure.

    The first byte is the size of the pieces.
    """
    asyncio.run(_reply(data[1:], 1 + (data[0] % 32 if data else 0)))


async def _reply(data: bytes, size: int) -> None:
    peer = _Peer()
    whole = await peer.outcome(data, len(data) or 1)
    assert whole.failure in {None, *_FAILURES}
    assert await _Peer().outcome(data, size) == whole
    await _check_caps(data, size, whole)
    if whole.failure is None and _HEAD.match(data):
        _check_library(data, whole, reusable=peer.connection.reusable)
    if peer.connection.reusable:
        assert await peer.outcome(_NEXT, size) == (200, {"content-length": "4"}, b"next", None)


async def _check_caps(data: bytes, size: int, whole: _Outcome) -> None:
    """Under small caps a reply is the same, or a failure; no more waits for its reader than is allowed."""
    peer = _Peer()
    with patch.multiple(connection, _HEAD=_SMALL, _UNREAD=_SMALL):
        capped = await peer.outcome(data, size)
    assert peer.largest <= _SMALL + size
    if capped != whole:
        assert capped.failure in {Reason.PROVIDER_BAD_RESPONSE, Reason.STREAM_TRUNCATED}
        assert whole.body.startswith(capped.body)


class _Kept(BytesIO):
    """Stands in for a socket: what its reader leaves can still be read."""

    def makefile(self, _mode: str) -> BytesIO:
        return self

    def close(self) -> None:
        pass


def _check_library(data: bytes, outcome: _Outcome, *, reusable: bool) -> None:
    kept = _Kept(data)
    read = HTTPResponse(cast("socket", kept), method="POST")
    read.begin()
    headers: dict[str, str] = {}
    for name, value in read.getheaders():
        headers.setdefault(name.lower(), value.rstrip(" "))
    assert (outcome.status, outcome.headers) == (read.status, headers)
    if headers.get("transfer-encoding", "chunked").lower() != "chunked":
        return  # which the library does not know
    try:
        assert outcome.body == read.read()
    except IncompleteRead:
        assert read.chunked  # a chunk may end with a line feed alone
        return
    if reusable:
        assert not read.will_close
        assert not kept.read().strip(b"\r\n")


def packed(data: bytes) -> None:
    """However a packed body is cut, what comes out is what zlib makes of it, in pieces that are bounded.

    The first byte is the size of the pieces.
    """
    body, size = data[1:], 1 + (data[0] % 32 if data else 0)
    with patch.object(unpack, "_MOST", _UNPACKED_AT_ONCE):
        assert asyncio.run(_unpacked(body, size)) == _by_zlib(body)


async def _unpacked(data: bytes, size: int) -> bytes | None:
    """None for what is not packed, or not whole."""
    pieces, body = _pieces(data, size), b""

    async def read() -> bytes:
        return next(pieces, b"")

    unpacker = Unpacker(read)
    try:
        while piece := await unpacker.read():
            assert len(piece) <= _UNPACKED_AT_ONCE
            body += piece
    except GatewayError as error:
        if error.reason != Reason.STREAM_TRUNCATED:
            raise
        return None
    return body


def _by_zlib(data: bytes) -> bytes | None:
    body = b""
    while data:
        part = zlib.decompressobj(32 + zlib.MAX_WBITS)
        try:
            body += part.decompress(data)
        except zlib.error:
            return None
        if not part.eof:
            return None
        data = part.unused_data
    return body
