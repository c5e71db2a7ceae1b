"""Each call goes to the provider that its target names, with the key that can take it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2, tokens_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import UNBOUNDED, Call, Target, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy import route as module
from tokenwire_server.policy.route import Route
from tokenwire_server.secret import Secret

DOWN = GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text="Said the test.")


class Key:
    """A provider with one of its keys, which answers with its name or fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self.asked = 0
        self.hold: asyncio.Event | None = None

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        return pb.ChatResponse(provider=await self._answer())

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        async def events() -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
            yield [pb.ChatStreamResponse(started=pb.ChatStarted(provider=await self._answer()))]

        yield events()

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        return embed_pb2.EmbedResponse(provider=await self._answer())

    async def count_tokens(
        self, request: tokens_pb2.CountTokensRequest, call: Call
    ) -> tokens_pb2.CountTokensResponse:
        return tokens_pb2.CountTokensResponse(provider=self.name)

    async def _answer(self) -> str:
        self.asked += 1
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


async def test_a_key_that_failed_comes_last_for_a_moment(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys[0].failure = DOWN
    await refused(route)
    keys[0].failure = None
    assert await chat(route) == "second", "an attempt that is made again goes to another key"
    later = now() + 2
    monkeypatch.setattr(module, "now", lambda: later)
    assert await chat(route) == "first"


async def test_a_key_that_was_refused_comes_last_until_it_is_taken(
    route: Route, keys: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too seldom for a breaker: with few calls each would meet the key that is no more."""
    keys[0].failure = GatewayError(reason=Reason.PROVIDER_CREDENTIALS_INVALID, text="Said the test.")
    await refused(route)
    later = now() + 86_400
    monkeypatch.setattr(module, "now", lambda: later)
    assert await chat(route) == "second"
    keys[0].failure, keys[1].failure = None, limited(30)
    await refused(route)
    assert await chat(route) == "first", "no other takes calls"
    later += 60
    assert await chat(route) == "first", "it is taken"


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
        assert (await refused(route)).reason == Reason.CIRCUIT_OPEN
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


async def test_a_key_over_its_limit_comes_last(route: Route, keys: list[Key]) -> None:
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
    assert len(lane._standings) <= 1024  # noqa: SLF001
