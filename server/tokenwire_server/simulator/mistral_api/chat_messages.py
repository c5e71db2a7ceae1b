"""The messages of a chat request: what is refused, and what is in them."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tokenwire_server.simulator import tokens
from tokenwire_server.simulator.mistral_api import checks
from tokenwire_server.simulator.mistral_api.checks import Check, Place
from tokenwire_server.simulator.mistral_api.errors import ApiError
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text, compact

_TOOL_ID = re.compile(r"[a-zA-Z0-9]{9}")

_TOKENS_PER_MESSAGE = 4  # for the role and the message's borders
_TOKENS_PER_IMAGE = 256
_TOKENS_PER_FILE = 200

_FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "system": ("system", "user", "assistant"),
    "user": ("system", "user", "assistant"),
    "assistant": ("user", "assistant", "tool"),
    "tool": ("assistant", "tool"),
}

_ORDER = ("invalid_request_message_order", "3230")  # reported
_CALL = ("invalid_function_call", "3280")  # reported
_ASSISTANT = ("invalid_assistant_message", "3240")  # the type is a guess


def not_simulated(feature: str) -> Check:
    """Refuses what the real API accepts and the simulator does not."""

    def check(_place: Place, _value: object) -> list[Json]:
        kind = "not_simulated"
        raise ApiError(f"The simulator does not simulate {feature}.", kind, kind)

    return check


def _chunk(required: str, check: Check, **optional: Check) -> Check:
    rows = {"type": checks.anything, required: check, **optional}
    return checks.fields(rows, required=(required,))


_IMAGE = checks.fields(
    {"url": checks.string(), "detail": checks.null_or(checks.one_of("low", "auto", "high"))}, ("url",)
)
_TEXT = _chunk("text", checks.string())
_REFERENCE = _chunk("reference_ids", checks.array(checks.anything))
_SAID = {"text": _TEXT, "reference": _REFERENCE, "tool_reference": checks.objects}
_THINKING = _chunk(
    "thinking",
    checks.array(checks.tagged("type", _SAID)),
    signature=checks.null_or(checks.string()),
    closed=checks.boolean,
)
_CHUNKS: Mapping[str, Check] = {
    "image_url": _chunk("image_url", checks.text_or(_IMAGE, "ImageURL")),
    "document_url": _chunk("document_url", checks.string(), document_name=checks.null_or(checks.string())),
    "text": _TEXT,
    "reference": _REFERENCE,
    "file": _chunk("file_id", checks.string()),
    "thinking": _THINKING,
    "input_audio": not_simulated("audio input"),
    "resource": not_simulated("resource chunks"),
    "resource_link": not_simulated("resource chunks"),
}


def _content(chunks: Mapping[str, Check]) -> Check:
    return checks.text_or(checks.array(checks.tagged("type", chunks)), "list[ContentChunk]")


_FUNCTION = checks.fields(
    {"name": checks.string(), "arguments": checks.text_or(checks.objects, "dict[str,any]")},
    required=("name", "arguments"),
)
_TOOL_CALL = checks.fields(
    {"id": checks.string(), "type": checks.string(), "index": checks.integer(), "function": _FUNCTION},
    required=("function",),
)
_ROLE: Mapping[str, Check] = {"role": checks.anything}
_ANY_CONTENT = checks.null_or(_content(_CHUNKS))

CHECK_MESSAGES = checks.array(
    checks.tagged(
        "role",
        {
            "assistant": checks.fields(
                {
                    **_ROLE,
                    "content": _ANY_CONTENT,
                    "tool_calls": checks.null_or(checks.array(_TOOL_CALL)),
                    "prefix": checks.boolean,
                }
            ),
            "system": checks.fields(
                {**_ROLE, "content": _content({"text": _TEXT, "thinking": _THINKING})}, ("content",)
            ),
            "tool": checks.fields(
                {
                    **_ROLE,
                    "content": _ANY_CONTENT,
                    "tool_call_id": checks.null_or(checks.string()),
                    "name": checks.null_or(checks.string()),
                },
                ("content",),
            ),
            "user": checks.fields({**_ROLE, "content": _ANY_CONTENT}, ("content",)),
        },
    )
)


def check_order(messages: Sequence[Json]) -> None:
    """Refuses messages that do not make a conversation."""
    if not messages:
        raise ApiError("Conversation must have at least one message")
    for message in messages:
        _check_assistant(message)
    for before, message in pairwise(messages):
        if message["role"] not in _FOLLOWS[as_text(before["role"])]:
            text = f"Unexpected role '{message['role']}' after role '{before['role']}'"
            raise ApiError(text, *_ORDER)
        if before.get("prefix"):
            raise ApiError("Assistant message with prefix True must be last message", *_ASSISTANT)
    _check_tool_turns(messages)
    last = messages[-1]
    if last["role"] not in {"user", "tool"} and not last.get("prefix"):
        text = "Expected last role User or Tool (or Assistant with prefix True) for serving but got "
        raise ApiError(f"{text}{last['role']}", *_ORDER)


def _check_assistant(message: Json) -> None:
    if message["role"] == "assistant" and not message.get("content") and not message.get("tool_calls"):
        text = "Assistant message must have either content or tool_calls, but not none."
        raise ApiError(text, *_ASSISTANT)


def _check_tool_turns(messages: Sequence[Json]) -> None:
    """Every call is answered by one tool message, right after it."""
    called: list[str] = []
    results: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            results.append(_tool_id(message.get("tool_call_id")))
            continue
        _check_answered(called, results)
        calls = map(as_object, as_list(message.get("tool_calls")))
        called, results = [_tool_id(call.get("id")) for call in calls], []
    _check_answered(called, results)


def _tool_id(value: object) -> str:
    text = as_text(value)
    if not _TOOL_ID.fullmatch(text):
        message = f"Tool call id was {text} but must be a-z, A-Z, 0-9, with a length of 9."
        raise ApiError(message, *_CALL)
    return text


def _check_answered(called: Sequence[str], results: Sequence[str]) -> None:
    if len(called) != len(results):
        raise ApiError("Not the same number of function calls and responses", *_ORDER)
    if unknown := [name for name in results if name not in called]:
        raise ApiError(f"Unexpected tool call id {unknown[0]} in tool results", *_ORDER)


def text_of(message: Json) -> str:
    """A message's text chunks, one after the other."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    chunks = map(as_object, as_list(content))
    return "\n".join(as_text(chunk.get("text")) for chunk in chunks if chunk.get("type") == "text")


def has_image(messages: Sequence[Json]) -> bool:
    return any("image_url" in _kinds(message) for message in messages)


def attachments_of(message: Json) -> str:
    """What came with a message's text, in words: "2 images, 1 file"."""
    kinds = _kinds(message)
    files = kinds.count("file") + kinds.count("document_url")
    counted = [(kinds.count("image_url"), "image"), (files, "file")]
    return ", ".join(f"{number} {word}{'s' * (number > 1)}" for number, word in counted if number)


def count_tokens(messages: Sequence[Json]) -> int:
    """The tokens that the messages are counted as."""
    return sum(map(_tokens_of, messages))


def _tokens_of(message: Json) -> int:
    kinds = _kinds(message)
    files = kinds.count("file") + kinds.count("document_url")
    media = kinds.count("image_url") * _TOKENS_PER_IMAGE + files * _TOKENS_PER_FILE
    texts = [text_of(message), as_text(message.get("name"))]
    for chunk in map(as_object, as_list(message.get("content"))):
        texts += [as_text(as_object(part).get("text")) for part in as_list(chunk.get("thinking"))]
    for call in map(as_object, as_list(message.get("tool_calls"))):
        called = as_object(call.get("function"))
        texts += [value if isinstance(value, str) else compact(value) for value in called.values()]
    return _TOKENS_PER_MESSAGE + media + sum(map(tokens.count, texts))


def _kinds(message: Json) -> list[object]:
    return [as_object(chunk).get("type") for chunk in as_list(message.get("content"))]
