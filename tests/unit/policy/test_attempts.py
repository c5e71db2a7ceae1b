"""Attempts: what is tried again, where, how often and after what wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call, Target, now
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.policy import attempts
from tokenwire_server.policy.attempts import CALLS, THEN, Attempts, Then
from tokenwire_server.unsupported import Unsupported

A, B, C = Target("a", "one"), Target("b", "two"), Target("c", "three")
OK = "answered"
BUSY = Reason.PROVIDER_OVERLOADED
LIMITED = Reason.PROVIDER_RATE_LIMITED
Outcome = GatewayError | str


def failure(reason: "Reason.ValueType" = BUSY, **fields: Any) -> GatewayError:
    return GatewayError(reason=reason, text="Said the test.", **fields)


@dataclass
class Scripted:
    """Each call has the next of `outcomes`; `late` ones fail after content has come."""

    outcomes: list[Outcome]
    late: Outcome = OK
    asked: list[Target] = field(default_factory=list)
    opened: int = 0

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        return pb.ChatResponse(id=self._next(call))

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        return embed_pb2.EmbedResponse(model=self._next(call))

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        async def events() -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
            answer = self._next(call)
            yield [pb.ChatStreamResponse(started=pb.ChatStarted(id=answer))]
            if isinstance(self.late, GatewayError):
                raise self.late
            yield [pb.ChatStreamResponse(completed=pb.ChatCompleted())]

        self.opened += 1
        try:
            yield events()
        finally:
            self.opened -= 1

    def _next(self, call: Call) -> str:
        self.asked.append(call.target)
        call.attempts.append(common_pb2.Attempt(provider=call.target.provider))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome


def calling(*targets: Target, seconds: float = 60) -> Call:
    first, *others = targets or (A,)
    return Call("r", "Chat", now(), now() + seconds, target=first, fallbacks=others)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which pass at once; what is random of them is half of what it may be."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(attempts, "now", lambda: sum(found))
    monkeypatch.setattr(attempts, "uniform", lambda low, high: (low + high) / 2)
    return found


async def chat(backend: Scripted, call: Call | None = None) -> str:
    return (await Attempts(backend).chat(ask(), call or calling())).id


async def test_what_works_is_called_once(waits: list[float]) -> None:
    backend = Scripted([OK])
    assert await chat(backend) == OK
    assert (backend.asked, waits) == ([A], [])


async def test_a_failure_is_tried_again_after_a_growing_wait(waits: list[float]) -> None:
    backend = Scripted([failure(), failure(), OK])
    call = calling()
    assert await chat(backend, call) == OK
    assert backend.asked == [A, A, A]
    assert waits == [0.125, 0.25]
    assert call.queued_seconds == sum(waits)


async def test_three_calls_are_all_there_are() -> None:
    last = failure(Reason.PROVIDER_UNAVAILABLE)
    backend = Scripted([failure(), failure(), last, OK])
    with pytest.raises(GatewayError) as caught:
        await chat(backend)
    assert caught.value is last
    assert last.spent
    assert len(backend.asked) == CALLS


@pytest.mark.parametrize(
    ("targets", "asked"),
    [((A,), [A, A, A]), ((A, B), [A, A, B]), ((A, B, C), [A, B, C]), ((A, B, C, A), [A, B, C])],
)
async def test_every_target_has_its_turn_before_any_has_a_second(
    targets: tuple[Target, ...], asked: list[Target]
) -> None:
    backend = Scripted([failure(), failure(), failure()])
    with pytest.raises(GatewayError):
        await chat(backend, calling(*targets))
    assert backend.asked == asked


@pytest.mark.parametrize("reason", [reason for reason in Reason.values() if reason], ids=Reason.Name)
async def test_what_a_reason_leaves_to_do(reason: "Reason.ValueType") -> None:
    """With one other target: the same one again if that may help, then the other, or the end."""
    expected = {Then.AGAIN: [A, A, B], Then.ELSEWHERE: [A, B], Then.END: [A]}[THEN[reason]]
    backend = Scripted([failure(reason)] * (len(expected) - 1) + [OK])
    if THEN[reason] is Then.END:
        backend.outcomes = [failure(reason)]
        with pytest.raises(GatewayError):
            await chat(backend, calling(A, B))
    else:
        assert await chat(backend, calling(A, B)) == OK
    assert backend.asked == expected


def test_what_the_caller_did_wrong_is_never_tried_again() -> None:
    assert THEN.keys() == TABLE.keys()
    for reason, then in THEN.items():
        if Reason.Name(reason) in ("INVALID_REQUEST", "UNSUPPORTED_PARAMETER", "CONTEXT_LENGTH_EXCEEDED"):
            assert then is Then.END


async def test_a_provider_that_says_when_is_waited_for(waits: list[float]) -> None:
    backend = Scripted([failure(LIMITED, retry_after=2.0), OK])
    assert await chat(backend) == OK
    assert waits == [2.125]


@pytest.mark.parametrize(("retry_after", "seconds"), [(5.0, 60.0), (86_400.0, 1e6), (2.0, 1.0)])
async def test_a_wait_that_is_too_long_is_not_begun(
    waits: list[float], retry_after: float, seconds: float
) -> None:
    """Longer than the budget, or than the call has left."""
    limited = failure(LIMITED, retry_after=retry_after)
    with pytest.raises(GatewayError) as caught:
        await chat(Scripted([limited, OK]), calling(seconds=seconds))
    assert caught.value is limited
    assert waits == []


async def test_what_is_known_to_fail_again_is_tried_elsewhere_only() -> None:
    backend = Scripted([failure(spent=True), OK])
    assert await chat(backend, calling(A, B)) == OK
    assert backend.asked == [A, B]
    with pytest.raises(GatewayError):
        await chat(Scripted([failure(spent=True), OK]))


async def test_waits_add_up(waits: list[float]) -> None:
    limited = [failure(LIMITED, retry_after=3.0) for _ in range(2)]
    with pytest.raises(GatewayError):
        await chat(Scripted([*limited, OK]))
    assert waits == [3.125]


async def test_a_wait_that_is_known_and_too_long_is_told_at_once() -> None:
    class Knows(Scripted):
        def _next(self, call: Call) -> str:
            raise failure(LIMITED, retry_after=30.0)

    with pytest.raises(GatewayError) as caught:
        await chat(Knows([]), calling(seconds=10))
    assert caught.value.reason == Reason.DEADLINE_TOO_SHORT


async def test_another_target_is_not_waited_for(waits: list[float]) -> None:
    backend = Scripted([failure(LIMITED, retry_after=30.0), OK])
    assert await chat(backend, calling(A, B)) == OK
    assert (backend.asked, waits) == ([A, B], [])


async def test_a_fallback_that_cannot_do_it_ends_with_the_first_failure() -> None:
    first = failure()
    backend = Scripted([failure(), first, failure(Reason.UNSUPPORTED_PARAMETER), OK])
    with pytest.raises(GatewayError) as caught:
        await chat(backend, calling(A, B))
    assert caught.value is first


async def test_the_failure_that_is_told_is_told_with_its_target() -> None:
    first = failure()
    call = calling(A, B)
    with pytest.raises(GatewayError) as caught:
        await chat(Scripted([failure(), first, failure(Reason.INVALID_REQUEST)]), call)
    assert caught.value is first
    assert caught.value.spent, "the gateway has made its attempts"
    assert call.target == A


async def test_what_the_same_target_says_of_the_request_is_told() -> None:
    wrong = failure(Reason.INVALID_REQUEST)
    with pytest.raises(GatewayError) as caught:
        await chat(Scripted([failure(), wrong]))
    assert caught.value is wrong


class Refusing(Scripted):
    """Refuses some targets without asking anybody."""

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        if call.target in (A, B):
            raise failure(Reason.CIRCUIT_OPEN, retry_after=1.0)
        return await super().chat(request, call)


async def test_a_target_that_is_not_asked_costs_nothing_of_the_budget() -> None:
    backend = Refusing([failure(), failure(), OK])
    assert await chat(backend, calling(A, B, C)) == OK
    assert backend.asked == [C, C, C]
    assert (await Attempts(Refusing([OK]), max_calls=1).chat(ask(), calling(A, B, C))).id == OK


async def test_another_key_of_a_target_comes_before_another_target(waits: list[float]) -> None:
    refused = failure(Reason.PROVIDER_CREDENTIALS_INVALID, other_key=True)
    backend = Scripted([refused, OK])
    assert await chat(backend, calling(A, B, C)) == OK
    assert (backend.asked, sum(waits)) == ([A, A], 0)


@pytest.mark.parametrize(("targets", "asked"), [((A,), [A, A, A]), ((A, B, C), [A, A, B])])
async def test_keys_that_are_all_refused_leave_a_call_for_another_target(
    targets: Sequence[Target], asked: list[Target]
) -> None:
    backend = Scripted([failure(Reason.INSUFFICIENT_QUOTA, other_key=True) for _ in range(5)])
    with pytest.raises(GatewayError):
        await chat(backend, calling(*targets))
    assert backend.asked == asked


class Opens(Scripted):
    """Its breaker is open once `outcomes` are told."""

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        if not self.outcomes:
            raise failure(Reason.CIRCUIT_OPEN, retry_after=1.0)
        return await super().chat(request, call)


@pytest.mark.parametrize("targets", [(A,), (A, B)])
async def test_an_open_breaker_does_not_hide_what_the_provider_said(targets: Sequence[Target]) -> None:
    """Of the call's first target too, where the other one is not asked."""
    busy = failure()
    call = calling(*targets)
    with pytest.raises(GatewayError) as caught:
        await chat(Opens([busy]), call)
    assert caught.value is busy
    assert (busy.spent, call.target, len(call.attempts)) == (True, A, 1)


async def test_of_open_breakers_the_one_that_may_close_first_is_told() -> None:
    seconds = {A: 30.0, B: 2.0, C: 9.0}

    class Open(Scripted):
        async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
            raise failure(Reason.CIRCUIT_OPEN, retry_after=seconds[call.target])

    call = calling(A, B, C, seconds=10)
    with pytest.raises(GatewayError) as caught:
        await chat(Open([]), call)
    error = caught.value
    assert (error.reason, error.retry_after, error.spent) == (Reason.CIRCUIT_OPEN, 2.0, False)
    assert call.target == B


async def test_what_a_failed_attempt_left_is_not_the_answers() -> None:
    class Leaves(Scripted):
        def _next(self, call: Call) -> str:
            answer = super()._next(call)
            assert (call.usage, call.upstream_request_id, call.output_pieces) == (None, "", 0)
            return answer

        async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
            try:
                return await super().chat(request, call)
            except GatewayError:
                call.usage, call.upstream_request_id = common_pb2.Usage(output_tokens=7), "u-1"
                call.output_pieces = 7
                raise

    call = calling(A, B)
    assert await chat(Leaves([failure(spent=True), OK]), call) == OK
    assert (call.usage, call.lost) == (None, [(A, common_pb2.Usage(output_tokens=7))])


async def test_each_target_begins_with_the_warnings_of_the_request() -> None:
    class Warns(Scripted):
        def _next(self, call: Call) -> str:
            call.unsupported.parameter(f"config.{call.target.model}", "Not here.")
            return super()._next(call)

    call = calling(A, B)
    call.unsupported = Unsupported(common_pb2.UNSUPPORTED_PARAMETERS_DROP)
    call.unsupported.parameter("config.seed", "Nowhere.")
    await chat(Warns([failure(), failure(), OK]), call)
    assert [warning.field for warning in call.unsupported.warnings] == ["config.seed", "config.two"]
    assert call.target == B


async def test_retries_are_a_tenth_of_the_calls() -> None:
    """Of 200 calls that all fail."""
    backend = Scripted([])
    policy = Attempts(backend)
    for _ in range(200):
        backend.outcomes = [failure() for _ in range(CALLS)]
        with pytest.raises(GatewayError):
            await policy.chat(ask(), calling())
    retries = len(backend.asked) - 200
    assert 10 <= retries <= 10 + len(backend.asked) // 10


async def test_a_fallback_needs_no_retry_budget() -> None:
    backend = Scripted([])
    policy = Attempts(backend)
    for _ in range(100):
        backend.outcomes = [failure(Reason.CIRCUIT_OPEN), OK]
        assert (await policy.chat(ask(), calling(A, B))).id == OK


async def test_embeddings_are_tried_again_too() -> None:
    backend = Scripted([failure(), OK])
    reply = await Attempts(backend).embed(embed_pb2.EmbedRequest(input=["a"]), calling())
    assert (reply.model, backend.asked) == (OK, [A, A])


async def stream(backend: Scripted, call: Call) -> list[str]:
    """The kinds of events that come."""
    async with Attempts(backend).stream(ask(), call) as events:
        return [str(event.WhichOneof("event")) async for batch in events for event in batch]


async def test_a_stream_is_tried_again_until_content_comes() -> None:
    backend = Scripted([failure(), failure(), OK])
    assert await stream(backend, calling(A, B)) == ["started", "completed"]
    assert (backend.asked, backend.opened) == ([A, A, B], 0)


async def test_a_stream_that_has_begun_is_not_begun_again() -> None:
    late = failure(Reason.STREAM_TRUNCATED)
    backend = Scripted([OK, OK], late=late)
    with pytest.raises(GatewayError) as caught:
        await stream(backend, calling(A, B))
    assert caught.value is late
    assert (backend.asked, backend.opened) == ([A], 0)


async def test_a_caller_who_leaves_closes_the_stream() -> None:
    backend = Scripted([OK])
    with pytest.raises(KeyboardInterrupt):
        async with Attempts(backend).stream(ask(), calling()):
            raise KeyboardInterrupt
    assert backend.opened == 0
