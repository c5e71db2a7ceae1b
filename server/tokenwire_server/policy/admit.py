"""Admission: a bound of calls in flight, a bounded queue before it, and a refusal beyond that.

The queue is fair: callers take turns, so that one with a thousand calls does not keep out one with a single
call. A call waits no longer than its deadline, and is refused at once when it would have to.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.backend import Backend
from tokenwire_server.call import UNBOUNDED, Call, now
from tokenwire_server.errors import GatewayError

_WEIGHT: Final = 0.1
"""Of the latest call in the mean duration."""
_SOON: Final = 1.0
"""Seconds after which a refused caller may come back, at least."""


class Admit:
    """A Backend that lets `max_in_flight` calls through to the next one; `max_queued` more may wait."""

    def __init__(self, following: Backend, max_in_flight: int, max_queued: int) -> None:
        self._next = following
        self._max_in_flight = max_in_flight
        self._max_queued = max_queued
        self._in_flight = 0
        self._queued = 0
        self._turns: dict[str, deque[asyncio.Future[None]]] = {}
        self._mean_seconds = 0.0

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        """The answer of the next one."""
        began = await self._enter(call)
        try:
            return await self._next.chat(request, call)
        finally:
            self._leave(began)

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        """The events of the next one; the place is held until the context is left."""
        began = await self._enter(call)
        try:
            async with self._next.stream(request, call) as events:
                yield events
        finally:
            self._leave(began)

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        """The vectors of the next one."""
        began = await self._enter(call)
        try:
            return await self._next.embed(request, call)
        finally:
            self._leave(began)

    @property
    def in_flight(self) -> int:
        """Calls that have a place."""
        return self._in_flight

    @property
    def queued(self) -> int:
        """Calls that wait for one."""
        return self._queued

    async def _enter(self, call: Call) -> float:
        """Gives back with a place; the moment is for `_leave`."""
        if self._in_flight < self._max_in_flight:
            self._in_flight += 1
        else:
            await self._wait(call)
        return now()

    def _leave(self, began: float) -> None:
        self._mean_seconds += _WEIGHT * (now() - began - self._mean_seconds)
        self._pass_on()

    async def _wait(self, call: Call) -> None:
        """Gives back with a place."""
        if self._queued >= self._max_queued:
            raise GatewayError(
                reason=Reason.OVERLOADED,
                text="The gateway has as many calls as it takes.",
                retry_after=max(_SOON, self._estimate(self._queued)),
            )
        if self._estimate(self._ahead(call.caller)) > call.remaining():
            raise GatewayError(
                reason=Reason.DEADLINE_TOO_SHORT, text="The call would wait longer than its deadline."
            )
        began = now()
        try:
            await self._turn(call)
        finally:
            call.queued_seconds += now() - began

    def _estimate(self, ahead: int) -> float:
        """Seconds until a call gets a place that has so many others ahead of it."""
        return (ahead + 1) * self._mean_seconds / self._max_in_flight

    def _ahead(self, caller: str) -> int:
        """How many calls have their turn before the caller's next one, at most."""
        turns = len(self._turns.get(caller, ())) + 1
        return sum(min(len(others), turns) for others in self._turns.values())

    async def _turn(self, call: Call) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._turns.setdefault(call.caller, deque()).append(turn)
        self._queued += 1
        try:
            async with asyncio.timeout_at(None if call.deadline == UNBOUNDED else call.deadline):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # it had just been given a place
            else:
                self._forget(call.caller, turn)
            if isinstance(error, TimeoutError):
                raise GatewayError(
                    reason=Reason.DEADLINE_EXCEEDED, text="The call's deadline passed."
                ) from error
            raise

    def _forget(self, caller: str, turn: "asyncio.Future[None]") -> None:
        turns = self._turns.get(caller, deque())
        if turn in turns:
            turns.remove(turn)
            self._queued -= 1
        if not turns:
            self._turns.pop(caller, None)

    def _pass_on(self) -> None:
        """Gives the place to the caller whose turn it is, who then goes to the end of the line."""
        while self._turns:
            caller = next(iter(self._turns))
            turns = self._turns.pop(caller)
            turn = turns.popleft()
            self._queued -= 1
            if turns:
                self._turns[caller] = turns
            if not turn.done():  # else it was cancelled, and its task does not know yet
                turn.set_result(None)
                return
        self._in_flight -= 1
