"""Long texts in pieces: nothing is lost, and the pieces have as many tokens as the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire_server.providers.tokens import pieces as module
from tokenwire_server.providers.tokens import worker
from tokenwire_server.providers.tokens.pieces import SIZE, pieces

WORDS = ["the", "l'été", "I'M", "\u0445", "ещё", "我们", "です", "नमस्ते", "مرحبا", "e\u0301", "👩\u200d🚀"]
MARKS = ["٣", "12345", "_", "'s", "。", "\uff0c", ",", ")\n", "//", "--"]
GAPS = ["", " ", "  ", "\n", "\r\n", " \n ", "\t", "\xa0", "\u3000", "\x1c", "\x85"]
TEXTS = st.lists(st.sampled_from(WORDS + MARKS + GAPS) | st.text(max_size=4)).map("".join)
SHORT = 24
"""Characters of a piece in these tests, so that short texts have many."""


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base", "mistral-v3-tekken"])
@given(text=TEXTS)
async def test_pieces_have_the_tokens_of_the_whole(name: str, text: str) -> None:
    vocabulary = await worker.load(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIZE", SHORT)
        cut = list(pieces(text))
    assert "".join(piece.text for piece in cut) == text
    assert all(0 < len(piece.text) <= SHORT for piece in cut)
    if all(piece.clean for piece in cut):  # halves of a word have more tokens than it, or fewer
        assert sum(vocabulary.count(piece.text) for piece in cut) == vocabulary.count(text)


CLEAN = {
    "words": "word " * SIZE,
    "lines": "1,2,abc\n" * SIZE,
    "minified json": '{"a":[1,2],"b":"c"},' * SIZE,
    "chinese": "我们今天去公园玩\uff0c天气很好。" * SIZE,
    "japanese": "吾輩は猫である。" * SIZE,
    "indented": "    return x\n" * SIZE,
}
UNCLEAN = {"letters": "a" * 3 * SIZE, "spaces": " " * 3 * SIZE, "emoji": "🙂" * 3 * SIZE}


@pytest.mark.parametrize("name", [*CLEAN, *UNCLEAN])
def test_what_people_write_has_places_to_cut(name: str) -> None:
    cut = list(pieces((CLEAN | UNCLEAN)[name]))
    assert len(cut) >= 3
    assert all(piece.clean for piece in cut) == (name in CLEAN)


@pytest.mark.parametrize("text", ["", "a", "a" * SIZE])
def test_a_short_text_is_one_piece(text: str) -> None:
    assert [*pieces(text)] == [(text, True)] * bool(text)
