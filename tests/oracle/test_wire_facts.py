"""What the bytes that leave the gateway look like, where equal JSON values may still differ."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from oracle.capture import Capture, capturing, gateway, new_call, our_stream
from oracle.cases_messages import ASK, CUSTOM_TEXT
from oracle.cases_options import struct

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.backend import Backend
from tokenwire_server.settings import Defaults

# Keys out of order, spaces, escapes, and integers that no double holds.
AWKWARD = '{ "zebra":{"b" :1,"a":18446744073709551617},"\\u00e9":[0.10,1E2,-0], "apple":9007199254740993 }'


@pytest.fixture
async def capture() -> AsyncIterator[Capture]:
    async with capturing() as running:
        yield running


@pytest.fixture
async def backend(capture: Capture) -> AsyncIterator[Backend]:
    async with gateway(capture.url) as running:
        yield running


async def body_of(backend: Backend, capture: Capture, request: pb.ChatRequest) -> bytes:
    await backend.chat(request, new_call())
    return capture.only().body


async def test_a_bare_request_holds_nothing_but_model_and_messages(
    backend: Backend, capture: Capture
) -> None:
    body = await body_of(backend, capture, pb.ChatRequest(messages=[ASK]))
    assert body == b'{"model":"unlisted-model","messages":[{"role":"user","content":"And now?"}]}'


async def test_a_stream_asks_for_usage_and_no_padding(backend: Backend, capture: Capture) -> None:
    await our_stream(backend, pb.ChatRequest(messages=[ASK]))
    assert capture.only().json == {
        "model": "unlisted-model",
        "messages": [{"role": "user", "content": "And now?"}],
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }


async def test_zeros_are_sent_and_stay_numbers(backend: Backend, capture: Capture) -> None:
    config = pb.GenerationConfig(
        temperature=0,
        seed=0,
        top_p=0,
        frequency_penalty=0,
        presence_penalty=0,
        top_logprobs=0,
        logprobs=False,
    )
    await backend.chat(pb.ChatRequest(messages=[ASK], config=config), new_call())
    body = capture.only().json
    for key in ("temperature", "seed", "top_p", "frequency_penalty", "presence_penalty", "top_logprobs"):
        assert body[key] == 0
        assert not isinstance(body[key], bool)
    assert body["logprobs"] is False
    assert isinstance(body["seed"], int)


async def test_fractions_keep_their_shortest_form(backend: Backend, capture: Capture) -> None:
    request = pb.ChatRequest(messages=[ASK], config=pb.GenerationConfig(temperature=0.7, top_p=0.1))
    body = await body_of(backend, capture, request)
    assert b'"temperature":0.7,' in body
    assert b'"top_p":0.1}' in body


async def test_logit_bias_is_sent_as_integers_where_it_is_integral(
    backend: Backend, capture: Capture
) -> None:
    config = pb.GenerationConfig(logit_bias={7: -100, 8: 0, 9: 1.5})
    body = await body_of(backend, capture, pb.ChatRequest(messages=[ASK], config=config))
    assert b'"7":-100' in body
    assert b'"8":0' in body
    assert b'"9":1.5' in body
    assert b".0" not in body


async def test_texts_of_schemas_and_arguments_are_sent_byte_for_byte(
    backend: Backend, capture: Capture
) -> None:
    request = pb.ChatRequest(
        messages=[
            ASK,
            pb.ChatMessage(
                role=pb.ROLE_ASSISTANT,
                parts=[
                    pb.ContentPart(
                        provider_item=pb.ProviderItem(provider="openai", type="custom", item_json=CUSTOM_TEXT)
                    ),
                    pb.ContentPart(tool_call=pb.ToolCall(id="call_1", name="f", arguments_json=AWKWARD)),
                ],
            ),
        ],
        tools=[pb.Tool(function=pb.FunctionTool(name="f", parameters_json=AWKWARD))],
        response_format=pb.ResponseFormat(
            json_schema=pb.JsonSchemaFormat(name="s", schema_json=AWKWARD, strict=True)
        ),
    )
    await backend.chat(request, new_call())
    sent = capture.only()
    assert f'"parameters":{AWKWARD}}}'.encode() in sent.body
    assert f'"schema":{AWKWARD},"strict":true'.encode() in sent.body
    assert CUSTOM_TEXT.encode() in sent.body
    calls = sent.json["messages"][1]["tool_calls"]
    assert calls[1]["function"]["arguments"] == AWKWARD


async def test_integers_of_a_struct_arrive_as_integers(backend: Backend, capture: Capture) -> None:
    options = struct({"openai": {"a": 7, "b": -0.0, "c": 0.5, "d": [2**53 - 1, {"e": 1e3}]}})
    schema = struct({"type": "object", "minProperties": 1})
    request = pb.ChatRequest(
        messages=[ASK],
        provider_options=options,
        tools=[pb.Tool(function=pb.FunctionTool(name="f", parameters_struct=schema))],
    )
    body = await body_of(backend, capture, request)
    for text in (b'"a":7', b'"b":0', b'"c":0.5', b'"d":[9007199254740991,{"e":1000}]', b'"minProperties":1'):
        assert text + b"," in body or text + b"}" in body


async def test_defaults_fill_what_the_request_leaves_open(capture: Capture) -> None:
    shared = Defaults(max_output_tokens=1024, temperature=0.7)
    asked = pb.ChatRequest(messages=[ASK], config=pb.GenerationConfig(temperature=0, max_output_tokens=5))
    async with gateway(capture.url, shared) as backend:
        await backend.chat(pb.ChatRequest(messages=[ASK]), new_call())
        body = capture.only().json
        assert (body["max_completion_tokens"], body["temperature"]) == (1024, 0.7)
        await backend.chat(asked, new_call())
        body = capture.only().json
        assert (body["max_completion_tokens"], body["temperature"]) == (5, 0)


async def test_a_providers_own_defaults_come_first_and_zero_tokens_mean_none(capture: Capture) -> None:
    shared = Defaults(max_output_tokens=1024, temperature=0.7)
    own: dict[str, Any] = {"default_max_output_tokens": 0, "default_temperature": 0}
    async with gateway(capture.url, shared, **own) as backend:
        await backend.chat(pb.ChatRequest(messages=[ASK]), new_call())
    body = capture.only().json
    assert "max_completion_tokens" not in body
    assert body["temperature"] == 0


async def test_identity_comes_from_settings_and_nothing_from_the_environment(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "OPENAI_API_KEY": "sk-ambient",
        "OPENAI_ADMIN_KEY": "sk-admin",
        "OPENAI_ORG_ID": "org-ambient",
        "OPENAI_PROJECT_ID": "proj-ambient",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "OPENAI_CUSTOM_HEADERS": "X-Ambient: yes",
        "http_proxy": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    async with gateway(capture.url, project="proj-ours") as backend:
        await backend.chat(pb.ChatRequest(messages=[ASK]), new_call())
    sent = capture.only()
    assert "ambient" not in str(sent.headers).lower()
    assert "sk-admin" not in str(sent.headers)
    assert sent.headers["authorization"] == "Bearer sk-test"
    assert sent.headers["openai-project"] == "proj-ours"
    assert "openai-organization" not in sent.headers
    assert sent.headers["user-agent"] == "tokenwire"
    assert sent.headers["content-type"] == "application/json"
    assert not [name for name in sent.headers if name.startswith("x-stainless")]
