"""What a model takes of an embedding request: how many texts at once, and how long each may be."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.catalog import Catalog
from tokenwire_server.errors import GatewayError, Violation
from tokenwire_server.providers.estimate import BYTES_PER_TOKEN
from tokenwire_server.providers.tokens import count_text
from tokenwire_server.settings import Kind

ErrorReader: TypeAlias = Callable[[int, Mapping[str, str], bytes], GatewayError]
"""What a reply with an error status means."""

_TOO_LONG: Final = re.compile(rb"maximum (context|input) length|exceeding max \d+ tokens")
"""In the messages of OpenAI and those who copy it, and of Mistral: no code of theirs tells a text that is too
long from any other mistake."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Those of one model."""

    max_inputs: int
    """Most texts of one batch."""
    max_tokens: int
    """Most tokens of one batch, as estimated here."""
    window: int = 0
    """Most tokens of one text; 0 = unknown."""
    tokenizer: str = ""
    """What its tokens are counted with; empty = unknown."""


def limits_of(catalog: Catalog, kind: Kind, model: str, defaults: Limits) -> Limits:
    """A model's own limits, the defaults where the catalog does not know them."""
    row, facts = catalog.find(kind, model), catalog.facts(kind, model)
    if not row or not facts:
        return defaults
    return Limits(
        max_inputs=facts.max_batch_inputs or defaults.max_inputs,
        # An estimate may be too low by half.
        max_tokens=(facts.max_batch_tokens or 0) * 2 // 3 or defaults.max_tokens,
        window=facts.context_window or 0,
        tokenizer=row.tokenizer or "",
    )


def estimated(text: str) -> int:
    """About how many tokens a text has."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1


def batches(inputs: Sequence[str], limits: Limits) -> Iterator[range]:
    """The places of the texts of each batch. A text that is alone in it may have more tokens than allowed."""
    start = tokens = 0
    for index, text in enumerate(inputs):
        size = estimated(text)
        if index > start and (index - start == limits.max_inputs or tokens + size > limits.max_tokens):
            yield range(start, index)
            start, tokens = index, 0
        tokens += size
    yield range(start, len(inputs))


async def check_lengths(inputs: Sequence[str], limits: Limits) -> None:
    """Raises CONTEXT_LENGTH_EXCEEDED for a text that the model certainly cannot read whole.

    No token is less than a byte, so that few texts have to be counted. One that cannot be counted exactly is
    left to the provider.
    """
    if not limits.window or not limits.tokenizer:
        return
    for index, text in enumerate(inputs):
        if len(text.encode()) > limits.window:
            tokens = await count_text(limits.tokenizer, text)
            if tokens is not None and tokens > limits.window:
                why = f"The text has {tokens} tokens, and the model reads {limits.window} at most."
                raise GatewayError(
                    reason=Reason.CONTEXT_LENGTH_EXCEEDED,
                    text=why,
                    violations=[Violation(f"input[{index}]", why)],
                )


def knowing_too_long(error: ErrorReader) -> ErrorReader:
    """Reads errors as `error` does, and knows a text that is too long by the provider's message."""

    def read(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        found = error(status, headers, body)
        if status == 400 and found.reason == Reason.INVALID_REQUEST and _TOO_LONG.search(body):
            found.reason = Reason.CONTEXT_LENGTH_EXCEEDED
        return found

    return read


def point_at(error: GatewayError, batch: range) -> None:
    """Says of a provider's CONTEXT_LENGTH_EXCEEDED which text it may mean."""
    if error.reason == Reason.CONTEXT_LENGTH_EXCEEDED:
        path = f"input[{batch.start}]" if len(batch) == 1 else "input"
        error.text = "A text is longer than the model can read."
        error.violations = [Violation(path, error.text)]
