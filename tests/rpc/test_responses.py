"""Models of the Responses API, from a caller to the simulated provider and back."""

import json
from typing import Any

import pytest
from support.ask import WEATHER, ask, result, tool, user
from support.gateway import Gateway, gateway_for
from support.status import collect, failure
from support.stream import comparable, whole

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.settings import Settings
from tokenwire_server.simulator import Script, Simulator

MODEL = "openai/gpt-5.4"
THINKING = pb.ReasoningConfig(effort="medium")


def sent(gateway: Gateway, number: int = -1) -> dict[str, Any]:
    """The body that the provider received."""
    received = gateway.simulator.received[number]
    assert received.path == "/v1/responses"
    assert isinstance(received.body, dict)
    return received.body


def kinds(message: pb.ChatMessage) -> list[str | None]:
    return [part.WhichOneof("content") for part in message.parts]


async def test_a_temperature_is_left_out_for_gpt_5_mini_with_one_warning(gateway: Gateway) -> None:
    config = pb.GenerationConfig(temperature=0.7)
    reply = await gateway.stub.Chat(ask(model="openai/gpt-5-mini", config=config))
    assert reply.choices[0].message.text
    (warning,) = reply.warnings
    assert (warning.code, warning.field) == (common_pb2.WARNING_CODE_PARAMETER_DROPPED, "config.temperature")
    assert "temperature" not in sent(gateway)


async def test_reasoning_is_traced(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask(model=MODEL, reasoning=THINKING))
    (choice,) = reply.choices
    assert kinds(choice.message) == ["reasoning", "text"]
    summary = choice.message.parts[0].reasoning.summary
    assert reply.reasoning == pb.ReasoningTrace(effort="medium", summary=summary, items_count=1)
    assert summary
    assert reply.usage.reasoning_tokens > 0
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


async def test_a_stream_says_what_the_whole_answer_says(gateway: Gateway) -> None:
    request = ask(model=MODEL, reasoning=THINKING, tools=[WEATHER])
    events = await collect(gateway.stub.ChatStream(request))
    response = whole(events)
    unary = await gateway.stub.Chat(request)
    assert kinds(response.choices[0].message) == ["reasoning", "tool_call"]
    assert response.choices[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert response.reasoning == unary.reasoning
    assert response.usage == unary.usage
    request.stream_options.deltas_only = True
    (*_, last) = await collect(gateway.stub.ChatStream(request))
    assert last.completed.response.reasoning == pb.ReasoningTrace(effort="medium", items_count=1)


async def test_a_conversation_with_thoughts_and_tools_goes_on_without_being_kept(gateway: Gateway) -> None:
    """The simulated provider refuses calls without the thoughts that led to them, as the real one does."""
    request = ask(pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Be brief."), "Where?", model=MODEL)
    request.reasoning.CopyFrom(THINKING)
    request.tools.append(WEATHER)
    for _ in range(2):
        (choice,) = (await gateway.stub.Chat(request)).choices
        request.messages.append(choice.message)
        calls = [part.tool_call.id for part in choice.message.parts if part.HasField("tool_call")]
        request.messages.append(tool(*[result(call) for call in calls]) if calls else user("And then?"))
    await gateway.stub.Chat(request)
    assert (sent(gateway)["store"], sent(gateway)["instructions"]) == (False, "Be brief.")
    given = sent(gateway)["input"]
    turns = ["user", "reasoning", "function_call", "function_call_output", "reasoning", "message", "user"]
    assert [item.get("type") or item["role"] for item in given] == turns
    assert all(item["encrypted_content"] for item in given if item.get("type") == "reasoning")


async def test_a_conversation_that_is_kept_goes_on_by_its_id(gateway: Gateway) -> None:
    request = ask("Where?", model=MODEL, tools=[WEATHER], store=True)
    first = await gateway.stub.Chat(request)
    (call,) = [part.tool_call.id for part in first.choices[0].message.parts if part.HasField("tool_call")]
    second = ask(tool(result(call)), model=MODEL, previous_response_id=first.id, tools=[WEATHER])
    reply = await gateway.stub.Chat(second)
    assert reply.choices[0].message.text
    assert sent(gateway)["previous_response_id"] == first.id
    assert [item["type"] for item in sent(gateway)["input"]] == ["function_call_output"]


async def test_an_answer_that_was_not_kept_cannot_be_gone_on_from(gateway: Gateway) -> None:
    first = await gateway.stub.Chat(ask(model=MODEL))
    refused = await failure(gateway.stub.Chat(ask(model=MODEL, previous_response_id=first.id)))
    assert (refused.reason, refused.fields) == ("INVALID_REQUEST", ["previous_response_id"])


@pytest.mark.parametrize("identifier", ["x" * 257, "a\nb"], ids=["long", "two lines"])
async def test_an_id_that_is_none_is_refused_here(gateway: Gateway, identifier: str) -> None:
    refused = await failure(gateway.stub.Chat(ask(model=MODEL, previous_response_id=identifier)))
    assert (refused.reason, refused.fields) == ("INVALID_REQUEST", ["previous_response_id"])
    assert not gateway.simulator.received


async def test_a_schema_is_kept_to(gateway: Gateway) -> None:
    schema = WEATHER.function.parameters_json
    form = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(name="place", schema_json=schema, strict=True))
    reply = await gateway.stub.Chat(ask(model=MODEL, response_format=form))
    assert json.loads(reply.choices[0].message.text).keys() == {"city"}


async def test_a_limit_cuts_the_answer(gateway: Gateway) -> None:
    config = pb.GenerationConfig(max_output_tokens=16)
    for_model = ask(model=MODEL, config=config, reasoning=pb.ReasoningConfig(effort="none"))
    unary = await gateway.stub.Chat(for_model)
    events = await collect(gateway.stub.ChatStream(for_model))
    for response in (unary, whole(events)):
        (choice,) = response.choices
        assert choice.finish_reason == pb.FINISH_REASON_LENGTH
        assert choice.native_finish_reason == "max_output_tokens"
    assert comparable(whole(events)).choices[0].message.text == unary.choices[0].message.text


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script(times=0, error_event="rate_limit"), "PROVIDER_RATE_LIMITED"),
        (Script(times=0, no_finish=True), "STREAM_TRUNCATED"),
        (Script(times=0, cut_at_byte=3000), "STREAM_TRUNCATED"),
        (Script(times=0, bad_json_event=True), "PROVIDER_BAD_RESPONSE"),
    ],
    ids=["error event", "no end", "cut", "no JSON"],
)
async def test_a_stream_that_breaks_fails_the_call(gateway: Gateway, script: Script, reason: str) -> None:
    gateway.simulator.script(script)
    refused = await failure(collect(gateway.stub.ChatStream(ask(model=MODEL))))
    assert refused.reason == reason


COMPATIBLE = {
    "vllm": "any-model",
    "ollama": "any-model",
    "groq": "openai/gpt-oss-120b",
    "deepseek": "deepseek-reasoner",
    "openrouter": "any-model",
}


@pytest.mark.parametrize(("name", "model"), COMPATIBLE.items())
async def test_a_compatible_server_is_spoken_to_as_settings_say(
    simulator: Simulator, name: str, model: str
) -> None:
    settings = Settings.model_validate(
        {
            "server": {"listen": ["127.0.0.1:0"]},
            "metrics": {"listen": "off"},
            "providers": {
                "local": {
                    "kind": "openai_compatible",
                    "api_key": "sk-test",
                    "base_url": simulator.compatible_url(name),
                    "endpoint": "responses",
                }
            },
        }
    )
    async with gateway_for(simulator, settings) as gateway:
        request = ask(model=f"local/{model}", tools=[WEATHER])
        response = whole(await collect(gateway.stub.ChatStream(request)))
        request.messages.append(response.choices[0].message)
        calls = [part.tool_call.id for part in request.messages[-1].parts if part.HasField("tool_call")]
        request.messages.append(tool(*[result(call) for call in calls]))
        reply = await gateway.stub.Chat(request)
    assert calls
    assert reply.choices[0].message.text
    assert {received.path.rpartition("/")[2] for received in simulator.received} == {"responses"}
