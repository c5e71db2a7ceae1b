"""The commands around settings: what they say and how they exit."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from tokenwire_server import __main__ as entry
from tokenwire_server.cli import app
from tokenwire_server.listeners import StartError
from tokenwire_server.settings import Settings

KEY = "sk-canary-0123456789"
RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no variable that is a setting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"], "NO_COLOR": "1"})


class App:
    """Stands in for app.py: remembers what it was given."""

    def __init__(self) -> None:
        self.served: list[tuple[Settings, bool]] = []
        self.environ: dict[str, str] = {}
        self.error: Exception | None = None
        self.code = 0

    def run(self, settings: Settings, *, demo: bool) -> int:
        self.served.append((settings, demo))
        self.environ = dict(os.environ)
        if self.error:
            raise self.error
        return self.code


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> App:
    fake = App()
    module = ModuleType("tokenwire_server.app")
    module.__dict__.update(run=fake.run)
    monkeypatch.setitem(sys.modules, "tokenwire_server.app", module)
    return fake


def tokenwire(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of the real command."""
    done = subprocess.run(  # noqa: S603 (a command of ours)
        [sys.executable, "-m", "tokenwire_server", *arguments],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout, done.stderr


# serve


def test_serve_without_a_provider_exits_2_with_a_hint() -> None:
    code, out, err = tokenwire("serve")
    assert (code, out) == (2, "")
    assert err == (
        "error: no provider is configured: set OPENAI_API_KEY or MISTRAL_API_KEY, or write [providers.NAME] "
        "into tokenwire.toml; or try --demo\n"
    )


def test_serve_passes_settings_and_the_exit_code_on(served: App) -> None:
    os.environ["OPENAI_API_KEY"] = KEY
    served.code = 7
    result = RUNNER.invoke(app, ["serve", "--demo", "--listen", "127.0.0.1:1", "--listen", "unix:/run/t"])
    assert result.exit_code == 7
    ((settings, demo),) = served.served
    assert settings.server.listen == ("127.0.0.1:1", "unix:/run/t")
    provider = settings.providers["openai"]
    assert provider.api_key
    assert provider.api_key.reveal() == KEY
    assert not demo  # there is a provider


def test_serve_takes_the_sdks_variables_away_before_it_starts(served: App) -> None:
    os.environ.update(OPENAI_API_KEY=KEY, OPENAI_CUSTOM_HEADERS="x: y", MISTRAL_API_KEY=KEY)
    assert RUNNER.invoke(app, ["serve"]).exit_code == 0
    assert not [name for name in served.environ if name.startswith(("OPENAI_", "MISTRAL_"))]
    assert "PATH" in served.environ


def test_serve_demo_stands_in_for_a_provider(served: App) -> None:
    assert RUNNER.invoke(app, ["serve", "--demo"]).exit_code == 0
    ((settings, demo),) = served.served
    assert demo
    assert not settings.providers


def test_the_demo_is_one_process_and_says_so(served: App) -> None:
    os.environ["TOKENWIRE_SERVER__WORKERS"] = "4"
    result = RUNNER.invoke(app, ["serve", "--demo"])
    assert result.exit_code == 0
    assert result.stderr == "--demo serves with one process, whatever server.workers says\n"
    ((settings, demo),) = served.served
    assert demo
    assert settings.server.workers == 1


@pytest.mark.parametrize("workers", ["4", "auto"])
def test_several_processes_have_a_supervisor(
    served: App, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    supervised: list[Settings] = []

    def supervise(settings: Settings) -> int:
        supervised.append(settings)
        return 7

    module = ModuleType("tokenwire_server.supervisor")
    module.__dict__.update(supervise=supervise)
    monkeypatch.setitem(sys.modules, "tokenwire_server.supervisor", module)
    os.environ.update(OPENAI_API_KEY=KEY, TOKENWIRE_SERVER__WORKERS=workers)
    assert RUNNER.invoke(app, ["serve"]).exit_code == 7
    assert len(supervised) == 1
    assert not served.served
    assert "OPENAI_API_KEY" not in os.environ


def test_production_refuses_the_demo(served: App) -> None:
    os.environ["ENVIRONMENT"] = "production"
    result = RUNNER.invoke(app, ["serve", "--demo"])
    assert result.exit_code == 2
    assert "--demo is refused in production" in result.stderr
    assert not served.served


def test_serve_says_in_one_line_why_it_cannot_start(served: App) -> None:
    served.error = StartError("127.0.0.1:50051 is in use [by another]; stop it")
    result = RUNNER.invoke(app, ["serve", "--demo"])
    assert result.exit_code == 2
    assert result.stderr == "error: 127.0.0.1:50051 is in use [by another]; stop it\n"


# check


def test_check_prints_what_would_be_served() -> None:
    code, out, err = tokenwire("check", env={"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "gpt-4o"})
    assert (code, err) == (0, "")
    assert "provider openai    kind openai, api_key set, " in out
    assert "default_model gpt-4o" in out
    assert KEY not in out


def test_check_without_a_provider_exits_as_serve_would() -> None:
    code, out, err = tokenwire("check")
    assert code == 2
    assert "127.0.0.1:50051" in out
    assert err.startswith("error: no provider is configured")


def test_check_lists_the_mistakes_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('server.listn = "x"\n')
    code, out, err = tokenwire("check", "--config", "my.toml", env={"TOKENWIRE_LISTEN": "x"})
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: the settings have mistakes",
        "server.listn (my.toml): is no setting; did you mean server.listen?",
        "TOKENWIRE_LISTEN (environment): is no setting; did you mean TOKENWIRE_SERVER__LISTEN?",
    ]


# simulate


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_simulate_on_a_port_in_use_exits_2_with_one_message(taken: int) -> None:
    code, out, err = tokenwire("simulate", "--port", str(taken))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: cannot listen on 127.0.0.1:{taken}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulate_says_how_to_use_it_and_stays_until_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tokenwire_server", "simulate", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        assert "export OPENAI_BASE_URL=http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


# The command itself


def test_version_and_help() -> None:
    assert RUNNER.invoke(app, ["--version"]).stdout.startswith("tokenwire ")
    for flag in ("-h", "--help"):
        result = RUNNER.invoke(app, [flag])
        assert result.exit_code == 0
        assert "serve" in result.stdout
        assert result.stdout.isascii()


def test_grpc_is_set_up_before_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tokenwire", "--version"])
    os.environ["GRPC_VERBOSITY"] = "debug"
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == 0
    assert os.environ["GRPC_EXPERIMENTS"] == "-event_engine_listener"
    assert os.environ["GRPC_VERBOSITY"] == "debug"  # what somebody set stays


def test_the_command_line_itself_loads_neither_grpc_nor_an_sdk() -> None:
    script = (
        "import sys, tokenwire_server.cli; print({'grpc', 'openai', 'aiohttp', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 (a command of ours)
    assert done.stdout == "set()\n"
