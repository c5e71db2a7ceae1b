"""A caller that goes away is noticed at once, whatever the simulator is doing."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import uvloop
from openai import AsyncOpenAI
from simulator.wire import Body, Connection, chat, connected, request

from tokenwire_server.simulator import Script, Simulator, serving, wait_closed

STREAM = chat(stream=True)
FOREVER = 3600.0


async def _nothing(_connection: Connection) -> None:
    pass


async def _head(connection: Connection) -> None:
    await connection.read_head()


async def _first_event(connection: Connection) -> None:
    await connection.read_head()
    await connection.read_until(b'"role":"assistant"')


async def _done(connection: Connection) -> None:
    await connection.read_head()
    await connection.read_until(b"[DONE]")


PHASES = [
    pytest.param(chat(), Script(hang=True), _nothing, id="hanging"),
    pytest.param(chat(), Script(headers_delay=FOREVER), _nothing, id="before the headers"),
    pytest.param(chat(), Script(first_token_delay=FOREVER), _head, id="before the body"),
    pytest.param(STREAM, Script(first_token_delay=FOREVER), _head, id="before the first token"),
    pytest.param(STREAM, Script(gap=FOREVER), _first_event, id="between tokens"),
    pytest.param(STREAM, Script(cut_at_byte=300, how="stall"), _first_event, id="stalled"),
    pytest.param(chat(), Script(cut_at_byte=10, how="stall"), _head, id="stalled without a stream"),
    pytest.param(STREAM, Script(comments=FOREVER), _first_event, id="between comments"),
    pytest.param(STREAM, Script(linger=FOREVER), _done, id="after [DONE]"),
    pytest.param(chat(), Script(raw="x" * 50_000_000), _head, id="blocked in a write"),
]
Reach = Callable[[Connection], Awaitable[None]]


@pytest.mark.parametrize(("body", "script", "reach"), PHASES)
async def test_the_caller_goes_away(simulator: Simulator, body: Body, script: Script, reach: Reach) -> None:
    await _check_noticed(simulator, body, script, reach)


@pytest.mark.parametrize(("body", "script", "reach"), PHASES)
def test_the_caller_goes_away_under_uvloop(body: Body, script: Script, reach: Reach) -> None:
    async def check() -> None:
        async with serving() as simulator:
            await _check_noticed(simulator, body, script, reach)

    uvloop.run(check())


async def _check_noticed(simulator: Simulator, body: Body, script: Script, reach: Reach) -> None:
    simulator.script(script)
    async with connected(simulator, body) as connection:
        received = await simulator.wait_received(1)
        async with asyncio.timeout(5):
            await reach(connection)
        assert received.outcome == "answering"
    left = time.monotonic()
    closed = await wait_closed(received)
    assert closed.outcome == "closed by client"
    assert closed.seconds is not None
    assert time.monotonic() - left < 1


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cuts_under_uvloop(how: str) -> None:
    async def check() -> None:
        async with serving() as simulator:
            answer = await request(simulator, STREAM, script={"cut_at_byte": 300, "how": how})
        assert (answer.ended, len(answer.body)) == (how, 300)

    uvloop.run(check())


async def test_a_cancelled_sdk_call_is_noticed(simulator: Simulator, client: AsyncOpenAI) -> None:
    simulator.script(Script(hang=True))
    call = asyncio.create_task(
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
    )
    received = await simulator.wait_received(1)
    call.cancel()
    assert (await wait_closed(received)).outcome == "closed by client"


async def test_a_closed_sdk_stream_is_noticed(simulator: Simulator, client: AsyncOpenAI) -> None:
    simulator.script(Script(gap=FOREVER))
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    async with stream:
        async for _ in stream:
            break
    assert (await wait_closed(simulator.received[0])).outcome == "closed by client"


async def test_stopping_does_not_wait_for_answers() -> None:
    async with serving() as simulator:
        simulator.set_default(Script(hang=True))
        async with connected(simulator, chat()), connected(simulator, STREAM):
            received = [await simulator.wait_received(number) for number in (1, 2)]
            began = time.monotonic()
            await simulator.stop_answering()
            assert {one.outcome for one in received} == {"stopped"}
    assert time.monotonic() - began < 1


async def test_leaving_with_hanging_answers_is_quick() -> None:
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(serving())
        async with connected(simulator, chat(), script={"hang": True}):
            received = await simulator.wait_received(1)
            began = time.monotonic()
            await stack.aclose()
            assert time.monotonic() - began < 1
            assert (await wait_closed(received)).outcome == "stopped"


async def test_a_port_in_use_is_an_error() -> None:
    async with serving() as first:
        port = int(first.url.split(":")[2].removesuffix("/v1"))
        with pytest.raises(OSError, match="address already in use"):
            async with serving(port=port):
                pass
        assert (await request(first, chat())).status == 200


async def test_a_connection_is_used_again(simulator: Simulator, client: AsyncOpenAI) -> None:
    for _ in range(3):
        await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
    assert [received.outcome for received in simulator.received] == ["completed"] * 3


async def test_wait_received_gives_up(simulator: Simulator) -> None:
    with pytest.raises(TimeoutError):
        await simulator.wait_received(1, timeout=0.01)
