"""What is told to the calls that a stop meets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from support.ask import ask
from support.fake import FakeBackend, served
from support.gateway import SECONDS
from support.status import collect, failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.call import Call


@dataclass(frozen=True)
class _Telling(FakeBackend):
    """Tells when a stream begins."""

    begins: Callable[[], None]

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        self.begins()
        async with super().stream(request, call) as events:
            yield events


async def _never(_request: pb.ChatRequest, _call: Call) -> pb.ChatResponse:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")


@pytest.mark.parametrize("turns", range(8))
async def test_a_stream_is_told_however_little_of_it_was_written(turns: int) -> None:
    """The event loop's turn decides what is cut; grpc sends no status after half a first write."""
    drains: list[asyncio.Future[None]] = []

    async def drain() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await running.boundary.drain(0)

    backend = _Telling(_never, lambda: drains.append(asyncio.ensure_future(drain())))
    async with served(backend) as running:
        ended = await failure(collect(LLMServiceStub(running.channel).ChatStream(ask(), timeout=SECONDS)))
        assert (ended.code, ended.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        await drains[0]


async def test_a_call_that_comes_when_all_are_over_is_told() -> None:
    async with served(FakeBackend(_never)) as running:
        await running.boundary.drain(0)
        ended = await failure(LLMServiceStub(running.channel).Chat(ask(), timeout=SECONDS))
        assert (ended.code, ended.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        assert (await running.lines.wait())["reason"] == "SHUTTING_DOWN"
