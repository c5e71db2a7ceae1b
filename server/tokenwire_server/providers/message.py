"""Messages out of parts, by the contract's rule for `text` and `parts`. Shared by replies and streams."""

from collections.abc import Sequence

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.state import is_bare


def fill_answer(message: pb.ChatMessage, parts: Sequence[pb.ContentPart]) -> None:
    """Makes it an answer: `parts` is filled when there is anything but one plain text part."""
    message.role = pb.ROLE_ASSISTANT
    texts = [part.text for part in parts if part.HasField("text")]
    message.text = texts[0] if len(texts) == 1 else "".join(texts)
    plain = len(texts) == len(parts) == 1 and not parts[0].annotations and is_bare(parts[0])
    if not plain:
        message.parts.extend(parts)


def without_text(message: pb.ChatMessage) -> pb.ChatMessage:
    """A message for `StreamOptions.deltas_only`: without texts, refusals and reasoning."""
    left_out = ("text", "refusal", "reasoning")
    kept = [part for part in message.parts if part.WhichOneof("content") not in left_out]
    return pb.ChatMessage(role=message.role, parts=kept)
