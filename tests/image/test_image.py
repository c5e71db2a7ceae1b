"""The image, built and run as docs/container.md says; `docker` beside this file stands for the real one."""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docs.pages import ROOT, blocks

BUILD, RUN, ASK, STOP = (block.text for block in blocks() if block.info == "sh container")
BASE = "docker.io/library/python:3.13-slim-bookworm"
LARGEST = 150_000_000
SECRET = "sk-canary-5e1d"
SECRETS = (".env", ".env.local", "openai.key", "tokenwire.toml", "server/.env", "clients/python/.env.local")
NOT_COPIED = (".git", ".venv*", ".tools", ".hypothesis", ".*_cache", "__pycache__", "build")


def shell(script: str, cwd: Path = ROOT, outside: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a script up to its first command that fails."""
    stand_in = {"PATH": f"{Path(__file__).parent}:{os.environ['PATH']}", "OUTSIDE": outside}
    return subprocess.run(  # noqa: S602 - documented commands, as a shell reads them
        f"set -e\n{script}",
        shell=True,
        cwd=cwd,
        env=os.environ | stand_in | {"GIT_DIR": str(ROOT / ".git")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def printed(script: str, cwd: Path = ROOT, outside: str = "") -> str:
    """What a script prints that does not fail."""
    done = shell(script, cwd, outside)
    assert done.returncode == 0, done.stderr
    return done.stdout


def inspect(image: str) -> dict[str, Any]:
    (found,) = json.loads(printed(f"docker image inspect {image}"))
    return dict(found)


def wait_for(container: str, text: str) -> None:
    """Until the container has printed the text."""
    docker = Path(__file__).parent / "docker"
    with subprocess.Popen(  # noqa: S602 - a script of ours
        f"exec timeout 30 {docker} logs --follow {container}",
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as logs:
        assert logs.stdout
        seen = any(text in line for line in logs.stdout)
        logs.terminate()
    assert seen, f"{container} ended, or took too long"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree, with secrets lying about."""
    if os.geteuid() or not (ROOT / ".tools/image/.done").exists():
        pytest.skip("no base image: `make image-base` prepares a stand-in, as root on Debian 12")
    copy = tmp_path_factory.mktemp("image") / "context"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in SECRETS:
        (copy / name).write_text(SECRET)
    return copy


@pytest.fixture(scope="module")
def image(context: Path) -> Iterator[str]:
    printed(BUILD, context)
    yield "tokenwire"
    printed("docker rmi tokenwire")


@pytest.fixture
def outside(image: str) -> Iterator[str]:
    """A container with the provider, whose network the next one shares."""
    printed(f"docker run --detach --name provider {image} simulate")
    try:
        wait_for("provider", "Simulated OpenAI on")
        yield "provider"
    finally:
        printed("docker rm --force tokenwire\ndocker rm --force provider")


def test_the_documented_container_answers_and_stops(context: Path, outside: str) -> None:
    printed(RUN, context, outside)
    wait_for("tokenwire", '"serving"')
    answer = printed(ASK)
    assert "This is the Tokenwire simulator" in answer
    assert "SERVING" in answer
    assert "healthy" in printed(
        "docker healthcheck run tokenwire && docker inspect --format '{{.State.Health.Status}}' tokenwire"
    )
    status = printed("docker exec tokenwire cat /proc/1/status")
    for line in ("Uid:\t10001\t10001", "Gid:\t10001\t10001", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"):
        assert line in status
    mounts = printed("docker exec tokenwire cat /proc/mounts")
    assert any(line.split()[1] == "/" and line.split()[3].startswith("ro,") for line in mounts.splitlines())
    assert printed(STOP).split() == ["tokenwire", "0", "tokenwire"]


def test_without_a_decision_on_who_may_call_it_refuses_to_start(image: str) -> None:
    refused = shell(f"docker run --rm --env OPENAI_API_KEY=any {image}")
    assert refused.returncode == 2
    assert "TOKENWIRE_SERVER__LISTEN" in refused.stderr
    assert 'set auth.mode = "token"' in refused.stderr
    assert "Traceback" not in refused.stderr


def test_its_user_can_change_nothing_of_it(image: str) -> None:
    writable = printed(f"docker run --rm --entrypoint find {image} /opt /tmp -writable")
    assert writable.split() == ["/tmp"]  # noqa: S108 - the base's, and read-only in the documented container


def test_it_holds_no_build_tools(image: str) -> None:
    look = "for tool in tokenwire gcc cc c++ ld make; do command -v $tool || true; done"
    assert printed(f"docker run --rm --entrypoint sh {image} -c '{look}'").split() == [
        "/opt/tokenwire/bin/tokenwire"
    ]
    look = (
        'import importlib.util as u; print(*filter(u.find_spec, ("grpc", "pip", "setuptools", "hatchling")))'
    )
    assert printed(f"docker run --rm --entrypoint python3 {image} -c '{look}'").split() == ["grpc"]


def test_nothing_is_compiled_at_its_start(image: str) -> None:
    script = f"docker run --rm --entrypoint python3 {image} -v -c 'import tokenwire_server.app' 2>&1"
    loaded = [line for line in printed(script).splitlines() if "code object from" in line]
    assert any("tokenwire_server/__pycache__/app." in line for line in loaded)
    assert [line for line in loaded if line.endswith(".py'")] == []


def test_it_says_what_it_is_and_how_to_run_it(image: str) -> None:
    found = inspect(image)
    config, labels = found["Config"], found["Labels"]
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert (config["Entrypoint"], config["Cmd"]) == (["tokenwire"], ["serve"])
    assert set(config["ExposedPorts"]) == {"50051/tcp", "9464/tcp"}
    second = 1_000_000_000
    assert found["Healthcheck"] == {
        "Test": ["CMD", "tokenwire", "health", "--timeout=2"],
        "Interval": 30 * second,
        "Timeout": 3 * second,
        "StartPeriod": 10 * second,
        "Retries": 3,
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for label, value in {
        "title": "Tokenwire",
        "description": project["description"],
        "licenses": project["license"],
        "version": project["version"],
        "revision": printed("git rev-parse HEAD").strip(),
    }.items():
        assert labels[f"org.opencontainers.image.{label}"] == value


def test_its_own_layers_are_small(image: str) -> None:
    assert 0 < inspect(image)["Size"] - inspect(BASE)["Size"] <= LARGEST


def test_secrets_of_the_working_tree_do_not_reach_the_builder(context: Path) -> None:
    file = context.parent / "Everything"
    file.write_text('FROM scratch\nCOPY . /\nCMD ["none"]\n')
    seen = printed(
        f"docker build --tag everything --file {file} . >&2\n"
        "docker create --name everything everything >&2\n"
        "docker export everything | tar -t\n"
        "docker rm everything >&2; docker rmi everything >&2",
        context,
    ).split()
    assert "server/tokenwire_server/app.py" in seen
    top = {name.partition("/")[0] for name in seen}
    assert top >= {"clients", "pyproject.toml", "requirements", "server"}
    assert set(SECRETS) & set(seen) == set()


def test_token_counters_are_an_option(context: Path) -> None:
    assert "--build-arg LOCK=tokenizers" in (ROOT / "docs/container.md").read_text()
    printed("docker build --tag counting --build-arg LOCK=tokenizers .", context)
    try:
        printed("docker run --rm --entrypoint python3 counting -c 'import bpe_openai, mistral_common'")
    finally:
        printed("docker rmi counting")
