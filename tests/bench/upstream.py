"""A stand-in for the providers: refuses what they would refuse, and answers with bytes made before.

Raw asyncio, so that it costs little beside what it is called by. A process of its own.
"""

import asyncio
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from .child import serve_until_told
from .payload import (
    BURST,
    CHATS,
    EMBEDDINGS,
    KEYS,
    MISTRAL,
    OPENAI,
    PACE,
    PACED,
    RESPONSES,
    SLOW,
    SLOW_SECONDS,
    TOKENS,
    messages,
    tools,
)
from .wire import http, reply, vectors, writes

_CHAT_LINE: Final = b"POST /v1/chat/completions HTTP/1.1\r\n"
_RESPONSES_LINE: Final = b"POST /v1/responses HTTP/1.1\r\n"
_EMBED_LINE: Final = b"POST /v1/embeddings HTTP/1.1\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_TYPE: Final = re.compile(rb"\r\ncontent-type: *application/json\r\n", re.IGNORECASE)
_KEY: Final = re.compile(rb"\r\nauthorization: Bearer (\S+)\r\n", re.IGNORECASE)
_PROVIDERS: Final = {key.encode(): provider for provider, key in KEYS.items()}
_MODELS: Final = {OPENAI: {*CHATS, BURST, PACED}, MISTRAL: {BURST, PACED}, RESPONSES: {BURST}}
_MISTRAL_FIELDS: Final = {"model", "messages", "stream"}
_MESSAGES: Final = {model: messages(model) for model in (*CHATS, BURST, PACED)}
_TOOLS: Final = {model: tools(model) for model in _MESSAGES}


def _quoted(model: str) -> bytes:
    """As it stands in a request."""
    return b'"%s"' % model.encode()


_WHOLE: Final = {_quoted(model): http(b"200 OK", reply(model)) for model in CHATS} | {
    _quoted(model): http(b"200 OK", vectors(model)) for model in EMBEDDINGS
}
_BURST: Final = {provider: b"".join(writes(provider, BURST)) for provider in KEYS}
_PACED: Final = {provider: writes(provider, PACED) for provider in KEYS}


def provider_of(head: bytes) -> str:
    """Whose key a request has; empty when it has none that is known."""
    key = _KEY.search(head)
    return _PROVIDERS.get(key[1], "") if key else ""


def mistake(head: bytes, body: bytes) -> str:
    """What is wrong with a request; empty when nothing is."""
    if not (provider := provider_of(head)):
        return "not the key"
    chat_line = _RESPONSES_LINE if provider == RESPONSES else _CHAT_LINE
    if not head.startswith((chat_line, _EMBED_LINE)):
        return "not a POST of a path that it has"
    if not _TYPE.search(head):
        return "not application/json"
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "not JSON"
    return _embed_mistake(fields) if head.startswith(_EMBED_LINE) else _chat_mistake(provider, fields)


def _chat_mistake(provider: str, fields: object) -> str:
    if not isinstance(fields, dict) or fields.get("model") not in _MODELS[provider]:
        return "not a known model"
    if provider == RESPONSES:
        return _responses_mistake(fields)
    if fields.get("messages") != _MESSAGES[fields["model"]]:
        return "not the messages"
    if fields.get("tools", []) != _TOOLS[fields["model"]]:
        return "not the tools"
    if bool(fields.get("stream")) != (fields["model"] not in CHATS):
        return "not the stream flag"
    return _mistral_mistake(fields) if provider == MISTRAL else _openai_mistake(fields)


def _embed_mistake(fields: object) -> str:
    model = fields.get("model") if isinstance(fields, dict) else None
    if model not in EMBEDDINGS:
        return "not a known model"
    expected = {"model": model, "input": EMBEDDINGS[model].texts, "encoding_format": "base64"}
    return "" if fields == expected else "not the texts"


def _responses_mistake(fields: Mapping[str, Any]) -> str:
    expected = {"model": fields["model"], "input": _MESSAGES[fields["model"]], "store": False, "stream": True}
    return "" if fields == expected else "not what was asked for"


def _openai_mistake(fields: Mapping[str, Any]) -> str:
    counts = (fields.get("stream_options") or {}).get("include_usage")
    return "" if counts or fields["model"] in CHATS else "not the usage flag"


def _mistral_mistake(fields: Mapping[str, Any]) -> str:
    """Mistral refuses what it has no field for; nothing more than these was asked for."""
    return "not a field that was asked for" if fields.keys() - _MISTRAL_FIELDS else ""


class Connection(asyncio.Protocol):
    """One connection: requests one after another, each answered by its model."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops an answer under way."""
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
            self._transport.write(http(b"400 Bad Request", orjson.dumps({"error": {"message": wrong}})))
            return
        provider = provider_of(head)
        loop = asyncio.get_running_loop()
        if _quoted(PACED) in body:
            self._write_next(_PACED[provider], loop.time(), 0)
        elif _quoted(BURST) in body:
            self._transport.write(_BURST[provider])
        elif _quoted(SLOW) in body:
            self._timer = loop.call_later(SLOW_SECONDS, self._transport.write, _WHOLE[_quoted(SLOW)])
        else:
            self._transport.write(next(whole for model, whole in _WHOLE.items() if model in body))

    def _write_next(self, parts: list[bytes], start: float, index: int) -> None:
        self._transport.write(parts[index])
        if index < TOKENS:
            loop = asyncio.get_running_loop()
            when = start + (index + 1) * PACE
            self._timer = loop.call_at(when, self._write_next, parts, start, index + 1)


async def main() -> None:
    """Serves on a free port."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    async with server:
        await serve_until_told(server.sockets[0].getsockname()[1])


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
