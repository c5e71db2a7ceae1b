"""OpenAI Chat Completions: POST /chat/completions, as OpenAI's API reference of 2026-08 documents it."""

from typing import Final

from tokenwire_server.providers.codec import Codec
from tokenwire_server.providers.openai_chat.decode import decode
from tokenwire_server.providers.openai_chat.encode import encode
from tokenwire_server.providers.openai_chat.errors import error
from tokenwire_server.providers.openai_chat.stream import ChatStreamDecoder

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
    error=error,
)
