"""Log probabilities of tokens, made up but steady."""

from collections.abc import Iterable

from tokenwire_server.simulator import seeds
from tokenwire_server.simulator.values import Json


def rows(tokens: Iterable[str], top: int) -> list[Json]:
    """A row for each token, with as many alternatives as asked for.

    The token is always the most likely one; the others get what is left, in equal steps.
    """
    return [_row(token, top) for token in tokens]


def _row(token: str, top: int) -> Json:
    own = -(1 + seeds.number(token) % 1000) / 2000
    others = [_scored(seeds.name(4, token, rank), own - 1 - rank) for rank in range(max(0, top - 1))]
    return {**_scored(token, own), "top_logprobs": [_scored(token, own), *others][:top]}


def _scored(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
