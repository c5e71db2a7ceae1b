"""Requests that the contract refuses: by which reason, naming which field, and asking no provider."""

import math
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from support.ask import SCHEMA, WEATHER, ask, assistant, called, result, tool, user
from support.gateway import Gateway
from support.status import collect, failure

from tokenwire.v1 import chat_pb2 as pb

INF, NAN = math.inf, math.nan


def config(**fields: Any) -> pb.ChatRequest:
    return ask(config=pb.GenerationConfig(**fields))


def turn(role: int, *parts: pb.ContentPart, text: str = "") -> pb.ChatRequest:
    message = pb.ChatMessage(text=text, parts=parts)
    message.role = role  # type: ignore[assignment]  # unknown numbers too
    return ask("First.", message)


def media(**fields: Any) -> pb.ChatRequest:
    return ask(user("", pb.ContentPart(image=pb.Media(**fields))))


def function(**fields: Any) -> pb.ChatRequest:
    return ask(tools=[pb.Tool(function=pb.FunctionTool(**{"name": "f", **fields}))])


def schema(**fields: Any) -> pb.ChatRequest:
    wanted = pb.JsonSchemaFormat(**{"name": "s", **fields})
    return ask(response_format=pb.ResponseFormat(json_schema=wanted))


def choice(*tools: pb.Tool, **fields: Any) -> pb.ChatRequest:
    return ask(tools=tools, tool_choice=pb.ToolChoice(**fields))


def struct(value: dict[str, Any]) -> Struct:
    return json_format.ParseDict(value, Struct())


def options(value: dict[str, Any]) -> pb.ChatRequest:
    return ask(provider_options=struct(value))


def not_finite() -> pb.ChatRequest:
    request = ask()
    request.provider_options.fields["openai"].struct_value.fields["x"].number_value = INF
    return request


def nan_in_schema() -> pb.ChatRequest:
    request = function(parameters_struct=struct({"type": "object"}))
    request.tools[0].function.parameters_struct.fields["n"].list_value.values.add(number_value=NAN)
    return request


TEXT = pb.ContentPart(text="x")
IMAGE = pb.ContentPart(image=pb.Media(url="https://example.com/a.png"))
RESULT = pb.ContentPart(tool_result=result())
ITEM = pb.ProviderItem(provider="openai", type="t", item_json="{}")
ALLOWED = pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_AUTO, names=["weather"])
AUTO, REQUIRED = pb.TOOL_CHOICE_MODE_AUTO, pb.TOOL_CHOICE_MODE_REQUIRED

MESSAGES = {
    "none": (ask(), "messages"),
    "too many": (ask(*["x"] * 10_000), "messages"),
    "no role": (turn(0, text="x"), "messages[1].role"),
    "unknown role": (turn(57, text="x"), "messages[1].role"),
    "too many parts": (turn(pb.ROLE_USER, *[TEXT] * 1025), "messages[1].parts"),
    "image by the system": (turn(pb.ROLE_SYSTEM, IMAGE), "messages[1].parts[0].image"),
    "image by the developer": (turn(pb.ROLE_DEVELOPER, TEXT, IMAGE), "messages[1].parts[1].image"),
    "image by the assistant": (turn(pb.ROLE_ASSISTANT, IMAGE), "messages[1].parts[0].image"),
    "call by the user": (turn(pb.ROLE_USER, called()), "messages[1].parts[0].tool_call"),
    "refusal by the user": (turn(pb.ROLE_USER, pb.ContentPart(refusal="x")), "messages[1].parts[0].refusal"),
    "item by the user": (
        turn(pb.ROLE_USER, pb.ContentPart(provider_item=ITEM)),
        "messages[1].parts[0].provider_item",
    ),
    "result by the user": (
        ask(assistant("", called()), user("", RESULT)),
        "messages[1].parts[0].tool_result",
    ),
    "text by a tool": (turn(pb.ROLE_TOOL, TEXT), "messages[1].parts[0].text"),
    "tool without parts": (turn(pb.ROLE_TOOL, text="x"), "messages[1].parts"),
    "part without content": (turn(pb.ROLE_USER, pb.ContentPart()), "messages[1].parts[0]"),
    "text and parts disagree": (turn(pb.ROLE_USER, TEXT, text="y"), "messages[1].text"),
    "result without call": (
        ask("a", tool(result("nobody"))),
        "messages[1].parts[0].tool_result.tool_call_id",
    ),
    "result before its call": (
        ask(tool(result()), assistant("", called())),
        "messages[0].parts[0].tool_result.tool_call_id",
    ),
    "result twice": (
        ask(assistant("", called()), tool(result(), result())),
        "messages[1].parts[1].tool_result.tool_call_id",
    ),
    "call id twice": (ask(assistant("", called(), called())), "messages[0].parts[1].tool_call.id"),
    "call without id": (ask(assistant("", called(call=""))), "messages[0].parts[0].tool_call.id"),
    "call without name": (ask(assistant("", called(name=""))), "messages[0].parts[0].tool_call.name"),
    "arguments no JSON": (
        ask(assistant("", called(arguments="{"))),
        "messages[0].parts[0].tool_call.arguments_json",
    ),
    "arguments no object": (
        ask(assistant("", called(arguments="[1]"))),
        "messages[0].parts[0].tool_call.arguments_json",
    ),
    "item without provider": (
        ask(assistant("", pb.ContentPart(provider_item=pb.ProviderItem(item_json="{}")))),
        "messages[0].parts[0].provider_item.provider",
    ),
    "item empty": (
        ask(assistant("", pb.ContentPart(provider_item=pb.ProviderItem(provider="p")))),
        "messages[0].parts[0].provider_item.item_json",
    ),
    "item no JSON": (
        ask(assistant("", pb.ContentPart(provider_item=pb.ProviderItem(provider="p", item_json="x")))),
        "messages[0].parts[0].provider_item.item_json",
    ),
    "image in a result": (
        ask(assistant("", called()), tool(pb.ToolResult(tool_call_id="call_1", parts=[IMAGE]))),
        "messages[1].parts[0].tool_result.parts[0]",
    ),
    "result's text disagrees": (
        ask(assistant("", called()), tool(pb.ToolResult(tool_call_id="call_1", text="y", parts=[TEXT]))),
        "messages[1].parts[0].tool_result.text",
    ),
    "media without source": (media(), "messages[0].parts[0].image"),
    "a file's URL": (media(url="file:///etc/passwd"), "messages[0].parts[0].image.url"),
    "an ftp URL": (media(url="ftp://example.com/a.png"), "messages[0].parts[0].image.url"),
    "a bare path": (media(url="/etc/passwd"), "messages[0].parts[0].image.url"),
    "data without type": (media(data=b"x"), "messages[0].parts[0].image.media_type"),
    "data of an odd type": (
        media(data=b"x", media_type="image/png\r\nx: y"),
        "messages[0].parts[0].image.media_type",
    ),
    "an empty file id": (media(file_id=""), "messages[0].parts[0].image.file_id"),
}
MESSAGES["none"][0].ClearField("messages")

CONFIG = {
    **{f"{name}={value}": (config(**{name: value}), f"config.{name}") for name, value in [
        ("max_output_tokens", 0), ("max_output_tokens", -1),
        ("temperature", -0.001), ("temperature", 2.001), ("temperature", NAN), ("temperature", INF),
        ("top_p", -0.1), ("top_p", 1.1), ("top_p", NAN),
        ("frequency_penalty", -2.1), ("frequency_penalty", 2.1), ("frequency_penalty", -INF),
        ("presence_penalty", -2.1), ("presence_penalty", 2.1), ("presence_penalty", NAN),
        ("candidate_count", 0), ("candidate_count", 17),
    ]},
    "top_logprobs 21": (config(logprobs=True, top_logprobs=21), "config.top_logprobs"),
    "top_logprobs -1": (config(logprobs=True, top_logprobs=-1), "config.top_logprobs"),
    "top_logprobs alone": (config(top_logprobs=1), "config.top_logprobs"),
    "17 stops": (config(stop=["x"] * 17), "config.stop"),
    "an empty stop": (config(stop=["x", ""]), "config.stop[1]"),
    "bias 101": (config(logit_bias={5: 101}), "config.logit_bias.5"),
    "bias NaN": (config(logit_bias={5: NAN}), "config.logit_bias.5"),
}  # fmt: skip

TOOLS = {
    "too many": (ask(tools=[WEATHER] * 513), "tools"),
    "neither kind": (ask(tools=[pb.Tool()]), "tools[0]"),
    "no name": (function(name=""), "tools[0].function.name"),
    "an odd name": (function(name="a b"), "tools[0].function.name"),
    "a long name": (function(name="a" * 65), "tools[0].function.name"),
    "a name twice": (ask(tools=[WEATHER, WEATHER]), "tools[1].function.name"),
    "schema an array": (function(parameters_json="[1]"), "tools[0].function.parameters_json"),
    "schema a number": (function(parameters_json="1"), "tools[0].function.parameters_json"),
    "schema broken": (function(parameters_json='{"a":'), "tools[0].function.parameters_json"),
    "schema empty text": (function(parameters_json=""), "tools[0].function.parameters_json"),
    "schema NaN": (function(parameters_json='{"a":NaN}'), "tools[0].function.parameters_json"),
    "schema empty Struct": (function(parameters_struct=Struct()), "tools[0].function.parameters_struct"),
    "nobody's tool": (
        ask(tools=[pb.Tool(provider_tool=pb.ProviderTool())]),
        "tools[0].provider_tool.provider",
    ),
    "no choice": (choice(WEATHER), "tool_choice"),
    "choice without mode": (choice(WEATHER, mode=0), "tool_choice.mode"),
    "an unknown mode": (choice(WEATHER, mode=57), "tool_choice.mode"),
    "choice without tools": (choice(mode=REQUIRED), "tool_choice.mode"),
    "choice of nothing": (choice(WEATHER, function_name="nobody"), "tool_choice.function_name"),
    "allowed without mode": (
        choice(WEATHER, allowed_tools=pb.AllowedTools(names=["weather"])),
        "tool_choice.allowed_tools.mode",
    ),
    "allowed nothing": (
        choice(WEATHER, allowed_tools=pb.AllowedTools(mode=AUTO)),
        "tool_choice.allowed_tools.names",
    ),
    "allowed unknown": (choice(allowed_tools=ALLOWED), "tool_choice.allowed_tools.names[0]"),
}

REST = {
    "no format": (ask(response_format=pb.ResponseFormat()), "response_format"),
    "no schema": (schema(), "response_format.json_schema"),
    "schema without name": (schema(name="", schema_json=SCHEMA), "response_format.json_schema.name"),
    "schema no object": (schema(schema_json="[]"), "response_format.json_schema.schema_json"),
    "schema broken": (schema(schema_json="{"), "response_format.json_schema.schema_json"),
    "schema empty": (schema(schema_struct=Struct()), "response_format.json_schema.schema_struct"),
    "options no object": (options({"openai": 3}), "provider_options.openai"),
    "17 pairs": (ask(metadata={str(i): "x" for i in range(17)}), "metadata"),
    "heartbeat too often": (
        ask(stream_options=pb.StreamOptions(heartbeat_interval=Duration(nanos=999_999_999))),
        "stream_options.heartbeat_interval",
    ),
    "negative heartbeat": (
        ask(stream_options=pb.StreamOptions(heartbeat_interval=Duration(seconds=-5))),
        "stream_options.heartbeat_interval",
    ),
    "flushed too late": (
        ask(stream_options=pb.StreamOptions(flush_interval=Duration(seconds=1, nanos=1))),
        "stream_options.flush_interval",
    ),
    "flushed before it comes": (
        ask(stream_options=pb.StreamOptions(flush_interval=Duration(nanos=-1))),
        "stream_options.flush_interval",
    ),
    "unknown policy": (ask(unsupported_parameters=57), "unsupported_parameters"),
    "infinite option": (not_finite(), "provider_options.fields.openai.struct_value.fields.x.number_value"),
    "NaN in a schema": (
        nan_in_schema(),
        "tools[0].function.parameters_struct.fields.n.list_value.values[0].number_value",
    ),
    "model too long": (ask(model="m" * 257), "model"),
    "model with a line break": (ask(model="a\nb"), "model"),
    "no model after the provider": (ask(model="openai/"), "model"),
    **{
        f"owned {key}": (options({"openai": {key: 1}}), f"provider_options.openai.{key}")
        for key in ("model", "messages", "stream", "stream_options", "store", "max_tokens", "user")
    },
}  # fmt: skip

CASES = {
    f"{group}: {name}": case
    for group, cases in {"messages": MESSAGES, "config": CONFIG, "tools": TOOLS, "rest": REST}.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("name", CASES)
async def test_it_is_refused_by_its_path(gateway: Gateway, name: str) -> None:
    request, path = CASES[name]
    refused = await failure(gateway.stub.Chat(request))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert path in refused.fields
    assert f" ({refused.fields[0]}) [" in refused.message
    streamed = await failure(collect(gateway.stub.ChatStream(request)))
    assert (streamed.code, streamed.fields) == (refused.code, refused.fields)
    assert gateway.simulator.received == []
    await gateway.works()


async def test_ten_fields_are_named_at_most(gateway: Gateway) -> None:
    refused = await failure(gateway.stub.Chat(ask(*[pb.ChatMessage(text="x")] * 50)))
    assert refused.fields == [f"messages[{index}].role" for index in range(10)]


async def test_what_is_wrong_in_several_places_is_told_at_once(gateway: Gateway) -> None:
    request = config(temperature=3, top_p=NAN)
    request.messages.add(role=pb.ROLE_USER, parts=[pb.ContentPart()])
    refused = await failure(gateway.stub.Chat(request))
    assert {"config.temperature", "config.top_p", "messages[1].parts[0]"} <= set(refused.fields)


async def test_the_edges_of_ranges_are_accepted(gateway: Gateway) -> None:
    request = config(
        temperature=2, top_p=1, frequency_penalty=-2, presence_penalty=2, stop=["a"], logit_bias={5: -100}
    )
    assert (await gateway.stub.Chat(request)).choices
    request = config(temperature=0, top_p=0, max_output_tokens=1, logprobs=True, top_logprobs=20)
    assert (await gateway.stub.Chat(request)).choices


async def test_a_provider_that_is_not_configured_is_refused(gateway: Gateway) -> None:
    refused = await failure(gateway.stub.Chat(ask(model="mistral/mistral-small-latest")))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "PROVIDER_NOT_CONFIGURED")
    assert refused.fields == ["model"]
    assert gateway.simulator.received == []
    await gateway.works()
