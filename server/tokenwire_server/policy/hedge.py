"""Hedged first token: a stream that is slow to begin is asked for once more, elsewhere where there is
another target. Whichever brings content first is the answer; the other one is cancelled.

The cancelled one tells its breaker nothing, however long it was silent: it was slow by the measure of one
alias, and the breaker is everybody's. A short `hedge_after` would become an outage for those who call the
model without the alias. (Finagle ignores superseded requests too. Envoy counts them, and has other hosts of
the same cluster to turn to.)

It buys time with money, so that an alias has to ask for it (`Call.hedge_after`). Both count towards the
call's budget of attempts. Chat and Embed pass as they are.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire_server.backend import Backend
from tokenwire_server.call import Call, now

Batch = Sequence[pb.ChatStreamResponse]


class Hedge:
    """A Backend that may ask the next one twice for the same stream."""

    def __init__(self, following: Backend) -> None:
        self._next = following

    def chat(self, request: pb.ChatRequest, call: Call) -> Awaitable[pb.ChatResponse]:
        """The answer of the next one."""
        return self._next.chat(request, call)

    def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> Awaitable[embed_pb2.EmbedResponse]:
        """The vectors of the next one."""
        return self._next.embed(request, call)

    def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """The events of the one that begins first."""
        if call.hedge_after is None or not call.spare_calls:
            return self._next.stream(request, call)
        return self._hedged(request, call, call.hedge_after)

    @asynccontextmanager
    async def _hedged(
        self, request: pb.ChatRequest, call: Call, after: float
    ) -> AsyncIterator[AsyncIterator[Batch]]:
        began = now()
        winner = _Runner(self._next, request, call)
        runners = [winner]
        try:
            if not await winner.begins(after):
                call.spare_calls -= 1
                target = call.fallbacks.pop(0) if call.fallbacks else call.target
                waited = call.upstream_seconds + now() - began
                spare = replace(call, target=target, upstream_seconds=waited)
                runners.append(_Runner(self._next, request, spare))
            winner = await _first(runners)
            await _close([runner for runner in runners if runner is not winner])
            for runner in runners:
                runner.tell_attempts(call)
            yield winner.events(call)
        finally:
            await _close(runners)
            for runner in runners:
                runner.tell_attempts(call)
                if runner is not winner:
                    runner.tell_lost(call)
            winner.tell(call)
            call.spare_calls += sum(not runner.asked for runner in runners[1:])


async def _first(runners: Sequence["_Runner"]) -> "_Runner":
    """The runner that brings content first; when all fail, raises the failure of the first one."""
    waiting = {asyncio.ensure_future(runner.begun.wait()): runner for runner in runners}
    try:
        while True:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                runner = waiting.pop(task)
                if runner.has_content:
                    return runner
            if not waiting and runners[0].failure:
                raise runners[0].failure
    finally:
        for task in waiting:
            task.cancel()


async def _close(runners: Sequence["_Runner"]) -> None:
    """Ends them; their connections are closed when this gives back."""
    tasks = [runner.task for runner in runners]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


class _Runner:
    """A stream in a task of its own: who opens a stream leaves it, in the same task."""

    def __init__(self, backend: Backend, request: pb.ChatRequest, call: Call) -> None:
        self.begun: Final = asyncio.Event()
        """It has brought content, or failed."""
        self.has_content = False
        self.failure: Exception | None = None
        self._call = replace(call, attempts=[], unsupported=call.unsupported.kept())
        self._told = 0
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue(1)
        self.task: Final = asyncio.create_task(self._run(backend, request))

    async def begins(self, within: float) -> bool:
        """Whether it has within so many seconds."""
        try:
            await asyncio.wait_for(self.begun.wait(), within)
        except TimeoutError:
            return False
        return True

    async def events(self, call: Call) -> AsyncIterator[Batch]:
        """Its events; what it learns goes into `call`."""
        while (batch := await self._batches.get()) is not None:
            self.tell(call)
            yield batch
        self.tell(call)
        if self.failure:
            raise self.failure

    @property
    def asked(self) -> bool:
        """Whether it has caused a request to a provider."""
        return bool(self._call.attempts)

    def tell_attempts(self, call: Call) -> None:
        """Each once."""
        call.attempts += self._call.attempts[self._told :]
        self._told = len(self._call.attempts)

    def tell_lost(self, call: Call) -> None:
        """What was paid for content that nobody got."""
        if self._call.usage:
            call.lost.append((self._call.target, self._call.usage))

    def tell(self, call: Call) -> None:
        """All that it has learned, as of the one that answers."""
        self.tell_attempts(call)
        own = self._call
        call.target, call.unsupported, call.usage = own.target, own.unsupported, own.usage
        call.first_content, call.output_pieces = own.first_content, own.output_pieces
        call.upstream_seconds, call.upstream_request_id = own.upstream_seconds, own.upstream_request_id

    async def _run(self, backend: Backend, request: pb.ChatRequest) -> None:
        try:
            async with backend.stream(request, self._call) as events:
                async for batch in events:
                    self.has_content = True
                    self.begun.set()
                    await self._batches.put(batch)
        except Exception as error:  # noqa: BLE001 (raised again by whoever reads the events)
            self.failure = error
        self.begun.set()
        await self._batches.put(None)
