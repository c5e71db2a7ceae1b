"""Which connections are used again, and when they are closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.quiet import until
from support.raw_http import CHUNKED, END, FIVE, HEAD, PATIENCE, Answer, Connection, Server, sends, serving

from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.http1 import pool
from tokenwire_server.providers.http1.request import request

WHOLE = FIVE + END


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    running = HttpClient()
    yield running
    await running.close()


async def body_of(client: HttpClient, server: Server, body: bytes = b"{}") -> bytes:
    async with client.send(request("POST", server.url, {}), body, PATIENCE) as reply:
        return await reply.body(1 << 30)


def requests(server: Server) -> list[int]:
    return [connection.requests for connection in server.connections]


def descriptors() -> int:
    """Open files of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_many_streams_one_after_another_take_one_connection(client: HttpClient) -> None:
    async with serving(sends(WHOLE)) as server:
        for _ in range(100):
            assert await body_of(client, server) == b"hello"
        assert requests(server) == [100]


async def test_calls_at_once_take_a_connection_each_and_then_those_again(client: HttpClient) -> None:
    async with serving(sends(WHOLE)) as server:
        for _ in range(3):
            await asyncio.gather(*(body_of(client, server) for _ in range(20)))
        assert len(server.connections) <= 20
        assert sum(requests(server)) == 60
        assert (client.pool.in_use, client.pool.idle) == (0, len(server.connections))


@pytest.mark.parametrize(
    "reply",
    [
        WHOLE.replace(b"content-type", b"connection: close\r\ncontent-type"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        WHOLE + WHOLE,
        WHOLE + b"garbage",
    ],
    ids=["close", "HTTP/1.0", "a second reply", "garbage"],
)
async def test_a_connection_that_is_not_used_again(client: HttpClient, reply: bytes) -> None:
    async with serving(sends(reply)) as server:
        for _ in range(3):
            assert await body_of(client, server) == b"hello"
        assert requests(server) == [1, 1, 1]
        assert (client.pool.in_use, client.pool.idle) == (0, 0)


async def test_one_that_the_server_closed_or_spoke_on_while_idle_is_not_used(client: HttpClient) -> None:
    async with serving(sends(WHOLE)) as server:
        for number in range(1, 4):
            assert await body_of(client, server) == b"hello"
            assert client.pool.idle == 1
            if number == 1:
                server.connections[0].writer.close()
            else:
                await server.connections[-1].send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            await until(lambda: client.pool.idle == 0, lambda: "still idle")
            assert requests(server) == [1] * number


async def test_idle_connections_are_closed_after_a_while(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_IDLE_SECONDS", 0.02)
    monkeypatch.setattr(pool, "_SWEEP_SECONDS", 0.01)
    async with serving(sends(WHOLE)) as server:
        for _ in range(2):
            await body_of(client, server)
            await server.connections[-1].closed.wait()
        assert len(server.connections) == 2
        assert client.pool.idle == 0


async def test_idle_connections_are_bounded(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_MOST_IDLE", 2)
    async with serving(sends(WHOLE)) as server:
        await asyncio.gather(*(body_of(client, server) for _ in range(10)))
        assert client.pool.idle == 2


async def test_200_cancelled_calls_leave_nothing(client: HttpClient) -> None:
    """Some while they connect, some while they wait for the head, some within the body."""
    async with serving(sends(FIVE)) as server:
        before = descriptors()
        calls = [asyncio.create_task(body_of(client, server)) for _ in range(200)]
        for turn, call in enumerate(calls):
            if turn % 5 == 0:
                await asyncio.sleep(0)
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended)
        await until(lambda: descriptors() <= before, lambda: "sockets left open")
        assert (client.pool.in_use, client.pool.idle) == (0, 0)


@pytest.mark.parametrize("data", [b"", FIVE], ids=["head", "body"])
async def test_cancelling_closes_the_socket_at_once(client: HttpClient, data: bytes) -> None:
    async with serving(sends(data)) as server:
        call = asyncio.create_task(body_of(client, server))
        await until(lambda: requests(server) == [1], lambda: "no request")
        call.cancel()
        async with asyncio.timeout(0.5):
            await server.connections[0].closed.wait()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_large_request_arrives_whole_and_others_meanwhile(client: HttpClient) -> None:
    async with serving(sends(WHOLE)) as server:
        large = asyncio.create_task(body_of(client, server, b"x" * (16 << 20)))
        for _ in range(5):
            assert await body_of(client, server) == b"hello"
        assert await large == b"hello"
        assert sum(requests(server)) == 6


async def test_a_large_reply_is_read_whole_however_slowly(client: HttpClient) -> None:
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    async with (
        serving(sends(CHUNKED, piece * 64, END)) as server,
        client.send(request("POST", server.url, {}), b"{}", PATIENCE) as reply,
    ):
        total = 0
        while read := await reply.read():
            total += len(read)
            assert len(read) < 1 << 20
            await asyncio.sleep(0.001)
        assert total == 64 * 0x10000


async def test_an_answer_before_the_request_is_whole_is_read(client: HttpClient) -> None:
    left = asyncio.Event()
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 20):
                pass
        writer.close()
        left.set()

    listener = await asyncio.start_server(early, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(PATIENCE), listener:
        async with client.send(request("POST", url, {}), b"x" * (64 << 20), PATIENCE) as reply:
            assert (reply.status, await reply.body(10)) == (413, b"no")
        assert client.pool.idle == 0
        await left.wait()


async def test_a_body_that_drips(client: HttpClient) -> None:
    async def drip(connection: Connection) -> None:
        for byte in WHOLE:
            await connection.send(bytes([byte]))
            await asyncio.sleep(0.001)

    async with serving(drip) as server:
        assert await body_of(client, server) == b"hello"


async def test_closing_ends_calls_that_go_on() -> None:
    client = HttpClient()
    async with serving(sends(FIVE)) as server:
        call = asyncio.create_task(body_of(client, server))
        await until(lambda: requests(server) == [1], lambda: "no request")
        await client.close()
        with pytest.raises(GatewayError):
            await call
        await server.connections[0].closed.wait()


def broken_off(data: bytes) -> Answer:
    """The first reply is whole, the second one ends so."""

    async def answer(connection: Connection) -> None:
        await connection.send(WHOLE if connection.requests == 1 else data)
        if connection.requests > 1:
            connection.writer.close()

    return answer


@pytest.mark.parametrize("data", [b"", HEAD[:20]], ids=["nothing", "half a head"])
async def test_nothing_is_sent_twice(client: HttpClient, data: bytes) -> None:
    """A provider may have begun to work on what it did not answer."""
    async with serving(broken_off(data)) as server:
        assert await body_of(client, server) == b"hello"
        with pytest.raises(GatewayError):
            await body_of(client, server)
        assert requests(server) == [2]
