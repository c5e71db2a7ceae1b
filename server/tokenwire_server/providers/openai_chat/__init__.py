"""OpenAI Chat Completions: POST /chat/completions, as OpenAI's API reference of 2026-08 documents it, and as
the servers that speak like it use it."""

from dataclasses import replace
from typing import Final

from tokenwire_server.providers.codec import Codec
from tokenwire_server.providers.openai_chat.decode import decode
from tokenwire_server.providers.openai_chat.encode import encode
from tokenwire_server.providers.openai_chat.errors import error
from tokenwire_server.providers.openai_chat.stream import ChatStreamDecoder

_ABSENT: Final = {
    "reasoning.summary": "Chat Completions has no summaries of reasoning.",
    "previous_response_id": "Chat Completions keeps no answers to go on from.",
}

CODEC: Final = Codec(
    path="/chat/completions",
    encode=encode,
    # Usage always; no padding against traffic analysis, which only costs bytes inside a mesh.
    stream_fields={
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    },
    decode=decode,
    stream_decoder=ChatStreamDecoder,
    lacks={"config.top_k": "OpenAI has no top_k."} | _ABSENT,
    error=error,
)

COMPATIBLE: Final = replace(
    CODEC, stream_fields={"stream": True, "stream_options": {"include_usage": True}}, lacks=_ABSENT
)
"""Of servers that speak like OpenAI: what else one of them lacks is known to it alone."""
