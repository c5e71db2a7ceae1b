"""Replies of a provider, for decoders to read."""

import json
from collections.abc import Iterable
from typing import Any

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.assembler import Assembler, completed
from tokenwire_server.providers.codec import Codec
from tokenwire_server.providers.openai_chat import CODEC

NOT_THE_PROTOCOL = (TypeError, KeyError, AttributeError, ValueError)
"""What decoders may raise for a wrong shape."""

USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


def reply(message: Any = None, **more: Any) -> dict[str, Any]:
    """A unary reply; keys of its choice may be given as `choice_…`."""
    choice: dict[str, Any] = {"index": 0, "message": message or {"content": "Hi"}, "finish_reason": "stop"}
    choice |= {key.removeprefix("choice_"): more.pop(key) for key in [*more] if key.startswith("choice_")}
    return {"id": "c-1", "created": 5, "model": "m-1", "choices": [choice], **more}


def decoded(value: Any, codec: Codec = CODEC, provider: str = "openai") -> pb.ChatResponse:
    response = pb.ChatResponse(provider=provider)
    codec.decode(value, response)
    return response


def chunk(delta: Any = None, finish: Any = None, index: Any = 0, **more: Any) -> dict[str, Any]:
    """A chunk of a stream with one choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c-1", "created": 5, "model": "m-1", "choices": [choice], **more}


class Played:
    """What a stream of chunks comes to; `read` by `read`."""

    def __init__(self, codec: Codec = CODEC, provider: str = "openai") -> None:
        self.assembler = Assembler(provider)
        self.decoder = codec.stream_decoder(self.assembler)
        self.events: list[pb.ChatStreamResponse] = []

    def read(self, *chunks: Any) -> list[pb.ChatStreamResponse]:
        for item in chunks:
            self.decoder.feed(item if isinstance(item, bytes) else json.dumps(item).encode())
        events = self.assembler.take()
        self.events += events
        return events

    def end(self) -> pb.ChatResponse:
        assert self.assembler.finished()
        response = self.assembler.whole()
        self.events += [*self.assembler.start(), completed(response, pb.StreamOptions())]
        return response


def played(chunks: Iterable[Any], codec: Codec = CODEC, provider: str = "openai") -> Played:
    """A whole stream, each chunk a read of its own."""
    stream = Played(codec, provider)
    for item in chunks:
        stream.read(item)
    stream.end()
    return stream
