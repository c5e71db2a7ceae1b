"""Calls that are cancelled, at moments swept over their whole life."""

import asyncio
import itertools
from collections.abc import AsyncIterable, Awaitable, Iterator
from typing import Any

from grpc import StatusCode, aio
from support.ask import ask

from tokenwire.v1 import embed_pb2

from .rig import Rig

PACE = {"headers_delay": 0.005, "gap": 0.002, "tokens": 8}
"""The upstream's: a stream takes about 25 ms where nothing else runs."""
SIDE_BY_SIDE = 16
_LATEST = 0.060
"""Seconds after which a call is cancelled at the latest: with so many side by side most would end then."""
_STEPS = 150

_CHATS = ("openai/gpt-4o-mini", "openai/gpt-5.4-mini", "mistral/mistral-small-latest")
"""Chat Completions, Responses, Mistral."""
_EMBEDDERS = ("openai/text-embedding-3-small", "mistral/mistral-embed")
Call = Any
"""A call of either kind: the stubs' types have little in common."""


def _calls(rig: Rig) -> Iterator[Call]:
    """New calls without end, of each kind in turn."""
    while True:
        for model in _CHATS:
            yield rig.stub.ChatStream(ask(model=model))
            yield rig.stub.Chat(ask(model=model))
            yield rig.stub.ChatStream(ask(model=model))
        for model in _EMBEDDERS:
            yield rig.stub.Embed(embed_pb2.EmbedRequest(model=model, input=["a", "b"]))


async def storm(rig: Rig, cancels: int) -> int:
    """Makes calls until so many were cancelled before they ended; gives how many ended first."""
    calls, delays = _calls(rig), itertools.cycle(range(_STEPS))
    cancelled = completed = 0

    async def caller() -> None:
        nonlocal cancelled, completed
        while cancelled < cancels:
            if await _cancelled(next(calls), next(delays) * _LATEST / _STEPS):
                cancelled += 1
            else:
                completed += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(SIDE_BY_SIDE):
            group.create_task(caller())
    return completed


async def _cancelled(call: Call, delay: float) -> bool:
    """Whether the call was cancelled after so many seconds; it may not fail otherwise."""
    timer = asyncio.get_running_loop().call_later(delay, call.cancel)
    try:
        await _all_of(call)
    except asyncio.CancelledError:
        return True
    except aio.AioRpcError as error:  # what grpc makes of it when the call is just about to end
        if error.code() != StatusCode.CANCELLED:
            raise
        return True
    finally:
        timer.cancel()
    return False


async def _all_of(call: AsyncIterable[object] | Awaitable[object]) -> None:
    if isinstance(call, AsyncIterable):
        async for _ in call:
            pass
    else:
        await call
