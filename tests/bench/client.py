"""What the Python client costs beside the generated stub.

A process of its own: reads jobs from standard input, one JSON line each, and answers with a JSON line for
each round. Both sides do the same: make a request, read the whole answer's text, and check it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from time import process_time
from typing import Final, TypeAlias

# As the load generator: gRPC's own share is smaller, and so is what it varies by.
os.environ["GRPC_EXPERIMENTS"] = "-event_engine_client"

import grpc
import orjson
import uvloop

from tokenwire import AsyncClient
from tokenwire.errors import IncompleteStream
from tokenwire.v1 import llm_service_pb2_grpc

from .job import DRAIN_SECONDS
from .payload import ANSWER, BURST, CHAT, OPENAI, QUESTION, STREAMED, SYSTEM, request

Stub: TypeAlias = "llm_service_pb2_grpc.LLMServiceAsyncStub"
Ask = Callable[[], Awaitable[str]]
"""Makes one call and gives the answer's text."""

_AT_ONCE: Final = 16


class Plain:
    """Calls by the stub."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    async def chat(self) -> str:
        """A unary call."""
        response = await self._stub.Chat(request(OPENAI, CHAT), timeout=DRAIN_SECONDS)
        return response.choices[0].message.text

    async def stream(self) -> str:
        """A stream."""
        call = self._stub.ChatStream(request(OPENAI, BURST), timeout=DRAIN_SECONDS)
        return "".join([event.text_delta.text async for event in call])


class Ours:
    """The same by the client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def chat(self) -> str:
        """A unary call."""
        return (await self._client.chat(QUESTION, system=SYSTEM, model=f"{OPENAI}/{CHAT}")).text

    async def stream(self) -> str:
        """A stream. The reference's has no end, which costs the client an exception."""
        pieces = list[str]()
        model = f"{OPENAI}/{BURST}"
        try:
            async with self._client.stream(QUESTION, system=SYSTEM, model=model) as stream:
                async for text in stream.text:
                    pieces.append(text)
        except IncompleteStream:
            return "".join(pieces)
        raise AssertionError("the reference's streams have no end")


async def _seconds(ask: Ask, expected: str, calls: int) -> float:
    """CPU of this process, all its threads together, for so many calls, some of them at once."""

    async def slot() -> None:
        for _ in range(calls // _AT_ONCE):
            if await ask() != expected:
                raise AssertionError("the answer is not the reference's")

    before = process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(slot())
    return process_time() - before


async def _both(plain: Ask, ours: Ask, expected: str, calls: int) -> list[float]:
    """One right after the other."""
    return [await _seconds(ask, expected, calls) for ask in (plain, ours)]


async def _rounds(
    target: str, number: int, calls: int, streams: int
) -> AsyncIterator[dict[str, list[float]]]:
    """CPU seconds of both sides in each round, by what they did."""
    async with grpc.aio.insecure_channel(target) as channel, AsyncClient(target) as client:
        plain, ours = Plain(llm_service_pb2_grpc.LLMServiceStub(channel)), Ours(client)
        await asyncio.gather(plain.chat(), ours.chat())  # connects
        for _ in range(number):
            yield {
                "chat": await _both(plain.chat, ours.chat, ANSWER, calls),
                "stream": await _both(plain.stream, ours.stream, STREAMED, streams),
            }


async def main() -> None:
    """Does jobs until standard input closes: each is the arguments of `_rounds`."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        async for found in _rounds(*orjson.loads(line)):
            sys.stdout.write(orjson.dumps(found).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
