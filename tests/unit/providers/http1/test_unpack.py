"""Bodies packed although nobody asked for it."""

import asyncio
import gzip
import zlib

import pytest
from support.raw_http import PATIENCE, sends, serving

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.http1.request import request
from tokenwire_server.providers.http1.unpack import Unpacker

TEXT = bytes(range(256)) * 5000


async def body_of(coding: bytes, body: bytes, cap: int = 1 << 24) -> bytes:
    """What is read of a body that came in chunks."""
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ntransfer-encoding: chunked\r\n\r\n" % coding
    client = HttpClient()
    try:
        async with (
            serving(sends(head, chunks)) as server,
            client.send(request("POST", server.url, {}), b"{}", PATIENCE) as reply,
        ):
            return await reply.body(cap)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        (b"gzip", gzip.compress(TEXT), TEXT),
        (b"GZIP", gzip.compress(b"hello"), b"hello"),
        (b"x-gzip", gzip.compress(b"hello ") + gzip.compress(b"world"), b"hello world"),
        (b"deflate", zlib.compress(TEXT), TEXT),
        (b"gzip", gzip.compress(b""), b""),
        (b"gzip", b"", b""),
        (b"identity", b"hello", b"hello"),
        (b"unheard-of", b"hello", b"hello"),
    ],
)
async def test_a_body(coding: bytes, body: bytes, expected: bytes) -> None:
    assert await body_of(coding, body) == expected


@pytest.mark.parametrize(
    "body",
    [gzip.compress(TEXT)[:-9], b"no gzip", gzip.compress(b"hello") + b"more"],
    ids=["cut off", "none", "more"],
)
async def test_one_that_is_not_packed_so(body: bytes) -> None:
    with pytest.raises(GatewayError) as raised:
        await body_of(b"gzip", body)
    assert raised.value.reason == Reason.STREAM_TRUNCATED


async def test_the_cap_is_of_what_comes_out() -> None:
    assert await body_of(b"gzip", gzip.compress(TEXT), cap=len(TEXT)) == TEXT
    with pytest.raises(GatewayError) as raised:
        await body_of(b"gzip", gzip.compress(bytes(1 << 26)), cap=1 << 20)
    assert raised.value.reason == Reason.RESPONSE_TOO_LARGE


async def test_others_have_their_turn_between_parts_that_are_empty() -> None:
    pieces = iter([gzip.compress(b"") * 1000])

    async def read() -> bytes:
        return next(pieces, b"")

    reading = asyncio.create_task(Unpacker(read).read())
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert await reading == b""
    assert turns >= 1000
