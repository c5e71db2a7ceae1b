"""ChatRequest → body of POST /chat/completions."""

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.chat_form import (
    data_url,
    function,
    leave_foreign_state,
    may_fetch,
    mode,
    response_format,
    texts,
    user_content,
)
from tokenwire_server.providers.codec import Job
from tokenwire_server.providers.jsontext import Json, JsonObject, from_struct, number
from tokenwire_server.providers.state import unpack

_CONFIG: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "candidate_count": "n",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "top_k": "top_k",
    "verbosity": "verbosity",
}

_CUSTOM: Final = "custom"
"""The type of calls that are no functions': other items are of the provider's other APIs."""


def encode(job: Job) -> JsonObject:
    """The body of a unary request. Unset fields are absent; schemas keep their text."""
    request = job.request
    body: JsonObject = {"model": job.model, "messages": list(_messages(job))}
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
    if request.HasField("store"):
        body["store"] = request.store
    for key, text in (
        ("reasoning_effort", "" if "reasoning.effort" in job.omitted else request.reasoning.effort),
        (job.dialect.user_field, request.end_user_id),
        ("prompt_cache_key", request.prompt_cache_key),
        ("service_tier", request.service_tier),
    ):
        if text:
            body[key] = text
    if request.metadata:
        body["metadata"] = dict(request.metadata)
    if request.HasField("provider_options") and job.provider in request.provider_options.fields:
        body |= from_struct(request.provider_options.fields[job.provider].struct_value)
    return body


# Messages


def _messages(job: Job) -> Iterator[Json]:
    for index, message in enumerate(job.request.messages):
        path = f"messages[{index}]"
        match message.role:
            case pb.ROLE_SYSTEM:
                yield _named(message, {"role": "system", "content": texts(message)})
            case pb.ROLE_DEVELOPER:
                yield _named(message, {"role": "developer", "content": texts(message)})
            case pb.ROLE_USER:
                yield _named(
                    message, {"role": "user", "content": user_content(job, message, path, _user_part)}
                )
            case pb.ROLE_ASSISTANT:
                yield _named(message, _assistant(job, message, path))
            case pb.ROLE_TOOL:
                if message.name:
                    job.unsupported.parameter(f"{path}.name", "Chat Completions' tool messages have no name.")
                for part in message.parts:
                    result = part.tool_result
                    yield {
                        "role": "tool",
                        "tool_call_id": result.tool_call_id,
                        "content": texts(result),
                    }


def _named(message: pb.ChatMessage, body: JsonObject) -> JsonObject:
    if message.name:
        body["name"] = message.name
    return body


def _user_part(job: Job, part: pb.ContentPart, path: str) -> JsonObject | None:
    match part.WhichOneof("content"):
        case "image":
            return _image(job, part.image, f"{path}.image")
        case "file":
            return _file(job, part.file, f"{path}.file")
        case _:
            return {"type": "text", "text": part.text}


def _image(job: Job, image: pb.Media, path: str) -> JsonObject | None:
    if image.HasField("file_id"):
        job.unsupported.part(f"{path}.file_id", "Chat Completions takes images by url or data only.")
        return None
    if not may_fetch(job, image, path):
        return None
    fields: JsonObject = {"url": image.url if image.HasField("url") else data_url(image)}
    if image.detail:
        fields["detail"] = image.detail
    return {"type": "image_url", "image_url": fields}


def _file(job: Job, file: pb.Media, path: str) -> JsonObject | None:
    fields: JsonObject = {}
    match file.WhichOneof("source"):
        case "file_id":
            fields["file_id"] = file.file_id
        case "data":
            fields["file_data"] = data_url(file)
        case "url" if file.url.startswith("data:"):
            fields["file_data"] = file.url
        case "url" | None:
            job.unsupported.part(f"{path}.url", "Chat Completions takes files by data or file_id only.")
            return None
    if file.filename:
        fields["filename"] = file.filename
    return {"type": "file", "file": fields}


def _assistant(job: Job, message: pb.ChatMessage, path: str) -> JsonObject:
    """One text is a string, several are parts; refusals and tool calls have fields of their own."""
    parts = message.parts or [pb.ContentPart(text=message.text)]
    texts = [part.text for part in parts if part.HasField("text")]
    body: JsonObject = {"role": "assistant", "content": texts[0] if texts else None}
    if len(texts) > 1:
        body["content"] = [{"type": "text", "text": text} for text in texts]
    if refusal := "".join(part.refusal for part in parts):
        body["refusal"] = refusal
    body |= _reasoning(job, parts, path)
    if calls := list(_calls(job, parts, path)):
        body["tool_calls"] = calls
    if not (texts or refusal or calls):
        body["content"] = ""  # null needs one of these beside it
    return body


def _reasoning(job: Job, parts: Iterable[pb.ContentPart], path: str) -> JsonObject:
    """Its own thoughts go back to a server that takes them, under the name they came by."""
    fields: dict[str, str] = {}
    for index, part in enumerate(parts):
        where = f"{path}.parts[{index}]"
        if not part.HasField("reasoning"):
            leave_foreign_state(job, part, where)
            continue
        state = unpack(part, job.provider, where)
        if not job.dialect.reasoning:
            job.unsupported.foreign_part(f"{where}.reasoning", "The provider takes no reasoning back.")
        elif part.provider_state and state is None:
            job.unsupported.foreign_state(f"{where}.provider_state")
        else:
            name = (state or {}).get("field", "reasoning_content")
            fields[name] = fields.get(name, "") + part.reasoning.text
    return {**fields}


def _calls(job: Job, parts: Iterable[pb.ContentPart], path: str) -> Iterator[Json]:
    for index, part in enumerate(parts):
        if part.HasField("tool_call"):
            yield _tool_call(part.tool_call)
        elif part.HasField("provider_item"):
            item = part.provider_item
            if item.provider == job.provider and item.type == _CUSTOM:
                yield orjson.Fragment(item.item_json)
            else:
                where = f"{path}.parts[{index}].provider_item"
                job.unsupported.foreign_part(where, "The item was made by another API.")


def _tool_call(call: pb.ToolCall) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": call.arguments_json}
    return {"id": call.id, "type": "function", "function": function}


# Configuration


def _config(job: Job, body: JsonObject) -> None:
    config = job.request.config
    given = config.HasField("max_output_tokens")
    limit = config.max_output_tokens if given else job.defaults.max_output_tokens
    if limit:
        body[job.dialect.tokens_field] = limit
    if job.defaults.temperature is not None:
        body["temperature"] = job.defaults.temperature
    for field, value in config.ListFields():  # those that are set, zeros included
        if field.name in _CONFIG and f"config.{field.name}" not in job.omitted:
            body[_CONFIG[field.name]] = value
    if config.stop:
        body["stop"] = list(config.stop)
    if config.logit_bias and "config.logit_bias" not in job.omitted:
        body["logit_bias"] = {str(token): number(bias) for token, bias in config.logit_bias.items()}


# Tools and formats


def _tools(job: Job) -> Iterator[Json]:
    for index, tool in enumerate(job.request.tools):
        match tool.WhichOneof("tool"):
            case "function":
                yield {"type": "function", "function": function(tool.function)}
            case "provider_tool" if tool.provider_tool.provider == job.provider:
                yield from_struct(tool.provider_tool.definition)
            case "provider_tool" | None:
                path = f"tools[{index}].provider_tool"
                job.unsupported.parameter(path, "The tool is for another provider.")


def _named_function(name: str) -> JsonObject:
    return {"type": "function", "function": {"name": name}}


def _tool_choice(choice: pb.ToolChoice) -> Json:
    match choice.WhichOneof("choice"):
        case "mode" | None:
            return mode(choice.mode)
        case "function_name":
            return _named_function(choice.function_name)
        case "allowed_tools":
            allowed = choice.allowed_tools
            tools: list[Json] = [_named_function(name) for name in allowed.names]
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode(allowed.mode), "tools": tools}}
        case other:
            assert_never(other)
