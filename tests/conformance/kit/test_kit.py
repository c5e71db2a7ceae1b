"""Each language's client handles every case; and the kit finds what does not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from clients.recipes import ROOT, built, languages
from conformance.kit.cases import Case, Expected, load
from conformance.kit.checks import outcome_faults
from conformance.kit.matching import differences
from conformance.kit.report import PASS, Verdicts, failures, table
from conformance.kit.run import on_stages, on_target
from conformance.kit.runner import Outcome
from conformance.kit.stages import TOKEN
from support.gateway import gateway_for, settings_for
from support.status import Failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason
from tokenwire_server.auth import hash_of
from tokenwire_server.settings import Auth
from tokenwire_server.simulator import Simulator

LACKING = {"typescript": 4, "rust": 4}
"""Cases for which the gRPC library has nothing: what reads no service config, and never waits."""


@pytest.mark.parametrize("language", languages())
async def test_a_language_handles_every_case(language: str) -> None:
    verdicts = await on_stages(load(), built(language).kit, ROOT / "clients" / language)
    assert failures({language: verdicts}) == []
    assert len(verdicts) == len(load()), "no two cases have one name"
    assert sum(verdict != PASS for verdict in verdicts.values()) == LACKING.get(language, 0)


async def test_a_deployment_is_enough_for_some_cases(simulator: Simulator) -> None:
    auth = Auth.model_validate({"mode": "token", "tokens": {"kit": hash_of(TOKEN)}})
    settings = settings_for(simulator.url).model_copy(update={"auth": auth})
    async with gateway_for(simulator, settings) as gateway:
        verdicts = await on_target(
            load(), built("python").kit, ROOT / "clients/python", gateway.address, TOKEN
        )
    assert set(verdicts.values()) == {PASS}
    assert len(verdicts) == sum(case.anywhere for case in load()) >= 10


async def test_a_runner_that_does_nothing_fails_every_case(tmp_path: Path) -> None:
    told = {"code": "UNKNOWN", "message": "", "responses": [], "details": [], "headers": {}, "trailers": {}}
    runner = tmp_path / "runner.py"
    runner.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        f"    print(json.dumps({{**{told!r}, 'id': json.loads(line)['id']}}), flush=True)\n"
    )
    cases = [case for case in load() if not case.expect.upstream]
    verdicts = await on_stages(cases, f"{sys.executable} {runner}", tmp_path)
    assert [name for name, verdict in verdicts.items() if verdict == PASS] == []


@pytest.mark.parametrize("command", ["true", "cat"])
async def test_what_is_no_runner_fails(command: str, tmp_path: Path) -> None:
    verdicts = await on_stages(load()[:2], command, tmp_path)
    assert all(verdict.startswith("fail: ") for verdict in verdicts.values())


def test_the_command_tells_by_its_exit_status() -> None:
    """Of your own runner, against a deployment that is not there."""
    runner = f"{sys.executable} {ROOT}/clients/python/examples/kit.py"
    command = (sys.executable, "-m", "conformance.kit", "--target", "127.0.0.1:1", "--runner", runner)
    env = {"PYTHONPATH": str(ROOT / "tests"), "GRPC_VERBOSITY": "ERROR"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603 (a command of ours)
    assert done.returncode == 1
    assert "| chat | fail |" in done.stdout
    assert "yours: chat: UNAVAILABLE, not OK" in done.stderr


def _stream(*events: pb.ChatStreamResponse) -> list[str]:
    case = Case("stream", rpc="ChatStream", expect=Expected())
    return list(outcome_faults(case, Outcome(list(events), Failure("OK", "", {}, None))))


STARTED = pb.ChatStreamResponse(started=pb.ChatStarted())
DELTA = pb.ChatStreamResponse(text_delta=pb.TextDelta(text="Hello"))
COMPLETED = pb.ChatStreamResponse(
    completed=pb.ChatCompleted(
        response=pb.ChatResponse(choices=[pb.Choice(message=pb.ChatMessage(text="Hello"))])
    )
)


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ((STARTED, DELTA, COMPLETED), ""),
        ((DELTA, STARTED, COMPLETED), "a stream that begins with text_delta"),
        ((STARTED, STARTED, DELTA, COMPLETED), "started twice"),
        ((STARTED, DELTA), "0 times completed"),
        ((STARTED, DELTA, COMPLETED, COMPLETED), "2 times completed"),
        ((STARTED, DELTA, COMPLETED, DELTA), "completed is not the last"),
        ((STARTED, DELTA, DELTA, COMPLETED), "deltas 'HelloHello' of 'Hello'"),
    ],
)
def test_the_order_of_a_stream(events: tuple[pb.ChatStreamResponse, ...], fault: str) -> None:
    assert _stream(*events) == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("wanted", "found", "fault"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, ""),
        ({"a": 1}, {"a": 2}, "reply.a is '2', not 1"),
        ({"a": "*"}, {"b": 1}, "reply.a is 'None', not '*'"),
        ({"a": None}, {"a": "text"}, "reply.a is 'text', not None"),
        ({"a#": 2}, {"a": [1, 2]}, ""),
        ({"a#": 2}, {"a": [1]}, "reply.a# is '1', not 2"),
        ({"a": "He…"}, {"a": "Hello"}, ""),
        ({"a": "He…"}, {"a": "Hallo"}, "reply.a is 'Hallo', not 'He…'"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {}]}, "reply.a is \"[{'b': 1}, {}]\", not [{'b': 1}]"),
    ],
)
def test_what_matches(wanted: object, found: object, fault: str) -> None:
    assert list(differences(wanted, found)) == ([fault] if fault else [])


def test_every_reason_has_a_case() -> None:
    reasons = {case.expect.reason for case in load()}
    assert set(ErrorReason.keys()) - reasons == {"ERROR_REASON_UNSPECIFIED"}


def test_the_table_names_each_lack_once() -> None:
    cases = [Case("one"), Case("two")]
    lacking = {"one": PASS, "two": "n/a: no retries"}
    failing = {"one": "fail: x", "two": "n/a: no retries"}
    columns: dict[str, Verdicts | str] = {"a": lacking, "b": "toolchain missing", "c": failing}
    assert table(cases, columns) == (
        "| case | a | b | c |\n|---|---|---|---|\n"
        "| one | pass | toolchain missing | fail |\n"
        "| two | n/a 1 | toolchain missing | n/a 1 |\n"
        "\nn/a 1: no retries.\n"
    )


def test_the_page_shows_every_case() -> None:
    page = (ROOT / "docs" / "clients.md").read_text()
    shown = page.split("<!-- kit:begin -->\n")[1].split("<!-- kit:end -->")[0]
    rows = re.findall(r"^\| (.+?) \|", shown, re.MULTILINE)
    assert rows == ["case", *(case.name for case in load())]
    assert "fail" not in shown
