"""Vocabulary: what counts the tokens of texts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tokenwire_server.providers.estimate import BYTES_PER_TOKEN
from tokenwire_server.providers.jsontext import JsonObject

NOT_INSTALLED: Final = "The server lacks its tokenizer: the extra `tokenizers` is not installed."


class Unavailable(Exception):  # noqa: N818 (an answer, not a bug)
    """A vocabulary cannot be had here; the text says why, to callers."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Counts tokens. Both functions are deterministic, never raise, and may take long."""

    count: Callable[[str], int]
    """Of a text, all of it plain: what looks like a special token is none."""
    in_pieces: bool = True
    """Whether a text has as many tokens as its pieces (pieces.py) have together."""
    chat: Callable[[JsonObject], int | None] | None = None
    """Of a whole conversation, given as the body of a request; None where it does not take that one."""


def _estimate(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


ESTIMATE: Final = Vocabulary(_estimate, in_pieces=False)
"""Stands in where there is none."""
