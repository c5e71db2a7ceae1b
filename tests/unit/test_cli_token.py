"""Tokens on the command line: making them, and calling with one."""

import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from typer.testing import CliRunner
from unit.test_cli_calls import Served, completed, failure

from tokenwire_server.auth import hash_of
from tokenwire_server.cli import app
from tokenwire_server.settings import load

RUNNER = CliRunner()
TOKEN = "tw_canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKENWIRE_TOKEN", raising=False)


# token new


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


# Calling


@pytest.fixture
def server() -> Iterator[Served]:
    served = Served("127.0.0.1:0")
    yield served
    served.close()


@pytest.mark.parametrize(("environ", "sent"), [({"TOKENWIRE_TOKEN": TOKEN}, [f"Bearer {TOKEN}"]), ({}, [])])
def test_chat_and_health_send_the_token_that_is_set(
    server: Served, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], sent: list[str]
) -> None:
    seen: list[list[str]] = []

    def note(context: object) -> None:
        metadata = context.invocation_metadata()  # type: ignore[attr-defined]
        seen.append([value for key, value in metadata if key == "authorization"])

    for servicer, name in ((server.llm, "ChatStream"), (server.health, "Check")):
        _watch(monkeypatch, servicer, name, note)
    server.llm.events = [completed("")]
    server.set_health(1)
    for command in (["chat", "Hi"], ["health"]):
        assert RUNNER.invoke(app, [*command, "--target", server.target], env=environ).exit_code == 0
    assert seen == [sent, sent]


@pytest.mark.parametrize("command", [["chat", "Hi"], ["health"]])
@pytest.mark.parametrize("token", ["canary\n", "can ary", "canary-é"])
def test_a_variable_that_is_no_token_is_told_and_not_shown(command: list[str], token: str) -> None:
    result = RUNNER.invoke(app, command, env={"TOKENWIRE_TOKEN": token})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: TOKENWIRE_TOKEN is no token")
    assert token not in result.stderr


def test_a_refused_caller_is_told_where_the_token_comes_from(server: Served) -> None:
    details = ErrorInfo(reason="UNAUTHENTICATED", domain="tokenwire")
    server.llm.status = failure(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED: no", details)
    result = RUNNER.invoke(app, ["chat", "Hi", "--target", server.target])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: UNAUTHENTICATED: no",
        "  TOKENWIRE_TOKEN must be a token that the server knows",
    ]
