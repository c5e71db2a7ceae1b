"""Requests as tests write them."""

import json
from collections.abc import Iterable
from typing import Any

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.message import fill_answer

MODEL = "openai/gpt-4o-mini"

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    indent=1,
)
WEATHER = pb.Tool(function=pb.FunctionTool(name="weather", description="Tells it.", parameters_json=SCHEMA))


def user(text: str = "", *parts: pb.ContentPart) -> pb.ChatMessage:
    return pb.ChatMessage(role=pb.ROLE_USER, text=text, parts=parts)


def assistant(text: str = "", *parts: pb.ContentPart) -> pb.ChatMessage:
    return pb.ChatMessage(role=pb.ROLE_ASSISTANT, text=text, parts=parts)


def tool(*results: pb.ToolResult) -> pb.ChatMessage:
    parts = [pb.ContentPart(tool_result=result) for result in results]
    return pb.ChatMessage(role=pb.ROLE_TOOL, parts=parts)


def ask(*messages: str | pb.ChatMessage, model: str = MODEL, **fields: Any) -> pb.ChatRequest:
    """A request; texts are the user's, and without any there is a short one."""
    turns = [user(turn) if isinstance(turn, str) else turn for turn in messages or ("Say something.",)]
    return pb.ChatRequest(model=model, messages=turns, **fields)


def called(call: str = "call_1", name: str = "weather", arguments: str = "{}") -> pb.ContentPart:
    return pb.ContentPart(tool_call=pb.ToolCall(id=call, name=name, arguments_json=arguments))


def result(call: str = "call_1", text: str = "sunny") -> pb.ToolResult:
    return pb.ToolResult(tool_call_id=call, text=text)


def said(parts: Iterable[pb.ContentPart]) -> pb.ChatMessage:
    """An answer of these parts, as a provider's codec makes it."""
    message = pb.ChatMessage()
    fill_answer(message, [*parts])
    return message
