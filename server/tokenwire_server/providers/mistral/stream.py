"""Chunks of a Mistral chat stream → Assembler."""

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.assembler import Assembler
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.mistral.decode import (
    FINISH_REASONS,
    Upstream,
    head,
    item,
    thought,
    tool_call,
)
from tokenwire_server.providers.mistral.errors import stream_error
from tokenwire_server.providers.openai_chat.decode import logprobs


class MistralStreamDecoder:
    """Reports the chunks of one stream. `done` is set by the terminal marker `[DONE]`."""

    def __init__(self, assembler: Assembler) -> None:
        self.done = False
        self._assembler = assembler
        self._width = 0

    def feed(self, data: bytes) -> None:
        """One event's data."""
        if not data or data.startswith(b"[DONE]"):
            self.done = self.done or bool(data)
            return
        chunk = loads(data)
        if not isinstance(chunk, dict):
            raise TypeError("not an object")
        if "choices" not in chunk:
            raise stream_error(chunk)
        if len(chunk) != self._width or chunk.get("usage"):
            self._width = len(chunk)  # the same fields with the same values in most chunks
            head(chunk, self._assembler.response)
        for choice in chunk["choices"]:
            self._choice(choice)

    def _choice(self, choice: Upstream) -> None:
        index, delta = choice["index"], choice["delta"]
        content = delta.get("content")
        if isinstance(content, str):
            self._text(index, content)
        else:
            for chunk in content or ():
                self._chunk(index, chunk)
        for call in delta.get("tool_calls") or ():
            self._assembler.tool_call(index, object(), tool_call(call))
        if choice.get("logprobs"):
            self._assembler.logprobs(index, logprobs(choice["logprobs"]))
        if native := choice.get("finish_reason"):
            self._assembler.finish(index, FINISH_REASONS.get(native, pb.FINISH_REASON_OTHER), native)

    def _text(self, index: int, text: str) -> None:
        if text:
            self._assembler.close(index, "reasoning")
            self._assembler.text(index, text)

    def _chunk(self, index: int, chunk: Upstream) -> None:
        match chunk["type"]:
            case "text":
                self._text(index, chunk["text"])
            case "thinking":
                self._assembler.close(index, "text")
                text, signature = thought(chunk), chunk.get("signature")
                if text or signature:
                    self._assembler.reasoning(index, text)
                if signature:
                    self._assembler.close(index, "reasoning", signature=signature)
            case _:
                self._assembler.close(index, "reasoning")
                self._assembler.close(index, "text")
                provider = self._assembler.response.provider
                self._assembler.item(index, pb.ContentPart(provider_item=item(chunk, provider)))
