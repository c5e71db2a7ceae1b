"""Each kind of provider becomes a Backend that speaks its own protocol."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from oracle.capture import MODEL, Capture, capturing, gateway, new_call, our_stream
from support.ask import ask, user

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.catalog import Row, load
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.registry import provider_backends
from tokenwire_server.settings import Defaults, Settings

REQUEST = ask(
    "Hi",
    config=pb.GenerationConfig(max_output_tokens=5, seed=7),
    end_user_id="u-1",
)
BY_URL = ask(user("", pb.ContentPart(image=pb.Media(url="https://example.com/a.jpg"))))


@pytest.fixture
async def capture() -> AsyncIterator[Capture]:
    async with capturing() as running:
        yield running


def root(capture: Capture) -> str:
    return capture.url.removesuffix("/v1")


async def sent_to(capture: Capture, kind: str, *, stream: bool = False, **settings: Any) -> Any:
    """What a provider of this kind is sent for REQUEST, beside model and messages."""
    url = root(capture) if kind == "mistral" else capture.url
    async with gateway(url, kind=kind, **settings) as backend:
        if stream:
            await our_stream(backend, REQUEST)
        else:
            await backend.chat(REQUEST, new_call())
    body = capture.only().json
    del body["model"], body["messages"]
    return body


async def test_openai_is_spoken_to_as_openai(capture: Capture) -> None:
    common = {"max_completion_tokens": 5, "seed": 7, "safety_identifier": "u-1"}
    assert await sent_to(capture, "openai") == common
    assert await sent_to(capture, "openai", stream=True) == {
        **common,
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }


async def test_mistral_is_spoken_to_as_mistral(capture: Capture) -> None:
    common = {"max_tokens": 5, "random_seed": 7, "metadata": {"end_user_id": "u-1"}}
    assert await sent_to(capture, "mistral") == common
    assert await sent_to(capture, "mistral", stream=True) == {**common, "stream": True}


async def test_a_compatible_server_is_sent_what_most_of_them_know(capture: Capture) -> None:
    common = {"max_tokens": 5, "seed": 7, "user": "u-1"}
    assert await sent_to(capture, "openai_compatible") == common
    assert await sent_to(capture, "openai_compatible", stream=True) == {
        **common,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_a_compatible_servers_field_for_tokens_is_a_setting(capture: Capture) -> None:
    body = await sent_to(capture, "openai_compatible", tokens_field="max_completion_tokens")
    assert body["max_completion_tokens"] == 5
    assert "max_tokens" not in body


@pytest.mark.parametrize(
    ("kind", "known", "settings", "endpoint"),
    [
        ("openai", {}, {}, "chat/completions"),
        ("openai", {"endpoint": "responses"}, {}, "responses"),
        ("openai_compatible", {}, {"endpoint": "responses"}, "responses"),
        ("openai_compatible", {"endpoint": "chat"}, {"endpoint": "responses"}, "chat/completions"),
        ("openai_compatible", {"endpoint": "responses"}, {}, "responses"),
        ("mistral", {"endpoint": "responses"}, {}, "chat/completions"),  # it has no other
    ],
)
async def test_the_catalog_then_settings_choose_the_endpoint(
    capture: Capture, kind: str, known: Any, settings: Any, endpoint: str
) -> None:
    url = root(capture) if kind == "mistral" else capture.url
    row = Row.model_validate({"kind": kind, "match": MODEL, **known})
    async with gateway(url, kind=kind, rows=[row], **settings) as backend:
        await backend.chat(ask("Hi"), new_call())
        await our_stream(backend, ask("Hi"))
    assert [sent.path for sent in capture.sent] == [f"/v1/{endpoint}"] * 2
    capture.sent.clear()


async def test_media_by_url_go_to_a_compatible_server_only_where_settings_allow_it(
    capture: Capture,
) -> None:
    async with gateway(capture.url, kind="openai_compatible") as backend:
        with pytest.raises(GatewayError) as raised:
            await backend.chat(BY_URL, new_call())
    assert raised.value.reason == Reason.UNSUPPORTED_PARAMETER
    assert [found.field for found in raised.value.violations] == ["messages[0].parts[0].image.url"]
    assert capture.sent == []
    async with gateway(capture.url, kind="openai_compatible", allow_media_urls=True) as backend:
        await backend.chat(BY_URL, new_call())
    assert b"https://example.com/a.jpg" in capture.only().body


@pytest.mark.parametrize("kind", ["openai", "mistral", "openai_compatible"])
async def test_defaults_of_the_provider_come_before_those_of_all(capture: Capture, kind: str) -> None:
    url = root(capture) if kind == "mistral" else capture.url
    tokens = "max_completion_tokens" if kind == "openai" else "max_tokens"
    shared = Defaults(max_output_tokens=1024, temperature=0.7)
    async with gateway(url, shared, kind=kind, default_temperature=0) as backend:
        await backend.chat(ask("Hi"), new_call())
    body = capture.only().json
    assert (body[tokens], body["temperature"]) == (1024, 0)
    async with gateway(url, shared, kind=kind, default_max_output_tokens=0) as backend:
        await backend.chat(ask("Hi"), new_call())
    body = capture.only().json
    assert body.keys() == {"model", "messages", "temperature"}


async def test_every_configured_provider_has_its_backend_under_its_own_name(capture: Capture) -> None:
    settings = Settings.model_validate(
        {
            "defaults": {"model": "eu/mistral-large"},
            "providers": {
                "main": {"kind": "openai", "api_key": "k-main", "base_url": capture.url},
                "eu": {"kind": "mistral", "api_key": "k-eu", "base_url": root(capture)},
                "local": {"kind": "openai_compatible", "base_url": capture.url},
                "groq": {
                    "kind": "openai_compatible",
                    "api_key": "k-groq",
                    "extra_api_keys": ["k-2", "k-3"],
                    "base_url": capture.url,
                },
            },
        }
    )
    http = HttpClient()
    try:
        backends = provider_backends(settings, load(), http)
        keys: dict[str, list[str | None]] = {name: [] for name in backends}
        for name, backend in ((name, backend) for name, found in backends.items() for backend in found):
            response = await backend.chat(ask("Hi"), new_call())
            assert response.provider == name
            keys[name].append(capture.only().headers.get("authorization"))
    finally:
        await http.close()
    assert keys == {
        "main": ["Bearer k-main"],
        "eu": ["Bearer k-eu"],
        "local": [None],
        "groq": ["Bearer k-groq", "Bearer k-2", "Bearer k-3"],
    }
