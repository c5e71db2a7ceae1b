"""Token counts for replies that came without: from the length of the texts, marked ESTIMATED."""

from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2

BYTES_PER_TOKEN: Final = 4
"""About what byte-pair tokenizers make of English text; other scripts take more bytes and more tokens."""


def estimate(request: pb.ChatRequest, response: pb.ChatResponse) -> None:
    """Fills `usage` where the provider did not."""
    if response.HasField("usage"):
        return
    given = sum(message.ByteSize() for message in request.messages)
    given += sum(tool.ByteSize() for tool in request.tools)
    made = sum(_size(choice.message) for choice in response.choices)
    usage = response.usage
    usage.input_tokens = -(-given // BYTES_PER_TOKEN)
    usage.output_tokens = -(-made // BYTES_PER_TOKEN)
    usage.total_tokens = usage.input_tokens + usage.output_tokens
    usage.source = common_pb2.TOKEN_SOURCE_ESTIMATED


def _size(message: pb.ChatMessage) -> int:
    """Bytes of an answer; a text that stands in `parts` too counts once."""
    parts = sum(part.ByteSize() - len(part.provider_state) for part in message.parts)
    return parts or len(message.text.encode())
