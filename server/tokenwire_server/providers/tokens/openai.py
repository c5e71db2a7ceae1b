"""OpenAI's vocabularies, from bpe-openai, which brings them along."""

from collections.abc import Callable
from typing import Final

from tokenwire_server.providers.tokens.vocabulary import NOT_INSTALLED, Unavailable, Vocabulary

NAMES: Final = frozenset({"o200k_base", "cl100k_base"})


def vocabulary(name: str) -> Vocabulary:
    """One of NAMES; takes part of a second. Raises Unavailable."""
    try:
        # Its public Encoding is slower, holds all ranks once more, and takes a million characters at most.
        from bpe_openai._bindings import (  # type: ignore[import-untyped]  # noqa: PLC0415 (optional, large)
            tokenizer_for_encoding,
        )
    except ImportError as error:
        raise Unavailable(NOT_INSTALLED) from error
    count: Callable[[str], int] = tokenizer_for_encoding(name).count
    return Vocabulary(count)
