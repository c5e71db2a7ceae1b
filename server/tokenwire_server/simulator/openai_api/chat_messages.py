"""The messages of a chat request: what is refused, and what is in them."""

from collections.abc import Mapping

from tokenwire_server.simulator import tokens
from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.checks import Check
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")
_PART_TYPES: Mapping[str, tuple[str, ...]] = {
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
}

_TOKENS_PER_MESSAGE = 4  # for the role and the message's borders
_TOKENS_PER_IMAGE = 85  # what the provider counts for one at low detail
_TOKENS_PER_FILE = 200


def check_messages(value: object) -> list[Json]:
    """The messages; ApiError names what is wrong with them."""
    found = checks.an_array("messages", value, least=1)
    messages = [_message(f"messages[{index}]", item) for index, item in enumerate(found)]
    _check_tool_turns(messages)
    return messages


def _message(where: str, value: object) -> Json:
    message = checks.an_object(where, value)
    if message.get("role") is None:
        raise checks.missing(f"{where}.role")
    checks.one_of(*_ROLES)(f"{where}.role", message["role"])
    role = as_text(message["role"])
    checks.fields(where, message, _MESSAGE_FIELDS[role])
    _check_content(where, role, message)
    if role == "tool" and message.get("tool_call_id") is None:
        raise checks.missing(f"{where}.tool_call_id")
    return message


def _check_content(where: str, role: str, message: Json) -> None:
    content = message.get("content")
    if content is None:
        if role == "assistant" and (message.get("tool_calls") or message.get("refusal")):
            return
        raise ApiError(
            "Invalid value for 'content': expected a string, got null.", f"{where}.content", "invalid_type"
        )
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise checks.wrong_type(f"{where}.content", "one of a string or array of objects", content)
    for index, part in enumerate(checks.an_array(f"{where}.content", content, least=1)):
        _check_part(f"{where}.content[{index}]", _PART_TYPES.get(role, ("text",)), part)


def _check_part(where: str, allowed: tuple[str, ...], value: object) -> None:
    part = checks.an_object(where, value)
    if part.get("type") is None:
        raise checks.missing(f"{where}.type")
    checks.one_of(*_PARTS)(f"{where}.type", part["type"])
    checks.one_of(*allowed)(f"{where}.type", part["type"])
    kind = as_text(part["type"])
    if kind == "input_audio":
        raise checks.not_simulated(where, "audio input")
    rows: dict[str, Check] = {"type": checks.anything, kind: _PART_CHECKS[kind]}
    checks.fields(where, part, rows | {"prompt_cache_breakpoint": checks.objects}, required=(kind,))


def _image(where: str, value: object) -> None:
    rows = {"url": checks.string(), "detail": checks.one_of("auto", "low", "high", "original")}
    image = checks.fields(where, value, rows, required=("url",))
    url = as_text(image["url"])
    if not url.startswith(("http://", "https://")) and not _is_image_data(url):
        raise ApiError(
            f"Invalid image URL: '{where}.url'. Expected an http(s) URL or a base64-encoded data URL with "
            "an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU=').",
            f"{where}.url",
            "invalid_image_url",
        )


def _is_image_data(url: str) -> bool:
    return url.startswith("data:image/") and ";base64," in url


def _file(where: str, value: object) -> None:
    texts = dict.fromkeys(("file_data", "file_id", "filename"), checks.string())
    file = checks.fields(where, value, texts)
    if file.get("file_data") is None and file.get("file_id") is None:
        raise checks.missing(f"{where}.file_id")


def _tool_calls(where: str, value: object) -> None:
    for index, item in enumerate(checks.an_array(where, value, least=1)):
        call = checks.an_object(f"{where}[{index}]", item)
        kind = as_text(call.get("type"))
        checks.one_of("function", "custom")(f"{where}[{index}].type", call.get("type"))
        content = "arguments" if kind == "function" else "input"
        texts = {"name": checks.string(), content: checks.string()}

        def check_called(place: str, called: object, texts: dict[str, Check] = texts) -> None:
            checks.fields(place, called, texts, required=tuple(texts))

        rows: dict[str, Check] = {"id": checks.string(), "type": checks.anything, kind: check_called}
        checks.fields(f"{where}[{index}]", call, rows, required=("id", kind))


def _check_tool_turns(messages: list[Json]) -> None:
    """Every tool message answers a call of the message before, and every call is answered."""
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if as_text(message["tool_call_id"]) not in open_calls:
                raise ApiError(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
                    "message with 'tool_calls'.",
                    f"messages.[{index}].role",
                )
            open_calls.discard(as_text(message["tool_call_id"]))
            continue
        _check_answered(open_calls, index)
        open_calls = {as_text(as_object(call)["id"]) for call in as_list(message.get("tool_calls"))}
    _check_answered(open_calls, len(messages))


def _check_answered(open_calls: set[str], index: int) -> None:
    if open_calls:
        raise ApiError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{', '.join(sorted(open_calls))}",
            f"messages.[{index}].role",
        )


def text_of(message: Json) -> str:
    """A message's text parts, one after the other."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = map(as_object, as_list(content))
    return "\n".join(as_text(part.get("text")) for part in parts if part.get("type") == "text")


def attachments_of(message: Json) -> str:
    """What came with a message's text, in words: "2 images, 1 file"."""
    kinds = [as_object(part).get("type") for part in as_list(message.get("content"))]
    counted = [(kinds.count("image_url"), "image"), (kinds.count("file"), "file")]
    return ", ".join(f"{number} {word}{'s' * (number > 1)}" for number, word in counted if number)


def count_tokens(messages: list[Json]) -> int:
    """The tokens that the messages are counted as."""
    return sum(map(_tokens_of, messages))


def _tokens_of(message: Json) -> int:
    kinds = [as_object(part).get("type") for part in as_list(message.get("content"))]
    media = kinds.count("image_url") * _TOKENS_PER_IMAGE + kinds.count("file") * _TOKENS_PER_FILE
    texts = [text_of(message), as_text(message.get("name")), as_text(message.get("refusal"))]
    for call in map(as_object, as_list(message.get("tool_calls"))):
        called = as_object(call.get("function")) or as_object(call.get("custom"))
        texts += map(as_text, called.values())
    return _TOKENS_PER_MESSAGE + media + sum(map(tokens.count, texts))


_PART_CHECKS: Mapping[str, Check] = {
    "text": checks.string(),
    "refusal": checks.string(),
    "image_url": _image,
    "file": _file,
}

_COMMON: dict[str, Check] = {"role": checks.anything, "content": checks.anything, "name": checks.string()}

_MESSAGE_FIELDS: Mapping[str, dict[str, Check]] = {
    **dict.fromkeys(("system", "developer", "user", "function"), _COMMON),
    "tool": _COMMON | {"tool_call_id": checks.string()},
    "assistant": _COMMON
    | {
        "tool_calls": _tool_calls,
        "refusal": checks.string(),
        "audio": checks.objects,
        "function_call": checks.objects,
        "annotations": checks.anything,  # answers have them, and callers send answers back as they are
    },
}
