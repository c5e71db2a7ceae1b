"""ListModels, from a caller to the simulated providers and back."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from conformance.subjects import SUBJECTS
from support.gateway import KEY, SECONDS, Gateway, gateway_for
from support.quiet import tasks
from support.status import failure, trailers_of

from tokenwire.v1 import models_pb2 as pb
from tokenwire_server.policy import models as policy
from tokenwire_server.providers import models as asking
from tokenwire_server.settings import Settings
from tokenwire_server.simulator import MISTRAL_MODELS, MODELS, Script, Simulator, wait_closed

GROQ_ONLY = "/compatible/groq/v1/models"
"""Where a script with this path is for Groq alone."""


def gateway_with(
    simulator: Simulator, providers: Mapping[str, object], **tables: object
) -> AbstractAsyncContextManager[Gateway]:
    common = {"server": {"listen": ["127.0.0.1:0"]}, "metrics": {"listen": "off"}}
    return gateway_for(simulator, Settings.model_validate({**common, "providers": providers, **tables}))


def three_kinds(simulator: Simulator) -> Mapping[str, object]:
    groq = simulator.compatible_url("groq")
    return {
        "openai": {"kind": "openai", "api_key": KEY, "base_url": simulator.url},
        "mistral": {"kind": "mistral", "api_key": KEY, "base_url": simulator.mistral_url},
        "groq": {"kind": "openai_compatible", "api_key": KEY, "base_url": groq},
    }


@pytest.fixture
async def three(simulator: Simulator) -> AsyncIterator[Gateway]:
    """A gateway with a provider of each kind."""
    async with gateway_with(simulator, three_kinds(simulator)) as running:
        yield running


async def ask(gateway: Gateway, **fields: Any) -> pb.ListModelsResponse:
    return await gateway.stub.ListModels(pb.ListModelsRequest(**fields), timeout=SECONDS)


def names(page: pb.ListModelsResponse) -> list[str]:
    return [model.name for model in page.models]


def failed_to_list(gateway: Gateway) -> list[tuple[str, str]]:
    """Provider and reason of each such line of the log."""
    lines = [line for line in gateway.lines.all if line["event"] == "models not listed"]
    return [(line["provider"], line["reason"]) for line in lines]


async def test_models_of_each_kind_of_provider_are_listed(three: Gateway) -> None:
    page = await ask(three, page_size=1000)
    assert names(page) == sorted(names(page))
    assert not page.unreachable
    by_provider = {
        name: {model.id for model in page.models if model.provider == name}
        for name in ("openai", "mistral", "groq")
    }
    assert by_provider["openai"] == set(MODELS)
    assert by_provider["mistral"] >= set(MISTRAL_MODELS)
    assert "llama-3.3-70b-versatile" in by_provider["groq"]
    assert all(model.name == f"{model.provider}/{model.id}" for model in page.models)


async def test_each_provider_is_asked_once_with_the_gateways_key(three: Gateway) -> None:
    for _ in range(2):
        await ask(three)
    received = three.simulator.received
    assert {record.path for record in received} == {"/v1/models", "/mistral/v1/models", GROQ_ONLY}
    assert len(received) == 3
    for record in received:
        assert (record.method, record.raw) == ("GET", b"")
        assert record.headers["authorization"] == f"Bearer {KEY}"


async def test_what_providers_say_reaches_the_caller(three: Gateway) -> None:
    found = {model.name: model for model in (await ask(three, page_size=1000)).models}
    openai, mistral = found["openai/gpt-4o-mini"], found["mistral/mistral-small-latest"]
    assert openai.create_time.seconds > 1_600_000_000
    assert list(mistral.aliases) == ["mistral-small-2603"]
    assert mistral.context_window == 131_072
    assert mistral.description
    assert not mistral.HasField("create_time")
    assert {pb.MODEL_CAPABILITY_CHAT, pb.MODEL_CAPABILITY_VISION} <= set(mistral.capabilities)
    assert pb.MODEL_CAPABILITY_VISION not in found["mistral/codestral-latest"].capabilities
    tiny = found["mistral/mistral-tiny"]
    assert tiny.deprecate_time.ToJsonString() == "2026-11-30T12:00:00Z"
    assert tiny.replacement == "ministral-8b-latest"
    assert found["groq/llama-3.3-70b-versatile"].max_output_tokens == 32_768


async def test_settings_tell_more_of_a_model(simulator: Simulator) -> None:
    row = {
        "kind": "openai_compatible",
        "match": "simulated-model",
        "efforts": ["low"],
        "facts": {"display_name": "Ours", "prices": {"taken": "2026-11-01", "input_usd": 0.5}},
    }
    vllm = {"kind": "openai_compatible", "base_url": simulator.compatible_url("vllm")}
    async with gateway_with(simulator, {"vllm": vllm}, catalog=[row]) as gateway:
        (model,) = (await ask(gateway)).models
    assert (model.display_name, model.prices.input_usd) == ("Ours", 0.5)
    assert list(model.reasoning_efforts) == ["low"]
    assert model.context_window == 131_072


async def test_every_server_of_the_recipes_lists_its_models(simulator: Simulator) -> None:
    providers = {subject.name: subject.provider(simulator).model_dump() for subject in SUBJECTS}
    async with gateway_with(simulator, providers) as gateway:
        page = await ask(gateway, page_size=1000)
    assert not page.unreachable
    assert {f"{subject.name}/{subject.model}" for subject in SUBJECTS} <= set(names(page))


async def test_one_provider_may_be_named(three: Gateway) -> None:
    page = await ask(three, provider="groq")
    assert {model.provider for model in page.models} == {"groq"}
    assert [record.path for record in three.simulator.received] == [GROQ_ONLY]


async def test_a_walk_over_pages_is_the_whole_list(gateway: Gateway) -> None:
    cards = [{"id": f"model-{number}"} for number in range(250)]
    gateway.simulator.script(Script(raw=json.dumps({"data": cards}), content_type="application/json"))
    walked: list[str] = []
    sizes: list[int] = []
    token = ""
    while token or not sizes:
        page = await ask(gateway, page_size=100, page_token=token)
        sizes.append(len(page.models))
        walked += names(page)
        token = page.next_page_token
    assert sizes == [100, 100, 50]
    assert (
        walked == sorted(f"openai/{card['id']}" for card in cards) == names(await ask(gateway, page_size=250))
    )
    assert len(gateway.simulator.received) == 1


async def test_an_old_list_is_asked_for_anew(simulator: Simulator) -> None:
    settings = {"models": {"ttl_seconds": 0.001}}
    async with gateway_with(simulator, three_kinds(simulator), **settings) as gateway:
        await ask(gateway, provider="groq")
        async with asyncio.timeout(SECONDS):
            while len(simulator.received) < 2:
                assert names(await ask(gateway, provider="groq"))


FAILURES = {
    "a failure": (Script(error="server_error"), "PROVIDER_UNAVAILABLE"),
    "a refused key": (Script(error="invalid_api_key"), "PROVIDER_CREDENTIALS_INVALID"),
    "no such path": (Script(status=404), "MODEL_NOT_FOUND"),
    "not JSON": (Script(raw="<html>"), "PROVIDER_BAD_RESPONSE"),
    "not a list": (Script(raw='{"data": 7}', content_type="application/json"), "PROVIDER_BAD_RESPONSE"),
    "too large": (Script(raw=" " * (2**23 + 1)), "RESPONSE_TOO_LARGE"),
    "cut short": (Script(cut_at_byte=10), "STREAM_TRUNCATED"),
    "redirect": (
        Script(status=302, raw="", headers={"location": "/v1/embeddings"}),
        "PROVIDER_BAD_RESPONSE",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_provider_that_fails_is_named_and_fails_no_call(three: Gateway, name: str) -> None:
    script, reason = FAILURES[name]
    three.simulator.script(replace(script, path=GROQ_ONLY))
    page = await ask(three, page_size=1000)
    assert list(page.unreachable) == ["groq"]
    assert {model.provider for model in page.models} == {"mistral", "openai"}
    assert failed_to_list(three) == [("groq", reason)]
    assert len(three.simulator.received) == 3
    again = await ask(three, provider="groq")
    assert (names(again), list(again.unreachable)) == ([], ["groq"])
    assert len(three.simulator.received) == 3, "it was asked again at once"
    await three.lines.wait(2)
    assert three.outcomes() == {("ListModels", "OK", ""): 2}


@pytest.mark.parametrize(
    "script", [Script(hang=True), Script(cut_at_byte=10, how="stall")], ids=["head", "body"]
)
async def test_one_that_hangs_is_waited_for_a_while_only(
    three: Gateway, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    for quick in ("openai", "mistral"):
        await ask(three, provider=quick)
    monkeypatch.setattr(policy, "_PATIENCE", 0.1)
    monkeypatch.setattr(asking, "_SECONDS", 1.0)
    three.simulator.script(replace(script, path=GROQ_ONLY))
    page = await ask(three, page_size=1000)
    assert list(page.unreachable) == ["groq"]
    assert {model.provider for model in page.models} == {"mistral", "openai"}
    assert not failed_to_list(three), "the call waited as long as the provider was being asked"
    (received,) = [record for record in three.simulator.received if record.path == GROQ_ONLY]
    await wait_closed(received)
    assert received.outcome == "closed by client"
    async with asyncio.timeout(SECONDS):
        while not (lines := failed_to_list(three)):
            await ask(three)
    assert lines == [("groq", "UPSTREAM_TIMEOUT")]


async def test_stopping_leaves_nothing_that_is_being_asked(simulator: Simulator) -> None:
    before = tasks()
    simulator.script(Script(hang=True, path=GROQ_ONLY))
    async with gateway_with(simulator, three_kinds(simulator)) as gateway:
        call = gateway.stub.ListModels(pb.ListModelsRequest(provider="groq"))
        received = await simulator.wait_received()
        call.cancel()
        assert (await gateway.lines.wait())["reason"] == "CANCELLED"
        assert received.seconds is None, "a caller that leaves ended what others may wait for"
    await wait_closed(received)
    assert received.outcome == "closed by client"
    assert tasks() <= before


def newer_field() -> pb.ListModelsRequest:
    return pb.ListModelsRequest.FromString(b"\xca\x03\x02hi")  # number 57, two bytes


REFUSED = {
    "negative size": (pb.ListModelsRequest(page_size=-1), "INVALID_REQUEST", "page_size"),
    "large size": (pb.ListModelsRequest(page_size=1001), "INVALID_REQUEST", "page_size"),
    "page token": (pb.ListModelsRequest(page_token="openai"), "INVALID_REQUEST", "page_token"),
    "a newer field": (newer_field(), "UNSUPPORTED_PARAMETER", "57"),
    "unknown provider": (pb.ListModelsRequest(provider="nobody"), "PROVIDER_NOT_CONFIGURED", "provider"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_the_contract_refuses_asks_no_provider(gateway: Gateway, name: str) -> None:
    request, reason, field = REFUSED[name]
    failed = await failure(gateway.stub.ListModels(request))
    assert (failed.reason, failed.fields) == (reason, [field])
    assert gateway.simulator.received == []


async def test_fields_of_a_newer_contract_are_refused_where_others_are_dropped(simulator: Simulator) -> None:
    tables = {"defaults": {"unsupported_parameters": "drop"}}
    async with gateway_with(simulator, three_kinds(simulator), **tables) as gateway:
        refused = await failure(gateway.stub.ListModels(newer_field()))
    assert refused.reason == "UNSUPPORTED_PARAMETER", "the response has no place for a warning"


async def test_a_callers_own_key_is_not_used(simulator: Simulator) -> None:
    tables = {"auth": {"provider_keys": True}}
    own = (("x-tokenwire-provider-key", "sk-of-a-caller"),)
    async with gateway_with(simulator, three_kinds(simulator), **tables) as gateway:
        await gateway.stub.ListModels(pb.ListModelsRequest(), metadata=own)
    assert {record.headers["authorization"] for record in simulator.received} == {f"Bearer {KEY}"}


async def test_a_call_leaves_one_line_and_one_count(gateway: Gateway) -> None:
    call = gateway.stub.ListModels(pb.ListModelsRequest(), timeout=SECONDS)
    await call
    line = await gateway.lines.wait()
    assert (line["rpc"], line["code"], line["attempts"]) == ("ListModels", "OK", 0)
    assert gateway.outcomes() == {("ListModels", "OK", ""): 1}
    assert 0 < line["upstream_ms"] <= line["duration_ms"]
    assert trailers_of(await call.trailing_metadata())["x-request-id"] == line["request_id"]
