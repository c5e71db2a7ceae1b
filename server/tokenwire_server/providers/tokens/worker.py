"""The thread that counts, so that the event loop does not wait.

bpe-openai keeps the interpreter's lock, hence it gets a text in pieces of a few milliseconds. A call that is
cancelled ends with the piece that is being counted.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar, TypeVarTuple

from tokenwire_server.providers.tokens import mistral, openai
from tokenwire_server.providers.tokens.pieces import SIZE, Piece, pieces
from tokenwire_server.providers.tokens.vocabulary import Unavailable, Vocabulary

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_AT_ONCE: Final = 8 * 1024
"""Most characters that are counted in the event loop: half a millisecond, a hop to the thread and back is a
tenth."""

_THREAD: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokens")
"""One, so that a vocabulary is loaded once however many calls need it. Not the loop's own executor, in which
host names are looked up."""

LOADED: Final[dict[str, Vocabulary]] = {}
"""By name; a vocabulary stays."""


async def load(name: str) -> Vocabulary:
    """The vocabulary with this name. Raises Unavailable."""
    return LOADED[name] if name in LOADED else await in_thread(_load, name)


def _load(name: str) -> Vocabulary:
    if name not in LOADED:
        if name in openai.NAMES:
            LOADED[name] = openai.vocabulary(name)
        elif name in mistral.NAMES:
            LOADED[name] = mistral.vocabulary(name)
        else:
            raise Unavailable("The vocabulary of its tokenizer is not published in a package.")
    return LOADED[name]


async def in_thread(function: Callable[[*Ts], T], *args: *Ts) -> T:
    """What the function gives, called in the thread when those before it are done."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, function, *args)


@dataclass(slots=True)
class Count:
    """How many tokens a text has."""

    tokens: int = 0
    exact: bool = True
    """False: it was cut within what may be one word, and a token or so was added there."""


async def count(vocabulary: Vocabulary, texts: Sequence[str]) -> list[Count]:
    """Counts each text; a long time passes in the thread only."""
    if sum(map(len, texts)) <= _AT_ONCE:
        return [Count(vocabulary.count(text)) for text in texts]
    counts = [Count() for _ in texts]
    for group in _groups(vocabulary, texts):
        found = await in_thread(_counted, vocabulary, group)
        for (place, piece), tokens in zip(group, found, strict=True):
            counts[place].tokens += tokens
            counts[place].exact &= piece.clean
    return counts


def _counted(vocabulary: Vocabulary, group: Sequence[tuple[int, Piece]]) -> list[int]:
    return [vocabulary.count(piece.text) for _, piece in group]


def _groups(vocabulary: Vocabulary, texts: Sequence[str]) -> Iterator[list[tuple[int, Piece]]]:
    """Pieces with the places of their texts, so many at a time as one piece may be long."""
    group: list[tuple[int, Piece]] = []
    size = 0
    for place, text in enumerate(texts):
        for piece in pieces(text) if vocabulary.in_pieces else (Piece(text, clean=True),):
            if group and size + len(piece.text) > SIZE:
                yield group
                group, size = [], 0
            group.append((place, piece))
            size += len(piece.text)
    yield group
