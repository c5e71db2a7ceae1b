"""A caller that leaves, in every phase of a call: the provider's connection is closed, nothing is left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, cast

import pytest
from conftest import Opener
from grpc import aio
from support.ask import ask
from support.gateway import SECONDS, Gateway
from support.quiet import assert_settled, tasks
from support.status import collect, failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.rpc.servicer import LLMServicer
from tokenwire_server.simulator import Script, wait_closed

DEADLINE = 0.4
CLOSED = 2.0
"""Seconds within which the provider must see it: 50 ms is the aim, this the bound on a busy machine."""

Call = Any
"""A call of either kind: the stubs' types have little in common."""

PHASES = {
    "before headers": ("ChatStream", Script(hang=True)),
    "slow headers": ("ChatStream", Script(headers_delay=60)),
    "before the first token": ("ChatStream", Script(first_token_delay=60)),
    "comments before the first token": ("ChatStream", Script(after=0, comments=0.02)),
    "mid-stream": ("ChatStream", Script(after=2, comments=60)),
    "mid-event": ("ChatStream", Script(cut_at_byte=700, how="stall")),
    "after the last event": ("ChatStream", Script(no_finish=True, linger=60)),
    "unary, before headers": ("Chat", Script(hang=True)),
    "unary, within the body": ("Chat", Script(cut_at_byte=100, how="stall")),
    "unary, before the body": ("Chat", Script(first_token_delay=60)),
    "an error's body": ("Chat", Script(status=500, cut_at_byte=20, how="stall")),
}
MID_STREAM = {"mid-stream", "mid-event", "after the last event"}


def _call(gateway: Gateway, rpc: str, timeout: float | None = None) -> Call:
    return getattr(gateway.stub, rpc)(ask(), timeout=timeout)


async def _reached(gateway: Gateway, call: Call, phase: str) -> None:
    """The call is where the test wants it."""
    received = await gateway.simulator.wait_received()
    if phase in MID_STREAM:
        events = aiter(call)
        while not (await anext(events)).HasField("text_delta"):
            pass
    elif "body" in phase and received.script.cut_at_byte:
        while received.sent < received.script.cut_at_byte:
            await gateway.works()  # each call gives the simulator, in the same loop, its turn


@pytest.mark.parametrize("phase", PHASES)
async def test_a_cancel_closes_the_providers_connection(gateway: Gateway, phase: str) -> None:
    rpc, script = PHASES[phase]
    gateway.simulator.script(script)
    before = tasks()
    call = _call(gateway, rpc)
    await _reached(gateway, call, phase)
    call.cancel()
    (received,) = gateway.simulator.received
    await wait_closed(received, CLOSED)
    assert received.outcome == "closed by client"
    assert (await call.code()).name == "CANCELLED"
    await assert_settled(gateway, before, (rpc, "CANCELLED", "CANCELLED"))


@pytest.mark.parametrize("phase", PHASES)
async def test_a_deadline_closes_the_providers_connection(gateway: Gateway, phase: str) -> None:
    rpc, script = PHASES[phase]
    gateway.simulator.script(script)
    before = tasks()
    began = monotonic()
    call = _call(gateway, rpc, DEADLINE)
    if phase in MID_STREAM:
        await failure(collect(call))
    assert (await call.code()).name == "DEADLINE_EXCEEDED"
    assert DEADLINE * 0.9 < monotonic() - began < DEADLINE + CLOSED
    (received,) = gateway.simulator.received
    await wait_closed(received, CLOSED)
    assert received.outcome == "closed by client"
    await assert_settled(gateway, before, (rpc, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"))


async def test_many_leave_at_once(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(after=1, comments=60))
    calls = [gateway.stub.ChatStream(ask()) for _ in range(30)]
    for call in calls:
        await anext(aiter(call))
    for call in calls:
        call.cancel()
    for received in gateway.simulator.received:
        await wait_closed(received, CLOSED)
    await gateway.lines.wait(30)
    assert {record.outcome for record in gateway.simulator.received} == {"closed by client"}
    assert gateway.outcomes() == {("ChatStream", "CANCELLED", "CANCELLED"): 30}
    assert gateway.server.in_flight() == 0
    assert gateway.gauge() == 0
    gateway.simulator.set_default(Script())
    await gateway.works()


async def test_a_cancel_hurts_nobody_else(gateway: Gateway) -> None:
    gateway.simulator.script(Script(after=1, comments=60), Script(tokens=20, gap=0.01))
    leaving = gateway.stub.ChatStream(ask())
    await anext(aiter(leaving))
    staying = asyncio.ensure_future(collect(gateway.stub.ChatStream(ask())))
    await gateway.simulator.wait_received(2)
    leaving.cancel()
    assert (await staying)[-1].HasField("completed")


async def test_a_vanished_connection_is_a_cancel(gateway: Gateway) -> None:
    gateway.simulator.script(Script(after=1, comments=60))
    async with aio.insecure_channel(gateway.address, options=[("grpc.use_local_subchannel_pool", 1)]) as own:
        stream = own.unary_stream(
            "/tokenwire.v1.LLMService/ChatStream",
            request_serializer=pb.ChatRequest.SerializeToString,
            response_deserializer=pb.ChatStreamResponse.FromString,
        )(ask())
        await anext(aiter(stream))
    (received,) = gateway.simulator.received
    await wait_closed(received, CLOSED)
    assert received.outcome == "closed by client"
    assert (await gateway.lines.wait())["code"] == "CANCELLED"


class _WatchedContext:
    """A servicer's context that says when a write does not get through."""

    def __init__(self, context: Any, blocked: asyncio.Event) -> None:
        self._context = context
        self._blocked = blocked

    async def write(self, event: pb.ChatStreamResponse) -> None:
        timer = asyncio.get_running_loop().call_later(0.3, self._blocked.set)
        try:
            await self._context.write(event)
        finally:
            timer.cancel()


def _large_stream() -> str:
    """A stream far above what a connection takes in without being read."""
    head = '{"id":"c-1","model":"m","choices":[{"index":0,"delta":{"content":"'
    event = "data: " + head + "x" * 100_000 + '"}}]}\n\n'
    return event * 60


@asynccontextmanager
async def _blocked_in_write(
    gateway: Gateway, blocked: asyncio.Event, timeout: float | None
) -> AsyncIterator[Call]:
    """A stream whose caller reads nothing, over a connection that takes in little."""
    raw = Script(raw=_large_stream(), content_type="text/event-stream", linger=60)
    gateway.simulator.script(raw)
    small = [("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]
    async with aio.insecure_channel(gateway.address, options=small) as channel:
        stream = channel.unary_stream(
            "/tokenwire.v1.LLMService/ChatStream",
            request_serializer=pb.ChatRequest.SerializeToString,
            response_deserializer=bytes,
        )
        call = stream(ask(), timeout=timeout)
        async with asyncio.timeout(SECONDS):
            await blocked.wait()
        yield call


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    event, original = asyncio.Event(), LLMServicer.ChatStream

    async def watched(self: LLMServicer, request: pb.ChatRequest, context: Any) -> None:
        watching = cast("Any", _WatchedContext(context, event))
        await original(self, request, watching)

    monkeypatch.setattr(LLMServicer, "ChatStream", watched)
    return event


@pytest.mark.parametrize("how", ["CANCELLED", "DEADLINE_EXCEEDED"])
async def test_a_caller_that_does_not_read_can_leave(
    blocked: asyncio.Event, open_gateway: Opener, how: str
) -> None:
    async with open_gateway() as gateway:
        before = tasks()
        timeout = 1.5 if how == "DEADLINE_EXCEEDED" else None
        async with _blocked_in_write(gateway, blocked, timeout) as call:
            (received,) = gateway.simulator.received
            assert received.seconds is None, "nothing was held back"
            if how == "CANCELLED":
                call.cancel()
            assert (await call.code()).name == how
            await wait_closed(received, CLOSED)
            assert received.outcome == "closed by client"
        await assert_settled(gateway, before, ("ChatStream", how, how))


async def test_a_caller_that_does_not_read_holds_up_nobody(
    blocked: asyncio.Event, open_gateway: Opener
) -> None:
    async with open_gateway() as gateway, _blocked_in_write(gateway, blocked, None) as call:
        await gateway.works()
        call.cancel()
