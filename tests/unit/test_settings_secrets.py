"""Secrets: where they come from, that they follow their file, and that nothing shows them."""

import copy
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError
from unit.settings_place import KEY, OPENAI, Place, openai, place

from tokenwire_server import secret
from tokenwire_server.settings import (
    OpenAIProvider,
    Secret,
    Settings,
    describe,
)

__all__ = ["place"]  # a fixture


def test_a_secret_comes_from_a_variable_or_a_file(place: Place) -> None:
    path = place.write("key", f"{KEY}\n")

    def key(text: str, environ: Mapping[str, str], dotenv: str = "") -> str:
        toml = OPENAI.replace(KEY, text)
        return openai(place.load(toml, environ, dotenv)).api_key.reveal()

    assert key("env:MY_KEY", {"MY_KEY": KEY}) == KEY
    assert key("env:MY_KEY", {}, f"MY_KEY={KEY}") == KEY
    assert key("env:MY_KEY", {"MY_KEY": KEY}, "MY_KEY=other") == KEY
    assert key(f"file:{path}", {}) == KEY
    assert key("env:MY_KEY", {"MY_KEY": f"file:{path}"}) == KEY
    assert openai(place.load(environ={"OPENAI_API_KEY": f"file:{path}"})).api_key.reveal() == KEY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; give it a value"),
        ("  ", "is empty; give it a value"),
        (f"{KEY}\\nx", "has a line break, an outer space, or a character that no key has; copy it again"),
        (f" {KEY}", "has a line break, an outer space, or a character that no key has; copy it again"),
        (f"{KEY}\\u20ac", "has a line break, an outer space, or a character that no key has; copy it again"),
        (f"{KEY}\\u0007", "has a line break, an outer space, or a character that no key has; copy it again"),
        (KEY * 1000, "is longer than 16384 characters; check that it is the right one"),
        ("env:MY_KEY", "names the variable MY_KEY, which is not set; set it"),
        (f"env:{KEY}", "has no variable's name after env:; write env:NAME"),
        (f"file:{KEY}", "has no absolute path after file:; write file:/path"),
        (
            "file:/gone/key",
            "names /gone/key, which cannot be read (No such file or directory); check the file",
        ),
        ("file:/", "names /, which cannot be read (no regular file); check the file"),
        ("file:/dev/zero", "names /dev/zero, which cannot be read (no regular file); check the file"),
    ],
)
def test_a_bad_secret_is_a_mistake_that_does_not_show_it(place: Place, text: str, says: str) -> None:
    assert place.mistakes(OPENAI.replace(KEY, text)) == [f"providers.openai.api_key (tokenwire.toml): {says}"]


def test_a_secret_that_is_no_text_is_a_mistake(place: Place) -> None:
    (found,) = place.mistakes('[providers.openai]\nkind = "openai"\napi_key = 987654321')
    assert "987654321" not in found
    assert found.startswith("providers.openai.api_key (tokenwire.toml): must be a text; write ")


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb", b"\xff\xfe", b"a\x00b", b"\xef\xbb\xbfsk"])
def test_a_bad_secret_file_is_a_mistake(place: Place, content: bytes) -> None:
    path = place.path / "key"
    path.write_bytes(content)
    (found,) = place.mistakes(OPENAI.replace(KEY, f"file:{path}"))
    assert found.startswith("providers.openai.api_key (tokenwire.toml): ")


class Clock:
    """Stands in for `monotonic`."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(secret, "monotonic", clock)
    return clock


def test_a_secret_follows_its_file_at_most_once_a_second(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "key"
    path.write_text("first\n")
    key = Secret.parse(f"file:{path}", {})
    path.write_text("second\r\n")
    clock.now = 0.9
    assert key.reveal() == "first"
    clock.now = 1.0
    assert key.reveal() == "second"


def test_a_secret_follows_a_file_that_is_replaced_by_one_of_the_same_size_and_time(
    tmp_path: Path, clock: Clock
) -> None:
    path, new = tmp_path / "key", tmp_path / "new"
    path.write_text("first")
    new.write_text("other")
    for file in (path, new):
        os.utime(file, (1, 1))
    key = Secret.parse(f"file:{path}", {})
    new.replace(path)
    clock.now = 1.0
    assert key.reveal() == "other"


def test_a_file_that_goes_bad_keeps_the_last_good_secret_and_is_logged_once(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "key"
    path.write_text("first")
    key = Secret.parse(f"file:{path}", {})
    path.write_text("sec\nond")
    for clock.now in (1.0, 2.0):
        assert key.reveal() == "first"
    path.unlink()
    for clock.now in (3.0, 4.0):
        assert key.reveal() == "first"
    assert [record.getMessage() for record in caplog.records] == [
        f"the secret in {path} cannot be used; keeping the last good one"
    ] * 2
    path.write_text("third")
    clock.now = 5.0
    assert key.reveal() == "third"


def test_a_secret_shows_in_nothing(place: Place) -> None:
    found = place.load(OPENAI)
    key = openai(found).api_key
    shown = [
        *(repr(key), str(key), f"{key}", f"{key!s:>40}", f"{[key]}"),
        *(repr(found), str(found), describe(found)),
        *(str(found.model_dump()), found.model_dump_json(), str(dict(openai(found)))),
        json.dumps(Settings.model_json_schema()),
    ]
    assert not [text for text in shown if KEY in text]
    assert "api_key set" in describe(found)


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_cannot_be_pickled_or_copied(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError, match="a secret cannot be"):
        leak(Secret(KEY))


def test_a_provider_is_made_in_code_as_well() -> None:
    provider = OpenAIProvider(kind="openai", api_key=Secret(KEY), base_url="http://127.0.0.1:1/v1")
    assert provider.api_key.reveal() == KEY


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().server.reflection = False
