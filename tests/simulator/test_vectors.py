"""Vectors of similar texts are similar, in any language; all are of length 1 and always the same."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator.embeddings import cosine

from tokenwire_server.simulator.vectors import Content, vector


def alike(a: Content, b: Content, kept: int | None = None) -> float:
    return cosine(vector(a, "m", 1536, kept), vector(b, "m", 1536, kept))


@pytest.mark.parametrize("kept", [None, 1024, 512, 256])
@pytest.mark.parametrize(
    ("one", "other", "third"),
    [
        ("The cat sits on the mat", "A cat is sitting on a mat", "Quarterly revenue grew"),
        ("Le chat est assis sur le tapis", "Un chat assis sur un tapis", "Le bénéfice a augmenté"),
        ("Кошка сидит на коврике", "Кошка сидела на коврике", "Выручка выросла"),
        ("猫坐在垫子上", "一只猫正坐在垫子上", "季度收入增长"),
        ("القطة تجلس على السجادة", "قطة تجلس على السجادة", "نمت الإيرادات"),
        ((10, 11, 12, 13), (10, 11, 12, 14), (20, 21, 22, 23)),
    ],
)
def test_similar_texts_have_similar_vectors(
    one: Content, other: Content, third: Content, kept: int | None
) -> None:
    assert alike(one, other, kept) > 0.3
    assert abs(alike(one, third, kept)) < 0.25
    assert abs(alike(other, third, kept)) < 0.25


def test_case_and_spaces_matter_little_but_matter() -> None:
    assert 0.9 < alike("The cat", "the  CAT") < 0.9999


def test_models_have_vectors_of_their_own() -> None:
    assert abs(cosine(vector("The cat sits", "a", 1536), vector("The cat sits", "b", 1536))) < 0.25


@given(st.text() | st.lists(st.integers(0, 100_000)).map(tuple), st.integers(1, 64))
def test_any_content_has_a_vector_of_length_one(content: Content, kept: int) -> None:
    for found in (vector(content, "m", 64), vector(content, "m", 64, kept)):
        assert math.hypot(*found) == pytest.approx(1, abs=1e-6)
    assert len(found) == kept
    assert vector(content, "m", 64, kept) == found


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True))
def test_different_texts_have_different_vectors(texts: list[str]) -> None:
    assert vector(texts[0], "m", 64) != vector(texts[1], "m", 64)


def test_a_shorter_vector_is_the_beginning_of_the_whole() -> None:
    whole = vector("The cat sits on the mat", "m", 1536)
    assert cosine(whole[:256], vector("The cat sits on the mat", "m", 1536, 256)) == pytest.approx(1)


def test_a_hundred_sentences_take_little_time() -> None:
    texts = [f"Sentence {n} of a document about cats, mats and quarterly revenue." for n in range(100)]
    took = []
    for _ in range(3):
        began = time.process_time()
        for text in texts:
            vector(text, "m", 1536)
        took.append(time.process_time() - began)
    assert min(took) < 0.1
