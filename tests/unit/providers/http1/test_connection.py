"""Connection, fed what a network may bring, in whatever pieces."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import now
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http1.connection import Connection

OK = b"HTTP/1.1 200 OK\r\nX-A: b\r\n"
SIZED = OK + b"content-length: 5\r\n\r\nhello"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
UNTIL_CLOSE = OK + b"\r\nhello"
CONTINUE = b"HTTP/1.1 100 Continue\r\nx-a: no\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"

WHOLE = {
    "sized": SIZED,
    "chunked": CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "an extension and a trailer": CHUNKED + b"5;a=b\r\nhello\r\n0\r\nx-a: no\r\n\r\n",
    "padded sizes": CHUNKED + b"5  \r\nhello\r\n0\r\n\r\n",
    "interim replies": CONTINUE + HINTS + SIZED,
    "only line feeds": SIZED.replace(b"\r\n", b"\n"),
}
NOT_HTTP = {
    "another protocol": b"220 mail.example.com ESMTP\r\n\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "another protocol from here on": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
    "a length and chunks": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
    "a length that is no number": OK + b"content-length: 5x\r\n\r\n",
    "a space before the colon": OK + b"content-length : 5\r\n\r\n",
    "a null in a value": OK + b"x-b: \0\r\n\r\n",
    "a large header": OK + b"x-b: " + b"b" * 70_000 + b"\r\n\r\n",
    "many headers": OK + b"b: c\r\n" * 12_000 + b"\r\n",
    "a header without end": OK + b"x-b: " + b"b" * 70_000,
    "interim replies without end": CONTINUE * 2_000,
    "an interim reply with a body": CONTINUE.replace(b"x-a: no", b"content-length: 5") + b"hello" + SIZED,
    "an interim reply in chunks": CHUNKED.replace(b"200", b"199") + b"96\r\n" + b"a" * 150,
    "a body where there is no content": SIZED.replace(b"200", b"204"),
    "chunks where nothing was modified": CHUNKED.replace(b"200", b"304") + b"5\r\nhello\r\n0\r\n\r\n",
}
BROKEN = {
    "a size that is none": CHUNKED + b"5\r\nhello\r\nz\r\n",
    "a chunk longer than its size": CHUNKED + b"5\r\nhello!\r\n",
    "an extension without end": CHUNKED + b"5\r\nhello\r\n1;" + b"a" * 140_000,
    "a trailer without end": CHUNKED + b"5\r\nhello\r\n0\r\nx-a: " + b"a" * 140_000,
    "many trailers": CHUNKED + b"5\r\nhello\r\n0\r\n" + b"b: c\r\n" * 12_000,
}


@dataclass
class Network(asyncio.Transport):
    """What the connection asked of the network."""

    written: bytearray = field(default_factory=bytearray)
    reading: bool = True
    closed: bool = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


class Peer:
    """Both ends of a connection."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.network = Network()
        self.request: asyncio.Task[None]
        self.connection.connection_made(self.network)

    async def ask(self, body: bytes = b"{}") -> None:
        """Sends a request."""
        self.request = asyncio.create_task(self.connection.send(b"POST / HTTP/1.1\r\n\r\n", body))
        await asyncio.sleep(0)

    def brings(self, data: bytes, size: int = 1 << 20) -> None:
        """What the network does, in pieces of this size, until the connection is closed."""
        for start in range(0, len(data), size):
            if not self.network.closed:
                self.connection.data_received(data[start : start + size])

    async def body(self) -> bytes:
        await self.request
        body = b""
        while read := await self.connection.read():
            body += read
        return body


async def asked(body: bytes = b"{}") -> Peer:
    """With a request sent."""
    peer = Peer()
    await peer.ask(body)
    return peer


async def reason_of(peer: Peer) -> str:
    with pytest.raises(GatewayError) as raised:
        await peer.body()
    return Reason.Name(raised.value.reason)


async def assert_good(peer: Peer) -> None:
    assert await peer.body() == b"hello"
    assert (peer.connection.status, peer.connection.headers["x-a"]) == (200, "b")


@pytest.mark.parametrize("headers", [b"", b"content-length: 0\r\n"])
async def test_a_status_without_a_body_ends_with_its_head(headers: bytes) -> None:
    peer = await asked()
    peer.brings(b"HTTP/1.1 204 No Content\r\n" + headers + b"\r\n")
    assert (await peer.body(), peer.connection.status, peer.connection.reusable) == (b"", 204, True)


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
async def test_a_reply_cut_at_any_byte(data: bytes) -> None:
    for cut in range(1, len(data)):
        peer = await asked()
        peer.brings(data[:cut])
        peer.brings(data[cut:])
        await assert_good(peer)
        assert peer.connection.reusable


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
async def test_a_reply_byte_by_byte_and_again_on_the_same_connection(data: bytes) -> None:
    peer = await asked()
    for _ in range(3):
        peer.brings(data, 1)
        await assert_good(peer)
        await peer.ask()
    peer.request.cancel()


async def test_a_body_that_only_the_end_of_the_connection_ends() -> None:
    for cut in range(1, len(UNTIL_CLOSE)):
        peer = await asked()
        peer.brings(UNTIL_CLOSE[:cut])
        peer.brings(UNTIL_CLOSE[cut:])
        peer.connection.connection_lost(None)
        await assert_good(peer)
        assert not peer.connection.reusable


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("error", [None, ConnectionResetError()], ids=["end", "reset"])
async def test_a_connection_lost_at_any_byte(data: bytes, error: Exception | None) -> None:
    head = data.rindex(b"hello" if b"hello" in data else b"2\r\nhe")
    for cut in range(len(data)):
        peer = await asked()
        peer.brings(data[:cut])
        peer.connection.connection_lost(error)
        assert await reason_of(peer) in (
            {"PROVIDER_UNAVAILABLE", "STREAM_TRUNCATED"} if cut < head else {"STREAM_TRUNCATED"}
        )
        assert not peer.connection.reusable


async def test_a_reset_does_not_end_a_body() -> None:
    peer = await asked()
    peer.brings(UNTIL_CLOSE)
    peer.connection.connection_lost(ConnectionResetError())
    assert await reason_of(peer) == "STREAM_TRUNCATED"


async def test_what_came_before_the_loss_is_read() -> None:
    peer = await asked()
    peer.brings(CHUNKED + b"5\r\nhello\r\n")
    peer.connection.connection_lost(None)
    assert await peer.connection.read() == b"hello"
    assert await reason_of(peer) == "STREAM_TRUNCATED"


@pytest.mark.parametrize("size", [1, 1000, 1 << 20], ids=str)
@pytest.mark.parametrize("data", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_a_reply_that_is_not_http(data: bytes, size: int) -> None:
    peer = await asked()
    peer.brings(data, size)
    assert await reason_of(peer) == "PROVIDER_BAD_RESPONSE"
    assert peer.network.closed


@pytest.mark.parametrize("size", [1, 1000, 65_536], ids=str)
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
async def test_a_body_that_is_not_http(data: bytes, size: int) -> None:
    peer = await asked()
    peer.brings(data, size)
    assert await reason_of(peer) == "STREAM_TRUNCATED"
    assert peer.network.closed


@pytest.mark.parametrize("more", [SIZED, b"garbage", b"\0"], ids=["a reply", "text", "a null"])
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
async def test_what_follows_a_reply_unasked_ends_the_connection(more: bytes, *, later: bool) -> None:
    peer = await asked()
    if later:
        peer.brings(SIZED)
        peer.brings(more)
    else:
        peer.brings(SIZED + more.replace(b"200", b"404"))
    await assert_good(peer)
    assert not peer.connection.reusable
    assert peer.network.closed


@pytest.mark.parametrize(
    ("reply", "reusable"),
    [
        (SIZED, True),
        (SIZED.replace(b"X-A", b"connection: keep-alive\r\nX-A"), True),
        (SIZED.replace(b"X-A", b"connection: close\r\nX-A"), False),
        (SIZED.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (SIZED.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"X-A", b"connection: keep-alive\r\nX-A"), True),
    ],
    ids=["as usual", "said", "close", "1.0", "1.0 said"],
)
async def test_a_connection_is_reusable_as_the_reply_says(reply: bytes, *, reusable: bool) -> None:
    peer = await asked()
    assert not peer.connection.reusable
    peer.brings(reply)
    await assert_good(peer)
    assert peer.connection.reusable is reusable


async def test_replies_without_a_body() -> None:
    for status in (b"204", b"304"):
        peer = await asked()
        peer.brings(b"HTTP/1.1 %b X\r\n\r\n" % status)
        assert await peer.body() == b""
        assert peer.connection.reusable


async def test_of_a_header_that_comes_twice_the_first_counts_and_bytes_are_latin_1() -> None:
    peer = await asked()
    peer.brings(b"HTTP/1.1 200 OK\r\nX-A: \xe4\r\nx-a: c\r\ncontent-length: 0\r\n\r\n")
    await peer.request
    assert peer.connection.headers == {"x-a": "ä", "content-length": "0"}


async def test_a_body_that_nobody_reads_holds_the_network_back() -> None:
    peer = await asked()
    peer.brings(CHUNKED)
    await peer.request
    piece = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    taken = 0
    while peer.network.reading:
        peer.brings(piece)
        taken += 0x4000
    assert taken <= 128 * 1024
    assert len(await peer.connection.read()) == taken
    assert peer.network.reading


async def held(seconds: float) -> Peer:
    """With some of the body, which is held so long."""
    peer = await asked()
    peer.brings(CHUNKED + b"3\r\nhel\r\n")
    await peer.request
    peer.connection.hold(now() + seconds)
    return peer


ENDS_A_HOLD: dict[str, Callable[[Peer], None]] = {
    "the end": lambda peer: peer.brings(b"2\r\nlo\r\n0\r\n\r\n"),
    "the loss": lambda peer: peer.connection.connection_lost(None),
    "what is not HTTP": lambda peer: peer.brings(b"z\r\n"),
    "as much as may wait": lambda peer: peer.brings(b"11170\r\n" + b"x" * 70_000 + b"\r\n"),
}


@pytest.mark.parametrize("ends", ENDS_A_HOLD.values(), ids=ENDS_A_HOLD)
async def test_a_hold_ends_when_there_is_nothing_to_wait_for(ends: Callable[[Peer], None]) -> None:
    peer = await held(3600)
    reading = asyncio.create_task(peer.connection.read())
    await asyncio.sleep(0)
    peer.brings(b"1\r\nl\r\n")
    await asyncio.sleep(0)
    assert not reading.done()
    ends(peer)
    assert (await reading).startswith(b"hell")


async def test_a_hold_ends_at_its_moment_and_only_once() -> None:
    for seconds in (-1, 0.001):
        peer = await held(seconds)
        assert await peer.connection.read() == b"hel"
        reading = asyncio.create_task(peer.connection.read())
        await asyncio.sleep(0)
        peer.brings(b"2\r\nlo\r\n")
        assert await reading == b"lo"


async def test_a_read_that_is_given_up_within_a_hold_leaves_what_came_to_the_next() -> None:
    peer = await held(3600)
    reading = asyncio.create_task(peer.connection.read())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    assert await peer.connection.read() == b"hel"


async def test_a_large_request_waits_for_the_network() -> None:
    body = bytes(range(256)) * 4096 * 3
    peer = await asked(body)
    for _ in range(5):
        peer.connection.pause_writing()
        await asyncio.sleep(0)
        before = len(peer.network.written)
        await asyncio.sleep(0)
        assert len(peer.network.written) == before < len(body)
        peer.connection.resume_writing()
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    peer.brings(SIZED)
    await assert_good(peer)
    assert peer.network.written.endswith(body)
    assert peer.connection.reusable


async def test_an_early_answer_ends_a_large_request() -> None:
    peer = await asked(b"x" * (4 << 20))
    peer.connection.pause_writing()
    peer.brings(SIZED)
    await assert_good(peer)
    assert len(peer.network.written) < 4 << 20
    assert not peer.connection.reusable


async def test_a_connection_lost_within_a_large_request() -> None:
    peer = await asked(b"x" * (4 << 20))
    peer.connection.pause_writing()
    await asyncio.sleep(0)
    peer.connection.connection_lost(BrokenPipeError())
    assert await reason_of(peer) == "PROVIDER_UNAVAILABLE"
