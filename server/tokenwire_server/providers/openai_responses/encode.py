"""ChatRequest → body of POST /responses."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise, takewhile
from typing import Final, NamedTuple, assert_never

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.chat_form import (
    data_url,
    function,
    json_schema,
    leave_foreign_state,
    may_fetch,
    mode,
    user_content,
)
from tokenwire_server.providers.codec import Job
from tokenwire_server.providers.jsontext import Json, JsonObject, from_struct
from tokenwire_server.providers.state import unpack

_LEADING: Final = frozenset({pb.ROLE_SYSTEM, pb.ROLE_DEVELOPER})
_SPOKEN: Final = frozenset({"text", "refusal"})
_ENCRYPTED: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"
_CUSTOM: Final = "custom_tool_call"
_LENGTH: Final = re.compile(r"[0-9]{1,9}")
_CHAT: Final = frozenset({"field", "signature"})
"""What the state of a thought has that came by a chat API of the same provider."""
_CHAT_ITEM: Final = "custom"
"""The type of such an API's other calls."""


def encode(job: Job) -> JsonObject:
    """The body of a unary request. Unset fields are absent, but for `store`, whose default is to keep the
    answer; schemas keep their text."""
    request = job.request
    leading = _leading(job)
    body: JsonObject = {"model": job.model, "input": list(_input(job, leading)), "store": request.store}
    if leading:
        body["instructions"] = "\n\n".join(_text(message) for message in request.messages[:leading])
    _config(job, body)
    tools = list(_tools(job))
    if tools:
        body["tools"] = tools
    if request.HasField("tool_choice") and (tools or not request.tools):  # not when all were left out
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.HasField("parallel_tool_calls"):
        body["parallel_tool_calls"] = request.parallel_tool_calls
    for key, value in (
        ("reasoning", _reasoning_config(job)),
        ("text", _text_config(job)),
        ("include", list(_include(job))),
        ("previous_response_id", request.previous_response_id),
        (job.dialect.user_field, request.end_user_id),
        ("prompt_cache_key", request.prompt_cache_key),
        ("service_tier", request.service_tier),
        ("metadata", dict(request.metadata)),
    ):
        if value:
            body[key] = value
    if job.provider in request.provider_options.fields:
        _merge(body, from_struct(request.provider_options.fields[job.provider].struct_value))
    return body


def _merge(body: JsonObject, options: JsonObject) -> None:
    """Options replace what is there, but for the places that typed fields fill only in part."""
    for key, value in options.items():
        own = body.get(key)
        if key in ("reasoning", "text") and isinstance(own, dict) and isinstance(value, dict):
            body[key] = own | value
        elif key == "include" and isinstance(own, list) and isinstance(value, list):
            body[key] = [*own, *(entry for entry in value if entry not in own)]
        else:
            body[key] = value


# Messages


def _leading(job: Job) -> int:
    """How many messages become `instructions`; none where nothing would be left to answer."""
    if not job.instructions:
        return 0
    messages = job.request.messages
    leading = sum(1 for _ in takewhile(lambda message: message.role in _LEADING, messages))
    return leading if leading < len(messages) else 0


def _text(message: pb.ChatMessage | pb.ToolResult) -> str:
    return "".join(part.text for part in message.parts) or message.text


def _input(job: Job, start: int) -> Iterator[Json]:
    custom: set[str] = set()
    for index, message in enumerate(job.request.messages):
        path = f"messages[{index}]"
        if message.name:
            job.unsupported.parameter(f"{path}.name", "The Responses API's messages have no name.")
        if index < start:
            continue
        match message.role:
            case pb.ROLE_SYSTEM:
                yield {"role": "system", "content": _texts(message)}
            case pb.ROLE_DEVELOPER:
                yield {"role": "developer", "content": _texts(message)}
            case pb.ROLE_USER:
                yield {"role": "user", "content": user_content(job, message, path, _user_part)}
            case pb.ROLE_ASSISTANT:
                custom.update(_custom_calls(message))
                yield from _assistant(job, message, path)
            case pb.ROLE_TOOL:
                for part in message.parts:
                    result = part.tool_result
                    kind = f"{_CUSTOM if result.tool_call_id in custom else 'function_call'}_output"
                    yield {"type": kind, "call_id": result.tool_call_id, "output": _texts(result)}


def _texts(message: pb.ChatMessage | pb.ToolResult) -> Json:
    """Text-only content: one string where there is one text, else text parts."""
    if len(message.parts) > 1:
        return [{"type": "input_text", "text": part.text} for part in message.parts]
    return _text(message)


def _user_part(job: Job, part: pb.ContentPart, path: str) -> JsonObject | None:
    match part.WhichOneof("content"):
        case "image":
            return _image(job, part.image, f"{path}.image")
        case "file":
            return _file(job, part.file, f"{path}.file")
        case _:
            return {"type": "input_text", "text": part.text}


def _image(job: Job, image: pb.Media, path: str) -> JsonObject | None:
    if not may_fetch(job, image, path):
        return None
    body: JsonObject = {"type": "input_image"}
    if image.HasField("file_id"):
        body["file_id"] = image.file_id
    else:
        body["image_url"] = image.url if image.HasField("url") else data_url(image)
    if image.detail:
        body["detail"] = image.detail
    return body


def _file(job: Job, file: pb.Media, path: str) -> JsonObject | None:
    if not may_fetch(job, file, path):
        return None
    body: JsonObject = {"type": "input_file"}
    match file.WhichOneof("source"):
        case "file_id":
            body["file_id"] = file.file_id
        case "url" if not file.url.startswith("data:"):
            body["file_url"] = file.url
        case "url" | "data" | None:
            body["file_data"] = file.url or data_url(file)
    if file.filename:
        body["filename"] = file.filename
    if file.detail:
        body["detail"] = file.detail
    return body


class _Piece(NamedTuple):
    """A part of an answer that is sent back, with what its item said besides."""

    part: pb.ContentPart
    kind: str
    state: Mapping[str, str] | None
    """None where there is none of this provider."""
    path: str


def _assistant(job: Job, message: pb.ChatMessage, path: str) -> Iterator[Json]:
    """The items that the message was made of, in order; neighbouring texts of one item are in one again."""
    parts = message.parts or [pb.ContentPart(text=message.text)]
    pieces = [_piece(job, part, f"{path}.parts[{index}]") for index, part in enumerate(parts)]
    for state, group in groupby(pieces, lambda piece: piece.kind in _SPOKEN and (piece.state or {})):
        if state is not False:
            yield _spoken(state, [piece.part for piece in group])
            continue
        for piece in group:
            match piece.kind:
                case "reasoning":
                    yield from _thought(job, piece)
                case "tool_call":
                    yield _function_call(piece)
                case "provider_item":
                    yield from _item(job, piece)
                case _:
                    pass  # validation lets nothing else into an assistant's message


def _piece(job: Job, part: pb.ContentPart, path: str) -> _Piece:
    leave_foreign_state(job, part, path)
    return _Piece(part, part.WhichOneof("content") or "", unpack(part, job.provider, path), path)


def _spoken(state: Mapping[str, str], parts: Sequence[pb.ContentPart]) -> JsonObject:
    """An output item as it came, or a message by hand."""
    said: JsonObject = {"role": "assistant"}
    if "id" in state:
        said |= {"type": "message"} | _named(state, "id", "status")
    elif len(parts) == 1 and parts[0].HasField("text"):
        return said | {"content": parts[0].text} | _named(state, "phase")
    content: list[Json] = [
        {"type": "refusal", "refusal": part.refusal}
        if part.HasField("refusal")
        else {"type": "output_text", "text": part.text, "annotations": []}
        for part in parts
    ]
    return said | {"content": content} | _named(state, "phase")


def _thought(job: Job, piece: _Piece) -> Iterator[JsonObject]:
    """A thought goes back to the API that had it, sealed as it was."""
    thought, state = piece.part.reasoning, piece.state
    if state is not None and _CHAT.isdisjoint(state):
        item: JsonObject = {"type": "reasoning", **_named(state, "id", "status", "encrypted_content")}
        item["summary"] = [{"type": "summary_text", "text": text} for text in _cut(thought.summary, state)]
        if thought.text:
            item["content"] = [{"type": "reasoning_text", "text": thought.text}]
        yield item
    elif state is not None or not piece.part.provider_state:
        why = "The Responses API takes only its own reasoning back."
        job.unsupported.foreign_part(f"{piece.path}.reasoning", why)


def _cut(summary: str, state: Mapping[str, str]) -> list[str]:
    """The summaries that newlines join; one, where the text is not as it came."""
    lengths = [int(length) for length in state.get("cuts", "").split(",") if _LENGTH.fullmatch(length)]
    ends = list(accumulate(length + 1 for length in lengths))
    if not summary or any(summary[end - 1 : end] != "\n" for end in ends):
        return [summary] if summary else []
    return [summary[start : end - 1] for start, end in pairwise([0, *ends, len(summary) + 1])]


def _function_call(piece: _Piece) -> JsonObject:
    call = piece.part.tool_call
    item: JsonObject = {"type": "function_call", "call_id": call.id, "name": call.name}
    return item | {"arguments": call.arguments_json} | _named(piece.state or {}, "id", "status", "namespace")


def _item(job: Job, piece: _Piece) -> Iterator[Json]:
    item = piece.part.provider_item
    if item.provider == job.provider and item.type != _CHAT_ITEM:
        yield orjson.Fragment(item.item_json)
    else:
        job.unsupported.foreign_part(f"{piece.path}.provider_item", "The item was made by another API.")


def _custom_calls(message: pb.ChatMessage) -> Iterator[str]:
    """Ids of calls whose results have a type of their own."""
    for part in message.parts:
        if part.provider_item.type == _CUSTOM:
            yield str(orjson.loads(part.provider_item.item_json).get("call_id"))


def _named(state: Mapping[str, str], *names: str) -> JsonObject:
    return {name: state[name] for name in names if name in state}


# Configuration


def _config(job: Job, body: JsonObject) -> None:
    config = job.request.config
    given = config.HasField("max_output_tokens")
    limit = config.max_output_tokens if given else job.defaults.max_output_tokens
    if limit:
        body["max_output_tokens"] = limit
    if job.defaults.temperature is not None:
        body["temperature"] = job.defaults.temperature
    for name in ("temperature", "top_p", "top_logprobs"):
        if config.HasField(name) and f"config.{name}" not in job.omitted:
            body[name] = getattr(config, name)


def _reasoning_config(job: Job) -> JsonObject:
    """An effort brings a summary with it, where the model is known to have one to tell."""
    effort = "" if "reasoning.effort" in job.omitted else job.request.reasoning.effort
    default = "auto" if job.reasons and effort not in ("", "none") else "none"
    asked = "" if "reasoning.summary" in job.omitted else job.request.reasoning.summary
    body: JsonObject = {"effort": effort} if effort else {}
    if (summary := asked or default) != "none":
        body["summary"] = summary
    return body


def _text_config(job: Job) -> JsonObject:
    body: JsonObject = {}
    if job.request.HasField("response_format"):
        body["format"] = _format(job.request.response_format)
    if job.request.config.verbosity:
        body["verbosity"] = job.request.config.verbosity
    return body


def _format(form: pb.ResponseFormat) -> JsonObject:
    match form.WhichOneof("format"):
        case "text" | None:
            return {"type": "text"}
        case "json_object":
            return {"type": "json_object"}
        case "json_schema":
            return {"type": "json_schema"} | json_schema(form.json_schema)
        case other:
            assert_never(other)


def _include(job: Job) -> Iterable[str]:
    """Reasoning comes sealed where nobody keeps it; models without any refuse to be asked for it."""
    if job.reasons and not job.request.store:
        yield _ENCRYPTED
    if job.request.config.logprobs:
        yield _LOGPROBS


# Tools


def _tools(job: Job) -> Iterator[Json]:
    for index, tool in enumerate(job.request.tools):
        match tool.WhichOneof("tool"):
            case "function":
                # Both must be there, if only as null.
                yield {"type": "function", "parameters": None, "strict": None} | function(tool.function)
            case "provider_tool" if tool.provider_tool.provider == job.provider:
                yield from_struct(tool.provider_tool.definition)
            case "provider_tool" | None:
                path = f"tools[{index}].provider_tool"
                job.unsupported.parameter(path, "The tool is for another provider.")


def _named_function(name: str) -> JsonObject:
    return {"type": "function", "name": name}


def _tool_choice(choice: pb.ToolChoice) -> Json:
    match choice.WhichOneof("choice"):
        case "mode" | None:
            return mode(choice.mode)
        case "function_name":
            return _named_function(choice.function_name)
        case "allowed_tools":
            allowed = choice.allowed_tools
            tools: list[Json] = [_named_function(name) for name in allowed.names]
            return {"type": "allowed_tools", "mode": mode(allowed.mode), "tools": tools}
        case other:
            assert_never(other)
