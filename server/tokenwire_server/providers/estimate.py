"""Token counts for replies that came without, or came in part, marked ESTIMATED."""

from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2

BYTES_PER_TOKEN: Final = 4
"""About what byte-pair tokenizers make of English text; other scripts take more bytes and more tokens."""


def estimate(request: pb.ChatRequest, response: pb.ChatResponse) -> None:
    """Fills `usage` where the provider did not, from the length of the texts."""
    if not response.HasField("usage"):
        _fill(response.usage, request, _tokens(sum(_size(choice.message) for choice in response.choices)))


def estimate_partial(request: pb.ChatRequest, response: pb.ChatResponse, pieces: int) -> None:
    """The same for an answer that broke off after so many pieces of content."""
    if not response.HasField("usage"):
        _fill(response.usage, request, pieces)


def _fill(usage: common_pb2.Usage, request: pb.ChatRequest, output_tokens: int) -> None:
    given = sum(message.ByteSize() for message in request.messages)
    given += sum(tool.ByteSize() for tool in request.tools)
    usage.input_tokens = _tokens(given)
    usage.output_tokens = output_tokens
    usage.total_tokens = usage.input_tokens + usage.output_tokens
    usage.source = common_pb2.TOKEN_SOURCE_ESTIMATED


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)


def _size(message: pb.ChatMessage) -> int:
    """Bytes of an answer; a text that stands in `parts` too counts once."""
    parts = sum(part.ByteSize() - len(part.provider_state) for part in message.parts)
    return parts or len(message.text.encode())
