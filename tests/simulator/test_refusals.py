"""Requests that the real API refuses are refused with its status, code and param."""

import pytest
from simulator.wire import CHAT, KEY, Body, chat, request

from tokenwire_server.simulator import NOT_SIMULATED, Simulator

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OBJECT, "additionalProperties": False}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USER = {"role": "user", "content": "Hi"}


def function(name: str = "f", **more: object) -> Body:
    return {"type": "function", "function": {"name": name, **more}}


def messages(*items: object) -> Body:
    return chat(messages=list(items))


def part(**item: object) -> Body:
    return messages({"role": "user", "content": [item]})


def formatted(value: object, **more: object) -> Body:
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": value, **more}}
    return chat(response_format=form)


def strict(value: object) -> Body:
    return formatted(value, strict=True)


def allowed(name: str) -> Body:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (chat(model=None), None, None),
        (chat(model=7), "invalid_type", "model"),
        (chat(top_k=1), None, None),
        (chat(temperature="hot"), "invalid_type", "temperature"),
        (chat(temperature=2.5), "decimal_above_max_value", "temperature"),
        (chat(temperature=-1), "decimal_below_min_value", "temperature"),
        (chat(temperature=True), "invalid_type", "temperature"),
        (chat(top_p=1.1), "decimal_above_max_value", "top_p"),
        (chat(frequency_penalty=3), "decimal_above_max_value", "frequency_penalty"),
        (chat(presence_penalty=-3), "decimal_below_min_value", "presence_penalty"),
        (chat(logit_bias={"50256": 101}), "decimal_above_max_value", "logit_bias.50256"),
        (chat(n=0), "integer_below_min_value", "n"),
        (chat(n=129), "integer_above_max_value", "n"),
        (chat(n=1.5), "invalid_type", "n"),
        (chat(model="o3", n=9), "integer_above_max_value", "n"),
        (chat(logprobs=True, top_logprobs=21), "integer_above_max_value", "top_logprobs"),
        (chat(top_logprobs=2), None, "top_logprobs"),
        (chat(max_tokens=0), "integer_below_min_value", "max_tokens"),
        (chat(max_tokens=20_000), "invalid_value", "max_tokens"),
        (chat(max_tokens=5, max_completion_tokens=5), "invalid_parameter_combination", "max_tokens"),
        (chat(stop=list("abcde")), "array_above_max_length", "stop"),
        (chat(stop=5), "invalid_type", "stop"),
        (chat(metadata={str(n): "" for n in range(17)}), "object_above_max_properties", "metadata"),
        (chat(metadata={"a": 1}), "invalid_type", "metadata.a"),
        (chat(service_tier="turbo"), "invalid_value", "service_tier"),
        (chat(stream="yes"), "invalid_type", "stream"),
        (chat(stream_options={"include_usage": True}), None, "stream_options"),
        (chat(stream=True, stream_options={"usage": True}), "unknown_parameter", "stream_options.usage"),
        (chat(web_search_options={}), None, "web_search_options"),
        (chat(model="gpt-4o-search-preview", temperature=1), None, None),
        # Reasoning models
        (chat(model="gpt-5", temperature=0.2), "unsupported_value", "temperature"),
        (chat(model="o3-mini", temperature=1), "unsupported_parameter", "temperature"),
        (chat(model="o1", top_p=0.5), "unsupported_parameter", "top_p"),
        (chat(model="gpt-5-mini", presence_penalty=1), "unsupported_parameter", "presence_penalty"),
        (chat(model="o4-mini", logprobs=True), "unsupported_parameter", "logprobs"),
        (chat(model="o3", max_tokens=5), "unsupported_parameter", "max_tokens"),
        (chat(model="gpt-5", stop="x"), "unsupported_parameter", "stop"),
        (chat(model="gpt-5.2", reasoning_effort="high", temperature=0.5), "unsupported_value", "temperature"),
        (chat(model="gpt-5", reasoning_effort="none"), "unsupported_value", "reasoning_effort"),
        (chat(model="gpt-5", reasoning_effort="huge"), "invalid_value", "reasoning_effort"),
        (chat(reasoning_effort="low"), None, None),
        (chat(model="gpt-5.4", reasoning_effort="low", tools=[function()]), None, "reasoning_effort"),
        (chat(model="gpt-5.6", tools=[function()]), None, "reasoning_effort"),
        # Messages
        (chat(messages=None), "missing_required_parameter", "messages"),
        (chat(messages=[]), "empty_array", "messages"),
        (chat(messages="Hi"), "invalid_type", "messages"),
        (messages("Hi"), "invalid_type", "messages[0]"),
        (messages({"content": "Hi"}), "missing_required_parameter", "messages[0].role"),
        (messages({"role": "robot", "content": "Hi"}), "invalid_value", "messages[0].role"),
        (messages({"role": "user"}), "invalid_type", "messages[0].content"),
        (messages({"role": "user", "content": 5}), "invalid_type", "messages[0].content"),
        (messages({**USER, "mood": "good"}), "unknown_parameter", "messages[0].mood"),
        (part(type="video"), "invalid_value", "messages[0].content[0].type"),
        (part(type="text"), "missing_required_parameter", "messages[0].content[0].text"),
        (
            part(type="image_url", image_url={"url": "ftp://a/b.png"}),
            "invalid_image_url",
            "messages[0].content[0].image_url.url",
        ),
        (part(type="file", file={}), "missing_required_parameter", "messages[0].content[0].file.file_id"),
        (part(type="refusal", refusal="No."), "invalid_value", "messages[0].content[0].type"),
        (
            messages(USER, {"role": "tool", "tool_call_id": "call_1", "content": ""}),
            None,
            "messages.[1].role",
        ),
        (messages({"role": "assistant", "tool_calls": [CALL]}, USER), None, "messages.[1].role"),
        (messages(USER, {"role": "assistant", "tool_calls": [CALL]}), None, "messages.[2].role"),
        (chat("x" * 600_000), "context_length_exceeded", "messages"),
        # Tools and formats
        (chat(tools=[function("no spaces")]), "invalid_value", "tools[0].function.name"),
        (chat(tools=[function("x" * 65)]), "string_above_max_length", "tools[0].function.name"),
        (chat(tools=[{"type": "web_search"}]), "invalid_value", "tools[0].type"),
        (
            chat(tools=[function(parameters={"type": "array"})]),
            "invalid_function_parameters",
            "tools[0].function.parameters",
        ),
        (
            chat(tools=[function(parameters=OBJECT, strict=True)]),
            "invalid_function_parameters",
            "tools[0].function.parameters",
        ),
        (chat(tool_choice="auto"), None, "tool_choice"),
        (chat(parallel_tool_calls=True), None, "parallel_tool_calls"),
        (chat(tools=[function()], tool_choice="any"), "invalid_value", "tool_choice"),
        (chat(tools=[function()], tool_choice=allowed("g")), None, "tool_choice"),
        (chat(response_format={"type": "json_object"}), None, "messages"),
        (chat(response_format={"type": "xml"}), "invalid_value", "response_format.type"),
        (strict(OBJECT), "invalid_json_schema", "response_format"),
        (strict(CLOSED), "invalid_json_schema", "response_format"),
        (strict({"type": "array"}), "invalid_json_schema", "response_format"),
    ],
)
async def test_bad_requests(simulator: Simulator, body: Body, code: str | None, param: str | None) -> None:
    answer = await request(simulator, body)
    assert answer.status == 400, answer.body
    assert answer.headers["x-request-id"].startswith("req_")
    error = answer.error
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error"), error


@pytest.mark.parametrize(
    "body",
    [
        formatted(OBJECT),
        strict({**CLOSED, "required": ["a"]}),
        chat(model="gpt-5", temperature=1, top_p=1),
        chat(model="gpt-5.2", temperature=0.3),
        chat(model="gpt-5.6", tools=[function()], reasoning_effort="none"),
        chat(model="gpt-5.4", tools=[function()]),
        chat(model="gpt-5-chat-latest", temperature=0.3),
        chat(model="gpt-4.1-2025-04-14", stop=None, tools=None),
        chat(model="o3-mini", stop=["Paris"]),
        chat(prediction={"type": "content", "content": "Hello"}),
        messages({"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, USER),
        messages(USER, {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []}, USER),
    ],
)
async def test_good_requests(simulator: Simulator, body: Body) -> None:
    answer = await request(simulator, body)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("body", "feature"),
    [
        (part(type="input_audio", input_audio={"data": "aGk=", "format": "wav"}), "audio input"),
        (chat(modalities=["text", "audio"]), "audio output"),
        (chat(moderation={"model": "omni-moderation-latest"}), "moderation"),
        (chat(functions=[]), "function_call"),
        (
            chat(
                tools=[
                    {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {}}}}
                ]
            ),
            "grammars of custom tools",
        ),
    ],
)
async def test_what_is_not_simulated_is_named(simulator: Simulator, body: Body, feature: str) -> None:
    answer = await request(simulator, body)
    assert answer.error["code"] == "not_simulated"
    assert feature in NOT_SIMULATED
    assert feature in str(answer.error["message"])


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, None),
        ({"authorization": "Basic x"}, None),
        ({"authorization": "Bearer sk-invalid"}, "invalid_api_key"),
    ],
)
async def test_keys(simulator: Simulator, headers: dict[str, str], code: str | None) -> None:
    answer = await request(simulator, chat(), headers=headers)
    assert (answer.status, answer.error["code"]) == (401, code)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/nothing", 404),
        ("GET", "/elsewhere", 404),
        ("GET", "/v1/models/gpt-7-imagined", 404),
    ],
)
async def test_routes(simulator: Simulator, method: str, path: str, status: int) -> None:
    answer = await request(simulator, method=method, path=path)
    assert answer.status == status
    assert answer.error["type"] == "invalid_request_error"


@pytest.mark.parametrize(("model", "code"), [("gpt-7-imagined", "model_not_found"), ("gpt-5.2-pro", None)])
async def test_models_without_chat(simulator: Simulator, model: str, code: str | None) -> None:
    answer = await request(simulator, chat(model=model))
    assert (answer.status, answer.error["code"]) == (404, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"x": "\xff"}'])
async def test_bodies_that_are_no_json_object(simulator: Simulator, body: bytes) -> None:
    answer = await request(simulator, body)
    assert answer.status == 400
    assert "could not parse the JSON body" in str(answer.error["message"])


async def test_headers_are_those_of_the_real_api(simulator: Simulator) -> None:
    answer = await request(simulator, chat(stream=True), headers=KEY)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["openai-version"] == "2020-10-01"
    assert int(answer.headers["openai-processing-ms"]) >= 0
    assert {
        f"x-ratelimit-{what}-{of}"
        for what in ("limit", "remaining", "reset")
        for of in ("requests", "tokens")
    } <= {*answer.headers}
