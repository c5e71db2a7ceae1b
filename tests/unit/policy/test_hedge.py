"""Hedged streams: what a call is told of the two, and that neither outlives it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call, Target, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy.hedge import Hedge

A, B, C = Target("a", "one"), Target("b", "two"), Target("c", "three")
SECONDS = 10.0
AFTER = 0.05


@dataclass
class Streams:
    """Targets in `slow` never begin, those in `failing` fail, those in `late` once another was tried; those
    in `refusing` are not asked. The others answer at once, in two batches."""

    slow: Sequence[Target] = ()
    failing: Sequence[Target] = ()
    late: Sequence[Target] = ()
    refusing: Sequence[Target] = ()
    paid: Sequence[Target] = ()
    """Those that cost something although nothing came."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Closing a slow stream takes until it is set."""
    both_asked: asyncio.Event = field(default_factory=asyncio.Event)
    both_left: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: int = 0
    _left: int = 0

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        self._asked += 1
        if self._asked == 2:
            self.both_asked.set()
        if call.target in self.refusing:
            raise GatewayError(reason=Reason.CIRCUIT_OPEN, text="Said the test.")
        call.attempts.append(common_pb2.Attempt(provider=call.target.provider))
        if call.target in self.paid:
            call.usage = common_pb2.Usage(output_tokens=3)
        call.upstream_request_id = call.target.provider
        try:
            if call.target in self.slow:
                await asyncio.Event().wait()
            if call.target in self.late:
                await self.both_asked.wait()
            if call.target in (*self.failing, *self.late):
                call.upstream_seconds += 1
                raise GatewayError(reason=Reason.PROVIDER_OVERLOADED, text="Said the test.")
            yield self._events(call)
        finally:
            if call.target in self.slow:
                await self.closing.wait()
            self._left += 1
            if self._left == 2:
                self.both_left.set()

    async def _events(self, call: Call) -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
        yield [pb.ChatStreamResponse(started=pb.ChatStarted(id=call.target.provider))]
        call.usage = common_pb2.Usage(output_tokens=5)
        yield [pb.ChatStreamResponse(completed=pb.ChatCompleted())]

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        raise AssertionError("nothing here is unary")

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        raise AssertionError("nothing here embeds")


def calling(*fallbacks: Target) -> Call:
    call = Call("r", "ChatStream", now(), now() + 60, target=A, fallbacks=list(fallbacks), hedge_after=AFTER)
    call.spare_calls = 2
    return call


async def answer(backend: Streams, call: Call) -> str:
    backend.closing.set()
    async with Hedge(backend).stream(ask(), call) as events:
        batches = [batch async for batch in events]
    return batches[0][0].started.id


@pytest.mark.parametrize("slow", [(), (A,)])
async def test_tokens_are_counted_once(slow: Sequence[Target]) -> None:
    call = calling(B)
    await answer(Streams(slow), call)
    assert call.usage is not None
    assert (call.usage.output_tokens, call.lost) == (5, [])


async def test_the_wait_before_the_spare_is_time_of_the_provider() -> None:
    call = calling(B)
    assert await answer(Streams([A]), call) == "b"
    assert call.upstream_seconds >= AFTER * 0.9
    assert [attempt.provider for attempt in call.attempts] == ["a", "b"]


async def test_a_failure_is_told_with_what_it_took() -> None:
    call = calling(B)
    with pytest.raises(GatewayError):
        await answer(Streams(failing=[A]), call)
    assert (call.target, call.upstream_seconds, call.upstream_request_id) == (A, 1, "a")
    assert [attempt.provider for attempt in call.attempts] == ["a"]


async def test_the_spare_is_a_fallback_less() -> None:
    """Who is asked after both have failed was not asked before."""
    call = calling(B, C)
    assert await answer(Streams([A]), call) == "b"
    assert (call.fallbacks, call.spare_calls) == ([C], 1)


async def test_what_the_other_one_cost_is_lost() -> None:
    call = calling(B)
    await answer(Streams([A], paid=[A]), call)
    assert call.lost == [(A, common_pb2.Usage(output_tokens=3))]


async def test_what_two_that_failed_cost_is_told_once() -> None:
    call = calling(B)
    with pytest.raises(GatewayError):
        await answer(Streams(late=[A], failing=[B], paid=[A, B]), call)
    assert (call.usage, call.lost) == (
        common_pb2.Usage(output_tokens=3),
        [(B, common_pb2.Usage(output_tokens=3))],
    )


@pytest.mark.parametrize(("refusing", "left"), [((), 1), ((B,), 2)])
async def test_a_spare_that_is_not_asked_costs_nothing_of_the_budget(
    refusing: Sequence[Target], left: int
) -> None:
    call = calling(B, C)
    with pytest.raises(GatewayError) as caught:
        await answer(Streams(late=[A], failing=[B], refusing=refusing), call)
    assert caught.value.reason == Reason.PROVIDER_OVERLOADED
    assert (call.fallbacks, call.spare_calls) == ([C], left)


async def test_both_end_however_often_the_call_is_cancelled() -> None:
    """A deadline and a caller who leaves come together, and closing a connection takes a moment."""
    backend = Streams([A, B])

    async def read() -> None:
        async with Hedge(backend).stream(ask(), calling(B)):
            pass

    reading = asyncio.create_task(read())
    async with asyncio.timeout(SECONDS):
        await backend.both_asked.wait()
        for _ in range(2):
            reading.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        backend.closing.set()
        await asyncio.wait([reading])
        await backend.both_left.wait()
