"""Cuts a long text where no token can lie across, so that it can be counted piece by piece."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

SIZE: Final = 32 * 1024
"""Most characters of a piece: a millisecond or two of counting."""

_CUT: Final = re.compile(
    r".+(?:(?<=\S)(?= )"
    r"|(?<=[0-9A-Za-z\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5])"
    r"(?=[\n!-&(-/:-@\[-`{-~\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f]))",
    re.DOTALL,
)
"""Up to the last place that is left of a space, or between a letter or digit and a mark. These vocabularies
split a text by a pattern before they look for tokens, and all their patterns split there, whatever surrounds
the place. (An apostrophe may belong to the letters before it, a mark to line ends after it.)"""


class Piece(NamedTuple):
    """A part of a text."""

    text: str
    clean: bool
    """False: it ends within what may be one word, because there was no other place in reach."""


def pieces(text: str) -> Iterator[Piece]:
    """The text in parts of at most SIZE characters; none for an empty text."""
    start = 0
    while len(text) - start > SIZE:
        cut = _CUT.match(text, start, start + SIZE)
        end = cut.end() if cut else start + SIZE
        yield Piece(text[start:end], clean=cut is not None)
        start = end
    if start < len(text):
        yield Piece(text[start:], clean=True)
