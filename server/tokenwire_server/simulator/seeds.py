"""Numbers and names that depend on nothing but what they are made from."""

import base64
from hashlib import blake2b


def number(*parts: object) -> int:
    """A 64-bit number; equal parts give equal numbers, in every process."""
    return int.from_bytes(_digest(8, parts))


def name(length: int, *parts: object) -> str:
    """A name of letters and digits, at most 76 long."""
    text = base64.b32encode(_digest(60, parts)).decode().lower()
    return text.replace("=", "")[:length]


def _digest(size: int, parts: tuple[object, ...]) -> bytes:
    return blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=size).digest()
