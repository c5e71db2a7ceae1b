"""What commands print: a terminal gets nothing that steers it, whoever wrote it."""

import sys
from collections.abc import Callable
from functools import partial

import pytest
import typer

from tokenwire.v1 import common_pb2
from tokenwire_server.cli.output import fail, note, warn_of, write, write_json, write_table

EVIL = "a\x1b]0;owned\x07b\x9b31mc\rd"
HARMLESS = "a]0;ownedb31mcd"


def failing(text: str) -> None:
    with pytest.raises(typer.Exit):
        fail(text, 1)


SHOWN: dict[str, tuple[Callable[[], None], str]] = {
    "an answer": (partial(write, EVIL), HARMLESS),
    "a note": (partial(note, EVIL), HARMLESS),
    "an error": (partial(failing, EVIL), HARMLESS),
    "a warning": (partial(warn_of, [common_pb2.CallWarning(text=EVIL)]), HARMLESS),
    "a table": (partial(write_table, ("model",), [(EVIL,)]), HARMLESS),
    "a message": (partial(write_json, common_pb2.CallWarning(text=EVIL)), "b31mc"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_terminal_is_not_steered(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show, expected = SHOWN[name]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    show()
    shown = "".join(capsys.readouterr())
    assert expected in shown
    assert not set("\x07\x1b\x9b\r") & set(shown)


@pytest.mark.parametrize("text", ["Bonjour\u00a0!", "12\u202f000", "\U0001f468\u200d\U0001f469", "a\n\tb"])
def test_a_terminal_is_shown_what_is_text(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    write(text)
    assert capsys.readouterr().out == text


def test_what_is_piped_is_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    write(EVIL)
    assert capsys.readouterr().out == EVIL
