"""The simulator's tokenizer: deterministic, lossless, no vocabulary.

A token is up to four word characters, together with one space before them if there is one; any other
character is a token of its own. English text comes to about as many tokens as with a real tokenizer.
"""

import re

_TOKEN = re.compile(r" ?\w{1,4}|\s|[^\w\s]")


def split(text: str) -> list[str]:
    """The tokens of a text; joined they give the text again."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """How many tokens a text has."""
    return sum(1 for _ in _TOKEN.finditer(text))
