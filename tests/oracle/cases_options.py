"""Requests said twice: all but the conversation."""

import json
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from oracle.capture import Case
from oracle.cases_messages import ASK, SDK_ASK

from tokenwire.v1 import chat_pb2 as pb

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"zip": {"type": "string"}, "city": {"type": "string", "maxLength": 40}},
    "required": ["zip", "city"],
    "additionalProperties": False,
}
SCHEMA_TEXT = json.dumps(SCHEMA)
GRAMMAR: dict[str, Any] = {
    "type": "custom",
    "custom": {
        "name": "sql",
        "description": "Asks the database.",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}},
    },
}


def struct(value: dict[str, Any]) -> Struct:
    return ParseDict(value, Struct())


def _case(name: str, arguments: dict[str, Any], **fields: Any) -> Case:
    request = pb.ChatRequest(messages=[ASK], **fields)
    return Case(name, request, {"messages": [SDK_ASK], **arguments})


def _config(name: str, arguments: dict[str, Any], **fields: Any) -> Case:
    return _case(name, arguments, config=pb.GenerationConfig(**fields))


def _tool(**fields: Any) -> pb.Tool:
    return pb.Tool(function=pb.FunctionTool(**fields))


def _sdk_tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": fields}


TOOLS = [_tool(name="weather"), _tool(name="time")]
SDK_TOOLS = [_sdk_tool(name="weather"), _sdk_tool(name="time")]


def _choice(name: str, said: Any, choice: pb.ToolChoice) -> Case:
    return _case(name, {"tools": SDK_TOOLS, "tool_choice": said}, tools=TOOLS, tool_choice=choice)


def _allowed(mode: "pb.ToolChoiceMode.ValueType", *names: str) -> pb.ToolChoice:
    return pb.ToolChoice(allowed_tools=pb.AllowedTools(mode=mode, names=names))


def _sdk_allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [_sdk_tool(name=name) for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def _format(name: str, said: dict[str, Any], response_format: pb.ResponseFormat) -> Case:
    return _case(name, {"response_format": said}, response_format=response_format)


def _schema(name: str, said: dict[str, Any], /, **fields: Any) -> Case:
    schema = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(**fields))
    return _format(name, {"type": "json_schema", "json_schema": said}, schema)


CONFIG = [
    _config("max output tokens", {"max_completion_tokens": 1}, max_output_tokens=1),
    _config("temperature 0", {"temperature": 0}, temperature=0),
    _config("temperature 0.7", {"temperature": 0.7}, temperature=0.7),
    _config("top_p 0", {"top_p": 0}, top_p=0),
    _config("top_p 0.1", {"top_p": 0.1}, top_p=0.1),
    _config("one stop text", {"stop": ["END"]}, stop=["END"]),
    _config("stop texts", {"stop": ["\n", "END", "."]}, stop=["\n", "END", "."]),
    _config("seed 0", {"seed": 0}, seed=0),
    _config("greatest seed", {"seed": 2**63 - 1}, seed=2**63 - 1),
    _config("least seed", {"seed": -(2**63)}, seed=-(2**63)),
    _config(
        "penalties", {"frequency_penalty": -1.5, "presence_penalty": 0.25},
        frequency_penalty=-1.5, presence_penalty=0.25,
    ),
    _config(
        "penalties 0", {"frequency_penalty": 0, "presence_penalty": 0},
        frequency_penalty=0, presence_penalty=0,
    ),
    _config("candidates", {"n": 3}, candidate_count=3),
    _config("logprobs", {"logprobs": True, "top_logprobs": 5}, logprobs=True, top_logprobs=5),
    _config("no alternatives", {"logprobs": True, "top_logprobs": 0}, logprobs=True, top_logprobs=0),
    _config("no logprobs", {"logprobs": False}, logprobs=False),
    _config("verbosity", {"verbosity": "low"}, verbosity="low"),
    _config(
        "logit bias", {"logit_bias": {"50256": -100, "0": 0, "7": 100}},
        logit_bias={50256: -100, 0: 0, 7: 100}
    ),
    _case(
        "all at once",
        {
            "max_completion_tokens": 100, "temperature": 1.3, "top_p": 0.95, "stop": ["a"], "seed": 7, "n": 2,
            "frequency_penalty": 0.1, "presence_penalty": -0.1, "reasoning_effort": "none", "store": True,
        },
        config=pb.GenerationConfig(
            max_output_tokens=100, temperature=1.3, top_p=0.95, stop=["a"], seed=7, candidate_count=2,
            frequency_penalty=0.1, presence_penalty=-0.1,
        ),
        reasoning=pb.ReasoningConfig(effort="none"),
        store=True,
    ),
]  # fmt: skip

TOOLING = [
    _case("tools by name", {"tools": SDK_TOOLS}, tools=TOOLS),
    _case(
        "tool with a schema as text",
        {"tools": [_sdk_tool(name="find", description="Finds.", parameters=SCHEMA, strict=True)]},
        tools=[_tool(name="find", description="Finds.", parameters_json=SCHEMA_TEXT, strict=True)],
    ),
    _case(
        "tool with a schema as Struct",
        {"tools": [_sdk_tool(name="find", parameters=SCHEMA, strict=False)]},
        tools=[_tool(name="find", parameters_struct=struct(SCHEMA), strict=False)],
    ),
    _case(
        "custom tool beside a function",
        {"tools": [GRAMMAR, _sdk_tool(name="weather")]},
        tools=[
            pb.Tool(provider_tool=pb.ProviderTool(provider="openai", definition=struct(GRAMMAR))),
            _tool(name="weather"),
        ],
    ),
    _choice("any tool or none", "auto", pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_AUTO)),
    _choice("no tool", "none", pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_NONE)),
    _choice("some tool", "required", pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_REQUIRED)),
    _choice("this tool", _sdk_tool(name="time"), pb.ToolChoice(function_name="time")),
    _choice("one allowed", _sdk_allowed("auto", "time"), _allowed(pb.TOOL_CHOICE_MODE_AUTO, "time")),
    _choice(
        "two allowed, one required",
        _sdk_allowed("required", "time", "weather"),
        _allowed(pb.TOOL_CHOICE_MODE_REQUIRED, "time", "weather"),
    ),
    _case(
        "no tool, none offered", {"tool_choice": "none"},
        tool_choice=pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_NONE),
    ),
    _case(
        "parallel calls", {"tools": SDK_TOOLS, "parallel_tool_calls": True},
        tools=TOOLS, parallel_tool_calls=True
    ),
    _case(
        "one call at a time",
        {"tools": SDK_TOOLS, "parallel_tool_calls": False},
        tools=TOOLS,
        parallel_tool_calls=False,
    ),
    _format("plain text", {"type": "text"}, pb.ResponseFormat(text=pb.PlainTextFormat())),
    _format("JSON", {"type": "json_object"}, pb.ResponseFormat(json_object=pb.JsonObjectFormat())),
    _schema("schema as text", {"name": "place", "schema": SCHEMA}, name="place", schema_json=SCHEMA_TEXT),
    _schema(
        "schema as Struct",
        {"name": "place", "description": "A place.", "schema": SCHEMA, "strict": True},
        name="place", description="A place.", schema_struct=struct(SCHEMA), strict=True,
    ),
    _schema(
        "schema that is not strict",
        {"name": "place", "schema": SCHEMA, "strict": False},
        name="place", schema_json=SCHEMA_TEXT, strict=False,
    ),
]  # fmt: skip

REST = [
    _case("effort", {"reasoning_effort": "minimal"}, reasoning=pb.ReasoningConfig(effort="minimal")),
    _case("stored", {"store": True}, store=True),
    _case("not stored", {"store": False}, store=False),
    _case("metadata", {"metadata": {"team": "é", "empty": ""}}, metadata={"team": "é", "empty": ""}),
    _case("service tier", {"service_tier": "flex"}, service_tier="flex"),
    _case("cache key", {"prompt_cache_key": "tenant-7"}, prompt_cache_key="tenant-7"),
    _case("end user", {"safety_identifier": "u-1"}, end_user_id="u-1"),
    _case(
        "provider options for typed parameters",
        {
            "web_search_options": {"search_context_size": "low"},
            "prediction": {"type": "content", "content": "Hello"},
        },
        provider_options=struct(
            {
                "openai": {
                    "web_search_options": {"search_context_size": "low"},
                    "prediction": {"type": "content", "content": "Hello"},
                }
            }
        ),
    ),
    _case(
        "provider options for new parameters",
        {"extra_body": {"thinking": {"budget": 1024, "ratio": 0.5, "on": True, "tags": ["a", 1, None]}}},
        provider_options=struct(
            {"openai": {"thinking": {"budget": 1024, "ratio": 0.5, "on": True, "tags": ["a", 1, None]}}}
        ),
    ),
    _case(
        "provider options win over typed fields, those of others stay here",
        {"temperature": 1, "extra_body": {"temperature": 0.5, "top_p": 1}},
        config=pb.GenerationConfig(temperature=1),
        provider_options=struct(
            {"openai": {"temperature": 0.5, "top_p": 1}, "mistral": {"safe_prompt": True}}
        ),
    ),
]

OPTIONS = [*CONFIG, *TOOLING, *REST]
