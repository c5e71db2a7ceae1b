"""Requests that the real Responses API refuses are refused with its status, code and param."""

import pytest
from simulator.responses import CLOSED, CUSTOM, FUNCTION, OBJECT, PATH, ask, ask_for
from simulator.wire import Body, request

from tokenwire_server.simulator import NOT_SIMULATED, Simulator

USER: Body = {"role": "user", "content": "Hi"}
CALL: Body = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT: Body = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
INVALID = "invalid_request_error"


def items(*given: object, **parameters: object) -> Body:
    return ask_for(list(given), **parameters)


def part(**given: object) -> Body:
    return items({"role": "user", "content": [given]})


def effort(model: str, word: str) -> Body:
    return ask_for(model=model, reasoning={"effort": word})


def schema(value: object, **more: object) -> Body:
    return ask_for(text={"format": {"type": "json_schema", "name": "s", "schema": value, **more}})


def function(**more: object) -> Body:
    return ask_for(tools=[{**FUNCTION, **more}])


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (ask_for(model=None), "missing_required_parameter", "model"),
        (ask_for(model=7), "invalid_type", "model"),
        (ask_for(None), "missing_required_parameter", "input"),
        (ask_for([]), "missing_required_parameter", "input"),
        (ask_for(7), "invalid_type", "input"),
        (ask_for(model="gpt-4o-search-preview"), "model_not_found", "model"),
        # Parameters of other endpoints are unknown here
        *(
            (ask_for(**{name: value}), "unknown_parameter", name)
            for name, value in {
                "messages": [USER],
                "max_tokens": 16,
                "max_completion_tokens": 16,
                "n": 1,
                "stop": "x",
                "seed": 1,
                "frequency_penalty": 1,
                "reasoning_effort": "low",
                "response_format": {"type": "text"},
                "top_k": 1,
            }.items()
        ),
        (
            ask_for(stream=True, stream_options={"include_usage": True}),
            "unknown_parameter",
            "stream_options.include_usage",
        ),
        (ask_for(stream_options={"include_obfuscation": False}), None, "stream_options"),
        (ask_for(temperature="hot"), "invalid_type", "temperature"),
        (ask_for(temperature=2.5), "decimal_above_max_value", "temperature"),
        (ask_for(top_p=1.1), "decimal_above_max_value", "top_p"),
        (ask_for(top_logprobs=21), "integer_above_max_value", "top_logprobs"),
        (ask_for(max_output_tokens=15), "integer_below_min_value", "max_output_tokens"),
        (ask_for(max_output_tokens=16.5), "invalid_type", "max_output_tokens"),
        (ask_for(metadata={str(n): "" for n in range(17)}), "object_above_max_properties", "metadata"),
        (ask_for(metadata={"a": "x" * 513}), "string_above_max_length", "metadata.a"),
        (ask_for(include=["reasoning.thoughts"]), "invalid_value", "include[0]"),
        (ask_for(service_tier="turbo"), "invalid_value", "service_tier"),
        (ask_for(truncation="middle"), "invalid_value", "truncation"),
        (ask_for(store="yes"), "invalid_type", "store"),
        (ask_for(safety_identifier="x" * 129), "string_above_max_length", "safety_identifier"),
        (ask_for(previous_response_id="chatcmpl-1"), "invalid_value", "previous_response_id"),
        (ask_for(previous_response_id="resp_1"), "previous_response_not_found", "previous_response_id"),
        # What depends on the model
        (effort("gpt-4o", "low"), "unsupported_parameter", "reasoning.effort"),
        (ask_for(reasoning={"summary": "auto"}), "unsupported_parameter", "reasoning.summary"),
        (ask_for(include=["reasoning.encrypted_content"]), None, "include"),
        (ask_for(model="gpt-5", temperature=0.7), "unsupported_parameter", "temperature"),
        (ask_for(model="o3", top_p=0.9), "unsupported_parameter", "top_p"),
        (ask_for(model="gpt-5.5", temperature=0.7), "unsupported_parameter", "temperature"),
        (effort("gpt-5.2", "low") | {"temperature": 0.7}, "unsupported_parameter", "temperature"),
        (
            ask_for(model="gpt-5", include=["message.output_text.logprobs"]),
            "unsupported_parameter",
            "include",
        ),
        (ask_for(text={"verbosity": "low"}), "unsupported_value", "text.verbosity"),
        (ask_for("x" * 600_000), "context_length_exceeded", "input"),
        # Items
        (items("Hi"), "invalid_type", "input[0]"),
        (items({"content": "Hi"}), "missing_required_parameter", "input[0].role"),
        (items({"role": "tool", "content": "Hi"}), "invalid_value", "input[0].role"),
        (items({"role": "user"}), "missing_required_parameter", "input[0].content"),
        (items({**USER, "mood": "good"}), "unknown_parameter", "input[0].mood"),
        (items({"type": "thought", "text": "Hm."}), "invalid_value", "input[0].type"),
        (part(text="Hi"), "missing_required_parameter", "input[0].content[0].type"),
        (part(type="text", text="Hi"), "invalid_value", "input[0].content[0].type"),
        (part(type="output_text", text="Hi"), "invalid_value", "input[0].content[0].type"),
        (part(type="input_text"), "missing_required_parameter", "input[0].content[0].text"),
        (
            items({"role": "assistant", "content": [{"type": "input_text", "text": "Hi"}]}),
            "invalid_value",
            "input[0].content[0].type",
        ),
        (part(type="input_image", image_url="ftp://a"), "invalid_value", "input[0].content[0].image_url"),
        (
            part(type="input_image", image_url={"url": "https://example.com/a.png"}),
            "invalid_type",
            "input[0].content[0].image_url",
        ),
        (part(type="input_file"), "missing_required_parameter", "input[0].content[0].file_id"),
        (part(type="input_file", file_data="aGk="), "invalid_value", "input[0].content[0].file_data"),
        (
            items(USER, {**CALL, "id": "call_1"}, OUTPUT),
            "invalid_value",
            "input[1].id",
        ),
        (items(USER, CALL), None, "input"),
        (items(USER, OUTPUT), None, "input"),
        (items(USER, OUTPUT, CALL), None, "input"),
        (items(USER, {"type": "reasoning", "id": "rs_1"}), "missing_required_parameter", "input[1].summary"),
        (items(USER, {"type": "reasoning", "summary": []}), "missing_required_parameter", "input[1].id"),
        # Tools and formats
        (function(name="no spaces"), "invalid_value", "tools[0].name"),
        (function(parameters={"type": "array"}), "invalid_function_parameters", "tools[0].parameters"),
        (function(strict=True), "invalid_function_parameters", "tools[0].parameters"),
        (
            ask_for(tools=[{"type": "function", "function": {}}]),
            "missing_required_parameter",
            "tools[0].name",
        ),
        (ask_for(tools=[{"type": "telepathy"}]), "invalid_value", "tools[0].type"),
        (ask_for(tool_choice="required"), None, "tool_choice"),
        (ask_for(tools=[FUNCTION], tool_choice="any"), "invalid_value", "tool_choice"),
        (
            ask_for(tools=[FUNCTION], tool_choice={"type": "function", "function": {"name": "look_up"}}),
            "missing_required_parameter",
            "tool_choice.name",
        ),
        (ask_for(tools=[FUNCTION], tool_choice={"type": "function", "name": "g"}), None, "tool_choice"),
        (ask_for(tools=[FUNCTION], tool_choice={"type": "web_search"}), None, "tool_choice"),
        (ask_for(text={"format": {"type": "json_object"}}), None, "input"),
        (ask_for(text={"format": {"type": "xml"}}), "invalid_value", "text.format.type"),
        (
            ask_for(text={"format": {"type": "json_schema", "json_schema": {}}}),
            "missing_required_parameter",
            "text.format.name",
        ),
        (schema(OBJECT, strict=True), "invalid_json_schema", "text.format.schema"),
    ],
)
async def test_bad_requests(simulator: Simulator, body: Body, code: str | None, param: str | None) -> None:
    answer = await ask(simulator, body)
    assert answer.status == 400, answer.body
    assert answer.headers["x-request-id"].startswith("req_")
    error = answer.error
    assert (error["code"], error["param"], error["type"]) == (code, param, INVALID), error


@pytest.mark.parametrize(
    ("model", "word", "supported"),
    [("gpt-5.1", "minimal", "'none', 'low', 'medium', and 'high'"), ("gpt-5-pro", "low", "'high'")],
)
async def test_efforts_are_named(simulator: Simulator, model: str, word: str, supported: str) -> None:
    error = (await ask(simulator, effort(model, word))).error
    assert error == {
        "message": f"Unsupported value: '{word}' is not supported with the '{model}' model. "
        f"Supported values are: {supported}.",
        "type": INVALID,
        "param": "reasoning.effort",
        "code": "unsupported_value",
    }


ALL = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
EFFORTS = {
    "gpt-5": ("minimal", "low", "medium", "high"),
    "gpt-5-mini": ("minimal", "low", "medium", "high"),
    "gpt-5-nano-2025-08-07": ("minimal", "low", "medium", "high"),
    "gpt-5-pro": ("high",),
    "gpt-5-codex": ("low", "medium", "high"),
    "gpt-5.1": ("none", "low", "medium", "high"),
    "gpt-5.1-codex-max": ("low", "medium", "high", "xhigh"),
    "gpt-5.1-chat-latest": ("medium",),
    "gpt-5.2": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.2-pro": ("medium", "high", "xhigh"),
    "gpt-5.3-chat-latest": (),
    "gpt-5.4-mini": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.5": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.6-terra": ("none", "low", "medium", "high", "xhigh", "max"),
    "gpt-6-astra": ("low", "medium", "high", "xhigh", "max"),
    "gpt-4.1": (),
    "o3": ("low", "medium", "high"),
}


@pytest.mark.parametrize("model", EFFORTS)
async def test_efforts_of_models(simulator: Simulator, model: str) -> None:
    statuses = {word: (await ask(simulator, effort(model, word))).status for word in ALL}
    assert tuple(word for word in ALL if statuses[word] == 200) == EFFORTS[model]


@pytest.mark.parametrize(
    "body",
    [
        ask_for(model="gpt-5", temperature=1, top_p=1),
        ask_for(model="gpt-5.2", temperature=0.7, top_p=0.9),
        ask_for(model="gpt-5-chat-latest", temperature=0.3),
        ask_for(model="gpt-5.2-pro"),
        ask_for(model="gpt-5.6", tools=[FUNCTION]),
        ask_for(model="gpt-5", text={"verbosity": "high"}),
        ask_for(max_output_tokens=50_000, parallel_tool_calls=False, tool_choice="auto"),
        ask_for("x" * 600_000, truncation="auto"),
        ask_for("Give me JSON.", text={"format": {"type": "json_object"}}),
        schema(OBJECT),
        schema(CLOSED, strict=True),
        function(parameters=CLOSED, strict=True),
        function(defer_loading=True, strict=None),
        ask_for(tools=[CUSTOM, {"type": "mcp", "server_label": "x", "server_url": "https://example.com"}]),
        ask_for(tools=[{"type": "file_search", "vector_store_ids": []}], tool_choice={"type": "file_search"}),
        items({"role": "developer", "content": "Be brief."}, USER, CALL, OUTPUT, USER),
        items(USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, USER),
        items(USER, {"type": "tool_search_call", "call_id": "call_1"}, OUTPUT),
        part(type="input_file", filename="a.pdf", file_data="data:application/pdf;base64,aGk="),
        part(type="input_file", file_url="https://example.com/a.pdf"),
    ],
)
async def test_good_requests(simulator: Simulator, body: Body) -> None:
    answer = await ask(simulator, body)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("body", "feature"),
    [
        (ask_for(background=True), "background responses"),
        (ask_for(conversation="conv_1"), "stored conversations"),
        (ask_for(prompt={"id": "pmpt_1"}), "stored prompts"),
        (ask_for(context_management=[{"type": "compaction"}]), "context management"),
        (ask_for(moderation={"model": "omni-moderation-latest"}), "moderation"),
        (part(type="input_audio", input_audio={}), "audio input"),
        (
            ask_for(tools=[{**CUSTOM, "format": {"type": "grammar"}}]),
            "grammars of custom tools",
        ),
    ],
)
async def test_what_is_not_simulated_is_named(simulator: Simulator, body: Body, feature: str) -> None:
    error = (await ask(simulator, body)).error
    assert error["code"] == "not_simulated"
    assert feature in NOT_SIMULATED
    assert feature in str(error["message"])


@pytest.mark.parametrize(
    ("model", "status"), [("gpt-7-imagined", 404), ("text-embedding-3-small", 400), ("gpt-5-codex", 200)]
)
async def test_models(simulator: Simulator, model: str, status: int) -> None:
    answer = await ask(simulator, ask_for(model=model))
    assert answer.status == status
    assert status == 200 or answer.error["code"] == "model_not_found"


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
async def test_bodies_that_are_no_json_object(simulator: Simulator, body: bytes) -> None:
    answer = await ask(simulator, body)
    assert answer.status == 400
    assert "could not parse the JSON body" in str(answer.error["message"])


async def test_keys_and_methods(simulator: Simulator) -> None:
    assert (await ask(simulator, ask_for(), headers={})).status == 401
    assert (await request(simulator, method="GET", path=PATH)).status == 405
