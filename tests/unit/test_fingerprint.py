"""The hash of settings: the same wherever they are the same, and nothing of a secret in it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tokenwire_server.auth import hash_of
from tokenwire_server.fingerprint import fingerprint
from tokenwire_server.settings import Settings

OPENAI = {"kind": "openai", "api_key": "sk-one", "timeouts": {"idle": 5}}
LOCAL = {
    "kind": "openai_compatible",
    "base_url": "http://127.0.0.1:1/v1",
    "headers": {"x-b": "secret", "x-a": "secret"},
    "query": {"b": "1", "a": "2"},
}
AUTH = {"mode": "token", "tokens": {"web": hash_of("a" * 30), "batch": hash_of("b" * 30)}}
TABLE = {"auth": AUTH, "providers": {"openai": OPENAI, "local": LOCAL}}


def hashed(**changes: Any) -> str:
    return fingerprint(Settings.model_validate({**TABLE, **changes}))


def providers(**changes: Any) -> dict[str, Any]:
    return {"providers": {"openai": OPENAI, "local": LOCAL, **changes}}


@pytest.mark.parametrize(
    "changes",
    [
        {"providers": {"local": LOCAL, "openai": OPENAI}},
        providers(openai={**OPENAI, "api_key": "sk-two"}),
        providers(local={**LOCAL, "headers": {"x-a": "other", "x-b": "other"}}),
        {"auth": {**AUTH, "tokens": {"batch": hash_of("c" * 30), "web": hash_of("d" * 30)}}},
        {"environment": "development"},
    ],
    ids=["order", "key", "headers", "tokens", "a default, written out"],
)
def test_what_is_alike_has_the_same_hash(changes: dict[str, Any]) -> None:
    assert hashed(**changes) == hashed()


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": "production"},
        {"server": {"drain_seconds": 1}},
        {"providers": {"openai": OPENAI}},
        providers(openai={**OPENAI, "timeouts": {"idle": 6}}),
        providers(local={**LOCAL, "api_key": "sk-one"}),
        providers(local={**LOCAL, "headers": {"x-a": "secret"}}),
        providers(local={**LOCAL, "query": {"a": "1", "b": "2"}}),
        {"auth": {**AUTH, "tokens": {"web": hash_of("a" * 30)}}},
    ],
    ids=["environment", "server", "fewer providers", "timeout", "a key", "fewer headers", "query", "callers"],
)
def test_what_differs_has_another(changes: dict[str, Any]) -> None:
    assert hashed(**changes) != hashed()


def test_it_is_the_same_in_each_process() -> None:
    program = "import test_fingerprint as test; print(test.hashed())"
    found = {
        subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-c", program],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    assert found == {hashed()}
    assert len(hashed()) == 16
