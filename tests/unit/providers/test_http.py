"""HttpClient against a server that shows what happens to its connections."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Awaitable

import pytest
from support.raw_http import CHUNKED, END, FIVE, HEAD, PATIENCE, Connection, breaks, sends, serving

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers import http as module
from tokenwire_server.providers.http import HttpClient, Reply
from tokenwire_server.providers.http1.request import request


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    running = HttpClient()
    yield running
    await running.close()
    gc.collect()  # a connection that nobody closed warns here, which is an error


def post(
    client: HttpClient, url: str, connect: float = PATIENCE
) -> contextlib.AbstractAsyncContextManager[Reply]:
    return client.send(request("POST", url, {"X-A": "b"}), b"{}", connect)


async def body_of(client: HttpClient, url: str, cap: int = 1000, connect: float = PATIENCE) -> bytes:
    async with post(client, url, connect) as reply:
        return await reply.body(cap)


async def reason_of(action: Awaitable[object]) -> str:
    with pytest.raises(GatewayError) as raised:
        await action
    return Reason.Name(raised.value.reason)


async def test_a_refused_connection_is_unavailable(client: HttpClient) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert await reason_of(body_of(client, url)) == "PROVIDER_UNAVAILABLE"


async def test_a_connection_that_is_not_taken_is_a_connect_timeout(client: HttpClient) -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the queue of connections that wait to be accepted
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 (has no keyword)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        assert await reason_of(body_of(client, url, connect=0.05)) == "CONNECT_TIMEOUT"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\ncontent-"], ids=["nothing", "half a head"])
async def test_a_connection_lost_before_the_head_is_unavailable(
    client: HttpClient, data: bytes, *, reset: bool
) -> None:
    async with serving(breaks(data, reset=reset)) as server:
        assert await reason_of(body_of(client, server.url)) == "PROVIDER_UNAVAILABLE"
        assert len(server.connections) == 1  # nothing is sent twice


async def test_what_is_not_http_is_a_bad_response(client: HttpClient) -> None:
    async with serving(sends(b"220 mail.example.com ESMTP\r\n\r\n")) as server:
        assert await reason_of(body_of(client, server.url)) == "PROVIDER_BAD_RESPONSE"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "head", [CHUNKED + b"9\r\n", HEAD + b"content-length: 9\r\n\r\n"], ids=["chunked", "sized"]
)
async def test_a_connection_lost_within_the_body_is_truncated(
    client: HttpClient, head: bytes, *, reset: bool
) -> None:
    async with serving(breaks(head + b"hello", reset=reset)) as server:
        assert await reason_of(body_of(client, server.url)) == "STREAM_TRUNCATED"


async def test_a_redirect_is_a_reply_like_any_other(client: HttpClient) -> None:
    head = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
    async with serving(sends(head)) as server:
        async with post(client, server.url) as reply:
            assert (reply.status, reply.headers["location"]) == (302, "/elsewhere")
        assert server.connections[0].requests == 1


async def test_a_body_at_its_cap_is_read_and_one_over_it_refused(client: HttpClient) -> None:
    async with serving(sends(FIVE, END)) as server:
        assert await body_of(client, server.url, cap=5) == b"hello"
        assert await reason_of(body_of(client, server.url, cap=4)) == "RESPONSE_TOO_LARGE"


async def test_an_endless_body_over_its_cap_is_cut_off(client: HttpClient) -> None:
    async def endless(connection: Connection) -> None:
        await connection.send(CHUNKED)
        with contextlib.suppress(ConnectionError):
            while not connection.reader.at_eof():
                await connection.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")

    async with serving(endless) as server:
        assert await reason_of(body_of(client, server.url, cap=100_000)) == "RESPONSE_TOO_LARGE"
        await server.connections[0].closed.wait()


async def test_reads_give_nothing_after_their_patience_and_then_what_comes(client: HttpClient) -> None:
    asked = asyncio.Event()

    async def answer(connection: Connection) -> None:
        await connection.send(CHUNKED)
        await asked.wait()
        await connection.send(b"5\r\nhello\r\n" + END)

    async with serving(answer) as server, post(client, server.url) as reply:
        assert await reply.read_within(0.02) is None
        asked.set()
        assert await reply.read_within(PATIENCE) == b"hello"
        assert await reply.read() == b""


async def test_the_start_of_a_body_is_what_came_before_the_silence_the_break_or_the_cap(
    client: HttpClient,
) -> None:
    async def silent(connection: Connection) -> None:
        await connection.send(FIVE)
        await connection.reader.read()

    for answer in (silent, breaks(FIVE, reset=False), sends(FIVE, END), sends(FIVE * 1, b"5\r\nworld\r\n")):
        async with serving(answer) as server, post(client, server.url) as reply:
            assert (await reply.start_of_body(5, 0.05)).startswith(b"hello")


async def test_a_reply_that_was_read_gives_its_connection_back(client: HttpClient) -> None:
    async with serving(sends(FIVE, END)) as server:
        for _ in range(3):
            assert await body_of(client, server.url) == b"hello"
        assert [connection.requests for connection in server.connections] == [3]
        await client.close()


async def test_leaving_within_the_body_closes_the_socket(client: HttpClient) -> None:
    async with serving(sends(FIVE)) as server:
        async with post(client, server.url) as reply:
            assert await reply.read() == b"hello"
        await server.connections[0].closed.wait()


async def test_a_cancelled_caller_closes_the_socket_within_body_and_head(client: HttpClient) -> None:
    for data in (FIVE, b""):
        arrived = asyncio.Event()

        async def answer(
            connection: Connection, data: bytes = data, arrived: asyncio.Event = arrived
        ) -> None:
            await connection.send(data)
            arrived.set()

        async with serving(answer) as server:
            task = asyncio.create_task(body_of(client, server.url))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.connections[0].closed.wait()


async def leave_complete(client: HttpClient, url: str) -> set[asyncio.Task[object]]:
    """Leaves a reply that is complete although its body has not ended; gives what goes on behind."""
    before = asyncio.all_tasks()
    async with post(client, url) as reply:
        assert await reply.read() == b"hello"
        reply.complete = True
    return {task for task in asyncio.all_tasks() - before if "_drain" in repr(task.get_coro())}


async def test_a_complete_reply_whose_body_ends_soon_gives_its_connection_back(client: HttpClient) -> None:
    left = asyncio.Event()

    async def answer(connection: Connection) -> None:
        await connection.send(FIVE)
        await left.wait()
        await connection.send(END)

    async with serving(answer) as server:
        behind = await leave_complete(client, server.url)
        left.set()
        await asyncio.gather(*behind)
        assert len(behind) == 1
        assert await body_of(client, server.url) == b"hello"
        assert [connection.requests for connection in server.connections] == [2]
        await client.close()


@pytest.mark.parametrize("more", [b"", b"5\r\nworld\r\n"], ids=["silent", "more content"])
async def test_a_complete_reply_whose_body_lingers_is_closed(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    monkeypatch.setattr(module, "_DRAIN_SECONDS", 0.02)

    left = asyncio.Event()

    async def answer(connection: Connection) -> None:
        await connection.send(FIVE)
        await left.wait()
        await connection.send(more)

    async with serving(answer) as server:
        await leave_complete(client, server.url)
        left.set()
        await server.connections[0].closed.wait()


async def test_closing_the_client_does_not_wait_for_lingering_bodies() -> None:
    client = HttpClient()
    async with serving(sends(FIVE)) as server:
        (behind,) = await leave_complete(client, server.url)
        await client.close()
        assert behind.done()
        await server.connections[0].closed.wait()
    gc.collect()
