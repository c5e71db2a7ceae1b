"""Hedged streams: who is asked when, who answers, and that the other one is let go."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from rpc.test_aliases import settings_of
from support.ask import ask
from support.gateway import SECONDS, Gateway, gateway_for
from support.quiet import assert_settled, tasks
from support.status import collect, failure
from support.stream import whole

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.simulator import Script, Simulator, wait_closed

TARGETS = ["openai/gpt-4o-mini", "mistral/mistral-small-latest"]


@pytest.fixture
async def gateway(simulator: Simulator) -> AsyncIterator[Gateway]:
    aliases = {
        "quick": {"targets": TARGETS, "hedge_after_seconds": 0.1},
        "alone": {"targets": TARGETS[:1], "hedge_after_seconds": 0.1},
        "patient": {"targets": TARGETS},
        "swapped": {"targets": TARGETS[::-1], "hedge_after_seconds": 0.1},
    }
    async with gateway_for(simulator, settings_of(simulator, aliases=aliases, defaults={})) as running:
        yield running


def slow(gateway: Gateway, **script: Any) -> None:
    """The first one asked is slow."""
    gateway.simulator.script(Script(**{"first_token_delay": 60, **script}))


def request(model: str = "quick") -> pb.ChatRequest:
    return ask("Explain photosynthesis", model=model)


async def stream(gateway: Gateway, model: str = "quick") -> pb.ChatResponse:
    return whole(await collect(gateway.stub.ChatStream(request(model), timeout=SECONDS)))


async def test_a_stream_that_begins_in_time_is_asked_for_once(gateway: Gateway) -> None:
    assert (await stream(gateway)).provider == "openai"
    assert len(gateway.simulator.received) == 1


@pytest.mark.parametrize("how", [{"first_token_delay": 60}, {"headers_delay": 60}, {"hang": True}])
async def test_the_next_target_answers_when_the_first_is_slow(gateway: Gateway, how: dict[str, Any]) -> None:
    before = tasks()
    slow(gateway, **how)
    reply = await stream(gateway)
    assert reply.provider == "mistral"
    assert [(attempt.provider, attempt.code) for attempt in reply.attempts] == [("openai", 1), ("mistral", 0)]
    first, _ = gateway.simulator.received
    await wait_closed(first, SECONDS)
    line = await gateway.lines.wait()
    assert (line["provider"], line["code"], line["attempts"]) == ("mistral", "OK", 2)
    assert line["output_tokens"] == reply.usage.output_tokens
    await assert_settled(gateway, before, ("ChatStream", "OK", ""))


async def test_the_first_may_still_win(gateway: Gateway) -> None:
    gateway.simulator.script(Script(first_token_delay=0.3), Script(hang=True))
    reply = await stream(gateway)
    assert reply.provider == "openai"
    assert [attempt.provider for attempt in reply.attempts] == ["openai", "mistral"]
    await wait_closed(gateway.simulator.received[1], SECONDS)


async def test_without_another_target_the_same_one_is_asked(gateway: Gateway) -> None:
    slow(gateway)
    reply = await stream(gateway, "alone")
    assert [attempt.provider for attempt in reply.attempts] == ["openai", "openai"]


async def test_an_alias_that_does_not_ask_for_it_has_none(gateway: Gateway) -> None:
    gateway.simulator.script(Script(first_token_delay=0.4))
    assert (await stream(gateway, "patient")).provider == "openai"
    assert len(gateway.simulator.received) == 1


async def test_a_spare_that_fails_does_not_end_the_first(gateway: Gateway) -> None:
    gateway.simulator.script(Script(first_token_delay=0.5), Script(error="server_error"))
    assert (await stream(gateway)).provider == "openai"


async def test_when_both_fail_the_budget_is_the_same(gateway: Gateway) -> None:
    gateway.simulator.script(
        Script(headers_delay=0.3, error="overloaded"), Script(times=9, error="overloaded")
    )
    refused = await failure(collect(gateway.stub.ChatStream(request(), timeout=SECONDS)))
    assert refused.reason == "PROVIDER_OVERLOADED"
    assert len(gateway.simulator.received) == 3
    assert refused.info.metadata["attempts"] == "3"


async def test_a_caller_who_leaves_closes_both(gateway: Gateway) -> None:
    before = tasks()
    gateway.simulator.set_default(Script(hang=True))
    call = gateway.stub.ChatStream(request(), timeout=SECONDS)
    await gateway.simulator.wait_received(2)
    call.cancel()
    for received in gateway.simulator.received:
        await wait_closed(received, SECONDS)
    gateway.simulator.set_default(Script())
    await assert_settled(gateway, before, ("ChatStream", "CANCELLED", "CANCELLED"))


async def test_what_breaks_after_the_first_content_fails_the_call(gateway: Gateway) -> None:
    slow(gateway)
    gateway.simulator.script(Script(cut_at_byte=1500))
    refused = await failure(collect(gateway.stub.ChatStream(request(), timeout=SECONDS)))
    assert refused.reason == "STREAM_TRUNCATED"
    assert int(refused.info.metadata["output_tokens"]) > 0


async def test_the_deadline_ends_both(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(hang=True))
    refused = await failure(collect(gateway.stub.ChatStream(request(), timeout=0.5)))
    assert refused.code == "DEADLINE_EXCEEDED"
    for received in gateway.simulator.received:
        await wait_closed(received, SECONDS)


async def test_what_loses_tells_its_breaker_nothing(gateway: Gateway) -> None:
    """It was slow for the alias; others have more patience, and must not find the circuit open."""
    for _ in range(6):
        slow(gateway, headers_delay=60)
        assert (await stream(gateway, "swapped")).provider == "openai"
    assert (await gateway.stub.Chat(request(TARGETS[1]), timeout=SECONDS)).provider == "mistral"


async def test_unary_calls_are_not_hedged(gateway: Gateway) -> None:
    gateway.simulator.script(Script(headers_delay=0.4))
    assert (await gateway.stub.Chat(request(), timeout=SECONDS)).provider == "openai"
    assert len(gateway.simulator.received) == 1
