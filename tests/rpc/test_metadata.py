"""What stands beside the messages: request ids, trailers, and initial metadata that waits."""

import asyncio
import re

import pytest
from support.ask import ask
from support.gateway import Gateway
from support.status import collect, failure, trailers_of

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.simulator import Script

_NEW = re.compile(r"[0-9a-f]{16}")
_OURS = {
    "x-request-id",
    "x-tokenwire-provider",
    "x-tokenwire-model",
    "x-tokenwire-upstream-request-id",
    "x-tokenwire-overhead-us",
}


@pytest.mark.parametrize("given", ["a", "A-z_0.9", "x" * 64])
async def test_a_well_formed_request_id_is_kept(gateway: Gateway, given: str) -> None:
    call = gateway.stub.Chat(ask(), metadata=(("x-request-id", given),))
    await call
    assert trailers_of(await call.trailing_metadata())["x-request-id"] == given
    assert (await gateway.lines.wait())["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a/b", 'a"b', "{}"])
async def test_any_other_request_id_is_replaced(gateway: Gateway, given: str) -> None:
    call = gateway.stub.Chat(ask(), metadata=(("x-request-id", given),))
    await call
    assert _NEW.fullmatch(trailers_of(await call.trailing_metadata())["x-request-id"])


async def test_request_ids_differ(gateway: Gateway) -> None:
    calls = [gateway.stub.Chat(ask()) for _ in range(5)]
    await asyncio.gather(*(call for call in calls))
    assert len({trailers_of(await call.trailing_metadata())["x-request-id"] for call in calls}) == 5


async def test_the_request_id_of_a_failure_is_everywhere(gateway: Gateway) -> None:
    refused = await failure(gateway.stub.Chat(pb.ChatRequest(), metadata=(("x-request-id", "r-1"),)))
    assert refused.request_id == refused.trailers["x-request-id"] == "r-1"
    assert refused.message.endswith(" [r-1]")


async def test_trailers_say_who_answered_and_what_the_gateway_took(gateway: Gateway) -> None:
    call = gateway.stub.Chat(ask())
    await call
    trailers = trailers_of(await call.trailing_metadata())
    assert set(trailers) == _OURS
    assert (trailers["x-tokenwire-provider"], trailers["x-tokenwire-model"]) == ("openai", "gpt-4o-mini")
    assert trailers["x-tokenwire-upstream-request-id"].startswith("req_")
    assert int(trailers["x-tokenwire-overhead-us"]) > 0


async def test_the_overhead_does_not_count_the_providers_time(gateway: Gateway) -> None:
    gateway.simulator.script(Script(headers_delay=0.3))
    call = gateway.stub.Chat(ask())
    await call
    trailers = trailers_of(await call.trailing_metadata())
    assert int(trailers["x-tokenwire-overhead-us"]) < 300_000


async def test_a_stream_has_the_same_trailers(gateway: Gateway) -> None:
    call = gateway.stub.ChatStream(ask())
    await collect(call)
    assert set(trailers_of(await call.trailing_metadata())) == _OURS


async def test_a_failure_has_the_trailers_too(gateway: Gateway) -> None:
    gateway.simulator.script(Script(error="server_error"))
    refused = await failure(gateway.stub.Chat(ask()))
    assert set(refused.trailers) == _OURS | {"grpc-status-details-bin", "grpc-retry-pushback-ms"}


async def test_a_call_that_was_refused_here_names_no_provider(gateway: Gateway) -> None:
    refused = await failure(gateway.stub.Chat(ask(config=pb.GenerationConfig(temperature=9))))
    assert set(refused.trailers) == {"x-request-id", "x-tokenwire-overhead-us", "grpc-status-details-bin"}


@pytest.mark.parametrize("id", ["r" * 8000, "rüstig"], ids=["long", "no ascii"])
async def test_a_providers_odd_request_id_does_no_harm(gateway: Gateway, id: str) -> None:  # noqa: A002 (the parameter's own name)
    gateway.simulator.script(Script(headers={"x-request-id": id}))
    call = gateway.stub.Chat(ask())
    assert (await call).choices
    assert "x-tokenwire-upstream-request-id" not in trailers_of(await call.trailing_metadata())


async def test_nothing_is_sent_before_the_provider_has_begun(gateway: Gateway) -> None:
    gateway.simulator.script(Script(first_token_delay=60))
    stream = gateway.stub.ChatStream(ask())
    initial = asyncio.ensure_future(stream.initial_metadata())
    await gateway.simulator.wait_received()
    await gateway.works()  # on the same connection: what was sent before has come before
    assert not initial.done()
    stream.cancel()
    await asyncio.wait([initial])


async def test_a_failure_before_the_first_event_has_no_initial_metadata(gateway: Gateway) -> None:
    gateway.simulator.script(Script(error="overloaded"))
    stream = gateway.stub.ChatStream(ask())
    await failure(collect(stream))
    assert trailers_of(await stream.initial_metadata()) == {}
