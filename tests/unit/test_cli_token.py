"""`tokenwire token new`: what it prints, and what it takes for a name and a token."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tokenwire_server.auth import hash_of
from tokenwire_server.cli import app
from tokenwire_server.settings import load

RUNNER = CliRunner()
TOKEN = "tw_canary-0123456789abcdef"


def test_new_prints_a_token_and_the_line_that_lets_it_in(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["token", "new", "web"])
    assert result.exit_code == 0
    token, line = result.stdout.splitlines()
    assert re.fullmatch(r"tw_[A-Za-z0-9_-]{43}", token)
    assert line == f'web = "{hash_of(token)}"'
    assert "nothing shows again" in result.stderr
    assert token not in result.stderr
    (tmp_path / "tokenwire.toml").write_text(f'[auth]\nmode = "token"\n[auth.tokens]\n{line}\n')
    assert list(load(None, {}, tmp_path).auth.tokens.values()) == ["web"]


def test_every_new_token_is_another() -> None:
    assert len({RUNNER.invoke(app, ["token", "new", "web"]).stdout for _ in range(5)}) == 5


def test_hash_prints_the_line_of_a_token_from_standard_input_alone() -> None:
    result = RUNNER.invoke(app, ["token", "new", "web", "--hash"], input=f"{TOKEN}\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f'web = "{hash_of(TOKEN)}"\n', "")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "standard input is no token"),
        (f"{TOKEN}\n{TOKEN}", "standard input is no token"),
        (f"{TOKEN}é", "standard input is no token"),
        (b"\xff" * 30, "standard input is no token"),
        (TOKEN[:21], "can be guessed"),
    ],
)
def test_hash_takes_only_what_can_be_a_token(given: str | bytes, says: str) -> None:
    result = RUNNER.invoke(app, ["token", "new", "web", "--hash"], input=given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert "canary" not in result.stderr


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 65, TOKEN])
def test_a_name_is_a_plain_word_and_no_token(name: str) -> None:
    result = RUNNER.invoke(app, ["token", "new", name])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: a caller's name is 1 to 64 of ")
