"""The corpus against every target: what a fuzzer once found, or begins with."""

from pathlib import Path

import pytest
from fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(path.relative_to(CORPUS) for path in CORPUS.rglob("*") if path.is_file())


def test_each_target_has_a_corpus_and_each_corpus_a_target() -> None:
    assert {path.parts[0] for path in INPUTS} == TARGETS.keys()


@pytest.mark.parametrize("path", INPUTS, ids=str)
def test_nothing_in_the_corpus_breaks_its_target(path: Path) -> None:
    TARGETS[path.parts[0]]((CORPUS / path).read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_targets_take_nothing_at_all(name: str) -> None:
    TARGETS[name](b"")
