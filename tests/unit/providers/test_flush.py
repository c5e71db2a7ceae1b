"""How content of a stream is held for more of it: `flush_interval`, and a process that is busy."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from oracle.capture import gateway, new_call
from support.raw_http import CHUNKED, END, PATIENCE, Connection, Server, serving
from unit.providers.upstream import chunk

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.load import Load
from tokenwire_server.settings import Defaults

LONG = Duration(seconds=3600)
SHORT = Duration(nanos=20_000_000)
AT_ONCE = Duration()
STOP = chunk(finish="stop")
DONE = b"data: [DONE]\n\n"

Batches = AsyncIterator[list[pb.ChatStreamResponse]]
Rest = Callable[[Connection], Awaitable[None]]


def said(*texts: str) -> bytes:
    return written(*(chunk({"content": text}) for text in texts))


def written(*chunks: Any, end: bytes = b"") -> bytes:
    """One HTTP chunk."""
    data = b"".join(b"data: %b\n\n" % json.dumps(item).encode() for item in chunks) + end
    return b"%x\r\n%b\r\n" % (len(data), data)


def heard(batch: list[pb.ChatStreamResponse]) -> str:
    return "".join(event.text_delta.text for event in batch)


@asynccontextmanager
async def streaming(
    rest: Rest,
    interval: Duration | None,
    defaults: Defaults | None = None,
    heartbeat: Duration | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Batches, Server]]:
    """A stream of which `a` was heard; then its provider does the rest."""
    more = asyncio.Event()

    async def answer(connection: Connection) -> None:
        await connection.send(CHUNKED + said("a"))
        await more.wait()
        await rest(connection)

    request = pb.ChatRequest(messages=[pb.ChatMessage(role=pb.ROLE_USER, text="Hi")])
    options = pb.StreamOptions(flush_interval=interval, heartbeat_interval=heartbeat)
    request.stream_options.CopyFrom(options)
    async with (
        serving(answer) as server,
        gateway(server.url, defaults, **settings) as backend,
        backend.stream(request, new_call()) as batches,
    ):
        assert heard(await anext(batches)) == "a", "the first content waits for nothing"
        more.set()
        yield batches, server


@pytest.mark.parametrize("end", [END, b""], ids=["with the marker", "later than the marker"])
async def test_what_comes_meanwhile_goes_out_together_and_the_end_waits_for_nothing(end: bytes) -> None:
    async def rest(connection: Connection) -> None:
        for piece in (said("b"), said("c"), written(STOP, end=DONE) + end):
            await connection.send(piece)
        if not end:
            await connection.send(END)

    async with streaming(rest, LONG) as (batches, _):
        content, last = [batch async for batch in batches]
    assert heard(content) == "bc"
    assert [event.WhichOneof("event") for event in content] == ["text_delta", "part_done"]
    assert last[-1].completed.response.choices[0].message.text == "abc"


async def test_a_stream_that_goes_on_is_told_at_each_interval() -> None:
    async def rest(connection: Connection) -> None:
        await connection.send(said("b"))
        await connection.send(said("c"))
        await connection.reader.read()

    async with streaming(rest, SHORT) as (batches, server):
        told = ""
        while told != "bc":
            told += heard(await anext(batches))
        server.connections[0].writer.close()


async def test_more_than_may_wait_does_not_wait() -> None:
    many = "x" * 70_000

    async def rest(connection: Connection) -> None:
        await connection.send(said(many))
        await connection.reader.read()

    async with streaming(rest, LONG) as (batches, server):
        told = heard(await anext(batches))
        server.connections[0].writer.close()
    assert told == many


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (written({"error": {"code": "server_error"}}), Reason.PROVIDER_UNAVAILABLE),
        (written([]), Reason.PROVIDER_BAD_RESPONSE),
        (b"nothing of HTTP", Reason.STREAM_TRUNCATED),
        (END, Reason.STREAM_TRUNCATED),
    ],
    ids=["an error", "another shape", "no more HTTP", "an early end"],
)
@pytest.mark.parametrize("interval", [LONG, AT_ONCE], ids=["held", "at once"])
async def test_what_was_held_is_told_before_a_failure(
    failure: bytes, reason: "Reason.ValueType", interval: Duration
) -> None:
    async def rest(connection: Connection) -> None:
        await connection.send(said("b") + failure)
        connection.writer.close()

    async with streaming(rest, interval) as (batches, _):
        assert heard(await anext(batches)) == "b"
        with pytest.raises(GatewayError) as raised:
            await anext(batches)
    assert raised.value.reason == reason


async def test_a_heartbeat_comes_in_a_silence_after_the_interval() -> None:
    async def rest(connection: Connection) -> None:
        await connection.reader.read()

    async with streaming(rest, SHORT, heartbeat=SHORT) as (batches, server):
        assert await anext(batches) == []
        server.connections[0].writer.close()


async def test_silence_within_the_interval_is_not_held_against_the_provider() -> None:
    """The limit of silence counts from the interval's end."""

    async def rest(connection: Connection) -> None:
        await connection.send(said("b"))
        await asyncio.sleep(0.1)
        await connection.send(written(STOP, end=DONE) + END)

    async with streaming(rest, LONG, timeouts={"idle": 0.05}) as (batches, _):
        assert "".join([heard(batch) async for batch in batches]) == "b"


async def test_a_caller_that_leaves_while_content_is_held_takes_the_connection_along() -> None:
    async def rest(connection: Connection) -> None:
        await connection.send(said("b"))
        await connection.reader.read()

    async with streaming(rest, LONG) as (batches, server):
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await asyncio.wait_for(server.connections[0].closed.wait(), PATIENCE)


@pytest.mark.parametrize(
    ("interval", "together"), [(None, True), (AT_ONCE, False)], ids=["not said", "at once"]
)
async def test_a_busy_process_holds_content_of_those_who_do_not_say(
    monkeypatch: pytest.MonkeyPatch, interval: Duration | None, *, together: bool
) -> None:
    monkeypatch.setattr(Load, "hold", lambda _self, most: most * 3600)
    b_was_told = asyncio.Event()

    async def rest(connection: Connection) -> None:
        await connection.send(said("b"))
        if not together:
            await b_was_told.wait()
        await connection.send(said("c") + written(STOP, end=DONE) + END)

    async with streaming(rest, interval, Defaults(busy_flush_seconds=1)) as (batches, _):
        told = heard(await anext(batches))
        b_was_told.set()
        async for _ in batches:
            pass
    assert told == ("bc" if together else "b")
