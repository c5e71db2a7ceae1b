"""Chunks of a Chat Completions stream → Assembler."""

from collections.abc import Hashable
from typing import Any

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.assembler import Assembler
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.openai_chat.decode import (
    Upstream,
    annotation,
    arguments,
    finish_reason,
    head,
    logprobs,
    provider_item,
    thoughts,
    tool_call,
)
from tokenwire_server.providers.openai_chat.errors import stream_error


class ChatStreamDecoder:
    """Reports the chunks of one stream. `done` is set by the terminal marker `[DONE]`."""

    def __init__(self, assembler: Assembler) -> None:
        self.done = False
        self._assembler = assembler
        self._width = 0
        self._refused: set[int] = set()
        self._unnumbered: dict[int, object] = {}
        self._custom: dict[int, dict[Hashable, dict[str, Any]]] = {}
        """Pieces of calls of tools that are no functions, by choice and index: they come out whole."""

    def feed(self, data: bytes) -> None:
        """One event's data."""
        if not data or data.startswith(b"[DONE]"):
            self.done = self.done or bool(data)
            return
        chunk = loads(data)
        if not isinstance(chunk, dict):
            raise TypeError("not an object")
        if chunk.get("error") or chunk.get("object") == "error":
            raise stream_error(chunk.get("error") or chunk)
        if len(chunk) != self._width or chunk.get("usage"):
            head(chunk, self._assembler.response)
            # The same fields with the same values in most chunks, once there is an id.
            self._width = len(chunk) if self._assembler.response.id else 0
        for choice in chunk["choices"]:
            self._choice(choice)

    def _choice(self, choice: Upstream) -> None:
        index, delta = choice["index"], choice["delta"]
        content = delta.get("content")
        plain = content and len(delta) == 1
        if not plain:
            for name, text in thoughts(delta):
                self._assembler.reasoning(index, text, field=name)
        if content:
            self._assembler.text(index, content)
        if choice.get("logprobs"):  # before what would send the text off without them
            self._assembler.logprobs(index, logprobs(choice["logprobs"]))
        if not plain:
            self._rare(index, delta)
        if native := choice.get("finish_reason"):
            for call in self._custom.pop(index, {}).values():
                item = provider_item(call, self._assembler.response.provider)
                self._assembler.item(index, pb.ContentPart(provider_item=item))
            reason = finish_reason(native, refused=index in self._refused)
            self._assembler.finish(index, reason, native)

    def _rare(self, index: int, delta: Upstream) -> None:
        """All that is not one piece of text."""
        if refusal := delta.get("refusal"):
            self._refused.add(index)
            self._assembler.refusal(index, refusal)
        for call in delta.get("tool_calls") or ():
            self._call(index, call)
        for source in delta.get("annotations") or ():
            self._assembler.annotation(index, annotation(source))

    def _call(self, choice: int, call: Upstream) -> None:
        key = self._key(choice, call)
        if self._assembler.has_tool_call(choice, key):
            if more := arguments(call.get("function") or {}):
                self._assembler.arguments(choice, key, more)
        elif "function" in call:
            self._assembler.tool_call(choice, key, tool_call(call))
        else:
            whole = self._custom.setdefault(choice, {}).setdefault(key, {"custom": {"name": "", "input": ""}})
            whole |= {field: call[field] for field in ("id", "type") if call.get(field)}
            for field, text in (call.get("custom") or {}).items():
                whole["custom"][field] += text
            self._assembler.pieces += 1

    def _key(self, choice: int, call: Upstream) -> Hashable:
        """What tells the call from others. Without an index, a name begins one and what has none goes on."""
        index: int | None = call.get("index")
        if index is not None:
            return index
        if (call.get("function") or {}).get("name"):
            self._unnumbered[choice] = object()
        return self._unnumbered[choice]
