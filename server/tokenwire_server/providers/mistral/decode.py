"""Body of a Mistral chat reply → ChatResponse. The parts shared with streams are public.

What is not as documented raises TypeError, KeyError, AttributeError or ValueError, which the caller
reports as PROVIDER_BAD_RESPONSE.
"""

from collections.abc import Iterator, Mapping
from secrets import choice as pick
from string import ascii_letters, digits
from typing import Any, Final

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.message import fill_answer
from tokenwire_server.providers.openai_chat.decode import arguments, logprobs
from tokenwire_server.providers.openai_chat.decode import head as chat_head
from tokenwire_server.providers.state import pack

Upstream = Mapping[str, Any]
"""An object of a provider's JSON: of any shape until it is read."""

FINISH_REASONS: Final[Mapping[str, "pb.FinishReason.ValueType"]] = {
    "stop": pb.FINISH_REASON_STOP,
    "length": pb.FINISH_REASON_LENGTH,
    "model_length": pb.FINISH_REASON_LENGTH,
    "tool_calls": pb.FINISH_REASON_TOOL_CALLS,
    "error": pb.FINISH_REASON_ERROR,
}


def decode(reply: object, response: pb.ChatResponse) -> None:
    """Fills a response from a unary reply."""
    if not isinstance(reply, dict):
        raise TypeError("not an object")
    head(reply, response)
    if not reply["choices"]:
        raise ValueError("no choices")
    for given in reply["choices"]:
        native = given["finish_reason"]
        choice = response.choices.add(
            index=given["index"],
            finish_reason=FINISH_REASONS.get(native, pb.FINISH_REASON_OTHER),
            native_finish_reason=native,
            logprobs=logprobs(given.get("logprobs")),
        )
        fill_answer(choice.message, [*_parts(given["message"], response.provider)])


def head(reply: Upstream, response: pb.ChatResponse) -> None:
    """What a reply says beside its choices: the chat form, with one more place for cached tokens."""
    chat_head(reply, response)
    if cached := (reply.get("usage") or {}).get("num_cached_tokens"):
        response.usage.cached_input_tokens = cached


def _parts(message: Upstream, provider: str) -> Iterator[pb.ContentPart]:
    """Content in its order, then tool calls. Neighbouring texts are one part."""
    content = message.get("content") or ""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    yield from _merged(content, provider)
    for call in message.get("tool_calls") or ():
        yield pb.ContentPart(tool_call=tool_call(call))


def _merged(chunks: list[Upstream], provider: str) -> Iterator[pb.ContentPart]:
    texts: list[str] = []
    for chunk in chunks:
        if chunk["type"] == "text":
            texts.append(chunk["text"])
            continue
        if texts:
            yield pb.ContentPart(text="".join(texts))
            texts.clear()
        if chunk["type"] == "thinking":
            signature = chunk.get("signature") or ""
            yield pb.ContentPart(
                reasoning=pb.Reasoning(text=thought(chunk)),
                provider_state=pack(provider, signature=signature),
            )
        else:
            yield pb.ContentPart(provider_item=item(chunk, provider))
    if texts:
        yield pb.ContentPart(text="".join(texts))


def thought(chunk: Upstream) -> str:
    """The text of a thinking chunk; references inside it have none."""
    return "".join(piece.get("text") or "" for piece in chunk["thinking"])


def item(chunk: Upstream, provider: str) -> pb.ProviderItem:
    """A chunk that has no typed form."""
    return pb.ProviderItem(provider=provider, type=chunk["type"], item_json=orjson.dumps(chunk).decode())


def tool_call(call: Upstream) -> pb.ToolCall:
    """A call, which comes whole. One without an id ("null" stands for none) gets one."""
    function = call["function"]
    given = call.get("id")
    return pb.ToolCall(
        id=given if given and given != "null" else _new_id(),
        name=function["name"],
        arguments_json=arguments(function),
    )


def _new_id() -> str:
    return "".join(pick(ascii_letters + digits) for _ in range(9))
