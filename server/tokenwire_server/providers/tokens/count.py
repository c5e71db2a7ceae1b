"""CountTokens for one provider: which tokenizer, what it counts, and what is no more than an estimate."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from tokenwire.v1 import chat_pb2, common_pb2, embed_pb2
from tokenwire.v1 import tokens_pb2 as pb
from tokenwire_server.providers.jsontext import JsonObject
from tokenwire_server.providers.tokens import framing, worker
from tokenwire_server.providers.tokens.framing import Item, Note
from tokenwire_server.providers.tokens.vocabulary import ESTIMATE, Unavailable, Vocabulary

_LONGEST_CHAT: Final = 2 * 1024 * 1024
"""Characters of the longest conversation that is encoded whole: a quarter of a second, for which other calls
wait, and more than models read."""


async def count_chat(
    request: chat_pb2.ChatRequest,
    body: JsonObject,
    model: str,
    tokenizer: str,
    warnings: Iterable[common_pb2.CallWarning],
) -> pb.CountTokensResponse:
    """Counts a conversation. `body` is what would be sent for it, `warnings` name what would not; an empty
    `tokenizer` = none is known."""
    vocabulary, notes = await _vocabulary(tokenizer)
    dropped = _dropped(warnings)
    items = list(framing.messages(request, dropped))
    rest = list(framing.besides(request, model, dropped))
    whole = await _encoded(vocabulary, body, items)
    if whole is not None:
        items = [replace(item, framing=0, notes=[]) for item in items]
        rest = list(framing.answer_format(request))
    tokens = await _count(vocabulary, [*items, *rest], notes)
    each, others = tokens[: len(items)], tokens[len(items) :]
    total = sum(each if whole is None else [whole]) + sum(others)
    return _response(tokenizer, total, each, notes)


async def count_embed(request: embed_pb2.EmbedRequest, tokenizer: str) -> pb.CountTokensResponse:
    """Counts texts; an empty `tokenizer` = none is known."""
    vocabulary, notes = await _vocabulary(tokenizer)
    items = [Item(f"input[{index}]", [text]) for index, text in enumerate(request.input)]
    tokens = await _count(vocabulary, items, notes)
    return _response(tokenizer, sum(tokens), tokens, notes)


async def count_text(tokenizer: str, text: str) -> int | None:
    """Tokens of one text; None when they cannot be told exactly.

    Never more than the text has bytes in UTF-8, so that a short one need not be counted.
    """
    try:
        vocabulary = await worker.load(tokenizer)
    except Unavailable:
        return None
    (count,) = await worker.count(vocabulary, [text])
    return count.tokens if count.exact else None


def _dropped(warnings: Iterable[common_pb2.CallWarning]) -> frozenset[str]:
    """Paths of what is left out; an unknown field, named by its number, leaves the rest in place."""
    return frozenset(
        warning.field for warning in warnings if not warning.field.rpartition(".")[2].isdecimal()
    )


async def _vocabulary(tokenizer: str) -> tuple[Vocabulary, list[Note]]:
    """The vocabulary, or an estimate and why."""
    if not tokenizer:
        return ESTIMATE, [Note("model", "The model's tokenizer is not known; texts count by their length.")]
    try:
        return await worker.load(tokenizer), []
    except Unavailable as reason:
        return ESTIMATE, [Note("model", f"{reason} Texts count by their length.")]


async def _encoded(vocabulary: Vocabulary, body: JsonObject, items: Sequence[Item]) -> int | None:
    """Tokens of the conversation with its tools, where the vocabulary knows how it is framed."""
    size = sum(len(text) for item in items for text in item.texts)
    if vocabulary.chat is None or size > _LONGEST_CHAT:
        return None
    return await worker.in_thread(vocabulary.chat, body)


async def _count(vocabulary: Vocabulary, items: Sequence[Item], notes: list[Note]) -> list[int]:
    """Tokens of each item; adds what is not exact."""
    counts = iter(await worker.count(vocabulary, [text for item in items for text in item.texts]))
    tokens = []
    for item in items:
        found = list(islice(counts, len(item.texts)))
        tokens.append(item.framing + sum(count.tokens for count in found))
        notes += item.notes
        if not all(count.exact for count in found):
            notes.append(Note(item.path, "A long text without spaces and marks was counted in pieces."))
    return tokens


def _response(
    tokenizer: str, total: int, each: Sequence[int], notes: Sequence[Note]
) -> pb.CountTokensResponse:
    return pb.CountTokensResponse(
        input_tokens=total,
        source=common_pb2.TOKEN_SOURCE_ESTIMATED if notes else common_pb2.TOKEN_SOURCE_TOKENIZER,
        tokenizer=tokenizer,
        item_tokens=each,
        warnings=[
            common_pb2.CallWarning(
                code=common_pb2.WARNING_CODE_TOKENS_ESTIMATED, field=note.path, text=note.text
            )
            for note in notes
        ],
    )
