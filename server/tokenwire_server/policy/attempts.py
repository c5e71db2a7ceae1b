"""Attempts: a call that failed is made again, or elsewhere, within one budget and until content has come.

Retry and fallback share the budget: so many upstream calls and so many seconds of waiting, never past the
call's deadline. What is left of the calls is kept for targets that were not tried yet.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto
from random import uniform
from typing import Final, NoReturn

from google.rpc.code_pb2 import INVALID_ARGUMENT

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.backend import Backend
from tokenwire_server.call import UNBOUNDED, Call, Target, now
from tokenwire_server.errors import TABLE, GatewayError

CALLS: Final = 3
WAITING: Final = 5.0
_BACKOFF: Final = 0.25
"""Seconds before the first retry, at most; twice as many before the next."""


class Then(Enum):
    """What a failure leaves to do."""

    AGAIN = auto()
    """The same target may answer next time; so may another."""
    ELSEWHERE = auto()
    """Another target may answer; the same one would cost as much again, or fail again, unless it was
    its key that was refused."""
    END = auto()
    """Nobody would answer otherwise, or it is not known what trying again would do."""


THEN: Final[Mapping["Reason.ValueType", Then]] = {
    Reason.INVALID_REQUEST: Then.END,
    Reason.UNSUPPORTED_PARAMETER: Then.END,
    Reason.CONTEXT_LENGTH_EXCEEDED: Then.END,
    Reason.REQUEST_TOO_LARGE: Then.END,
    Reason.CONTENT_BLOCKED: Then.END,
    Reason.UNAUTHENTICATED: Then.END,
    Reason.PROVIDER_KEY_INVALID: Then.END,
    Reason.PERMISSION_DENIED: Then.END,
    Reason.PROVIDER_PERMISSION_DENIED: Then.ELSEWHERE,
    Reason.PROVIDER_CREDENTIALS_INVALID: Then.ELSEWHERE,
    Reason.PROVIDER_NOT_CONFIGURED: Then.END,
    Reason.MODEL_NOT_FOUND: Then.ELSEWHERE,
    Reason.CONFLICT: Then.END,
    Reason.UNSUPPORTED_BY_PROVIDER: Then.ELSEWHERE,
    Reason.METHOD_NOT_IMPLEMENTED: Then.END,
    Reason.RATE_LIMITED: Then.END,
    Reason.INSUFFICIENT_QUOTA: Then.ELSEWHERE,
    Reason.BUDGET_EXCEEDED: Then.END,
    Reason.OVERLOADED: Then.END,
    Reason.PROVIDER_RATE_LIMITED: Then.AGAIN,
    Reason.RESPONSE_TOO_LARGE: Then.END,
    Reason.SLOW_READER: Then.END,
    Reason.PROVIDER_OVERLOADED: Then.AGAIN,
    Reason.PROVIDER_UNAVAILABLE: Then.AGAIN,
    Reason.CONNECT_TIMEOUT: Then.AGAIN,
    Reason.FIRST_TOKEN_TIMEOUT: Then.ELSEWHERE,
    Reason.STREAM_IDLE_TIMEOUT: Then.ELSEWHERE,
    Reason.UPSTREAM_TIMEOUT: Then.ELSEWHERE,
    Reason.STREAM_TRUNCATED: Then.AGAIN,
    Reason.CIRCUIT_OPEN: Then.ELSEWHERE,
    Reason.LIMITS_UNAVAILABLE: Then.END,
    Reason.SHUTTING_DOWN: Then.END,
    Reason.DEADLINE_EXCEEDED: Then.END,
    Reason.DEADLINE_TOO_SHORT: Then.END,
    Reason.CANCELLED: Then.END,
    Reason.PROVIDER_BAD_RESPONSE: Then.ELSEWHERE,
    Reason.INTERNAL: Then.END,
}


class Attempts:
    """A Backend that makes up to `max_calls` calls of the next one, and waits `max_wait` seconds in all.
    `call.target` is the one that answered, or whose failure is told; `call.fallbacks` are those left."""

    def __init__(self, following: Backend, max_calls: int = CALLS, max_wait: float = WAITING) -> None:
        self._next = following
        self._most = max_calls, max_wait
        self._budgets: defaultdict[str, RetryBudget] = defaultdict(RetryBudget)

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        """The first answer that comes."""
        tries = _Tries(call, self._budgets, *self._most)
        while True:
            try:
                return await self._next.chat(request, call)
            except GatewayError as error:
                await tries.after(error)

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        """The first answer whose content begins; what fails from then on fails the call."""
        tries = _Tries(call, self._budgets, *self._most)
        while True:
            begun = False
            try:
                async with self._next.stream(request, call) as events:
                    first = await anext(events)
                    begun = True
                    yield _with_first(first, events)
                    return
            except GatewayError as error:
                if begun:
                    raise
                failure = error
            await tries.after(failure)

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        """The first answer that comes."""
        tries = _Tries(call, self._budgets, *self._most)
        while True:
            try:
                return await self._next.embed(request, call)
            except GatewayError as error:
                await tries.after(error)


async def _with_first(
    first: Sequence[pb.ChatStreamResponse], events: AsyncIterator[Sequence[pb.ChatStreamResponse]]
) -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
    yield first
    async for batch in events:
        yield batch


class RetryBudget:
    """Keeps retries a small part of a provider's calls, however many callers see it fail: one for ten calls,
    and ten to begin with.

    Without it an outage is answered by three times the load (Google SRE book, "Handling Overload"; gRPC A6
    throttles clients in the same way).
    """

    PART: Final = 0.1
    AT_ONCE: Final = 10.0

    def __init__(self) -> None:
        self._tokens = self.AT_ONCE

    def called(self) -> None:
        """A call was made; it earns a part of a retry."""
        self._tokens = min(self.AT_ONCE, self._tokens + self.PART)

    def take(self) -> bool:
        """Whether a retry may be made; it is spent with that."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class _Tries:
    """The budget of one call."""

    __slots__ = ("_again", "_asked", "_budgets", "_call", "_failure", "_target", "_unsupported", "_waiting")

    def __init__(
        self, call: Call, budgets: Mapping[str, RetryBudget], max_calls: int, max_wait: float
    ) -> None:
        self._call = call
        self._budgets = budgets
        call.spare_calls = max_calls - 1
        self._again = 0
        self._asked = 0
        self._waiting = max_wait
        self._unsupported = call.unsupported.kept()
        self._failure: GatewayError | None = None
        self._target = call.target
        budgets[call.target.provider].called()

    async def after(self, error: GatewayError) -> None:
        """Gives back when the call is to be made again, to `call.target`; else raises what ends it."""
        call, failed = self._call, self._call.target
        if self._failure is None or self._says_more(error, self._failure):
            self._failure, self._target = error, failed
        if len(call.attempts) == self._asked:
            call.spare_calls += 1  # refused here: nobody was asked
        self._asked = len(call.attempts)
        wait = self._wait_for_same(error)
        if wait is not None:
            await self._sleep(wait)
        elif call.fallbacks and call.spare_calls and THEN[error.reason] is not Then.END:
            call.target = call.fallbacks.pop(0)
        else:
            call.target = self._target
            self._end(self._failure)
        call.spare_calls -= 1
        self._forget(failed)
        self._budgets[call.target.provider].called()

    def _says_more(self, error: GatewayError, before: GatewayError) -> bool:
        """Whether the caller is told it, and not the failure before. Another target's complaint about the
        request is nothing that the caller wrote wrong for the one before. A refusal that asked nobody says
        less than a failure; of several the one that is over first says most."""
        call = self._call
        if call.target != self._target and TABLE[error.reason].code == INVALID_ARGUMENT:
            return False
        if len(call.attempts) > self._asked:
            return True
        return not call.attempts and (error.retry_after or UNBOUNDED) < (before.retry_after or UNBOUNDED)

    async def _sleep(self, seconds: float) -> None:
        self._again += 1
        self._waiting -= seconds
        began = now()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._call.queued_seconds += now() - began

    def _forget(self, failed: Target) -> None:
        """What the attempt that failed there left in the call."""
        call = self._call
        if call.usage:
            call.lost.append((failed, call.usage))
            call.usage = None
        call.output_pieces, call.upstream_request_id = 0, ""
        call.unsupported = self._unsupported.kept()

    def _end(self, error: GatewayError) -> NoReturn:
        error.spent = bool(self._call.attempts)
        raise self._hopeless(error) or error

    def _hopeless(self, error: GatewayError) -> GatewayError | None:
        """What a refusal before any attempt means when the caller cannot wait as long as it says."""
        if self._call.attempts or (error.retry_after or 0.0) <= self._call.remaining():
            return None
        return GatewayError(
            reason=Reason.DEADLINE_TOO_SHORT,
            text="The provider takes calls again after the call's deadline.",
        )

    def _wait_for_same(self, error: GatewayError) -> float | None:
        """Seconds until the same target is tried again; None = it is not."""
        call = self._call
        if error.other_key:  # one call is kept: all the keys may be refused
            return 0.0 if call.spare_calls > bool(call.fallbacks) else None
        if THEN[error.reason] is not Then.AGAIN or error.spent or call.spare_calls <= len(call.fallbacks):
            return None
        wait = uniform(0, _BACKOFF * 2**self._again)  # noqa: S311 (spreads load)
        if error.retry_after is not None:
            wait += error.retry_after
        if wait > self._waiting or wait >= call.remaining():
            return None
        return wait if self._budgets[call.target.provider].take() else None
