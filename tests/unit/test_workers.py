"""What the supervisor of several processes knows before any of them starts."""

import os
import pickle
from pathlib import Path

import pytest
from unit.settings_place import KEY, OPENAI, Place, openai, place

from tokenwire_server import supervisor
from tokenwire_server.listeners import StartError, reserved
from tokenwire_server.settings import Settings
from tokenwire_server.worker_process import handed_over

__all__ = ["place"]  # a fixture


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("50000 100000", 1), ("150000 100000", 2), ("1600000 100000", 8), (None, 8)],
)
def test_a_container_has_the_cpus_of_its_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str | None, expected: int
) -> None:
    file = tmp_path / "cpu.max"
    if quota:
        file.write_text(f"{quota}\n")
    monkeypatch.setattr(supervisor, "_QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert supervisor.cpus() == expected


def test_a_worker_gets_the_secrets_as_they_are(place: Place) -> None:
    file = place.write("key", KEY)
    settings = place.load(OPENAI.replace(KEY, f"file:{file}"))
    found = pickle.loads(handed_over(settings))  # noqa: S301 (made here)
    assert found.model_dump() == settings.model_dump()
    assert openai(found).api_key.reveal() == KEY
    with pytest.raises(TypeError):
        pickle.dumps(settings)


def test_a_worker_follows_the_file_of_a_secret(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place.write("key", KEY)
    settings = place.load(OPENAI.replace(KEY, f"file:{file}"))
    found = pickle.loads(handed_over(settings))  # noqa: S301 (made here)
    place.write("key", "sk-another-one")
    monkeypatch.setattr("tokenwire_server.secret.Secret.INTERVAL", 0)
    assert openai(found).api_key.reveal() == "sk-another-one"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::1]", "localhost"])  # noqa: S104 (for a moment)
def test_a_reserved_port_is_free_for_our_processes_alone(host: str) -> None:
    settings = Settings.model_validate({"server": {"listen": [f"{host}:0"]}, "metrics": {"listen": "off"}})
    with reserved(settings) as (listen,):
        assert listen.startswith(f"{host}:")
        again = settings.model_copy(
            update={"server": settings.server.model_copy(update={"listen": (listen,)})}
        )
        with pytest.raises(StartError, match=r"^server\.listen: "), reserved(again):
            pass
    with reserved(again) as found:
        assert found == (listen,)


@pytest.mark.parametrize(("text", "expected"), [("3", 3), ('"auto"', 0), ("1", 1)])
def test_workers_are_a_number_or_auto(place: Place, text: str, expected: int) -> None:
    assert place.load(f"server.workers = {text}").server.workers == expected
    assert place.load(environ={"TOKENWIRE_SERVER__WORKERS": text.strip('"')}).server.workers == expected


@pytest.mark.parametrize("text", ["-1", "1025", '"many"', "1.5"])
def test_what_is_no_number_of_workers_is_a_mistake(place: Place, text: str) -> None:
    (found,) = place.mistakes(f"server.workers = {text}")
    assert found.startswith("server.workers (tokenwire.toml): must be")
    assert found.endswith("; the default is 1")


@pytest.mark.parametrize("workers", ["2", '"auto"'])
def test_workers_cannot_share_a_unix_listener(place: Place, workers: str) -> None:
    toml = f'server.listen = ["127.0.0.1:1", "unix:/run/t"]\nserver.workers = {workers}'
    assert place.mistakes(toml) == [
        (
            "server.workers (tokenwire.toml): asks for several processes, which cannot share unix:/run/t; "
            "set 1, or listen on ports"
        )
    ]
