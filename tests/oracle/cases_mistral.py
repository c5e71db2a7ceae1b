"""Requests said twice: in our contract and as arguments of Mistral's SDK."""

from typing import Any

import orjson
from oracle.capture import Case
from oracle.cases_messages import ASK, PDF, PDF_URL, PHOTO, PNG, PNG_URL, SDK_ASK
from oracle.cases_options import SCHEMA, SCHEMA_TEXT, struct

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.state import pack

Part = pb.ContentPart
Message = pb.ChatMessage

REFERENCE = {"type": "reference", "reference_ids": [1, 2]}
LIBRARY = {"type": "document_library", "library_ids": ["lib-1"]}


def _text(text: str) -> pb.ContentPart:
    return Part(text=text)


def _texts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def _user(*parts: pb.ContentPart) -> pb.ChatMessage:
    return Message(role=pb.ROLE_USER, parts=parts)


def _says(*parts: pb.ContentPart, text: str = "") -> pb.ChatMessage:
    return Message(role=pb.ROLE_ASSISTANT, parts=parts, text=text)


def _call(identifier: str, name: str = "weather", arguments: str = '{"b":1,  "a":10.0}') -> pb.ContentPart:
    return Part(tool_call=pb.ToolCall(id=identifier, name=name, arguments_json=arguments))


def _sdk_call(
    identifier: str, name: str = "weather", arguments: str = '{"b":1,  "a":10.0}'
) -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def _result(identifier: str, *parts: pb.ContentPart, text: str = "") -> pb.ContentPart:
    return Part(tool_result=pb.ToolResult(tool_call_id=identifier, parts=parts, text=text))


def _thought(text: str, **state: str) -> pb.ContentPart:
    return Part(reasoning=pb.Reasoning(text=text), provider_state=pack("mistral", **state))


def _sdk_thought(text: str, **more: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": _texts(text), **more}


def _item(item: dict[str, Any]) -> pb.ContentPart:
    text = orjson.dumps(item).decode()
    return Part(provider_item=pb.ProviderItem(provider="mistral", type=item["type"], item_json=text))


def _talk(name: str, messages: list[pb.ChatMessage], said: list[dict[str, Any]]) -> Case:
    return Case(name, pb.ChatRequest(messages=messages), {"messages": said})


def _case(name: str, arguments: dict[str, Any], **fields: Any) -> Case:
    return Case(name, pb.ChatRequest(messages=[ASK], **fields), {"messages": [SDK_ASK], **arguments})


def _config(name: str, arguments: dict[str, Any], **fields: Any) -> Case:
    return _case(name, arguments, config=pb.GenerationConfig(**fields))


def _tool(**fields: Any) -> pb.Tool:
    return pb.Tool(function=pb.FunctionTool(**fields))


def _sdk_tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"parameters": {}, **fields}}


def _own_tool(definition: dict[str, Any]) -> pb.Tool:
    return pb.Tool(provider_tool=pb.ProviderTool(provider="mistral", definition=struct(definition)))


TOOLS = [_tool(name="weather"), _tool(name="time"), _tool(name="news")]
SDK_TOOLS = [_sdk_tool(name="weather"), _sdk_tool(name="time"), _sdk_tool(name="news")]


def _choice(name: str, said: Any, choice: pb.ToolChoice, offered: list[int] | None = None) -> Case:
    tools = SDK_TOOLS if offered is None else [SDK_TOOLS[index] for index in offered]
    return _case(name, {"tools": tools, "tool_choice": said}, tools=TOOLS, tool_choice=choice)


def _allowed(mode: "pb.ToolChoiceMode.ValueType", *names: str) -> pb.ToolChoice:
    return pb.ToolChoice(allowed_tools=pb.AllowedTools(mode=mode, names=names))


def _schema(name: str, said: dict[str, Any], /, **fields: Any) -> Case:
    schema = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(**fields))
    said = {"type": "json_schema", "json_schema": said}
    return _case(name, {"response_format": said}, response_format=schema)


def _options(name: str, options: dict[str, Any]) -> Case:
    return _case(name, options, provider_options=struct({"mistral": options}))


MESSAGES = [
    _talk("user text", [ASK], [SDK_ASK]),
    _talk(
        "any characters",
        [Message(role=pb.ROLE_USER, text='é “quoted" \\ \n\t\u0000\u2028 🦀 \U0010ffff')],
        [{"role": "user", "content": 'é “quoted" \\ \n\t\u0000\u2028 🦀 \U0010ffff'}],
    ),
    _talk(
        "system, and developer as system",
        [Message(role=pb.ROLE_SYSTEM, text="Be brief."), Message(role=pb.ROLE_DEVELOPER, text="Joke."), ASK],
        [{"role": "system", "content": "Be brief."}, {"role": "system", "content": "Joke."}, SDK_ASK],
    ),
    _talk(
        "system in several texts, in one part",
        [
            Message(role=pb.ROLE_SYSTEM, parts=[_text("Be brief."), _text(" Be kind.")]),
            Message(role=pb.ROLE_DEVELOPER, parts=[_text("One part.")]),
            ASK,
        ],
        [
            {"role": "system", "content": _texts("Be brief.", " Be kind.")},
            {"role": "system", "content": "One part."},
            SDK_ASK,
        ],
    ),
    _talk("user in parts", [_user(_text("One,"), _text(" two"))],
          [{"role": "user", "content": _texts("One,", " two")}]),
    _talk(
        "images by url, data and data url, with detail",
        [
            _user(
                Part(image=pb.Media(url=PHOTO)),
                Part(image=pb.Media(data=PNG, media_type="image/png", detail="high")),
                Part(image=pb.Media(url=PNG_URL, detail="low")),
                _text("What are they?"),
            )
        ],
        [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": PHOTO}},
                    {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "high"}},
                    {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}},
                    *_texts("What are they?"),
                ],
            }
        ],
    ),
    _talk(
        "documents and a file",
        [
            _user(
                Part(file=pb.Media(url="https://example.com/a.pdf", filename="a.pdf")),
                Part(file=pb.Media(data=PDF, media_type="application/pdf")),
                Part(file=pb.Media(file_id="file-1")),
            )
        ],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "document_url",
                        "document_url": "https://example.com/a.pdf",
                        "document_name": "a.pdf",
                    },
                    {"type": "document_url", "document_url": PDF_URL},
                    {"type": "file", "file_id": "file-1"},
                ],
            }
        ],
    ),
    _talk(
        "assistant texts are one",
        [ASK, Message(role=pb.ROLE_ASSISTANT, text="Now."), ASK, _says(_text("Now"), _text(" or then."))],
        [
            SDK_ASK,
            {"role": "assistant", "content": "Now."},
            SDK_ASK,
            {"role": "assistant", "content": "Now or then."},
        ],
    ),
    _talk(
        "assistant refuses, which Mistral has as text",
        [ASK, _says(_text("Well. "), Part(refusal="No.")), ASK],
        [SDK_ASK, {"role": "assistant", "content": "Well. No."}, SDK_ASK],
    ),
    _talk(
        "tool calls and their results with names",
        [
            ASK,
            _says(_text("Let me see."), _call("abcdefgh1"), _call("ABCDEFGH2", "time", "")),
            Message(
                role=pb.ROLE_TOOL,
                parts=[_result("ABCDEFGH2", text="12:00"), _result("abcdefgh1", _text("Rain"), _text("!"))],
            ),
            ASK,
        ],
        [
            SDK_ASK,
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [_sdk_call("abcdefgh1"), _sdk_call("ABCDEFGH2", "time", "")],
            },
            {"role": "tool", "tool_call_id": "ABCDEFGH2", "content": "12:00", "name": "time"},
            {
                "role": "tool",
                "tool_call_id": "abcdefgh1",
                "content": _texts("Rain", "!"),
                "name": "weather",
            },
            SDK_ASK,
        ],
    ),
    _talk(
        "tool call without text",
        [ASK, _says(_call("abcdefgh1")), Message(role=pb.ROLE_TOOL, parts=[_result("abcdefgh1")])],
        [
            SDK_ASK,
            {"role": "assistant", "content": "", "tool_calls": [_sdk_call("abcdefgh1")]},
            {"role": "tool", "tool_call_id": "abcdefgh1", "content": "", "name": "weather"},
        ],
    ),
    _talk(
        "thoughts go back, with a signature where there was one",
        [
            ASK,
            _says(_thought("Hm.", signature="c2ln"), _text("Yes."), _thought("Or?"), _text(" No.")),
            ASK,
        ],
        [
            SDK_ASK,
            {
                "role": "assistant",
                "content": [
                    _sdk_thought("Hm.", signature="c2ln"),
                    *_texts("Yes."),
                    _sdk_thought("Or?"),
                    *_texts(" No."),
                ],
            },
            SDK_ASK,
        ],
    ),
    _talk(
        "a chunk without typed form goes back as it came",
        [ASK, _says(_text("See "), _item(REFERENCE), text="See "), ASK],
        [SDK_ASK, {"role": "assistant", "content": [*_texts("See "), REFERENCE]}, SDK_ASK],
    ),
]  # fmt: skip

CONFIG = [
    _config("max tokens", {"max_tokens": 1}, max_output_tokens=1),
    _config("temperature 0", {"temperature": 0}, temperature=0),
    _config("temperature 0.7", {"temperature": 0.7}, temperature=0.7),
    _config("top_p", {"top_p": 0.1}, top_p=0.1),
    _config("random_seed 0", {"random_seed": 0}, seed=0),
    _config("random_seed", {"random_seed": 7}, seed=7),
    _config("top_k", {"top_k": 40}, top_k=40),
    _config("stop texts", {"stop": ["\n", "END"]}, stop=["\n", "END"]),
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
        "tool of Mistral's own beside a function", {"tools": [LIBRARY, SDK_TOOLS[0]]},
        tools=[_own_tool(LIBRARY), TOOLS[0]],
    ),
    _choice("any tool or none", "auto", pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_AUTO)),
    _choice("no tool", "none", pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_NONE)),
    _choice("some tool", "required", pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_REQUIRED)),
    _choice(
        "this tool", {"type": "function", "function": {"name": "time"}}, pb.ToolChoice(function_name="time")
    ),
    _choice("one allowed", "auto", _allowed(pb.TOOL_CHOICE_MODE_AUTO, "time"), [1]),
    _choice(
        "two allowed, one required", "required", _allowed(pb.TOOL_CHOICE_MODE_REQUIRED, "news", "weather"),
        [0, 2],
    ),
    _case(
        "a tool of Mistral's own is not among those allowed",
        {"tools": [SDK_TOOLS[0]], "tool_choice": "auto"},
        tools=[_own_tool(LIBRARY), TOOLS[0]],
        tool_choice=_allowed(pb.TOOL_CHOICE_MODE_AUTO, "weather"),
    ),
    _case(
        "parallel calls", {"tools": SDK_TOOLS, "parallel_tool_calls": True},
        tools=TOOLS, parallel_tool_calls=True,
    ),
    _case(
        "one call at a time", {"tools": SDK_TOOLS, "parallel_tool_calls": False},
        tools=TOOLS, parallel_tool_calls=False,
    ),
    _case(
        "plain text", {"response_format": {"type": "text"}},
        response_format=pb.ResponseFormat(text=pb.PlainTextFormat()),
    ),
    _case(
        "JSON", {"response_format": {"type": "json_object"}},
        response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat()),
    ),
    _schema("schema as text", {"name": "place", "schema": SCHEMA}, name="place", schema_json=SCHEMA_TEXT),
    _schema(
        "schema as Struct",
        {"name": "place", "description": "A place.", "schema": SCHEMA, "strict": True},
        name="place", description="A place.", schema_struct=struct(SCHEMA), strict=True,
    ),
    _schema(
        "schema that is not strict", {"name": "place", "schema": SCHEMA, "strict": False},
        name="place", schema_json=SCHEMA_TEXT, strict=False,
    ),
]  # fmt: skip

REST = [
    _case("effort", {"reasoning_effort": "high"}, reasoning=pb.ReasoningConfig(effort="high")),
    _case("no effort", {"reasoning_effort": "none"}, reasoning=pb.ReasoningConfig(effort="none")),
    _case("not stored, which needs no word", {}, store=False),
    _case("metadata", {"metadata": {"team": "é", "empty": ""}}, metadata={"team": "é", "empty": ""}),
    _case(
        "end user as metadata", {"metadata": {"team": "a", "end_user_id": "u-1"}},
        metadata={"team": "a"}, end_user_id="u-1",
    ),
    _case("cache key", {"prompt_cache_key": "tenant-7"}, prompt_cache_key="tenant-7"),
    _case("service tier", {"service_tier": "standard_only"}, service_tier="standard_only"),
    _options("safe prompt", {"safe_prompt": True}),
    _options("prompt mode", {"prompt_mode": "reasoning"}),
    _options("prediction", {"prediction": {"type": "content", "content": "Hello"}}),
    _options("repetition and least length", {"repetition_penalty": 1.5, "min_tokens": 3}),
    Case(
        "prefix of an assistant's message",
        pb.ChatRequest(
            messages=[ASK, Message(role=pb.ROLE_ASSISTANT, text="Now")],
            provider_options=struct({"mistral": {"prefix": True}}),
        ),
        {"messages": [SDK_ASK, {"role": "assistant", "content": "Now", "prefix": True}]},
    ),
    _case(
        "provider options win over typed fields, those of others stay here",
        {"temperature": 0.5},
        config=pb.GenerationConfig(temperature=1),
        provider_options=struct({"mistral": {"temperature": 0.5}, "openai": {"seed": 1}}),
    ),
    _case(
        "all at once",
        {
            "max_tokens": 100, "temperature": 1.3, "top_p": 0.95, "stop": ["a"], "random_seed": 7, "n": 2,
            "top_k": 3, "frequency_penalty": 0.1, "presence_penalty": -0.1, "reasoning_effort": "none",
        },
        config=pb.GenerationConfig(
            max_output_tokens=100, temperature=1.3, top_p=0.95, stop=["a"], seed=7, candidate_count=2,
            top_k=3, frequency_penalty=0.1, presence_penalty=-0.1,
        ),
        reasoning=pb.ReasoningConfig(effort="none"),
    ),
]  # fmt: skip

CASES = [*MESSAGES, *CONFIG, *TOOLING, *REST]
