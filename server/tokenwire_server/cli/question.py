"""What commands make of their arguments: a ChatRequest."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.cli.output import UNUSABLE, fail

_LARGEST: Final = 32 * 1024 * 1024
"""Bytes of an image: a server takes no more in a request, by default."""

_TYPES: Final = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
)
"""How files of these types begin."""


def given(text: str | None) -> str:
    """The text of an argument, or else standard input."""
    if text is not None:
        return text
    if sys.stdin.isatty():
        fail("no prompt: give one as argument, or pipe it in", UNUSABLE)
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        fail("standard input is not UTF-8 text", UNUSABLE)


def question(model: str, system: str, prompt: str, images: Iterable[Path]) -> pb.ChatRequest:
    """A request of at most two messages; images stand behind the prompt."""
    try:
        asked = pb.ChatMessage(role=pb.ROLE_USER, text=prompt)
        turns = [pb.ChatMessage(role=pb.ROLE_SYSTEM, text=system)] if system else []
        request = pb.ChatRequest(model=model, messages=[*turns, asked])
    except ValueError:
        fail("the arguments are not UTF-8 text", UNUSABLE)
    if parts := [pb.ContentPart(image=_image(path)) for path in images]:
        request.messages[-1].parts.extend([pb.ContentPart(text=prompt), *parts])
    return request


def _image(path: Path) -> pb.Media:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror or error}", UNUSABLE)
    if len(data) > _LARGEST:
        fail(f"{path} has more than {_LARGEST} bytes", UNUSABLE)
    return pb.Media(data=data, media_type=_type(path, data))


def _type(path: Path, data: bytes) -> str:
    """By the file's content: its name may say anything."""
    found = (name for name, signature in _TYPES if signature.match(data))
    if not (name := next(found, "")):
        fail(f"{path} is no PNG, JPEG, GIF or WebP image", UNUSABLE)
    return name
