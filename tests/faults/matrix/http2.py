"""A raw HTTP/2 peer, which says what no gRPC library would (RFC 9113, RFC 7541)."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from support.gateway import SECONDS

from tokenwire.v1 import chat_pb2 as pb

DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
CANCEL: Final = struct.pack(">I", 8)

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    def pack(self) -> bytes:
        return struct.pack(">I", len(self.payload))[1:] + struct.pack(">BBI", *self[:3]) + self.payload


def header(name: str, value: str, *, indexed: bool = False) -> bytes:
    """A literal header field; `indexed` = the peer shall remember it."""
    return (b"\x40" if indexed else b"\x00") + _text(name) + _text(value)


def _text(text: str) -> bytes:
    data, left, size = text.encode(), len(text), bytearray()
    if left < 127:
        return bytes([left]) + data
    size.append(127)
    left -= 127
    while left > 127:
        size.append(left & 127 | 128)
        left >>= 7
    return bytes([*size, left]) + data


CHAT: Final = b"".join(
    header(name, value)
    for name, value in (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/tokenwire.v1.LLMService/Chat"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    )
)
"""The headers of a call."""


def message(request: pb.ChatRequest) -> bytes:
    """A request as gRPC frames it."""
    data = request.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


class Peer:
    """A connection that reads whatever comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._reading = asyncio.ensure_future(self._read(reader))

    async def send(self, *frames: Frame | bytes) -> None:
        """Says it; what the server no longer wants to hear is dropped."""
        self._writer.write(b"".join(frame if isinstance(frame, bytes) else frame.pack() for frame in frames))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def closed(self) -> None:
        """Gives back once the server has closed the connection."""
        async with asyncio.timeout(SECONDS):
            await asyncio.shield(self._reading)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass

    async def leave(self) -> None:
        self._writer.transport.abort()
        await self._reading


@asynccontextmanager
async def connected(address: str, *first: Frame | bytes) -> AsyncIterator[Peer]:
    """A peer that has said this; by default what every client says first."""
    host, _, port = address.rpartition(":")
    peer = Peer(*await asyncio.open_connection(host, int(port)))
    try:
        await peer.send(*(first or (PREFACE, Frame(SETTINGS, 0, 0, b""))))
        yield peer
    finally:
        await peer.leave()
