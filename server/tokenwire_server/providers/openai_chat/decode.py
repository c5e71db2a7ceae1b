"""Body of a Chat Completions reply → ChatResponse. The parts shared with streams are public.

What is not as documented raises TypeError, KeyError, AttributeError or ValueError (protobuf checks the
types of what it is given), which the caller reports as PROVIDER_BAD_RESPONSE.
"""

from collections.abc import Iterable, Iterator, Mapping
from secrets import token_hex
from typing import Any, Final

import orjson
from google.protobuf import json_format

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.providers.message import fill_answer
from tokenwire_server.providers.openai_chat.errors import stream_error
from tokenwire_server.providers.state import pack

Upstream = Mapping[str, Any]
"""An object of a provider's JSON: of any shape until it is read."""

REASONING: Final = ("reasoning_content", "reasoning")
"""Names that servers give to what the model thought: DeepSeek's and vLLM's, OpenRouter's and Groq's."""

FINISH_REASONS: Final[Mapping[str, "pb.FinishReason.ValueType"]] = {
    "stop": pb.FINISH_REASON_STOP,
    "length": pb.FINISH_REASON_LENGTH,
    "tool_calls": pb.FINISH_REASON_TOOL_CALLS,
    "function_call": pb.FINISH_REASON_TOOL_CALLS,
    "content_filter": pb.FINISH_REASON_CONTENT_FILTER,
}

_MAPPED: Final = frozenset(
    {"id", "object", "created", "model", "choices", "usage"}
    | {"service_tier", "system_fingerprint", "obfuscation"}
)


def decode(reply: object, response: pb.ChatResponse) -> None:
    """Fills a response from a unary reply."""
    if not isinstance(reply, dict):
        raise TypeError("not an object")
    if reply.get("error") or reply.get("object") == "error":  # some servers answer 200 with an error
        raise stream_error(reply.get("error") or reply)
    head(reply, response)
    if not reply["choices"]:
        raise ValueError("no choices")
    for given in reply["choices"]:
        message, native = given["message"], given["finish_reason"]
        choice = response.choices.add(
            index=given["index"],
            finish_reason=finish_reason(native, refused=bool(message.get("refusal"))),
            native_finish_reason=native,
            logprobs=logprobs(given.get("logprobs")),
        )
        fill_answer(choice.message, [*_parts(message, response.provider)])


def head(reply: Upstream, response: pb.ChatResponse) -> None:
    """What a reply says beside its choices; chunks of a stream say it in pieces. The first id and time count:
    some servers date every chunk, or end with one of another id."""
    if reply.get("id") and not response.id:
        response.id = reply["id"]
    if reply.get("model"):
        response.model = reply["model"]
    if reply.get("created") and not response.HasField("create_time"):
        response.create_time.seconds = int(reply["created"])
    if reply.get("service_tier"):
        response.service_tier = reply["service_tier"]
    if reply.get("system_fingerprint"):
        response.system_fingerprint = reply["system_fingerprint"]
    if counts := reply.get("usage") or (reply.get("x_groq") or {}).get("usage"):
        usage(counts, response.usage)
    for key in reply.keys() - _MAPPED:
        json_format.ParseDict(reply[key], response.provider_fields.fields[key])


def finish_reason(native: str | None, *, refused: bool) -> "pb.FinishReason.ValueType":
    """A reason without a name becomes OTHER, none UNSPECIFIED; a refusal ends with `stop` upstream."""
    if refused and native == "stop":
        return pb.FINISH_REASON_REFUSAL
    return FINISH_REASONS.get(native, pb.FINISH_REASON_OTHER) if native else pb.FINISH_REASON_UNSPECIFIED


def usage(reply: Upstream, counts: common_pb2.Usage) -> None:
    """Token counts, with details where there are some."""
    given = reply.get("prompt_tokens_details") or {}
    made = reply.get("completion_tokens_details") or {}
    counts.input_tokens = reply["prompt_tokens"]
    counts.output_tokens = reply.get("completion_tokens") or 0
    counts.total_tokens = reply.get("total_tokens") or counts.input_tokens + counts.output_tokens
    counts.cached_input_tokens = given.get("cached_tokens") or 0
    counts.cache_write_input_tokens = given.get("cache_write_tokens") or 0
    counts.reasoning_tokens = made.get("reasoning_tokens") or 0
    counts.source = common_pb2.TOKEN_SOURCE_PROVIDER


def logprobs(reply: Upstream | None) -> Iterator[pb.TokenLogprob]:
    """Of the content, else of the refusal."""
    if reply:
        for entry in reply.get("content") or reply.get("refusal") or ():
            yield _logprob(entry, top=entry.get("top_logprobs") or ())


def _logprob(entry: Upstream, top: Iterable[Upstream] = ()) -> pb.TokenLogprob:
    return pb.TokenLogprob(
        token=entry["token"],
        logprob=entry["logprob"],
        bytes=bytes([*(entry.get("bytes") or ())]),  # bytes(n) would make n of them
        top=[_logprob(other) for other in top],
    )


def _parts(message: Upstream, provider: str) -> Iterator[pb.ContentPart]:
    """In the order reasoning, text, refusal, tool calls."""
    for name, text in thoughts(message):
        yield pb.ContentPart(reasoning=pb.Reasoning(text=text), provider_state=pack(provider, field=name))
    sources = [annotation(source) for source in message.get("annotations") or ()]
    if message.get("content") or sources:
        yield pb.ContentPart(text=message.get("content") or "", annotations=sources)
    if message.get("refusal"):
        yield pb.ContentPart(refusal=message["refusal"])
    for call in message.get("tool_calls") or ():
        if "function" in call:
            yield pb.ContentPart(tool_call=tool_call(call))
        else:
            yield pb.ContentPart(provider_item=provider_item(call, provider))


def thoughts(message: Upstream) -> Iterator[tuple[str, str]]:
    """What the model thought, with the name it stands under; a server that gives it twice is read once."""
    for name in REASONING:
        if message.get(name):
            yield name, message[name]
            return


def annotation(source: Upstream) -> pb.Annotation:
    """A source of the text; its fields stand under the name of its type."""
    fields: Upstream = source.get(source["type"]) or {}
    result = pb.Annotation(type=source["type"], url=fields.get("url") or "", title=fields.get("title") or "")
    for index in ("start_index", "end_index"):
        if fields.get(index) is not None:
            setattr(result, index, fields[index])
    return result


def tool_call(call: Upstream) -> pb.ToolCall:
    """A function call; a stream's first piece of one has no arguments yet. A call without an id gets one,
    because its result has to name it."""
    function = call["function"]
    return pb.ToolCall(
        id=call.get("id") or f"call_{token_hex(12)}",
        name=function["name"],
        arguments_json=arguments(function),
    )


def arguments(function: Upstream) -> str:
    """A call's arguments as text; some servers send them as an object."""
    given = function.get("arguments")
    return orjson.dumps(given).decode() if isinstance(given, dict) else given or ""


def provider_item(call: Upstream, provider: str) -> pb.ProviderItem:
    """A call of a tool that is no function."""
    text = orjson.dumps(call).decode()
    return pb.ProviderItem(provider=provider, type=call["type"], item_json=text)
