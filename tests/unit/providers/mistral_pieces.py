"""Replies of Mistral and their pieces, for its decoders to read."""

from typing import Any

from unit.providers.upstream import decoded as decoded_by

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.mistral import CODEC
from tokenwire_server.providers.state import pack

CALL = {"id": "D681PevKs", "function": {"name": "f", "arguments": '{"b": 1,"a": 2}'}, "index": 0}
REFERENCE = {"type": "reference", "reference_ids": [1, 2]}


def decoded(value: Any) -> pb.ChatResponse:
    return decoded_by(value, CODEC, "mistral")


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def thinking(*texts: str, **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [text(piece) for piece in texts], **more}


def thought(text: str, **state: str) -> pb.ContentPart:
    return pb.ContentPart(reasoning=pb.Reasoning(text=text), provider_state=pack("mistral", **state))
