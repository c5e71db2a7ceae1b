"""Mistral chat: POST /v1/chat/completions, as Mistral's API reference and SDK 3.7 document it.

Mistral refuses what it does not know (422), so that nothing is sent that it has no field for.
"""

from typing import Final

from tokenwire_server.providers.codec import Codec
from tokenwire_server.providers.mistral.decode import decode
from tokenwire_server.providers.mistral.encode import encode
from tokenwire_server.providers.mistral.errors import error
from tokenwire_server.providers.mistral.stream import MistralStreamDecoder

CODEC: Final = Codec(
    path="/chat/completions",
    encode=encode,
    stream_fields={"stream": True},
    decode=decode,
    stream_decoder=MistralStreamDecoder,
    lacks={
        "config.verbosity": "Mistral has no verbosity.",
        "config.logit_bias": "Mistral has no logit bias.",
        "store": "Mistral does not store answers.",
        "reasoning.summary": "Mistral has no summaries of reasoning.",
        "previous_response_id": "Mistral keeps no answers to go on from.",
    },
    error=error,
)
