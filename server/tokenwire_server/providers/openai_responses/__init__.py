"""OpenAI Responses: POST /responses, as OpenAI's API reference of 2026-08 documents it, and as the servers
that speak like it use it."""

from dataclasses import replace
from typing import Final

from tokenwire_server.providers.codec import Codec
from tokenwire_server.providers.openai_responses.decode import decode
from tokenwire_server.providers.openai_responses.encode import encode
from tokenwire_server.providers.openai_responses.errors import error
from tokenwire_server.providers.openai_responses.stream import ResponsesStreamDecoder

CODEC: Final = Codec(
    path="/responses",
    encode=encode,
    # Usage comes in any case; no padding against traffic analysis, which only costs bytes inside a mesh.
    stream_fields={"stream": True, "stream_options": {"include_obfuscation": False}},
    decode=decode,
    stream_decoder=ResponsesStreamDecoder,
    lacks={
        "config.stop": "The Responses API has no stop texts.",
        "config.seed": "The Responses API has no seed.",
        "config.top_k": "The Responses API has no top_k.",
        "config.frequency_penalty": "The Responses API has no penalties.",
        "config.presence_penalty": "The Responses API has no penalties.",
        "config.candidate_count": "The Responses API gives one answer.",
        "config.logit_bias": "The Responses API has no logit bias.",
    },
    error=error,
)

COMPATIBLE: Final = replace(CODEC, stream_fields={"stream": True})
"""Of servers that speak like OpenAI."""
