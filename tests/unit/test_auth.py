"""Tokens: whose they are, and the file that they are read from."""

import hmac
import logging
import os
import re
from hashlib import sha256
from pathlib import Path

import pytest

from tokenwire_server import auth
from tokenwire_server.auth import Stored, TokenFile, Tokens, hash_of, is_name, is_token, new_token, stored

A, B, C = (f"tw_canary-{letter}-0123456789abcdef" for letter in "abc")


class Clock:
    """Stands in for the monotonic clock."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(auth, "monotonic", clock)
    return clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def line(name: str, token: str) -> str:
    return f"{name} {hash_of(token)}\n"


# Tokens


def test_a_new_token_is_256_random_bits_that_a_header_can_hold() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"tw_[A-Za-z0-9_-]{43}", token) and is_token(token) for token in made)


def test_what_is_stored_is_the_sha256() -> None:
    assert hash_of("abc") == f"sha256:{sha256(b'abc').hexdigest()}"


@pytest.mark.parametrize("text", ["", " ", "a b", "a\n", "é", "a,b", '"a"', "=", "a===", "a=b", "x" * 5000])
def test_what_no_header_can_hold_is_no_token(text: str) -> None:
    assert not is_token(text)


@pytest.mark.parametrize("text", ["", "a b", "a.b", "é", "x" * 65, "a\n", A, new_token()])
def test_what_is_odd_or_a_token_is_no_name(text: str) -> None:
    assert not is_name(text)


def test_a_token_has_the_name_of_its_caller() -> None:
    tokens = Tokens(stored([("web", hash_of(A)), ("batch", hash_of(B)), ("web", hash_of(C))]))
    assert [tokens.caller(token) for token in (A, B, C)] == ["web", "batch", "web"]


@pytest.mark.parametrize("token", [A[:-1], A + "x", A.upper(), "", hash_of(A), hash_of(A)[7:]])
def test_any_other_text_has_none(token: str) -> None:
    assert Tokens(stored([("web", hash_of(A))])).caller(token) is None


def test_without_tokens_nobody_is_known() -> None:
    assert Tokens({}).caller(A) is None


@pytest.mark.parametrize("token", [A, B, C, "wrong"])
def test_every_hash_is_compared_whichever_matches(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    known = stored([("a", hash_of(A)), ("b", hash_of(B)), ("c", hash_of(C))])
    Tokens(known).caller(token)
    assert compared == list(known)


def test_a_hash_may_have_capitals() -> None:
    digits = hash_of(A).removeprefix("sha256:").upper()
    assert Tokens(stored([("web", f"sha256:{digits}")])).caller(A) == "web"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("web", A, "has no hash for web; `tokenwire token new web` makes one"),
        ("web", "", "has no hash for web"),
        ("web", hash_of(A)[:-1], "has no hash for web"),
        ("web", hash_of(A) + "0", "has no hash for web"),
        ("web", hash_of(A).replace("sha256:", ""), "has no hash for web"),
        ("we b", hash_of(A), "has a name that is not 1 to 64 of"),
        (A, hash_of(B), "or that is a token; correct it"),
    ],
)
def test_a_row_that_is_wrong_is_told_without_what_may_be_a_token(name: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        stored([(name, text)])
    assert "canary" not in str(caught.value)


def test_one_token_has_one_owner() -> None:
    with pytest.raises(ValueError, match="has one hash twice, for web and batch; remove one"):
        stored([("web", hash_of(A)), ("batch", hash_of(A))])


# The file


def test_a_file_has_a_token_in_each_line_and_comments(path: Path) -> None:
    text = f"\ufeff# ours\n\n  web\t{hash_of(A)}  # since May\r\n{line('batch', B)}web {hash_of(C)}"
    path.write_text(text, encoding="utf-8")
    tokens = Tokens({}, TokenFile(str(path)))
    assert [tokens.caller(token) for token in (A, B, C)] == ["web", "batch", "web"]


def test_tokens_of_the_settings_and_the_file_count_both(path: Path) -> None:
    path.write_text(line("file", A) + line("file", B))
    tokens = Tokens(stored([("settings", hash_of(B)), ("settings", hash_of(C))]), TokenFile(str(path)))
    assert [tokens.caller(token) for token in (A, B, C)] == ["file", "settings", "settings"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"\n{A}\n", "has a line 2 that is not NAME sha256:…"),
        (f"{A} {hash_of(A)}", "has a line 1 that is not NAME sha256:…"),
        (f"web {A}\n", "has no hash for web"),
        (f'web = "{hash_of(A)}"', "has a line 1 that is not NAME sha256:…"),
        (line("web", A) + line("batch", A), "has one hash twice"),
        ("\0", "has a line 1 that is not"),
        ("#" * (TokenFile.LARGEST + 1), "is larger than 4194304 bytes"),
    ],
)
def test_a_mistake_in_the_file_is_told_without_what_may_be_a_token(path: Path, text: str, says: str) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        TokenFile(str(path))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "is no absolute path; write /path"),
        ("tokens", "is no absolute path"),
        ("/gone/tokens", "names /gone/tokens, which cannot be read (No such file or directory)"),
        ("/", "names /, which cannot be read (no regular file)"),
        ("/dev/zero", "names /dev/zero, which cannot be read (no regular file)"),
        ("/\0", "null"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        TokenFile(name)


def test_the_file_is_looked_at_once_a_second(path: Path, clock: Clock) -> None:
    path.write_text(line("web", A))
    tokens = Tokens({}, TokenFile(str(path)))
    path.write_text(line("web", B))
    clock.now = 0.9
    assert (tokens.caller(A), tokens.caller(B)) == ("web", None)
    clock.now = 1.0
    assert (tokens.caller(A), tokens.caller(B)) == (None, "web")


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_read(path: Path, clock: Clock) -> None:
    new = path.with_name("new")
    path.write_text(line("web", A))
    new.write_text(line("web", B))
    for file in (path, new):
        os.utime(file, (1, 1))
    tokens = Tokens({}, TokenFile(str(path)))
    new.replace(path)
    clock.now = 1.0
    assert tokens.caller(B) == "web"


def test_a_file_that_was_not_changed_is_not_read_again(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(line("web", A))
    file = TokenFile(str(path))

    def read(_path: Path) -> Stored:
        raise AssertionError("read again")

    monkeypatch.setattr(auth, "_read", read)
    clock.now = 1.0
    assert Tokens({}, file).caller(A) == "web"


def test_the_last_token_of_a_file_can_be_revoked(path: Path, clock: Clock) -> None:
    path.write_text(line("web", A))
    tokens = Tokens({}, TokenFile(str(path)))
    path.write_text("# nobody\n")
    clock.now = 1.0
    assert tokens.caller(A) is None


def test_a_file_that_goes_bad_keeps_the_last_good_tokens_and_is_logged_once(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(line("web", A))
    tokens = Tokens({}, TokenFile(str(path)))
    path.write_text(f"{line('web', B)}web {C}\n")
    for clock.now in (1.0, 2.0):
        assert (tokens.caller(A), tokens.caller(B)) == ("web", None)
    path.unlink()
    for clock.now in (3.0, 4.0):
        assert tokens.caller(A) == "web"
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith(f"the tokens in {path} cannot be used (has no hash for web; ")
    assert said[1] == f"the tokens in {path} cannot be used (No such file or directory); keeping the last"
    assert "canary" not in caplog.text
    path.write_text(line("web", C))
    clock.now = 5.0
    assert (tokens.caller(A), tokens.caller(C)) == (None, "web")


def test_a_file_shows_its_path_and_no_more(path: Path) -> None:
    path.write_text(line("web", A))
    file = TokenFile(str(path))
    assert (str(file), repr(file)) == (str(path), f"TokenFile('{path}')")
