"""Numbers and names that depend on nothing but what they are made from."""

import base64
from collections.abc import Iterator
from hashlib import blake2b
from itertools import count


def number(*parts: object) -> int:
    """A 64-bit number; equal parts give equal numbers, in every process."""
    return int.from_bytes(_digest(8, parts))


def name(length: int, *parts: object) -> str:
    """A name of letters and digits, at most 76 long."""
    text = base64.b32encode(_digest(60, parts)).decode().lower()
    return text.replace("=", "")[:length]


def fractions(*parts: object) -> Iterator[float]:
    """An endless row of numbers from 0 up to, but not, 1."""
    for index in count():
        yield number(index, *parts) / 2**64


def _digest(size: int, parts: tuple[object, ...]) -> bytes:
    return blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=size).digest()
