"""Requests that Mistral refuses are refused with its status, code and place."""

import pytest
from simulator.mistral import FUNCTION, ask, chat
from simulator.wire import Body

from tokenwire_server.simulator import NOT_SIMULATED, Simulator

USER: Body = {"role": "user", "content": "Hi"}
CALL: Body = {"id": "abcDEF123", "function": {"name": "f", "arguments": "{}"}}
CALLING: Body = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT: Body = {"role": "tool", "content": "4", "tool_call_id": "abcDEF123"}
SAID: Body = {"role": "assistant", "content": "Hello."}


def messages(*items: object) -> Body:
    return chat(messages=list(items))


def part(**item: object) -> Body:
    return messages({"role": "user", "content": [item]})


def tool(**function: object) -> Body:
    return chat(tools=[{"type": "function", "function": function}])


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        (chat(max_completion_tokens=5), "extra_forbidden", ["max_completion_tokens"]),
        (chat(user="me"), "extra_forbidden", ["user"]),
        (chat(seed=1), "extra_forbidden", ["seed"]),
        (chat(stream=True, stream_options={}), "extra_forbidden", ["stream_options"]),
        (chat(model=None), "string_type", ["model"]),
        (chat(messages=None), "list_type", ["messages"]),
        (chat(temperature="hot"), "float_type", ["temperature"]),
        (chat(temperature=1.6), "less_than_equal", ["temperature"]),
        (chat(top_p=-0.1), "greater_than_equal", ["top_p"]),
        (chat(max_tokens=1.5), "int_from_float", ["max_tokens"]),
        (chat(random_seed=True), "int_type", ["random_seed"]),
        (chat(n=0), "greater_than_equal", ["n"]),
        (chat(stop=[1]), "string_type", ["stop", "list[str]", 0]),
        (chat(stream=None), "bool_type", ["stream"]),
        (chat(safe_prompt="yes"), "bool_type", ["safe_prompt"]),
        (chat(metadata=[]), "dict_type", ["metadata"]),
        (chat(service_tier="flex"), "enum", ["service_tier"]),
        (chat(prompt_mode="none"), "enum", ["prompt_mode"]),
        (chat(reasoning_effort="huge"), "enum", ["reasoning_effort"]),
        (chat(tool_choice="all"), "enum", ["tool_choice"]),
        (chat(tool_choice=None), "model_attributes_type", ["tool_choice"]),
        (chat(tool_choice={"type": "function"}), "missing", ["tool_choice", "function"]),
        (chat(response_format={"type": "xml"}), "enum", ["response_format", "type"]),
        (
            chat(response_format={"type": "json_schema", "json_schema": {"name": "s"}}),
            "missing",
            ["response_format", "json_schema", "schema"],
        ),
        (chat(prediction={"type": "content", "text": ""}), "extra_forbidden", ["prediction", "text"]),
        (tool(name="f"), "missing", ["tools", 0, "function", "parameters"]),
        (
            tool(name="f", parameters={}, required=[]),
            "extra_forbidden",
            ["tools", 0, "function", "required"],
        ),
        (tool(name="a b", parameters={}), "string_pattern_mismatch", ["tools", 0, "function", "name"]),
        (messages("Hi"), "model_attributes_type", ["messages", 0]),
        (messages({"content": "Hi"}), "union_tag_not_found", ["messages", 0]),
        (messages({"role": "developer", "content": ""}), "union_tag_invalid", ["messages", 0]),
        (messages(USER | {"name": "me"}), "extra_forbidden", ["messages", 0, "user", "name"]),
        (
            messages(USER, SAID | {"reasoning_content": ""}, USER),
            "extra_forbidden",
            ["messages", 1, "assistant", "reasoning_content"],
        ),
        (
            messages(USER, CALLING | {"tool_calls": [CALL | {"name": None}]}),
            "extra_forbidden",
            ["messages", 1, "assistant", "tool_calls", 0, "name"],
        ),
        (
            part(type="text", text="a", cache_control={}),
            "extra_forbidden",
            ["messages", 0, "user", "content", "list[ContentChunk]", 0, "text", "cache_control"],
        ),
        (
            part(type="video_url"),
            "union_tag_invalid",
            ["messages", 0, "user", "content", "list[ContentChunk]", 0],
        ),
    ],
)
async def test_bodies_of_a_wrong_form(
    simulator: Simulator, body: Body, kind: str, place: list[object]
) -> None:
    answer = await ask(simulator, body)
    assert answer.status == 422
    inner = answer.json["message"]
    assert isinstance(inner, dict)
    assert (kind, ["body", *place]) in [(found["type"], found["loc"]) for found in inner["detail"]]
    assert all(found.keys() >= {"type", "loc", "msg", "input"} for found in inner["detail"])


async def test_all_that_is_wrong_is_named(simulator: Simulator) -> None:
    answer = await ask(simulator, {"messages": [USER], "store": False, "top_k": "a"})
    inner = answer.json["message"]
    assert isinstance(inner, dict)
    assert [found["loc"][-1] for found in inner["detail"]] == ["model", "store", "top_k"]


async def test_a_body_that_is_no_json(simulator: Simulator) -> None:
    answer = await ask(simulator, b"{")
    assert answer.status == 422
    assert b"json_invalid" in answer.body


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (chat(model="mistral-imagined"), "1500", "Invalid model: mistral-imagined"),
        (chat(model="mistral-embed"), "1500", "Invalid model: mistral-embed"),
        (messages(), None, "at least one message"),
        (
            messages(USER, CALLING, RESULT, USER),
            "3230",
            "Unexpected role 'user' after role 'tool'",
        ),
        (messages(USER, RESULT), "3230", "Unexpected role 'tool' after role 'user'"),
        (messages(USER, SAID), "3230", "Expected last role User or Tool (or Assistant with prefix True)"),
        (
            messages({"role": "system", "content": "Hi"}),
            "3230",
            "for serving but got system",
        ),
        (messages(USER, CALLING), "3230", "Not the same number of function calls and responses"),
        (messages(USER, CALLING, RESULT, RESULT), "3230", "Not the same number of function calls"),
        (
            messages(USER, CALLING, RESULT | {"tool_call_id": "abcDEF124"}),
            "3230",
            "Unexpected tool call id abcDEF124",
        ),
        (
            messages(USER, CALLING, RESULT | {"tool_call_id": "call_1"}),
            "3280",
            "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
        ),
        (messages(USER, CALLING | {"tool_calls": [CALL | {"id": "call_12345"}]}), "3280", "call_12345"),
        (messages(USER, {"role": "assistant", "content": ""}, USER), "3240", "but not none"),
        (messages(USER, {"role": "assistant", "content": []}, USER), "3240", "but not none"),
        (messages(USER, SAID | {"prefix": True}, USER), "3240", "must be last message"),
        (chat(model="codestral-latest", reasoning_effort="high"), "3051", "Reasoning effort"),
        (chat(model="mistral-large-latest", prompt_mode="reasoning"), "3051", "Prompt mode"),
        (
            part(type="image_url", image_url="https://example.com/a") | {"model": "codestral-latest"},
            "3051",
            "Image input",
        ),
        (chat(model="open-mistral-nemo", max_tokens=200_000), "3051", "too large for model with 131072"),
        (chat(response_format={"type": "json_schema"}), "3051", "json_schema"),
        (
            chat(tools=[FUNCTION], tool_choice={"function": {"name": "other"}}),
            "3051",
            "the function other",
        ),
    ],
)
async def test_refused_requests(simulator: Simulator, body: Body, code: str | None, text: str) -> None:
    answer = await ask(simulator, body)
    assert (answer.status, answer.json["code"]) == (400, code)
    assert text in str(answer.json["message"])


@pytest.mark.parametrize(
    ("body", "feature"),
    [
        (part(type="input_audio", input_audio="aGk="), "audio input"),
        (part(type="resource", uri="a", content={}), "resource chunks"),
        (chat(tools=[{"type": "web_search"}]), "hosted tools"),
        (chat(prompt_logprobs=True), "logprobs of the prompt"),
    ],
)
async def test_what_is_not_simulated_is_named(simulator: Simulator, body: Body, feature: str) -> None:
    answer = await ask(simulator, body)
    assert (answer.status, answer.json["code"]) == (400, "not_simulated")
    assert feature in str(answer.json["message"])
    assert feature in NOT_SIMULATED


@pytest.mark.parametrize(
    "body",
    [
        messages(USER, USER),
        messages({"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, USER),
        messages(USER, CALLING, RESULT),
        messages(USER, CALLING | {"content": None}, RESULT | {"name": "f"}, SAID, USER),
        messages(USER, SAID, SAID, USER),
        chat(guardrails=[{"block_on_error": False}], metadata={"a": 1}, prompt_cache_key="a"),
        chat(min_tokens=1, repetition_penalty=1.1, top_k=5, service_tier="auto", random_seed=7.0),
        chat(tools=None, stop=None, n=None, temperature=None, reasoning_effort=None),
        chat(model="mistral-large-2512", reasoning_effort="none"),
        chat(prediction={"type": "content", "content": "a"}, presence_penalty=-2, frequency_penalty=2),
    ],
)
async def test_accepted_requests(simulator: Simulator, body: Body) -> None:
    answer = await ask(simulator, body)
    assert answer.status == 200, answer.body
