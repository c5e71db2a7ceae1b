"""Messages out of parts, by the contract's rule for `text` and `parts`. Shared by replies and streams."""

from collections.abc import Iterable

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.state import is_bare


def assistant_message(parts: Iterable[pb.ContentPart]) -> pb.ChatMessage:
    """An answer's message: `parts` is filled when there is anything but one plain text part."""
    parts = list(parts)
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    message.text = "".join(part.text for part in parts if part.HasField("text"))
    plain = len(parts) == 1 and parts[0].HasField("text") and not parts[0].annotations and is_bare(parts[0])
    if not plain:
        message.parts.extend(parts)
    return message


def without_text(message: pb.ChatMessage) -> pb.ChatMessage:
    """A message for `StreamOptions.deltas_only`: without texts, refusals and reasoning."""
    left_out = ("text", "refusal", "reasoning")
    kept = [part for part in message.parts if part.WhichOneof("content") not in left_out]
    return pb.ChatMessage(role=message.role, parts=kept)
