"""Aliases and fallbacks through the whole gateway: who is asked, who answers, and what callers are told."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.ask import ask
from support.gateway import KEY, SECONDS, Gateway, gateway_for
from support.status import collect, failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2, models_pb2
from tokenwire_server.settings import Settings
from tokenwire_server.simulator import Script, Simulator


def settings_of(simulator: Simulator, **tables: Any) -> Settings:
    return Settings.model_validate(
        {
            "server": {"listen": ["127.0.0.1:0"]},
            "metrics": {"listen": "off"},
            "providers": {
                "openai": {
                    "kind": "openai",
                    "api_key": KEY,
                    "extra_api_keys": [f"{KEY}-2"],
                    "base_url": simulator.url,
                },
                "mistral": {"kind": "mistral", "api_key": KEY, "base_url": simulator.mistral_url},
                "spare": {"kind": "openai", "api_key": KEY, "base_url": simulator.url},
            },
            "defaults": {"model": "fast"},
            "aliases": {
                "fast": {"targets": ["openai/gpt-4o-mini", "mistral/mistral-small-latest"]},
                "vectors": {"targets": ["openai/text-embedding-3-small", "spare/text-embedding-3-small"]},
            },
            **tables,
        }
    )


@pytest.fixture
async def gateway(simulator: Simulator) -> AsyncIterator[Gateway]:
    async with gateway_for(simulator, settings_of(simulator)) as running:
        yield running


def asked(gateway: Gateway) -> list[str]:
    """The models that were asked, in order."""
    return [str(received.body["model"]) for received in gateway.simulator.received]  # type: ignore[index]  # a JSON object


@pytest.mark.parametrize("name", ["fast", ""])
async def test_an_alias_means_its_first_target(gateway: Gateway, name: str) -> None:
    reply = await gateway.stub.Chat(ask(model=name))
    assert (reply.provider, reply.model) == ("openai", "gpt-4o-mini")


async def test_the_next_target_answers_when_the_first_cannot(gateway: Gateway) -> None:
    gateway.simulator.script(Script(times=2, path="/v1/chat/completions", error="overloaded"))
    reply = await gateway.stub.Chat(ask(model="fast"))
    assert (reply.provider, reply.model) == ("mistral", "mistral-small-latest")
    assert asked(gateway) == ["gpt-4o-mini", "gpt-4o-mini", "mistral-small-latest"]
    assert [(attempt.provider, attempt.upstream_status) for attempt in reply.attempts] == [
        ("openai", 503),
        ("openai", 503),
        ("mistral", 200),
    ]
    line = await gateway.lines.wait()
    assert (line["provider"], line["attempts"], line["code"]) == ("mistral", 3, "OK")


async def test_a_stream_falls_back_before_its_first_content(gateway: Gateway) -> None:
    gateway.simulator.script(Script(times=2, path="/v1/chat/completions", cut_at_byte=0))
    events = await collect(gateway.stub.ChatStream(ask(model="fast")))
    assert [event.started.provider for event in events if event.HasField("started")] == ["mistral"]
    assert len(events[-1].completed.response.attempts) == 3


async def test_a_request_names_its_own_fallbacks(gateway: Gateway) -> None:
    gateway.simulator.script(Script(path="/v1/chat/completions", error="server_error", times=2))
    request = ask(model="openai/gpt-4o", fallback_models=["mistral/mistral-large-latest"])
    assert (await gateway.stub.Chat(request)).provider == "mistral"
    assert asked(gateway) == ["gpt-4o", "gpt-4o", "mistral-large-latest"]


@pytest.mark.parametrize("error", ["invalid_api_key", "insufficient_quota"])
async def test_another_key_of_the_provider_comes_before_another_target(gateway: Gateway, error: str) -> None:
    gateway.simulator.script(Script(error=error), Script(), Script(error=error))
    reply = await gateway.stub.Chat(ask(model="fast"))
    assert (reply.provider, [attempt.provider for attempt in reply.attempts]) == ("openai", ["openai"] * 2)
    used = [received.headers["authorization"] for received in gateway.simulator.received]
    assert used == [f"Bearer {KEY}", f"Bearer {KEY}-2"]
    reply = await gateway.stub.Chat(ask(model="fast"))
    assert [attempt.provider for attempt in reply.attempts] == ["openai", "mistral"], "the first key is known"


async def test_a_stream_goes_on_with_another_key(gateway: Gateway) -> None:
    gateway.simulator.script(Script(error="invalid_api_key"))
    *_, last = await collect(gateway.stub.ChatStream(ask(model="fast")))
    assert [attempt.provider for attempt in last.completed.response.attempts] == ["openai", "openai"]


async def test_parameters_are_checked_again_for_the_target_that_answers(gateway: Gateway) -> None:
    """Mistral has no logit_bias, OpenAI does: there is no warning but for who answers."""
    config = pb.GenerationConfig(logit_bias={1: 1.0})
    drop = common_pb2.UNSUPPORTED_PARAMETERS_DROP
    request = ask(model="fast", config=config, unsupported_parameters=drop)
    assert not (await gateway.stub.Chat(request)).warnings
    gateway.simulator.script(Script(times=2, path="/v1/chat/completions", error="overloaded"))
    reply = await gateway.stub.Chat(request)
    assert (reply.provider, [warning.field for warning in reply.warnings]) == (
        "mistral",
        ["config.logit_bias"],
    )
    request.unsupported_parameters = common_pb2.UNSUPPORTED_PARAMETERS_REJECT
    gateway.simulator.script(Script(times=2, path="/v1/chat/completions", error="overloaded"))
    refused = await failure(gateway.stub.Chat(request))
    assert refused.reason == "PROVIDER_OVERLOADED", "the caller asked for what the first target has"


async def test_what_the_caller_did_wrong_is_not_asked_elsewhere(gateway: Gateway) -> None:
    gateway.simulator.script(Script(error="context_length"))
    refused = await failure(gateway.stub.Chat(ask(model="fast")))
    assert refused.reason == "CONTEXT_LENGTH_EXCEEDED"
    assert asked(gateway) == ["gpt-4o-mini"]


async def test_when_all_fail_the_last_reason_is_told_once(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(error="overloaded"))
    refused = await failure(gateway.stub.Chat(ask(model="fast")))
    assert (refused.code, refused.reason) == ("UNAVAILABLE", "PROVIDER_OVERLOADED")
    assert refused.info.metadata["attempts"] == "3"
    assert refused.info.metadata["attempted"] == (
        "openai/gpt-4o-mini PROVIDER_OVERLOADED 503; openai/gpt-4o-mini PROVIDER_OVERLOADED 503; "
        "mistral/mistral-small-latest PROVIDER_OVERLOADED 503"
    )
    assert refused.trailers["grpc-retry-pushback-ms"] == "-1"
    assert len(gateway.simulator.received) == 3


async def test_vectors_come_from_the_same_model_elsewhere(gateway: Gateway) -> None:
    gateway.simulator.script(Script(error="insufficient_quota", times=2))
    request = embed_pb2.EmbedRequest(model="vectors", input=["a", "b"])
    reply = await gateway.stub.Embed(request)
    assert (reply.provider, reply.model, len(reply.embeddings)) == ("spare", "text-embedding-3-small", 2)
    request.fallback_models.append("mistral/mistral-embed")
    refused = await failure(gateway.stub.Embed(request))
    assert refused.fields == ["fallback_models[0]"]


async def test_only_batches_that_failed_are_sent_again(simulator: Simulator) -> None:
    providers = {
        "openai": {
            "kind": "openai",
            "api_key": KEY,
            "base_url": simulator.url,
            "max_response_bytes": 2 * 64 * 1024,  # two vectors a batch
        }
    }
    settings = settings_of(simulator, providers=providers, aliases={}, defaults={})
    async with gateway_for(simulator, settings) as gateway:
        simulator.script(Script(times=5), Script(error="overloaded"))
        texts = [f"text {number}" for number in range(16)]
        request = embed_pb2.EmbedRequest(model="openai/text-embedding-3-small", input=texts)
        reply = await gateway.stub.Embed(request)
        assert [found.index for found in reply.embeddings] == list(range(16))
        sent = Counter(tuple(received.body["input"]) for received in simulator.received)  # type: ignore[index]  # a JSON object
        assert len(sent) == 8
        again = [batch for batch, times in sent.items() if times > 1]
        assert 1 <= len(again) <= 4, "those that were under way when one failed"


async def test_keys_take_turns_under_load(gateway: Gateway) -> None:
    gateway.simulator.script(Script(times=1, headers_delay=0.3))
    slow = gateway.stub.Chat(ask(model="openai/gpt-4o"), timeout=SECONDS)
    await gateway.simulator.wait_received(1)
    await gateway.stub.Chat(ask(model="openai/gpt-4o"), timeout=SECONDS)
    await slow
    keys = [received.headers["authorization"] for received in gateway.simulator.received]
    assert keys == [f"Bearer {KEY}", f"Bearer {KEY}-2"]


async def test_models_tell_their_aliases(gateway: Gateway) -> None:
    listed = await gateway.stub.ListModels(models_pb2.ListModelsRequest(page_size=1000))
    aliases = {model.name: list(model.aliases) for model in listed.models if "fast" in model.aliases}
    assert set(aliases) == {"openai/gpt-4o-mini", "mistral/mistral-small-latest"}


@pytest.mark.parametrize(
    ("fallbacks", "field", "reason"),
    [
        ([""], "fallback_models[0]", "INVALID_REQUEST"),
        (["openai/gpt-4o", "elsewhere/"], "fallback_models[1]", "MODEL_NOT_FOUND"),
        (["openai/x"] * 9, "fallback_models", "INVALID_REQUEST"),
        (["openai/x", "openai/a\nb"], "fallback_models[1]", "INVALID_REQUEST"),
        (["m" * 257], "fallback_models[0]", "INVALID_REQUEST"),
    ],
)
async def test_bad_fallbacks_are_refused_by_place(
    gateway: Gateway, fallbacks: list[str], field: str, reason: str
) -> None:
    refused = await failure(gateway.stub.Chat(ask(model="openai/gpt-4o", fallback_models=fallbacks)))
    assert (refused.reason, refused.fields) == (reason, [field])
    assert not gateway.simulator.received


@pytest.mark.parametrize(
    ("model", "fallbacks", "refused"),
    [
        ("fast", [], True),
        ("openai/gpt-4o", ["mistral/mistral-small-latest"], True),
        ("openai/gpt-4o", ["openai/gpt-4o-mini"], False),
    ],
)
async def test_a_callers_own_key_goes_to_one_provider(
    simulator: Simulator,
    model: str,
    fallbacks: list[str],
    refused: bool,  # noqa: FBT001 (a column)
) -> None:
    own = (("x-tokenwire-provider-key", "sk-own"),)
    async with gateway_for(simulator, settings_of(simulator, auth={"provider_keys": True})) as gateway:
        call = gateway.stub.Chat(ask(model=model, fallback_models=fallbacks), metadata=own)
        if refused:
            assert (await failure(call)).fields == ["model"]
            assert not simulator.received
        else:
            await call
            assert simulator.received[0].headers["authorization"] == "Bearer sk-own"
