"""Streams: text or events, the whole answer, and what leaving early does."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from python_client.conftest import InSync
from python_client.standin import Standin, serving
from support.ask import WEATHER
from support.gateway import SECONDS, Gateway
from support.quiet import tasks, until

from tokenwire import AsyncClient, Client, ToolCall, errors
from tokenwire.events import (
    Citation,
    Completed,
    Heartbeat,
    PartDone,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
)
from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.simulator import Script, wait_closed

CLOSED = 2.0
"""Seconds within which the provider must see it: 100 ms is the aim, this the bound on a busy machine."""
LONG = Script(after=2, comments=60.0, times=0)
"""Two tokens, then nothing for a minute."""


async def test_the_text_comes_in_pieces(client: AsyncClient, gateway: Gateway, in_sync: InSync) -> None:
    gateway.simulator.set_default(Script(gap=0.005, tokens=12, times=0))
    async with client.stream("Explique la photosynthèse") as stream:
        pieces = [piece async for piece in stream.text]
        answer = await stream.final()
    assert len(pieces) > 2
    assert "".join(pieces) == answer.text
    assert answer.usage.output_tokens > 0

    def read(client: Client) -> str:
        with client.stream("Explique la photosynthèse") as stream:
            text = "".join(stream.text)
            assert text == stream.final().text
        return text

    assert await in_sync(read) == answer.text


async def test_events_are_typed(client: AsyncClient) -> None:
    async with client.stream(
        "Weather?", model="openai/gpt-5-mini", reasoning="low", tools=[WEATHER]
    ) as stream:
        events = [event async for event in stream]
    kinds = {type(event) for event in events}
    assert kinds == {
        Started,
        ReasoningDelta,
        PartDone,
        ToolCallStarted,
        ToolCallDelta,
        ToolCallDone,
        Completed,
    }
    completed = events[-1]
    assert isinstance(completed, Completed)
    written = "".join(event.arguments_json for event in events if isinstance(event, ToolCallDelta))
    (done,) = (event.call for event in events if isinstance(event, ToolCallDone))
    assert completed.answer.tool_calls == [done] == [ToolCall(done.id, "weather", written)]
    thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert thoughts == completed.answer.reasoning


async def test_a_refusal_is_streamed(client: AsyncClient) -> None:
    async with client.stream("[sim:refuse] Now.") as stream:
        said = "".join([event.text async for event in stream if isinstance(event, RefusalDelta)])
        assert said == (await stream.final()).refusal != ""


async def test_the_rarer_events_are_read_and_unknown_ones_left_out() -> None:
    events = [
        pb.ChatStreamResponse(started=pb.ChatStarted(id="1")),
        pb.ChatStreamResponse(),  # of a newer contract
        pb.ChatStreamResponse(heartbeat=pb.Heartbeat()),
        pb.ChatStreamResponse(text_delta=pb.TextDelta(text="b"), choice_index=1),
        pb.ChatStreamResponse(text_delta=pb.TextDelta(text="a")),
        pb.ChatStreamResponse(annotation=pb.Annotation(url="https://example.com")),
        pb.ChatStreamResponse(completed=pb.ChatCompleted()),
    ]
    async with serving(Standin(events=events)) as address, AsyncClient(address, timeout=SECONDS) as client:
        async with client.stream("Hi") as stream:
            kinds = [type(event) async for event in stream]
        async with client.stream("Hi") as stream:
            assert [piece async for piece in stream.text] == ["a"]
    assert kinds == [Started, Heartbeat, TextDelta, TextDelta, Citation, Completed]


async def test_a_stream_without_its_end_is_no_answer() -> None:
    events = [pb.ChatStreamResponse(text_delta=pb.TextDelta(text="half"))]
    async with (
        serving(Standin(events=events)) as address,
        AsyncClient(address, timeout=SECONDS) as client,
        client.stream("Hi") as stream,
    ):
        with pytest.raises(errors.IncompleteStream):
            _ = [piece async for piece in stream.text]
        with pytest.raises(errors.IncompleteStream):
            await stream.final()


async def test_a_stream_that_breaks_off_raises_after_what_came(client: AsyncClient, gateway: Gateway) -> None:
    gateway.simulator.script(Script(cut_at_byte=700))
    pieces: list[str] = []

    async def read() -> None:
        async with client.stream("Hi") as stream:
            async for piece in stream.text:
                pieces.append(piece)  # noqa: PERF401 (what came before the error counts)

    with pytest.raises(errors.ProviderUnavailable) as caught:
        await read()
    assert "".join(pieces)
    assert caught.value.reason == "STREAM_TRUNCATED"


async def test_final_reads_the_rest(client: AsyncClient) -> None:
    async with client.stream("Hi") as stream:
        async for _ in stream.text:
            break
        answer = await stream.final()
    assert answer.text == (await stream.final()).text != ""


async def test_leaving_early_closes_the_providers_connection(
    client: AsyncClient, gateway: Gateway, in_sync: InSync
) -> None:
    gateway.simulator.set_default(LONG)
    async with client.stream("Hi") as stream:
        async for _ in stream.text:
            break
    left = monotonic()
    await wait_closed(gateway.simulator.received[0], CLOSED)
    print(f"closed {1000 * (monotonic() - left):.1f} ms after it was left")  # noqa: T201 (a measurement)
    assert gateway.simulator.received[0].outcome == "closed by client"

    def leave(client: Client) -> None:
        with client.stream("Hi") as stream:
            for _ in stream.text:
                break

    await in_sync(leave)
    await wait_closed(gateway.simulator.received[1], CLOSED)
    assert gateway.simulator.received[1].outcome == "closed by client"


async def test_a_cancelled_task_closes_it_too(client: AsyncClient, gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(hang=True, times=0))

    async def read() -> None:
        async with client.stream("Hi") as stream:
            await stream.final()

    for work in (read(), client.chat("Hi")):
        task = asyncio.ensure_future(work)
        received = await gateway.simulator.wait_received(len(gateway.simulator.received) + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_closed(received, CLOSED)


async def test_a_stream_lives_inside_its_block(client: AsyncClient, gateway: Gateway) -> None:
    gateway.simulator.set_default(LONG)
    stream = client.stream("Hi")
    with pytest.raises(errors.StreamClosed):
        await anext(stream)
    assert gateway.simulator.received == []
    async with stream:
        await anext(stream)
    for reading in (anext(stream), anext(stream.text), stream.final()):
        with pytest.raises(errors.StreamClosed):
            await reading
    with pytest.raises(errors.StreamClosed, match="once"):
        await stream.__aenter__()


async def test_a_thousand_abandoned_streams_leave_nothing(client: AsyncClient, gateway: Gateway) -> None:
    async def abandon() -> None:
        async with client.stream("Hi") as stream:
            async for _ in stream.text:
                break

    await _assert_nothing_left(gateway, abandon, 1000)


async def test_abandoned_sync_streams_leave_nothing(gateway: Gateway) -> None:
    def abandon(client: Client) -> None:
        with client.stream("Hi") as stream:
            for _ in stream.text:
                break

    with Client(gateway.address, timeout=SECONDS) as client:
        await _assert_nothing_left(gateway, lambda: asyncio.to_thread(abandon, client), 200)


async def _assert_nothing_left(
    gateway: Gateway, abandon: Callable[[], Coroutine[Any, Any, None]], times: int
) -> None:
    gateway.simulator.set_default(LONG)

    async def abandon_many(number: int) -> None:
        for _ in range(number // 20):
            await asyncio.gather(*(abandon() for _ in range(20)))
        await until(lambda: not gateway.server.in_flight(), lambda: "calls in flight")
        await until(lambda: not gateway.http.pool.in_use, lambda: "connections in use")

    def held() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    before = tasks()
    await abandon_many(40)
    threads, files = held()
    await abandon_many(times)
    await until(lambda: not tasks() - before, lambda: f"left behind: {tasks() - before}")
    await until(lambda: held()[1] <= files, lambda: f"{held()[1]} open files, {files} before")
    await until(lambda: held()[0] <= threads, lambda: f"{held()[0]} threads, {threads} before")
