"""Body of a Responses reply → ChatResponse. The parts shared with streams are public.

What is not as documented raises TypeError, KeyError, AttributeError or ValueError (protobuf checks the
types of what it is given), which the caller reports as PROVIDER_BAD_RESPONSE.
"""

from collections.abc import Iterable, Iterator
from secrets import token_hex
from typing import Final

import orjson
from google.protobuf import json_format

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.providers.message import fill_answer
from tokenwire_server.providers.openai_chat.decode import Upstream, arguments, logprobs
from tokenwire_server.providers.openai_responses.errors import stream_error
from tokenwire_server.providers.state import pack

FUNCTION_CALLS: Final = frozenset({"function_call", "tool_call", "function"})
"""Types of a function's call: OpenAI's, and those of servers that keep to the names of Chat Completions."""

_OTHER_CALLS: Final = frozenset(
    {"custom_tool_call", "computer_call", "local_shell_call", "apply_patch_call", "mcp_approval_request"}
)
"""Types of other items that the caller has to answer."""

_INCOMPLETE: Final = {
    "max_output_tokens": pb.FINISH_REASON_LENGTH,
    "content_filter": pb.FINISH_REASON_CONTENT_FILTER,
}

_MAPPED: Final = frozenset(
    {"id", "object", "created_at", "model", "output", "usage", "service_tier", "status"}
    | {"incomplete_details", "error", "output_text"}
)
_ECHOED: Final = frozenset(
    {"background", "frequency_penalty", "image", "instructions", "max_output_tokens", "max_tool_calls"}
    | {"metadata", "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt"}
    | {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning"}
    | {"safety_identifier", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p"}
    | {"truncation", "user"}
)
"""What a reply repeats of its request."""


def decode(reply: object, response: pb.ChatResponse) -> None:
    """Fills a response from a unary reply."""
    if not isinstance(reply, dict):
        raise TypeError("not an object")
    if reply.get("error") or reply.get("status") == "failed":
        raise stream_error(reply.get("error"))
    head(reply, response)
    details(reply, response)
    output: list[Upstream] = reply["output"]
    found = [part for item in output for _, part in parts(item, response.provider)]
    choice = response.choices.add(
        finish_reason=finish_reason(reply, found),
        native_finish_reason=native_reason(reply),
        logprobs=[entry for item in output if item["type"] == "message" for entry in _logprobs(item)],
    )
    fill_answer(choice.message, found)


def head(reply: Upstream, response: pb.ChatResponse) -> None:
    """What a stream says of its answer before it has one."""
    response.id = reply.get("id") or ""
    response.model = reply.get("model") or ""
    if reply.get("created_at"):
        response.create_time.seconds = int(reply["created_at"])


def details(reply: Upstream, response: pb.ChatResponse) -> None:
    """What a complete answer says beside its output."""
    if reply.get("service_tier"):
        response.service_tier = reply["service_tier"]
    if effort := (reply.get("reasoning") or {}).get("effort"):
        response.reasoning.effort = effort
    if counts := reply.get("usage"):
        usage(counts, response.usage)
    for key in reply.keys() - _MAPPED - _ECHOED:
        if reply[key] is not None:
            json_format.ParseDict(reply[key], response.provider_fields.fields[key])


def usage(reply: Upstream, counts: common_pb2.Usage) -> None:
    """Token counts, with details where there are some."""
    given = reply.get("input_tokens_details") or {}
    made = reply.get("output_tokens_details") or {}
    counts.input_tokens = reply["input_tokens"]
    counts.output_tokens = reply.get("output_tokens") or 0
    counts.total_tokens = reply.get("total_tokens") or counts.input_tokens + counts.output_tokens
    counts.cached_input_tokens = given.get("cached_tokens") or 0
    counts.cache_write_input_tokens = given.get("cache_write_tokens") or 0
    counts.reasoning_tokens = made.get("reasoning_tokens") or 0
    counts.source = common_pb2.TOKEN_SOURCE_PROVIDER


def native_reason(reply: Upstream) -> str:
    """The reason of an incomplete answer, else its status."""
    status: str = reply.get("status") or "completed"
    why: str = (reply.get("incomplete_details") or {}).get("reason") or status
    return why if status == "incomplete" else status


def finish_reason(reply: Upstream, found: Iterable[pb.ContentPart]) -> "pb.FinishReason.ValueType":
    """Why an answer with these parts ended: there is no such field."""
    native = native_reason(reply)
    if native != "completed":
        return _INCOMPLETE.get(native, pb.FINISH_REASON_OTHER)
    kinds = {part.provider_item.type or part.WhichOneof("content") for part in found}
    if "tool_call" in kinds or kinds & _OTHER_CALLS:
        return pb.FINISH_REASON_TOOL_CALLS
    return pb.FINISH_REASON_REFUSAL if "refusal" in kinds else pb.FINISH_REASON_STOP


def parts(item: Upstream, provider: str) -> Iterator[tuple[int, pb.ContentPart]]:
    """What an item holds, each with its index in the item."""
    kind: str = item["type"]
    if kind == "message":
        yield from _message(item, provider)
    elif kind == "reasoning":
        yield 0, _reasoning(item, provider)
    elif kind in FUNCTION_CALLS:
        yield 0, _function_call(item, provider)
    else:
        text = orjson.dumps(item).decode()
        yield 0, pb.ContentPart(provider_item=pb.ProviderItem(provider=provider, type=kind, item_json=text))


def _message(item: Upstream, provider: str) -> Iterator[tuple[int, pb.ContentPart]]:
    """Texts and refusals; there are no others."""
    state = pack(provider, **_named(item, "id", "status", "phase"))
    for index, content in enumerate(item["content"]):
        if content["type"] == "refusal":
            yield index, pb.ContentPart(refusal=content["refusal"] or "", provider_state=state)
        elif content["type"] == "output_text":
            sources = [annotation(source) for source in content.get("annotations") or ()]
            said = content["text"] or ""
            yield index, pb.ContentPart(text=said, annotations=sources, provider_state=state)


def _reasoning(item: Upstream, provider: str) -> pb.ContentPart:
    """One part, its summaries joined."""
    summaries: list[str] = [piece["text"] for piece in item.get("summary") or ()]
    texts: list[str] = [piece["text"] for piece in item.get("content") or ()]
    state = pack(provider, cuts=cuts(summaries), **_named(item, "id", "status", "encrypted_content"))
    thought = pb.Reasoning(summary="\n".join(summaries), text="\n".join(texts))
    return pb.ContentPart(reasoning=thought, provider_state=state)


def cuts(summaries: list[str]) -> str:
    """The lengths of all but the last summary: where the newlines are that join them."""
    return ",".join(str(len(text)) for text in summaries[:-1])


def _function_call(item: Upstream, provider: str) -> pb.ContentPart:
    """A call, its fields at the top or under `function`. One without an id gets one, because its result has
    to name it."""
    function: Upstream = item.get("function") or item
    call = pb.ToolCall(
        id=item.get("call_id") or item.get("id") or f"call_{token_hex(12)}",
        name=function["name"],
        arguments_json=arguments(function),
    )
    state = pack(provider, **_named(item, "id", "status", "namespace")) if item.get("call_id") else b""
    return pb.ContentPart(tool_call=call, provider_state=state)


def _named(item: Upstream, *names: str) -> dict[str, str]:
    return {name: item[name] for name in names if item.get(name)}


def annotation(source: Upstream) -> pb.Annotation:
    """A source of the text, a page or a file. `index` of a file's citation is a place in the text."""
    result = pb.Annotation(
        type=source["type"],
        url=source.get("url") or "",
        title=source.get("title") or "",
        file_id=source.get("file_id") or "",
        filename=source.get("filename") or "",
    )
    start = source.get("start_index", source.get("index") if result.type == "file_citation" else None)
    if start is not None:
        result.start_index = start
    if source.get("end_index") is not None:
        result.end_index = source["end_index"]
    return result


def _logprobs(item: Upstream) -> Iterator[pb.TokenLogprob]:
    for content in item["content"]:
        yield from logprobs({"content": content.get("logprobs")})
