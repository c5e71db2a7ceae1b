"""Requests said twice, to the Responses API: all but the conversation, and what a known model gets."""

from typing import Any

from oracle.capture import Case
from oracle.cases_messages import ASK, SDK_ASK
from oracle.cases_options import SCHEMA, SCHEMA_TEXT, struct
from oracle.cases_responses import BRIEF, JOKE, SDK_BRIEF, Message, case, result, sdk_result

from tokenwire.v1 import chat_pb2 as pb


def _config(name: str, arguments: dict[str, Any], **fields: Any) -> Case:
    return case(name, arguments, config=pb.GenerationConfig(**fields))


def _tool(**fields: Any) -> pb.Tool:
    return pb.Tool(function=pb.FunctionTool(**fields))


def _sdk_tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "parameters": None, "strict": None, **fields}


TOOLS = [_tool(name="weather"), _tool(name="time")]
SDK_TOOLS = [_sdk_tool(name="weather"), _sdk_tool(name="time")]
WEB: dict[str, Any] = {"type": "web_search", "search_context_size": "low"}


def _choice(name: str, said: Any, **fields: Any) -> Case:
    choice = pb.ToolChoice(**fields)
    return case(name, {"tools": SDK_TOOLS, "tool_choice": said}, tools=TOOLS, tool_choice=choice)


def _allowed(mode: "pb.ToolChoiceMode.ValueType", *names: str) -> pb.AllowedTools:
    return pb.AllowedTools(mode=mode, names=names)


def _sdk_allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "name": name} for name in names]
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


def _format(name: str, said: dict[str, Any], **fields: Any) -> Case:
    return case(name, {"text": {"format": said}}, response_format=pb.ResponseFormat(**fields))


def _optional(name: str, arguments: dict[str, Any], options: dict[str, Any], **fields: Any) -> Case:
    return case(name, arguments, provider_options=struct({"openai": options}), **fields)


SEALED = "reasoning.encrypted_content"
SOURCES = "web_search_call.action.sources"

OPTIONS = [
    _config("max output tokens", {"max_output_tokens": 1}, max_output_tokens=1),
    _config("temperature 0, top_p 0.1", {"temperature": 0, "top_p": 0.1}, temperature=0, top_p=0.1),
    _config("one answer", {}, candidate_count=1),
    _config("verbosity", {"text": {"verbosity": "low"}}, verbosity="low"),
    _config("logprobs", {"include": ["message.output_text.logprobs"]}, logprobs=True),
    _config("no logprobs", {}, logprobs=False),
    _config(
        "logprobs of others too", {"include": ["message.output_text.logprobs"], "top_logprobs": 5},
        logprobs=True, top_logprobs=5,
    ),
    case("tools by name", {"tools": SDK_TOOLS}, tools=TOOLS),
    case(
        "tool with a schema as text",
        {"tools": [_sdk_tool(name="find", description="Finds.", parameters=SCHEMA, strict=True)]},
        tools=[_tool(name="find", description="Finds.", parameters_json=SCHEMA_TEXT, strict=True)],
    ),
    case(
        "a provider's tool beside a function",
        {"tools": [WEB, _sdk_tool(name="find", parameters=SCHEMA, strict=False)]},
        tools=[
            pb.Tool(provider_tool=pb.ProviderTool(provider="openai", definition=struct(WEB))),
            _tool(name="find", parameters_struct=struct(SCHEMA), strict=False),
        ],
    ),
    _choice("some tool", "required", mode=pb.TOOL_CHOICE_MODE_REQUIRED),
    _choice("this tool", {"type": "function", "name": "time"}, function_name="time"),
    _choice(
        "two allowed, one required", _sdk_allowed("required", "time", "weather"),
        allowed_tools=_allowed(pb.TOOL_CHOICE_MODE_REQUIRED, "time", "weather"),
    ),
    case("no tool, none offered", {"tool_choice": "none"}, tool_choice={"mode": pb.TOOL_CHOICE_MODE_NONE}),
    case("one call at a time", {"parallel_tool_calls": False}, parallel_tool_calls=False),
    _format("plain text", {"type": "text"}, text=pb.PlainTextFormat()),
    _format("JSON", {"type": "json_object"}, json_object=pb.JsonObjectFormat()),
    _format(
        "schema as text", {"type": "json_schema", "name": "place", "schema": SCHEMA},
        json_schema=pb.JsonSchemaFormat(name="place", schema_json=SCHEMA_TEXT),
    ),
    case(
        "schema as Struct, and verbosity",
        {
            "text": {
                "format": {
                    "type": "json_schema", "name": "a", "description": "A.", "schema": SCHEMA, "strict": True
                },
                "verbosity": "high",
            }
        },
        response_format=pb.ResponseFormat(
            json_schema=pb.JsonSchemaFormat(
                name="a", description="A.", schema_struct=struct(SCHEMA), strict=True
            )
        ),
        config=pb.GenerationConfig(verbosity="high"),
    ),
    case(
        "effort of a model that nobody knows", {"reasoning": {"effort": "low"}},
        reasoning=pb.ReasoningConfig(effort="low"),
    ),
    case("effort none", {"reasoning": {"effort": "none"}}, reasoning=pb.ReasoningConfig(effort="none")),
    case(
        "effort and summary, stored",
        {"reasoning": {"effort": "high", "summary": "detailed"}, "store": True},
        reasoning=pb.ReasoningConfig(effort="high", summary="detailed"), store=True,
    ),
    case("no summary", {}, reasoning=pb.ReasoningConfig(summary="none")),
    case("not stored", {}, store=False),
    case(
        "what was said before stays there",
        {"previous_response_id": "resp_1", "input": [sdk_result("call_1", "Rain")], "store": True},
        previous_response_id="resp_1", messages=[result("call_1", text="Rain")], store=True,
    ),
    case("metadata", {"metadata": {"team": "é", "empty": ""}}, metadata={"team": "é", "empty": ""}),
    case("service tier", {"service_tier": "flex"}, service_tier="flex"),
    case("cache key", {"prompt_cache_key": "tenant-7"}, prompt_cache_key="tenant-7"),
    case("end user", {"safety_identifier": "u-1"}, end_user_id="u-1"),
    _optional(
        "provider options for typed parameters",
        {"truncation": "auto", "max_tool_calls": 3}, {"truncation": "auto", "max_tool_calls": 3},
    ),
    _optional(
        "provider options for new parameters",
        {"extra_body": {"new": {"ratio": 0.5, "on": True, "tags": ["a", 1, None]}}},
        {"new": {"ratio": 0.5, "on": True, "tags": ["a", 1, None]}},
    ),
    _optional(
        "provider options beside typed fields",
        {
            "reasoning": {"effort": "high", "mode": "pro"},
            "include": ["message.output_text.logprobs", SOURCES],
            "text": {"verbosity": "low"},
            "metadata": {"b": "c"},
        },
        {
            "reasoning": {"mode": "pro"},
            "include": ["message.output_text.logprobs", SOURCES],
            "text": {"verbosity": "low"},
            "metadata": {"b": "c"},
        },
        reasoning=pb.ReasoningConfig(effort="high"),
        config=pb.GenerationConfig(verbosity="medium", logprobs=True), metadata={"a": "b"},
    ),
]  # fmt: skip

KNOWN: dict[str, Any] = {
    "instructions": True,
    "efforts": ["none", "low", "high"],
    "default_max_output_tokens": 32_000,
}
"""What the catalog knows of the model that the following cases are said to."""


def _known(name: str, arguments: dict[str, Any], /, **fields: Any) -> Case:
    usual = {"max_output_tokens": 32_000, "include": [SEALED]}
    return case(name, {**usual, **arguments}, **fields)


TO_A_KNOWN_MODEL = [
    _known("nothing but text", {}),
    _known("instructions", {"instructions": "Be brief."}, messages=[BRIEF, ASK]),
    _known(
        "instructions in two messages, and one that stays",
        {"instructions": "Be brief.\n\nJoke. Once.", "input": [SDK_ASK, SDK_BRIEF, SDK_ASK]},
        messages=[BRIEF, JOKE, ASK, BRIEF, ASK],
    ),
    _known("instructions alone", {"input": [SDK_BRIEF]}, messages=[BRIEF]),
    _known(
        "an effort brings a summary", {"reasoning": {"effort": "low", "summary": "auto"}},
        reasoning=pb.ReasoningConfig(effort="low"),
    ),
    _known(
        "no effort brings none", {"reasoning": {"effort": "none"}},
        reasoning=pb.ReasoningConfig(effort="none"),
    ),
    _known(
        "an effort, and no summary", {"reasoning": {"effort": "low"}},
        reasoning=pb.ReasoningConfig(effort="low", summary="none"),
    ),
    _known(
        "a summary alone", {"reasoning": {"summary": "concise"}},
        reasoning=pb.ReasoningConfig(summary="concise"),
    ),
    _known(
        "provider options beside what is asked for in any case", {"include": [SEALED, SOURCES]},
        provider_options=struct({"openai": {"include": [SOURCES]}}),
    ),
    _known("a limit of the caller's", {"max_output_tokens": 5}, config={"max_output_tokens": 5}),
    Case(
        "stored, and therefore not sealed",
        pb.ChatRequest(messages=[ASK], store=True),
        {"input": [SDK_ASK], "store": True, "max_output_tokens": 32_000},
    ),
    _known(
        "a role-playing dialogue writer",
        {
            "instructions": "Tu es un auteur de dialogues.",
            "input": [{"role": "user", "content": "<scene lang='fr'>…</scene>"}],
            "tools": [_sdk_tool(name="generate_interaction", parameters=SCHEMA, strict=True)],
            "tool_choice": _sdk_allowed("required", "generate_interaction"),
            "reasoning": {"effort": "high", "summary": "auto"},
            "top_p": 0.9,
        },
        messages=[
            Message(role=pb.ROLE_SYSTEM, text="Tu es un auteur de dialogues."),
            Message(role=pb.ROLE_USER, text="<scene lang='fr'>…</scene>"),
        ],
        tools=[_tool(name="generate_interaction", parameters_json=SCHEMA_TEXT, strict=True)],
        tool_choice=pb.ToolChoice(
            allowed_tools=_allowed(pb.TOOL_CHOICE_MODE_REQUIRED, "generate_interaction")
        ),
        reasoning=pb.ReasoningConfig(effort="high"),
        config=pb.GenerationConfig(top_p=0.9),
    ),
]  # fmt: skip
