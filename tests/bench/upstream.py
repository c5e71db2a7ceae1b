"""A stand-in for a provider: refuses what a provider would refuse, and answers with bytes made before.

Raw asyncio, so that it costs little beside what it is called by. A process of its own.
"""

import asyncio
import re
import sys
from typing import Final, cast

import orjson

from .child import serve_until_told
from .payload import ANSWER, BURST, CHAT, KEY, PACE, PACED, PIECES, TOKENS, USAGE, messages

_REQUEST_LINE: Final = b"POST /v1/chat/completions HTTP/1.1\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_TYPE: Final = re.compile(rb"\r\ncontent-type: *application/json\r\n", re.IGNORECASE)
_KEY: Final = re.compile(rb"\r\nauthorization: Bearer " + KEY.encode() + rb"\r\n", re.IGNORECASE)
_MESSAGES: Final = messages()
_HEAD: Final = {"created": 1767225600, "service_tier": "default", "system_fingerprint": "fp_0123456789"}


def _usage() -> dict[str, object]:
    given, made = USAGE
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def reply() -> bytes:
    """The body of a unary reply."""
    message: dict[str, object] = {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    fields = {"id": "chatcmpl-bench", "object": "chat.completion", "model": CHAT, "choices": [choice]}
    return orjson.dumps(fields | _HEAD | {"usage": _usage()})


def _chunk(model: str, choices: list[object], usage: object = None) -> bytes:
    fields = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "model": model, "choices": choices}
    return b"data: " + orjson.dumps(fields | _HEAD | {"usage": usage}) + b"\n\n"


def _delta(model: str, delta: dict[str, object], finish: str | None = None) -> bytes:
    return _chunk(model, [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])


def stream(model: str) -> tuple[bytes, list[bytes], list[bytes]]:
    """The events of a stream: one before the tokens, one for each token, and those after them."""
    opening = _delta(model, {"role": "assistant", "content": "", "refusal": None})
    tokens = [_delta(model, {"content": piece}) for piece in PIECES]
    end = [_delta(model, {}, "stop"), _chunk(model, [], _usage()), b"data: [DONE]\n\n"]
    return opening, tokens, end


def _framed(event: bytes) -> bytes:
    """An HTTP chunk of its own, as providers send each event."""
    return b"%x\r\n%s\r\n" % (len(event), event)


def _http(status: bytes, body: bytes) -> bytes:
    fields = b"content-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: %d" % len(body)
    return b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, fields, body)


def _writes(model: str) -> list[bytes]:
    """A stream as it is written in paced form: the head with the first token, the others, the end."""
    fields = b"content-type: text/event-stream; charset=utf-8\r\nx-request-id: req_bench"
    head = b"HTTP/1.1 200 OK\r\n%s\r\ntransfer-encoding: chunked\r\n\r\n" % fields
    opening, tokens, end = stream(model)
    first, *others = map(_framed, tokens)
    return [head + _framed(opening) + first, *others, b"".join(map(_framed, end)) + b"0\r\n\r\n"]


_REPLY: Final = _http(b"200 OK", reply())
_BURST: Final = b"".join(_writes(BURST))
_PACED: Final = _writes(PACED)


def mistake(head: bytes, body: bytes) -> str:
    """What is wrong with a request; empty when nothing is."""
    if not head.startswith(_REQUEST_LINE):
        return "not a POST of /v1/chat/completions"
    if not _KEY.search(head):
        return "not the key"
    if not _TYPE.search(head):
        return "not application/json"
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "not JSON"
    if not isinstance(fields, dict) or fields.get("model") not in {CHAT, BURST, PACED}:
        return "not a known model"
    if fields.get("messages") != _MESSAGES:
        return "not the messages"
    streams = fields["model"] != CHAT
    if bool(fields.get("stream")) != streams:
        return "not the stream flag"
    if streams and not (fields.get("stream_options") or {}).get("include_usage"):
        return "not the usage flag"
    return ""


class Connection(asyncio.Protocol):
    """One connection: requests one after another, each answered by its model."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's shape)
        """Stops a stream under way."""
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answers what has come whole."""
        received = self._received
        received += data
        while (end := received.find(b"\r\n\r\n") + 2) > 1:
            head = bytes(received[:end])
            length = _LENGTH.search(head)
            size = end + 2 + (int(length[1]) if length else 0)
            if len(received) < size:
                return
            body = bytes(received[end + 2 : size])
            del received[:size]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if wrong := mistake(head, body):
            sys.stderr.write(f"refused: {wrong}\n")
            self._transport.write(_http(b"400 Bad Request", orjson.dumps({"error": {"message": wrong}})))
            return
        if PACED.encode() in body:
            self._write_next(asyncio.get_running_loop().time(), 0)
        else:
            self._transport.write(_BURST if BURST.encode() in body else _REPLY)

    def _write_next(self, start: float, index: int) -> None:
        self._transport.write(_PACED[index])
        if index < TOKENS:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(start + (index + 1) * PACE, self._write_next, start, index + 1)


async def main() -> None:
    """Serves on a free port."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    async with server:
        await serve_until_told(server.sockets[0].getsockname()[1])


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
