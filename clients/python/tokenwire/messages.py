"""What people write → messages: texts, files, mappings, and messages themselves."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from tokenwire.fields import enum_number, fill
from tokenwire.v1 import chat_pb2 as pb

Message: TypeAlias = pb.ChatMessage
Content: TypeAlias = "str | bytes | Path | pb.ContentPart | Mapping[str, Any]"
"""A text, the path or the bytes of an image or a PDF, or a part."""
Turn: TypeAlias = "Content | Message | HasMessages | Iterable[Turn]"
"""Content, a message, a conversation, or several of these."""

_IMAGES: Final = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
)
_PDF: Final = b"%PDF-"
"""How files of these types begin: their names may say anything."""


@runtime_checkable
class HasMessages(Protocol):
    """Such as a Conversation."""

    @property
    def messages(self) -> Iterable[Message]:
        """Oldest first."""


def messages(turns: Iterable[Turn]) -> list[Message]:
    """The messages that turns stand for: what is no message is content, and neighbours are one user's
    message. Raises TypeError for what is neither, OSError for a file that cannot be read."""
    found: list[Message] = []
    for is_message, group in groupby(_flat(turns), lambda turn: isinstance(turn, Message)):
        run: list[Any] = list(group)
        found += run if is_message else [message("user", *run)]
    return found


def message(role: str, *content: Content, **fields: object) -> Message:
    """A message of this role: `message("system", "Be brief.")`. `fields` are those of ChatMessage."""
    parts = [_part(piece) for piece in content]
    found = Message(role=_role(role))
    if len(parts) == 1 and _is_plain(parts[0]):
        found.text = parts[0].text
    else:
        found.parts.extend(parts)
    return fill(found, fields)


def tool_result(call_id: str, text: str) -> Message:
    """What a tool call returned."""
    return message("tool", {"tool_result": {"tool_call_id": call_id, "text": text}})


def _flat(turns: Iterable[Turn]) -> Iterator[Message | pb.ContentPart]:
    for turn in turns:
        if isinstance(turn, Message):
            yield turn
        elif isinstance(turn, Mapping) and "role" in turn:
            yield _message(turn)
        elif isinstance(turn, str | bytes | Path | pb.ContentPart | Mapping):
            yield _part(turn)
        elif isinstance(turn, HasMessages) and not isinstance(turn, pb.ChatRequest):
            yield from turn.messages
        elif isinstance(turn, Iterable):
            yield from _flat(turn)
        else:
            raise TypeError(f"a message is a text, a path, bytes or a mapping, not {type(turn).__name__}")


def _message(turn: Mapping[str, Any]) -> Message:
    """A mapping with the fields of ChatMessage, or with `role` and `content` as other APIs have them."""
    rest = {name: value for name, value in turn.items() if name not in ("role", "content")}
    content = turn.get("content", ())
    if isinstance(content, str | bytes | Path | Mapping) or not isinstance(content, Iterable):
        content = (content,)
    return message(turn["role"], *content, **rest)


def _role(role: object) -> "pb.Role.ValueType":
    return pb.Role.ValueType(enum_number(pb.Role.DESCRIPTOR, role, "role"))


def _is_plain(part: pb.ContentPart) -> bool:
    """Whether it is a text and nothing else: such a message has no parts."""
    return part == pb.ContentPart(text=part.text) and part.HasField("text")


def _part(piece: Content) -> pb.ContentPart:
    match piece:
        case pb.ContentPart():
            return piece
        case str():
            return pb.ContentPart(text=piece)
        case Path():
            return _file(piece.read_bytes(), piece.name)
        case bytes():
            return _file(piece, "")
        case Mapping():
            return fill(pb.ContentPart(), piece)
        case _:
            raise TypeError(f"content is a text, a path, bytes or a mapping, not {type(piece).__name__}")


def _file(data: bytes, name: str) -> pb.ContentPart:
    for media_type, begins in _IMAGES:
        if begins.match(data):
            return pb.ContentPart(image=pb.Media(data=data, media_type=media_type))
    if data.startswith(_PDF):
        return pb.ContentPart(file=pb.Media(data=data, media_type="application/pdf", filename=name))
    raise ValueError(f"{name or 'the data'}: neither a PNG, JPEG, GIF or WebP image nor a PDF")
