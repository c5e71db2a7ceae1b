"""What a conversation has in tokens: its texts, and what frames them by the rule that OpenAI's cookbook gives
for GPT-3.5 and GPT-4 ("How to count tokens with tiktoken"). For all else that is an estimate, and says so."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.chat_form import response_format
from tokenwire_server.providers.estimate import BYTES_PER_TOKEN
from tokenwire_server.providers.jsontext import Json, from_struct
from tokenwire_server.providers.tokens.tools import declared

_REPLY: Final = 3
"""Tokens before the answer, which every conversation has."""

_MESSAGE: Final = 4
"""Three around a message, and its role."""
_NAME: Final = 1
_CALL: Final = 7
"""Around a tool call and its result; seen in what OpenAI reports, and not published."""

_TOOLS: Final = 8
"""Around the functions as tools.py shows them; likewise seen."""

_IMAGE: Final = 765
_SMALL_IMAGE: Final = 85
"""OpenAI's for 1,024 by 1,024 pixels, and for `detail` low."""

_FRAMED: Final = ("gpt-3.5-turbo", "gpt-4")
_FRAMED_OTHERWISE: Final = "search"
_TUNED: Final = "ft:"

_INEXACT: Final = {
    "image": "An image counts as one of 1,024 by 1,024 pixels would at OpenAI.",
    "file": "A file counts by its size; one that is not in the request does not count.",
    "reasoning": "How thoughts are framed is not published.",
    "refusal": "How refusals are framed is not published.",
    "tool_call": "How tool calls are framed is not published.",
    "tool_result": "How results of tools are framed is not published.",
    "provider_item": "How items of providers are framed is not published.",
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is counted as well as can be, and no better."""

    path: str
    text: str


@dataclass(slots=True)
class Item:
    """A message, or another part of a request."""

    path: str
    texts: list[str] = field(default_factory=list)
    framing: int = 0
    """Tokens besides those of the texts."""
    notes: list[Note] = field(default_factory=list)


def messages(request: pb.ChatRequest, dropped: Collection[str]) -> Iterator[Item]:
    """An item for each message, without what stands at one of the paths `dropped`."""
    for index, message in enumerate(request.messages):
        yield _message(message, f"messages[{index}]", dropped)


def besides(request: pb.ChatRequest, model: str, dropped: Collection[str]) -> Iterator[Item]:
    """Items for what a request has beside its messages, likewise."""
    framed = model.removeprefix(_TUNED).startswith(_FRAMED) and _FRAMED_OTHERWISE not in model
    note = Note("messages", "How the model frames such a conversation is not known; it counts as for GPT-4.")
    yield Item("messages", framing=_REPLY, notes=[] if framed else [note])
    if tools := [tool for index, tool in enumerate(request.tools) if _tool_path(index) not in dropped]:
        yield _tools(tools)
    if request.previous_response_id:
        note = Note("previous_response_id", "What the provider kept of the conversation does not count.")
        yield Item("previous_response_id", notes=[note])
    yield from answer_format(request)


def answer_format(request: pb.ChatRequest) -> Iterator[Item]:
    """An item for a schema that the answer must have."""
    if request.response_format.HasField("json_schema"):
        note = Note("response_format", "How the model is told of a schema is not published.")
        yield Item("response_format", [_json(response_format(request.response_format))], notes=[note])


def _message(message: pb.ChatMessage, path: str, dropped: Collection[str]) -> Item:
    item = Item(path)
    if path in dropped:
        return item
    item.framing = _MESSAGE
    if message.name and f"{path}.name" not in dropped:
        item.texts.append(message.name)
        item.framing += _NAME
    for index, part in enumerate(message.parts or [pb.ContentPart(text=message.text)]):
        here = f"{path}.parts[{index}]"
        if any(place.startswith(f"{here}.") for place in dropped):
            continue
        item.texts += _texts(part)
        item.framing += _framing(part)
        kind = part.WhichOneof("content")
        if kind in _INEXACT:
            item.notes.append(Note(f"{here}.{kind}", _INEXACT[kind]))
    return item


def _texts(part: pb.ContentPart) -> list[str]:
    match part.WhichOneof("content"):
        case "text":
            return [part.text]
        case "refusal":
            return [part.refusal]
        case "reasoning":
            return [part.reasoning.text]
        case "provider_item":
            return [part.provider_item.item_json]
        case "tool_call":
            return [part.tool_call.name, part.tool_call.arguments_json]
        case "tool_result":
            result = part.tool_result
            return [piece.text for piece in result.parts] or [result.text]
        case "image" | "file" | None:
            return []
        case other:
            assert_never(other)


def _framing(part: pb.ContentPart) -> int:
    match part.WhichOneof("content"):
        case "tool_call":
            return _CALL
        case "image":
            return _SMALL_IMAGE if part.image.detail == "low" else _IMAGE
        case "file":
            return len(part.file.data) // BYTES_PER_TOKEN
        case _:
            return 0


def _tool_path(index: int) -> str:
    """Where a tool stands that is for another provider: only such a one is left out."""
    return f"tools[{index}].provider_tool"


def _tools(tools: Sequence[pb.Tool]) -> Item:
    item = Item("tools", framing=_TOOLS, notes=[Note("tools", "How tools are framed is not published.")])
    item.texts.append(declared([tool.function for tool in tools if tool.HasField("function")]))
    for tool in tools:
        if tool.HasField("provider_tool"):
            item.texts.append(_json(from_struct(tool.provider_tool.definition)))
    return item


def _json(value: Json) -> str:
    return orjson.dumps(value).decode()
