"""Vectors of texts: similar texts have similar ones, in any language, without a model.

A text is taken apart into its words and its runs of three characters (two in Chinese and its like). Each
piece adds to places of the vector that a hash of it names, so the cosine of two texts grows with what they
share. A little noise of the whole text makes all places differ from zero, and all texts from each other. The
first places get the most, so that a vector that is cut short still tells texts apart.
"""

import base64
import math
import sys
import unicodedata
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable
from functools import lru_cache
from hashlib import blake2b, shake_256
from itertools import pairwise

from tokenwire_server.simulator import tokens

Content = str | tuple[int, ...]
"""What is embedded: a text, or the ids of tokens, of which nobody here knows the text."""

_DENSE = "\u2e80"  # from here on, a character of a text says as much as several of other scripts
_PLACES = 2  # to which a piece adds
_NOISE = 0.2  # of the vector's length
_USUAL = 32_768 / math.sqrt(3)  # size of a random signed 16-bit number


def vector(content: Content, model: str, size: int, kept: int | None = None) -> "array[float]":
    """The vector of a content, of length 1; with `kept`, made of the first so many of its `size` places."""
    pieces = _pieces(content)
    places: list[float] = [*_noise(content, model, size)]
    scale = _USUAL * math.sqrt(size / (_PLACES * max(1, pieces.total()))) / _NOISE
    for piece, times in pieces.items():
        weight = scale * math.sqrt(times)
        for place in _places(piece, model, size):
            if place >= 0:
                places[place] += weight
            else:
                places[~place] -= weight
    return _unit(places[:kept])


def count(content: Content) -> int:
    """How many tokens a content has."""
    return tokens.count(content) if isinstance(content, str) else len(content)


def in_base64(values: "array[float] | array[int]") -> str:
    """The numbers as their bytes, the lowest first."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def _unit(places: list[float]) -> "array[float]":
    length = math.hypot(*places)
    if not length:
        return array("f", [1.0, *places[1:]])
    return array("f", [place / length for place in places])


def _pieces(content: Content) -> "Counter[Hashable]":
    if not isinstance(content, str):
        return _counted((content, pairwise(content)))
    words = unicodedata.normalize("NFKC", content).casefold().split()
    text = f" {' '.join(words)} "
    runs = map("".join, zip(text, text[1:], text[2:], strict=False))
    pairs = [a + b for a, b in pairwise(text) if a >= _DENSE <= b] if not text.isascii() else []
    return _counted((words, runs, pairs))


def _counted(kinds: Iterable[Iterable[Hashable]]) -> "Counter[Hashable]":
    found: Counter[Hashable] = Counter()
    for kind in kinds:
        found.update(kind)
    return found


@lru_cache(maxsize=16_384)
def _places(piece: Hashable, model: str, size: int) -> tuple[int, ...]:
    """Where a piece adds to the vector; ~place where it takes away instead."""
    digest = blake2b(f"{model}\0{piece}".encode("utf-8", "surrogatepass"), digest_size=3 * _PLACES).digest()
    found = []
    for at in range(0, len(digest), 3):
        drawn = int.from_bytes(digest[at : at + 2], "big") / 65_536
        place = int(drawn * drawn * size)
        found.append(place if digest[at + 2] & 1 else ~place)
    return tuple(found)


def _noise(content: Content, model: str, size: int) -> "array[int]":
    seed = f"{model}\0{content}".encode("utf-8", "surrogatepass")
    numbers = array("h", shake_256(seed).digest(2 * size))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
