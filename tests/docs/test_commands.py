"""Every command in README and docs runs: against `make run`, on a port of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.pages import ROOT, Block, blocks

SHOWN_ELSEWHERE = {
    "make run": "started by the fixture of this file",
    "make test": "runs this suite",
    "make bench": "minutes long; its quick form is a test of its own",
    "make bench-peers": "installs 600 MB and takes minutes; its parts are tests of their own",
    "make bench-check": "needs a quiet machine; its parts are tests of their own",
}
SHOWN = {
    "multiply": ('"tool_call"', '"name": "multiply"', '"FINISH_REASON_TOOL_CALLS"'),
    "response_format": (r'"{\"name\":\"example name\"}"',),
    "x-request-id": (
        "x-request-id: from-my-shell",
        "x-tokenwire-provider: openai",
        "x-tokenwire-overhead-us",
    ),
    "/metrics": ('tokenwire_provider_up{provider="openai"}',),
    "-format-error": ('"reason": "INVALID_REQUEST"', '"field": "config.temperature"', '"request_id"'),
    "--target 127.0.0.1:1 ": ("UNAVAILABLE", "is `tokenwire serve` running at 127.0.0.1:1?"),
    '"temperature":0.7': ('"WARNING_CODE_PARAMETER_DROPPED"', '"field": "config.temperature"'),
    "LLMService/ChatStream": ('"started"', '"completed"'),
    "LLMService/Chat": ('"finish_reason"', '"usage"'),
    "LLMService/Embed": ('"embeddings"', '"dimensions"'),
    "LLMService/CountTokens": ('"input_tokens"', '"tokenizer": "o200k_base"'),
    "LLMService/ListModels": ('"name": "openai/gpt-4o-mini"', '"context_window"'),
    "LLMService/Health": ('"HEALTH_STATUS_SERVING"', '"version"', '"config_hash"', '"name": "mistral"'),
    "Health/Check": ('"SERVING"',),
    "tokenwire chat": ("This is the Tokenwire simulator",),
    "tokenwire embed": ("1536: ",),
    "tokenwire models": ("openai/gpt-4o-mini\t128000\t",),
    "tokenwire health --json": ('"status": "HEALTH_STATUS_SERVING"', '"name": "openai"'),
    "tokenwire health": ("SERVING",),
}
"""What a command must print: the first key that it holds counts. Every command that fails has one."""
PORTS = re.compile(r"127\.0\.0\.1:(50051|9464|8081)|--port (8081)")


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    """The documented ports, each with a free one in its stead."""
    found = {}
    with socket.socket() as a, socket.socket() as b, socket.socket() as c:
        for documented, probe in (("50051", a), ("9464", b), ("8081", c)):
            probe.bind(("127.0.0.1", 0))
            found[documented] = str(probe.getsockname()[1])
    return found


@pytest.fixture(scope="module")
def served(ports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`make run` without a key, and the simulator of docs/simulator.md."""
    if (ROOT / ".env").exists():
        pytest.skip("there is a .env: the documented commands would spend what its key allows")
    env = environment() | {
        "TOKENWIRE_SERVER__LISTEN": f"127.0.0.1:{ports['50051']}",
        "TOKENWIRE_METRICS__LISTEN": f"127.0.0.1:{ports['9464']}",
    }
    serving = [block.text.strip() for block in blocks() if block.info == "sh serves"]
    commands = ["make -s run", *(with_ports(command, ports) for command in serving)]
    with (tmp_path_factory.mktemp("served") / "log").open("w") as log:
        processes = [start(command, env, log.fileno()) for command in commands]
        try:
            for process in processes:
                wait_until_ready(process)
            yield
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGTERM)
            statuses = [process.wait(timeout=30) for process in processes]
            for process in processes:
                if process.stdout:
                    process.stdout.close()
    assert statuses[1:] == [0] * len(serving)


def environment() -> dict[str, str]:
    """Of a shell in which the project's commands are found, without anybody's keys."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "TOKENWIRE_"))}
    return kept | {"PATH": f"{ROOT}/.venv/bin:{ROOT}/.tools/bin:{os.environ['PATH']}", "NO_COLOR": "1"}


def start(command: str, env: dict[str, str], log: int) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S602 - the documented command, as a shell reads it
        f"exec {command}",
        shell=True,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        process_group=0,
    )


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    for line in process.stdout:
        if "Ctrl-C" in line or "Simulated OpenAI on" in line:
            return
    raise AssertionError("the command ended before it was ready")


def with_ports(command: str, ports: dict[str, str]) -> str:
    return PORTS.sub(
        lambda match: match[0].replace(match[1] or match[2], ports[match[1] or match[2]]), command
    )


def commands() -> list[tuple[Block, str]]:
    return [
        (block, line)
        for block in blocks()
        if block.info in ("sh", "sh fails")
        for line in block.text.strip().splitlines()
        if line not in SHOWN_ELSEWHERE
    ]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("block", "command"), commands(), ids=str)
def test_documented_command_runs(block: Block, command: str, ports: dict[str, str], tmp_path: Path) -> None:
    env = environment() | {"TOKENWIRE_TARGET": f"127.0.0.1:{ports['50051']}"}
    tool = command.rpartition(" | ")[2].partition(" ")[0]
    if not shutil.which(tool, path=env["PATH"]) and not (ROOT / tool).exists():
        pytest.skip(f"{tool} is not on this machine (`make tools` builds grpcurl)")
    done = subprocess.run(  # noqa: S602 - the documented command, as a shell reads it
        with_ports(command, ports),
        shell=True,
        cwd=tmp_path if command.startswith("tokenwire serve") else ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode != 0) == (block.info == "sh fails"), done.stderr
    printed = done.stdout + done.stderr
    assert printed.strip()
    shown = next((texts for key, texts in SHOWN.items() if key in command), ())
    assert shown or block.info == "sh"
    for text in shown:
        assert text in printed
