"""The thread that counts: each text's tokens, a loop that goes on meanwhile, one load for all."""

import asyncio
import sys
import threading
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire_server.providers.tokens import openai, worker
from tokenwire_server.providers.tokens.pieces import SIZE
from tokenwire_server.providers.tokens.vocabulary import ESTIMATE, Unavailable, Vocabulary

NAMES = ["o200k_base", "cl100k_base", "mistral-v3-tekken"]


@pytest.mark.parametrize("name", [*NAMES, ""])
@given(text=st.text())
async def test_a_count_is_what_a_count_should_be(name: str, text: str) -> None:
    vocabulary = await worker.load(name) if name else ESTIMATE
    tokens = vocabulary.count(text)
    assert tokens == vocabulary.count(text)
    assert (tokens > 0) == bool(text)
    assert tokens <= len(text.encode())


@pytest.mark.parametrize("name", NAMES)
async def test_texts_count_in_their_order_however_they_are_grouped(name: str) -> None:
    vocabulary = await worker.load(name)
    many = [f"text {place}" for place in range(9000)]
    texts = ["", "one", "two words " * SIZE, "", "three", *many, "x y" * SIZE]
    found = await worker.count(vocabulary, texts)
    assert [entry.tokens for entry in found] == [vocabulary.count(text) for text in texts]
    assert all(entry.exact for entry in found)


async def test_a_text_without_a_place_to_cut_is_counted_and_marked() -> None:
    vocabulary = await worker.load("o200k_base")
    (found,) = await worker.count(vocabulary, ["a" * 10 * SIZE])
    assert not found.exact
    assert found.tokens == pytest.approx(vocabulary.count("a" * 10 * SIZE), abs=20)


async def test_the_loop_goes_on_while_a_long_text_is_counted() -> None:
    vocabulary = await worker.load("o200k_base")
    turns = count()

    async def turn() -> None:
        while True:
            await asyncio.sleep(0)
            next(turns)

    turning = asyncio.create_task(turn())
    await worker.count(vocabulary, ["two words " * 10 * SIZE])
    turning.cancel()
    assert next(turns) >= 10, "it turns between pieces, of which there are a hundred"


async def test_a_cancelled_count_stops_at_the_next_piece() -> None:
    begun, go_on, counted = threading.Event(), threading.Event(), []

    def slow(text: str) -> int:
        counted.append(text)
        begun.set()
        go_on.wait(10)
        return 1

    task = asyncio.create_task(worker.count(Vocabulary(slow), ["two words " * 10 * SIZE]))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await worker.in_thread(int)  # whatever was queued has run
    assert len(counted) == 1


async def test_many_calls_load_a_vocabulary_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def vocabulary(name: str) -> Vocabulary:
        loaded.append(name)
        return ESTIMATE

    monkeypatch.setattr(worker, "LOADED", {})
    monkeypatch.setattr(openai, "vocabulary", vocabulary)
    found = await asyncio.gather(*(worker.load("o200k_base") for _ in range(20)))
    assert found == [ESTIMATE] * 20
    assert loaded == ["o200k_base"]


@pytest.mark.parametrize(
    ("name", "blocked", "reason"),
    [
        ("o200k_base", "bpe_openai._bindings", "the extra `tokenizers` is not installed"),
        ("mistral-v3-tekken", "mistral_common.tokens.tokenizers.mistral", "the extra `tokenizers`"),
        ("mistral-v1", "sentencepiece", "the package `sentencepiece` is not installed"),
        ("mistral-v13-tekken", "nothing", "not published in a package"),
    ],
)
async def test_a_vocabulary_that_is_not_here_says_why(
    monkeypatch: pytest.MonkeyPatch, name: str, blocked: str, reason: str
) -> None:
    monkeypatch.setattr(worker, "LOADED", {})
    monkeypatch.setitem(sys.modules, blocked, None)
    with pytest.raises(Unavailable, match=reason):
        await worker.load(name)
