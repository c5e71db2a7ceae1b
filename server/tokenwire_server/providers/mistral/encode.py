"""ChatRequest → body of Mistral's POST /v1/chat/completions."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final, assert_never

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.chat_form import (
    data_url,
    function,
    leave_foreign_state,
    mode,
    response_format,
    texts,
    user_content,
)
from tokenwire_server.providers.codec import Job
from tokenwire_server.providers.jsontext import Json, JsonObject, from_struct
from tokenwire_server.providers.state import unpack

_CONFIG: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "random_seed",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "candidate_count": "n",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
}

_PREFIX: Final = "prefix"
_TOOL_ID: Final = re.compile(r"[A-Za-z0-9]{9}")
_DIGITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def encode(job: Job) -> JsonObject:
    """The body of a unary request. Unset fields are absent; schemas keep their text."""
    request = job.request
    messages = list(_messages(job))
    options = _provider_options(job)
    if _PREFIX in options:  # a field of the last message, an assistant's, which the answer goes on from
        messages[-1][_PREFIX] = options.pop(_PREFIX)
    body: JsonObject = {"model": job.model, "messages": [*messages]}
    _config(job, body)
    tools = list(_tools(job))
    if tools:
        body["tools"] = tools
    if request.HasField("tool_choice") and (tools or not request.tools):  # not when all were left out
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.HasField("response_format"):
        body["response_format"] = response_format(request.response_format)
    if request.HasField("parallel_tool_calls"):
        body["parallel_tool_calls"] = request.parallel_tool_calls
    for key, text in (
        ("reasoning_effort", "" if "reasoning.effort" in job.omitted else request.reasoning.effort),
        ("prompt_cache_key", request.prompt_cache_key),
        ("service_tier", request.service_tier),
    ):
        if text:
            body[key] = text
    if metadata := _metadata(request):
        body["metadata"] = metadata
    return body | options


def _metadata(request: pb.ChatRequest) -> JsonObject:
    """Mistral has no field for the end user's id, but takes any metadata."""
    metadata: JsonObject = {**request.metadata}
    if request.end_user_id:
        metadata["end_user_id"] = request.end_user_id
    return metadata


def _provider_options(job: Job) -> JsonObject:
    """What the caller sends to Mistral alone."""
    options = job.request.provider_options.fields
    return from_struct(options[job.provider].struct_value) if job.provider in options else {}


# Messages


def _messages(job: Job) -> Iterator[JsonObject]:
    names: dict[str, str] = {}
    last = len(job.request.messages) - 1
    for index, message in enumerate(job.request.messages):
        path = f"messages[{index}]"
        match message.role:
            case pb.ROLE_SYSTEM | pb.ROLE_DEVELOPER:
                yield {"role": "system", "content": texts(message)}
            case pb.ROLE_USER:
                yield {"role": "user", "content": user_content(job, message, path, _user_part)}
            case pb.ROLE_ASSISTANT:
                names |= {part.tool_call.id: part.tool_call.name for part in message.parts}
                body = _assistant(job, message, path)
                if body["content"] or "tool_calls" in body or index == last:
                    yield body
                else:
                    job.unsupported.foreign_part(path, "Mistral takes no empty message of an assistant.")
            case pb.ROLE_TOOL:
                for part in message.parts:
                    yield _tool_result(part.tool_result, names)
        if message.name:
            job.unsupported.parameter(f"{path}.name", "Mistral's messages have no name.")


def _user_part(job: Job, part: pb.ContentPart, path: str) -> JsonObject | None:
    match part.WhichOneof("content"):
        case "image":
            return _image(job, part.image, f"{path}.image")
        case "file":
            return _file(part.file)
        case _:
            return {"type": "text", "text": part.text}


def _image(job: Job, image: pb.Media, path: str) -> JsonObject | None:
    if image.HasField("file_id"):
        job.unsupported.part(f"{path}.file_id", "Mistral takes images by url or data only.")
        return None
    fields: JsonObject = {"url": image.url if image.HasField("url") else data_url(image)}
    if image.detail:
        fields["detail"] = image.detail
    return {"type": "image_url", "image_url": fields}


def _file(file: pb.Media) -> JsonObject:
    if file.HasField("file_id"):
        return {"type": "file", "file_id": file.file_id}
    chunk: JsonObject = {"type": "document_url"}
    chunk["document_url"] = file.url if file.HasField("url") else data_url(file)
    if file.filename:
        chunk["document_name"] = file.filename
    return chunk


def _assistant(job: Job, message: pb.ChatMessage, path: str) -> JsonObject:
    """Content is a string, or chunks where the model's own thoughts go back with it."""
    chunks: list[JsonObject] = []
    calls: list[Json] = []
    for index, part in enumerate(message.parts or [pb.ContentPart(text=message.text)]):
        if not part.HasField("reasoning"):
            leave_foreign_state(job, part, f"{path}.parts[{index}]")
        match part.WhichOneof("content"):
            case "text":
                chunks.append({"type": "text", "text": part.text})
            case "refusal":
                chunks.append({"type": "text", "text": part.refusal})
            case "reasoning":
                chunks += _thinking(job, part, f"{path}.parts[{index}]")
            case "tool_call":
                calls.append(_tool_call(part.tool_call))
            case "provider_item":
                chunks += _item(job, part.provider_item, f"{path}.parts[{index}].provider_item")
            case _:
                pass  # validation lets nothing else into an assistant's message
    plain = all(chunk.get("type") == "text" and isinstance(chunk.get("text"), str) for chunk in chunks)
    content: Json = "".join(str(chunk["text"]) for chunk in chunks) if plain else [*chunks]
    body: JsonObject = {"role": "assistant", "content": content}
    if calls:
        body["tool_calls"] = calls
    return body


def _thinking(job: Job, part: pb.ContentPart, path: str) -> Iterator[JsonObject]:
    """A thought goes back to the provider that had it, with its signature."""
    state = unpack(part, job.provider, path)
    if state is not None:
        seal = {"signature": state["signature"]} if "signature" in state else {}
        yield {"type": "thinking", "thinking": [{"type": "text", "text": part.reasoning.text}], **seal}
    elif part.provider_state:
        job.unsupported.foreign_state(f"{path}.provider_state")
    else:
        job.unsupported.foreign_part(f"{path}.reasoning", "Mistral takes only its own thoughts back.")


def _item(job: Job, item: pb.ProviderItem, path: str) -> Iterator[JsonObject]:
    if item.provider == job.provider:
        yield orjson.loads(item.item_json)
    else:
        job.unsupported.foreign_part(path, "The item was made by another provider.")


def _tool_call(call: pb.ToolCall) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": call.arguments_json}
    return {"id": tool_id(call.id), "type": "function", "function": function}


def _tool_result(result: pb.ToolResult, names: Mapping[str, str]) -> JsonObject:
    body: JsonObject = {
        "role": "tool",
        "tool_call_id": tool_id(result.tool_call_id),
        "content": texts(result),
    }
    if name := names.get(result.tool_call_id):
        body["name"] = name
    return body


def tool_id(call_id: str) -> str:
    """An id that Mistral takes: nine letters and digits. Another provider's id becomes one that depends on
    nothing but itself, so that calls and results still meet in every turn."""
    if _TOOL_ID.fullmatch(call_id):
        return call_id
    number = int.from_bytes(hashlib.sha256(call_id.encode()).digest()[:8])
    digits = []
    for _ in range(9):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


# Configuration


def _config(job: Job, body: JsonObject) -> None:
    config = job.request.config
    given = config.HasField("max_output_tokens")
    limit = config.max_output_tokens if given else job.defaults.max_output_tokens
    if limit:
        body["max_tokens"] = limit
    if job.defaults.temperature is not None:
        body["temperature"] = job.defaults.temperature
    for field, value in config.ListFields():  # those that are set, zeros included
        if field.name in _CONFIG and f"config.{field.name}" not in job.omitted:
            body[_CONFIG[field.name]] = value
    if config.stop:
        body["stop"] = list(config.stop)


# Tools and formats


def _tools(job: Job) -> Iterator[Json]:
    """Mistral has no allowed tools: it is offered those alone."""
    choice = job.request.tool_choice
    allowed = set(choice.allowed_tools.names) if choice.HasField("allowed_tools") else None
    for index, tool in enumerate(job.request.tools):
        match tool.WhichOneof("tool"):
            case "function":
                if allowed is None or tool.function.name in allowed:
                    # Mistral requires parameters, if only none.
                    yield {"type": "function", "function": {"parameters": {}} | function(tool.function)}
            case "provider_tool" if tool.provider_tool.provider == job.provider:
                if allowed is None:
                    yield from_struct(tool.provider_tool.definition)
            case "provider_tool" | None:
                path = f"tools[{index}].provider_tool"
                job.unsupported.parameter(path, "The tool is for another provider.")


def _tool_choice(choice: pb.ToolChoice) -> Json:
    match choice.WhichOneof("choice"):
        case "mode" | None:
            return mode(choice.mode)
        case "function_name":
            return {"type": "function", "function": {"name": choice.function_name}}
        case "allowed_tools":
            return mode(choice.allowed_tools.mode)
        case other:
            assert_never(other)
