"""Each call goes to the provider that its target names, with the key that can take it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2, tokens_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import UNBOUNDED, Call, Target, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy import route as module
from tokenwire_server.policy.breaker import State
from tokenwire_server.policy.route import Route
from tokenwire_server.secret import Secret

DOWN = GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text="Said the test.")
REFUSED = GatewayError(reason=Reason.PROVIDER_CREDENTIALS_INVALID, text="Said the test.")
QUOTA = GatewayError(reason=Reason.INSUFFICIENT_QUOTA, text="Said the test.")


class Key:
    """A provider with one of its keys, which answers with its name or fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self.asked = 0
        self.hold: asyncio.Event | None = None
        self.sends = True
        """Else it fails before it has asked anybody."""

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        return pb.ChatResponse(provider=await self._answer(call))

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        async def events() -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
            yield [pb.ChatStreamResponse(started=pb.ChatStarted(provider=await self._answer(call)))]

        yield events()

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        return embed_pb2.EmbedResponse(provider=await self._answer(call))

    async def count_tokens(
        self, request: tokens_pb2.CountTokensRequest, call: Call
    ) -> tokens_pb2.CountTokensResponse:
        return tokens_pb2.CountTokensResponse(provider=self.name)

    async def _answer(self, call: Call) -> str:
        self.asked += 1
        if self.sends:
            call.attempts.append(common_pb2.Attempt())
        if self.hold:
            await self.hold.wait()
        if self.failure:
            raise self.failure
        return self.name


def calling(provider: str = "a", seconds: float = UNBOUNDED, **fields: Any) -> Call:
    return Call("r", "Chat", now(), now() + seconds, target=Target(provider, "m"), **fields)


async def chat(route: Route, call: Call | None = None) -> str:
    return (await route.chat(ask(), call or calling())).provider


async def refused(route: Route, call: Call | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await chat(route, call)
    return caught.value


@pytest.fixture
def keys() -> list[Key]:
    return [Key("first"), Key("second")]


@pytest.fixture
def route(keys: list[Key]) -> Route:
    return Route({"a": keys, "b": [Key("b")]})


async def test_a_call_goes_to_the_named_provider(route: Route) -> None:
    call = calling("b")
    assert await chat(route, call) == "b"
    async with route.stream(ask(), call) as events:
        assert [event.started.provider async for batch in events for event in batch] == ["b"]
    assert (await route.embed(embed_pb2.EmbedRequest(), call)).provider == "b"
    assert (await route.count_tokens(tokens_pb2.CountTokensRequest(), call)).provider == "b"


async def test_the_key_with_least_in_flight_is_taken(route: Route, keys: list[Key]) -> None:
    keys[0].hold = asyncio.Event()
    waiting = asyncio.create_task(chat(route))
    await asyncio.sleep(0)
    assert [await chat(route) for _ in range(3)] == ["second"] * 3
    keys[0].hold.set()
    assert await waiting == "first"
    assert await chat(route) == "first"


async def test_a_stream_is_in_flight_until_it_is_left(route: Route) -> None:
    async with route.stream(ask(), calling()):
        assert await chat(route) == "second"
    assert await chat(route) == "first"


async def test_a_key_that_fails_is_left_alone(route: Route, keys: list[Key]) -> None:
    keys[0].failure = DOWN
    await refused(route)
    assert await chat(route) == "second"
    keys[1].failure = DOWN
    for _ in range(5):
        await refused(route)
    keys[1].failure = None
    asked = keys[0].asked
    assert [await chat(route) for _ in range(3)] == ["second"] * 3
    assert keys[0].asked == asked
    assert not route.circuit_open("a")
    assert await chat(route, calling("b")) == "b"


async def test_a_key_that_failed_comes_late_for_a_moment(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys[0].failure = DOWN
    await refused(route)
    keys[0].failure = None
    assert await chat(route) == "second", "an attempt that is made again goes to another key"
    later = now() + 2
    monkeypatch.setattr(module, "now", lambda: later)
    assert await chat(route) == "first"


async def test_a_key_that_was_refused_comes_last(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too seldom for a breaker: with few calls each would meet the key that is no more."""
    keys[0].failure = REFUSED
    await refused(route)
    later = now() + 86_400
    monkeypatch.setattr(module, "now", lambda: later)
    assert await chat(route) == "second"
    keys[0].failure, keys[1].failure = None, limited(30)
    await refused(route)
    assert await chat(route) == "first", "no other takes calls"
    later += 60
    assert await chat(route) == "first", "it is taken"


async def test_a_key_over_its_limit_is_asked_before_one_that_is_refused(
    route: Route, keys: list[Key]
) -> None:
    """Or callers would hear of a bad key whenever the good one is busy."""
    keys[0].failure, keys[1].failure = REFUSED, limited(30)
    for _ in range(3):
        await refused(route)
    assert (await refused(route)).reason == Reason.PROVIDER_RATE_LIMITED
    assert keys[0].asked == 1


async def test_with_many_calls_a_key_that_was_refused_is_found_when_it_is_back(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys[0].failure = REFUSED
    await refused(route)
    keys[0].failure = None
    async with route.stream(ask(), calling()):
        assert await chat(route) == "second", "it was refused a moment ago"
        later = now() + 61
        monkeypatch.setattr(module, "now", lambda: later)
        assert await chat(route) == "first"


async def test_of_keys_that_are_all_refused_each_has_its_turn(route: Route, keys: list[Key]) -> None:
    keys[0].failure = keys[1].failure = REFUSED
    assert not route.refused("a")
    await refused(route)
    assert not route.refused("a")
    await refused(route)
    assert route.refused("a")
    keys[1].failure = None
    assert (await refused(route)).reason == Reason.PROVIDER_CREDENTIALS_INVALID
    assert await chat(route) == "second"
    assert not route.refused("a")


@pytest.mark.parametrize(
    ("reason", "other_key"),
    [
        (Reason.PROVIDER_CREDENTIALS_INVALID, True),
        (Reason.PROVIDER_PERMISSION_DENIED, True),
        (Reason.INSUFFICIENT_QUOTA, True),
        (Reason.PROVIDER_UNAVAILABLE, False),
        (Reason.PROVIDER_RATE_LIMITED, False),
        (Reason.INVALID_REQUEST, False),
    ],
    ids=lambda value: Reason.Name(value) if value not in (True, False) else "",
)
async def test_what_is_said_of_a_key_may_be_otherwise_for_another(
    route: Route, keys: list[Key], reason: "Reason.ValueType", *, other_key: bool
) -> None:
    keys[0].failure = GatewayError(reason=reason, text="Said the test.")
    assert (await refused(route)).other_key == other_key
    if other_key:
        assert await chat(route) == "second"


@pytest.mark.parametrize("model", ["m", "another"])
async def test_a_key_that_was_refused_for_the_model_is_no_other_key(
    route: Route, keys: list[Key], model: str
) -> None:
    keys[0].failure = keys[1].failure = QUOTA
    for _ in range(2):
        await refused(route)
    call = Call("r", "Chat", now(), target=Target("a", model))
    assert (await refused(route, call)).other_key == (model == "another")
    only = Route({"a": keys[:1]})
    assert not (await refused(only)).other_key


async def test_a_key_whose_breaker_is_open_is_no_other_key(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys[0].failure = keys[1].failure = DOWN
    for _ in range(10):
        await refused(route)
    later = now() + 2
    first = route._lanes["a"][0].standing("m")  # noqa: SLF001 (time has passed for this one)
    monkeypatch.setattr(first.breaker, "_clock", lambda: later)
    keys[0].failure = QUOTA
    error = await refused(route)
    assert (error.reason, error.other_key) == (Reason.INSUFFICIENT_QUOTA, False)


@pytest.mark.parametrize(("seconds", "other_key"), [(10, False), (60, True)])
async def test_a_key_whose_limit_outlasts_the_call_is_no_other_key(
    route: Route, keys: list[Key], seconds: float, *, other_key: bool
) -> None:
    keys[0].failure, keys[1].failure = DOWN, limited(30)
    for _ in range(2):
        await refused(route)
    keys[0].failure = QUOTA
    error = await refused(route, calling(seconds=seconds))
    assert (error.reason, error.other_key) == (Reason.INSUFFICIENT_QUOTA, other_key)


async def test_ours_are_no_other_keys_for_the_callers_own(route: Route, keys: list[Key]) -> None:
    keys[0].failure = QUOTA
    assert not (await refused(route, calling(provider_key=Secret("sk-own")))).other_key
    keys[0].failure = None
    assert await chat(route) == "first", "nor does it tell anything of ours"


async def test_what_is_refused_before_it_is_sent_tells_nothing(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter that the model cannot take does not close a breaker."""
    keys[0].failure = keys[1].failure = DOWN
    for _ in range(10):
        await refused(route)
    later = now() + 2
    for lane in route._lanes["a"]:  # noqa: SLF001 (time has passed)
        monkeypatch.setattr(lane.standing("m").breaker, "_clock", lambda: later)
    for key in keys:
        key.sends = False
        key.failure = GatewayError(reason=Reason.UNSUPPORTED_PARAMETER, text="Said the test.")
    for _ in range(3):
        assert (await refused(route)).reason == Reason.UNSUPPORTED_PARAMETER
    for lane in route._lanes["a"]:  # noqa: SLF001 (no caller sees it)
        assert lane.standing("m").breaker.state is State.HALF_OPEN


async def test_a_stream_that_begins_shows_that_the_provider_is_back(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may go on for minutes, in which nobody else could call."""
    for key in keys:
        key.failure = DOWN
    for _ in range(10):
        await refused(route)
    later = now() + 2
    for lane in route._lanes["a"]:  # noqa: SLF001 (time has passed)
        monkeypatch.setattr(lane.standing("m").breaker, "_clock", lambda: later)
    for key in keys:
        key.failure = None
    async with route.stream(ask(), calling()) as first, route.stream(ask(), calling()) as second:
        error = await refused(route)
        assert (error.reason, error.retry_after) == (Reason.CIRCUIT_OPEN, 1), "the probes are under way"
        assert [await anext(first), await anext(second)]
        assert await chat(route) == "first"
    assert not route.circuit_open("a")


async def test_when_all_keys_fail_nothing_is_asked(route: Route, keys: list[Key]) -> None:
    for key in keys:
        key.failure = DOWN
    for _ in range(10):
        await refused(route)
    asked = [key.asked for key in keys]
    error = await refused(route)
    assert error.reason == Reason.CIRCUIT_OPEN
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 1
    assert route.circuit_open("a")
    assert [key.asked for key in keys] == asked
    other = Call("r", "Chat", now(), target=Target("a", "another model"))
    assert (await refused(route, other)).reason == Reason.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize(
    "failure",
    [GatewayError(reason=Reason.INVALID_REQUEST, text="Said the test."), asyncio.CancelledError()],
)
async def test_what_is_no_fault_of_the_provider_opens_nothing(
    route: Route, keys: list[Key], failure: BaseException
) -> None:
    keys[0].failure = failure
    for _ in range(20):
        with pytest.raises(type(failure)):
            await chat(route)
    assert keys[0].asked == 20


def limited(seconds: float) -> GatewayError:
    return GatewayError(reason=Reason.PROVIDER_RATE_LIMITED, text="Said the test.", retry_after=seconds)


async def test_a_key_over_its_limit_comes_late(route: Route, keys: list[Key]) -> None:
    keys[0].failure = limited(30)
    await refused(route)
    keys[0].failure = None
    keys[1].hold = asyncio.Event()
    waiting = asyncio.create_task(chat(route))
    await asyncio.sleep(0)
    assert keys[1].asked == 1
    keys[1].hold.set()
    assert await waiting == "second"


async def test_a_limit_that_outlasts_the_call_is_not_run_into_again(route: Route, keys: list[Key]) -> None:
    for key in keys:
        key.failure = limited(30)
        await refused(route)
    error = await refused(route, calling(seconds=10))
    assert error.reason == Reason.PROVIDER_RATE_LIMITED
    assert error.retry_after is not None
    assert 20 < error.retry_after <= 30
    assert [key.asked for key in keys] == [1, 1]
    keys[0].failure = None
    assert await chat(route, calling(seconds=60)) == "first", "the provider may have changed its mind"


async def test_a_limit_is_believed_for_a_minute_at_most(route: Route, keys: list[Key]) -> None:
    for key in keys:
        key.failure = limited(86_400)
        await refused(route)
        key.failure = None
    assert await chat(route, calling(seconds=61)) == "first"


async def test_a_callers_own_key_knows_no_breaker(route: Route, keys: list[Key]) -> None:
    keys[0].failure = DOWN
    own = Secret("sk-own")
    for _ in range(20):
        assert (await refused(route, calling(provider_key=own))).reason == Reason.PROVIDER_UNAVAILABLE
    keys[0].failure = None
    assert await chat(route) == "first"


async def test_names_of_models_do_not_fill_the_memory(route: Route) -> None:
    for number in range(3000):
        await chat(route, Call("r", "Chat", now(), target=Target("b", f"model-{number}")))
    assert await chat(route, calling("b")) == "b"
    (lane,) = route._lanes["b"]  # noqa: SLF001 (no caller sees it)
    assert len(lane._standings) <= 1024  # noqa: SLF001 (nobody else may read it)
