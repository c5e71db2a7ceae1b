"""The items of a Responses request's input: what is refused, and what is in them."""

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenwire_server.simulator import tokens
from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.checks import Check
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text, compact

_INPUT_PARTS = ("input_text", "input_image", "input_file", "input_audio")
_OUTPUT_PARTS = ("output_text", "refusal")
_UNREADABLE = ("audio", "image", "video")  # as files

_TOKENS_PER_ITEM = 4  # for the role and the item's borders
_TOKENS_PER_IMAGE = 85  # what the provider counts for one at low detail
_TOKENS_PER_FILE = 200


def check_input(value: object) -> list[Json]:
    """The items; a text is one message of the user. ApiError names what is wrong with them."""
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    if not isinstance(value, list):
        raise checks.wrong_type("input", "one of a string or array of objects", value)
    return [_item(f"input[{index}]", item) for index, item in enumerate(value)]


def _item(where: str, value: object) -> Json:
    """The item, with its type where the request leaves it out."""
    item = {"type": "message", **checks.an_object(where, value)}
    checks.one_of(*_KINDS, *_HOSTED)(f"{where}.type", item["type"])
    kind = _KINDS.get(as_text(item["type"]))
    if kind is not None:
        checks.fields(where, item, {"type": checks.anything, **kind.rows}, kind.required)
    if item["type"] == "message":
        _check_message(where, item)
    return item


def _check_message(where: str, message: Json) -> None:
    allowed = _OUTPUT_PARTS if message["role"] == "assistant" else _INPUT_PARTS
    content = message["content"]
    if not isinstance(content, str):
        _check_parts(f"{where}.content", content, allowed)


def _output(where: str, value: object) -> None:
    if not isinstance(value, str):
        _check_parts(where, value, _INPUT_PARTS)


def _check_parts(where: str, value: object, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, list):
        raise checks.wrong_type(where, "one of a string or array of objects", value)
    for index, item in enumerate(value):
        place = f"{where}[{index}]"
        part = checks.an_object(place, item)
        if part.get("type") is None:
            raise checks.missing(f"{place}.type")
        checks.one_of(*allowed)(f"{place}.type", part["type"])
        kind = as_text(part["type"])
        if kind == "input_audio":
            raise checks.not_simulated(place, "audio input")
        checks.fields(place, part, {"type": checks.anything, **_PART_FIELDS[kind]})
        _check_filled(place, kind, part)


def _check_filled(where: str, kind: str, part: Json) -> None:
    """One of the fields that carry the content is there."""
    names = _CONTENT[kind]
    if all(part.get(name) is None for name in names):
        raise checks.missing(f"{where}.{names[0]}")


def _image_url(where: str, value: object) -> None:
    if not isinstance(value, str):
        raise checks.wrong_type(where, "an image URL", value)
    if not value.startswith(("http://", "https://", "data:image/")):
        text = f"Invalid '{where}'. Expected a valid URL, but got a value with an invalid format."
        raise ApiError(text, where, "invalid_value")


def _file_data(where: str, value: object) -> None:
    """Refuses files that no model reads. The text is recorded."""
    checks.string()(where, value)
    scheme, _, rest = as_text(value).partition(":")
    kind = rest.partition(";")[0]
    got = f"unsupported MIME type '{kind}'" if scheme == "data" else "a value without the 'data:' prefix"
    if scheme != "data" or kind.partition("/")[0] in _UNREADABLE:
        raise ApiError(
            f"Invalid file data: '{where}'. Expected a base64-encoded data URL with a valid file MIME type "
            f"(e.g. 'data:text/plain;base64,SGVsbG8sIFdvcmxkIQ=='), but got {got}. Please see "
            "https://platform.openai.com/docs/assistants/tools/file-search#supported-files for supported "
            "file types.",
            where,
            "invalid_value",
        )


def _file_url(where: str, value: object) -> None:
    """Tells by the name what the provider finds when it loads the file. The text is recorded."""
    checks.string()(where, value)
    suffix = as_text(value).partition("?")[0].rpartition(".")[2]
    kind = mimetypes.types_map.get(f".{suffix.lower()}", "")
    if kind.partition("/")[0] in _UNREADABLE:
        text = "The file type you uploaded is not supported. Please try again with a pdf"
        raise ApiError(text, "input", "unsupported_file")


def _texts(kind: str) -> Check:
    rows: dict[str, Check] = {"type": checks.one_of(kind), "text": checks.string()}

    def check(where: str, value: object) -> None:
        for index, part in enumerate(checks.an_array(where, value)):
            checks.fields(f"{where}[{index}]", part, rows, required=("type", "text"))

    return check


def text_of(item: Json) -> str:
    """An item's text, or the texts of its parts one after the other."""
    content = item.get("content") if item["type"] == "message" else item.get("output")
    if isinstance(content, str):
        return content
    return "\n".join(as_text(part.get("text")) for part in map(as_object, as_list(content)) if "text" in part)


def attachments_of(item: Json) -> str:
    """What came with a message's text, in words: "2 images, 1 file"."""
    kinds = _part_kinds(item)
    counted = [(kinds.count("input_image"), "image"), (kinds.count("input_file"), "file")]
    return ", ".join(f"{number} {word}{'s' * (number > 1)}" for number, word in counted if number)


def results_of(items: Sequence[Json]) -> tuple[str, ...]:
    """The texts of the tool outputs at the end."""
    found: list[str] = []
    for item in reversed(items):
        if not as_text(item["type"]).endswith("_call_output"):
            break
        found.insert(0, text_of(item))
    return tuple(found)


def count_tokens(items: Sequence[Json]) -> int:
    """The tokens that the items are counted as."""
    return sum(map(_tokens_of, items))


def _tokens_of(item: Json) -> int:
    if item["type"] not in _KINDS:
        return _TOKENS_PER_ITEM + tokens.count(compact(item))
    kinds = _part_kinds(item)
    media = kinds.count("input_image") * _TOKENS_PER_IMAGE + kinds.count("input_file") * _TOKENS_PER_FILE
    called = (as_text(item.get(name)) for name in ("name", "arguments", "input"))
    return _TOKENS_PER_ITEM + media + sum(map(tokens.count, (text_of(item), *called)))


def _part_kinds(item: Json) -> list[object]:
    content = item.get("content") if item["type"] == "message" else item.get("output")
    return [as_object(part).get("type") for part in as_list(content)]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an item of one type may have and must have."""

    rows: dict[str, Check]
    required: tuple[str, ...]


_DETAIL = checks.one_of("auto", "low", "high", "original")
_TEXT, _BREAKPOINT = checks.string(), checks.objects
_PART_FIELDS: Mapping[str, dict[str, Check]] = {
    "input_text": {"text": _TEXT, "prompt_cache_breakpoint": _BREAKPOINT},
    "input_image": {
        "image_url": _image_url,
        "file_id": _TEXT,
        "detail": _DETAIL,
        "prompt_cache_breakpoint": _BREAKPOINT,
    },
    "input_file": {
        "file_data": _file_data,
        "file_url": _file_url,
        "file_id": _TEXT,
        "filename": _TEXT,
        "detail": _DETAIL,
        "prompt_cache_breakpoint": _BREAKPOINT,
    },
    "output_text": {"text": _TEXT, "annotations": checks.anything, "logprobs": checks.anything},
    "refusal": {"refusal": _TEXT},
}
_CONTENT: Mapping[str, tuple[str, ...]] = {
    "input_text": ("text",),
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_id", "file_data", "file_url"),
    "output_text": ("text",),
    "refusal": ("refusal",),
}

_STATUS = checks.one_of("in_progress", "completed", "incomplete")
_COMMON: dict[str, Check] = {"id": _TEXT, "status": _STATUS}
_CALL: dict[str, Check] = {
    **_COMMON,
    "call_id": _TEXT,
    "name": _TEXT,
    "namespace": _TEXT,
    "caller": checks.objects,
}
_CALL_OUTPUT: dict[str, Check] = {**_CALL, "output": _output}

_KINDS: Mapping[str, _Kind] = {
    "message": _Kind(
        {
            **_COMMON,
            "role": checks.one_of("assistant", "system", "developer", "user"),
            "content": checks.anything,
            "phase": checks.one_of("commentary", "final_answer"),
        },
        ("role", "content"),
    ),
    "reasoning": _Kind(
        {
            **_COMMON,
            "summary": _texts("summary_text"),
            "content": _texts("reasoning_text"),
            "encrypted_content": _TEXT,
        },
        ("summary",),
    ),
    "function_call": _Kind({**_CALL, "arguments": _TEXT}, ("call_id", "name", "arguments")),
    "function_call_output": _Kind(_CALL_OUTPUT, ("call_id", "output")),
    "custom_tool_call": _Kind({**_CALL, "input": _TEXT}, ("call_id", "name", "input")),
    "custom_tool_call_output": _Kind(_CALL_OUTPUT, ("call_id", "output")),
    "item_reference": _Kind({"id": _TEXT}, ("id",)),
}

_HOSTED = (  # taken as they are: what tools that the provider runs have left in a conversation
    *("file_search_call", "web_search_call", "computer_call", "computer_call_output"),
    *("image_generation_call", "code_interpreter_call", "local_shell_call", "local_shell_call_output"),
    *("shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output"),
    *("mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call"),
    *("tool_search_call", "tool_search_output", "additional_tools", "configuration_update"),
    *("compaction", "compaction_trigger", "program", "program_output"),
)
