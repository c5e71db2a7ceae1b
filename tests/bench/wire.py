"""What providers send, in their own forms: made once, before anything is measured."""

from base64 import b64encode
from typing import Final

import orjson

from .payload import (
    ANSWER,
    ARGUMENTS,
    CALL_ID,
    CHAT,
    CHATS,
    EMBEDDINGS,
    MISTRAL,
    OPENAI,
    PIECES,
    RESPONSES,
    STREAMED,
    TOOL,
    USAGE,
    VECTORS,
)

Json = dict[str, object]
Stream = tuple[bytes, list[bytes], list[bytes]]
"""The events before the tokens, one for each token, and those after them."""

_DONE: Final = b"data: [DONE]\n\n"
_CREATED: Final = 1767225600
_OPENAI_HEAD: Final[Json] = {
    "created": _CREATED,
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}
_MISTRAL_ID: Final = "0123456789abcdef0123456789abcdef"
_REQUEST_ID: Final = {
    OPENAI: b"x-request-id: req_bench",
    MISTRAL: b"mistral-correlation-id: req_bench",
    RESPONSES: b"x-request-id: req_bench",
}
_ITEM: Final = "msg_0123456789abcdef0123456789abcdef0123456789abcdef"
_PLACE: Final[Json] = {"item_id": _ITEM, "output_index": 0, "content_index": 0}
_PADDING: Final = "Zk3vR8tLqW1xYbN0"


def _event(fields: Json) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


# OpenAI


def _openai_usage() -> Json:
    given, made = USAGE
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def reply(model: str = CHAT) -> bytes:
    """The body of a unary reply of OpenAI."""
    message: Json = {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []}
    finish = "stop"
    if CHATS[model].tools:
        function = {"name": TOOL, "arguments": ARGUMENTS}
        message |= {
            "content": None,
            "tool_calls": [{"id": CALL_ID, "type": "function", "function": function}],
        }
        finish = "tool_calls"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    fields: Json = {"id": "chatcmpl-bench", "object": "chat.completion", "model": model, "choices": [choice]}
    return orjson.dumps(fields | _OPENAI_HEAD | {"usage": _openai_usage()})


def vectors(model: str) -> bytes:
    """The body of OpenAI's reply to the texts of a model for embeddings."""
    given, _ = USAGE
    numbered = enumerate(VECTORS[: len(EMBEDDINGS[model].texts)])
    rows = [
        {"object": "embedding", "index": index, "embedding": b64encode(vector.tobytes()).decode()}
        for index, vector in numbered
    ]
    usage = {"prompt_tokens": given, "total_tokens": given}
    return orjson.dumps({"object": "list", "data": rows, "model": model, "usage": usage})


def _openai_chunk(model: str, choices: list[object], usage: object = None) -> bytes:
    fields: Json = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "model": model}
    return _event(fields | {"choices": choices} | _OPENAI_HEAD | {"usage": usage})


def _openai_delta(model: str, delta: Json, finish: str | None = None) -> bytes:
    return _openai_chunk(model, [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])


def _openai_stream(model: str) -> Stream:
    """The usage comes in a chunk of its own, without choices."""
    opening = _openai_delta(model, {"role": "assistant", "content": "", "refusal": None})
    tokens = [_openai_delta(model, {"content": piece}) for piece in PIECES]
    return (
        opening,
        tokens,
        [_openai_delta(model, {}, "stop"), _openai_chunk(model, [], _openai_usage()), _DONE],
    )


# Mistral


def _mistral_delta(model: str, delta: Json, finish: str | None = None, **more: object) -> bytes:
    choice: Json = {"index": 0, "delta": delta, "finish_reason": finish}
    fields: Json = {"id": _MISTRAL_ID, "object": "chat.completion.chunk", "created": _CREATED, "model": model}
    return _event(fields | {"choices": [choice]} | more)


def _mistral_stream(model: str) -> Stream:
    """The last chunk has the finish reason and the usage."""
    given, made = USAGE
    usage = {
        "prompt_tokens": given,
        "total_tokens": given + made,
        "completion_tokens": made,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    opening = _mistral_delta(model, {"role": "assistant", "content": ""})
    tokens = [_mistral_delta(model, {"content": piece}) for piece in PIECES]
    return opening, tokens, [_mistral_delta(model, {"content": ""}, "stop", usage=usage), _DONE]


# OpenAI's Responses


def _response(model: str, status: str, output: list[object], usage: object = None) -> Json:
    """The answer with what it repeats of its request."""
    return {
        "id": "resp_0123456789abcdef0123456789abcdef0123456789abcdef",
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "user": None,
        "metadata": {},
    }


def _responses_events(model: str) -> list[Json]:
    """All events of an answer of one text."""
    given, made = USAGE
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }

    def part(text: str) -> Json:
        return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}

    def item(status: str, *content: Json) -> Json:
        return {"id": _ITEM, "type": "message", "status": status, "content": [*content], "role": "assistant"}

    def event(kind: str, **fields: object) -> Json:
        return {"type": f"response.{kind}", **fields}

    whole = item("completed", part(STREAMED))
    deltas = [
        event("output_text.delta", **_PLACE, delta=piece, logprobs=[], obfuscation=_PADDING)
        for piece in PIECES
    ]
    return [
        event("created", response=_response(model, "in_progress", [])),
        event("in_progress", response=_response(model, "in_progress", [])),
        event("output_item.added", output_index=0, item=item("in_progress")),
        event("content_part.added", **_PLACE, part=part("")),
        *deltas,
        event("output_text.done", **_PLACE, text=STREAMED, logprobs=[]),
        event("content_part.done", **_PLACE, part=part(STREAMED)),
        event("output_item.done", output_index=0, item=whole),
        event("completed", response=_response(model, "completed", [whole], usage)),
    ]


def _responses_stream(model: str) -> Stream:
    """Each event is numbered and has its type twice. Nothing comes after the last."""
    events = [
        b"event: %s\n" % str(event["type"]).encode() + _event(event | {"sequence_number": number})
        for number, event in enumerate(_responses_events(model))
    ]
    return b"".join(events[:4]), events[4:-4], events[-4:]


# HTTP


def stream(provider: str, model: str) -> Stream:
    """The events of a provider's stream."""
    made = {OPENAI: _openai_stream, MISTRAL: _mistral_stream, RESPONSES: _responses_stream}
    return made[provider](model)


def http(status: bytes, body: bytes) -> bytes:
    """A whole reply."""
    fields = b"content-type: application/json\r\n%s\r\ncontent-length: %d" % (_REQUEST_ID[OPENAI], len(body))
    return b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, fields, body)


def _framed(event: bytes) -> bytes:
    """An HTTP chunk of its own, as providers send each event."""
    return b"%x\r\n%s\r\n" % (len(event), event)


def writes(provider: str, model: str) -> list[bytes]:
    """A stream as it is written in paced form: the head with the first token, the others, the end."""
    fields = b"content-type: text/event-stream; charset=utf-8\r\n" + _REQUEST_ID[provider]
    head = b"HTTP/1.1 200 OK\r\n%s\r\ntransfer-encoding: chunked\r\n\r\n" % fields
    opening, tokens, end = stream(provider, model)
    first, *others = map(_framed, tokens)
    return [head + _framed(opening) + first, *others, b"".join(map(_framed, end)) + b"0\r\n\r\n"]
