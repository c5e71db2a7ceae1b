"""Admission: who is let in, who waits and how long, who is refused; and that no place is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import UNBOUNDED, Call, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy import admit as module
from tokenwire_server.policy.admit import Admit

SECONDS = 10.0


class Busy:
    """Answers when a test says so."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.most = self.running = 0
        self._ends: dict[str, asyncio.Event] = {}

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        await self._work(call)
        return pb.ChatResponse(id=call.request_id)

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        await self._work(call)
        return embed_pb2.EmbedResponse()

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        async def events() -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
            await self._work(call)
            yield [pb.ChatStreamResponse()]

        yield events()

    def end(self, *names: str) -> None:
        for name in names:
            self._ends.setdefault(name, asyncio.Event()).set()

    async def _work(self, call: Call) -> None:
        self.began.append(call.request_id)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self._ends.setdefault(call.request_id, asyncio.Event()).wait()
        finally:
            self.running -= 1


def calling(name: str, seconds: float = UNBOUNDED, caller: str = "") -> Call:
    return Call(name, "Chat", now(), now() + seconds, caller=caller)


async def settle() -> None:
    """Lets everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def start(admit: Admit, *calls: Call) -> list["asyncio.Task[Any]"]:
    tasks = [asyncio.create_task(admit.chat(ask(), call)) for call in calls]
    await settle()
    return tasks


@pytest.fixture
def busy() -> Busy:
    return Busy()


async def test_calls_wait_for_a_place_in_their_order(busy: Busy) -> None:
    admit = Admit(busy, 2, 10)
    tasks = await start(admit, *map(calling, "abcd"))
    assert (busy.began, admit.in_flight, admit.queued) == (["a", "b"], 2, 2)
    busy.end("b")
    await settle()
    assert busy.began == ["a", "b", "c"]
    busy.end("a", "c", "d")
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
    assert busy.began == ["a", "b", "c", "d"]
    assert (admit.in_flight, admit.queued, busy.most) == (0, 0, 2)


async def test_waiting_is_written_down(busy: Busy) -> None:
    admit = Admit(busy, 1, 1)
    first, second = calling("a"), calling("b")
    tasks = await start(admit, first, second)
    busy.end("a", "b")
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
    assert first.queued_seconds == 0
    assert second.queued_seconds > 0


async def test_beyond_the_queue_calls_are_refused_at_once(busy: Busy) -> None:
    admit = Admit(busy, 1, 1)
    tasks = await start(admit, calling("a"), calling("b"))
    with pytest.raises(GatewayError) as caught:
        await admit.chat(ask(), calling("c"))
    assert caught.value.reason == Reason.OVERLOADED
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 1
    busy.end("a", "b")
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)


async def test_callers_take_turns(busy: Busy) -> None:
    admit = Admit(busy, 1, 10)
    names = ["x", *(f"many{number}" for number in range(4)), "few0", "few1"]
    tasks = await start(admit, *(calling(name, caller=name.rstrip("0123456789")) for name in names))
    busy.end(*names)
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
    assert busy.began == ["x", "many0", "few0", "many1", "few1", "many2", "many3"]


async def test_a_call_waits_no_longer_than_its_deadline(busy: Busy) -> None:
    admit = Admit(busy, 1, 10)
    (first,) = await start(admit, calling("a"))
    with pytest.raises(GatewayError) as caught:
        await asyncio.wait_for(admit.chat(ask(), calling("b", seconds=0.02)), SECONDS)
    assert caught.value.reason == Reason.DEADLINE_EXCEEDED
    assert (admit.in_flight, admit.queued) == (1, 0)
    busy.end("a")
    await first


async def test_a_call_that_would_wait_too_long_is_refused_at_once(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = Admit(busy, 1, 10)
    (first,) = await start(admit, calling("a"))
    later = now() + 100
    monkeypatch.setattr(module, "now", lambda: later)  # it takes long: so will the next, as is to be expected
    busy.end("a")
    await first
    (second,) = await start(admit, calling("b"))
    with pytest.raises(GatewayError) as caught:
        await admit.chat(ask(), calling("c", seconds=1))
    assert caught.value.reason == Reason.DEADLINE_TOO_SHORT
    busy.end("b")
    await second


async def test_what_others_have_in_the_queue_is_not_waited_for(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers take turns, so that only one of their calls is ahead of a caller's first one."""
    admit = Admit(busy, 1, 100)
    (first,) = await start(admit, calling("a"))
    later = now() + 10
    monkeypatch.setattr(module, "now", lambda: later)  # a call takes a second on average from here on
    busy.end("a")
    await first
    names = [f"many{number}" for number in range(20)]
    many = await start(admit, *(calling(name, caller="many") for name in names))
    call = Call("few", "Chat", now(), now() + 5, caller="few")
    (few,) = await start(admit, call)
    with pytest.raises(GatewayError) as caught:
        await admit.chat(ask(), Call("late", "Chat", now(), now() + 5, caller="many"))
    assert caught.value.reason == Reason.DEADLINE_TOO_SHORT
    busy.end("few", *names)
    assert (await asyncio.wait_for(few, SECONDS)).id == "few"
    await asyncio.gather(*many)


async def test_streams_hold_their_place_until_they_are_left(busy: Busy) -> None:
    admit = Admit(busy, 1, 0)
    async with admit.stream(ask(), calling("a")) as events:
        busy.end("a")
        assert [batch async for batch in events] == [[pb.ChatStreamResponse()]]
        assert admit.in_flight == 1
    assert admit.in_flight == 0


async def test_embeddings_need_a_place_too(busy: Busy) -> None:
    admit = Admit(busy, 1, 0)
    (first,) = await start(admit, calling("a"))
    with pytest.raises(GatewayError) as caught:
        await admit.embed(embed_pb2.EmbedRequest(), calling("b"))
    assert caught.value.reason == Reason.OVERLOADED
    busy.end("a")
    await first


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_is_lost_whoever_leaves_when(busy: Busy, seed: int) -> None:
    """Calls that end, leave while they wait, leave as they get a place: in any order."""
    admit, random = Admit(busy, 3, 50), Random(seed)  # noqa: S311 (a test's choice)
    calls = [calling(str(number), caller=random.choice("xyz")) for number in range(40)]
    tasks = await start(admit, *calls)
    order = random.sample(range(40), 40)
    for number in order:
        if random.random() < 0.5:
            busy.end(str(number))
        if random.random() < 0.6:
            tasks[number].cancel()
        if random.random() < 0.3:
            await asyncio.sleep(0)
    busy.end(*map(str, range(40)))
    await asyncio.wait_for(asyncio.wait(tasks), SECONDS)
    assert (admit.in_flight, admit.queued, busy.running) == (0, 0, 0)
    assert busy.most <= 3
    busy.end("last")
    assert (await admit.chat(ask(), calling("last"))).id == "last"
