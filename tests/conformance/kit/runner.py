"""A language's runner: a process that makes the calls it is told, one line of JSON for each."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.kit.cases import Case
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from support.process import forking
from support.status import Failure

from tokenwire.v1 import llm_service_pb2

METHODS = llm_service_pb2.DESCRIPTOR.services_by_name["LLMService"].methods_by_name
SERVICE_CONFIG = Path(__file__).parents[3] / "clients" / "service-config.json"
SECONDS = 60.0
"""For one answer: far more than the longest deadline of a case."""
LONGEST_LINE = 256 * 2**20


class Unsupported(Exception):  # noqa: N818 (no error: a runner may say so)
    """The gRPC library of the runner has no such thing; the text says what."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call, as this language's stubs have it."""

    responses: list[Message]
    failure: Failure
    """Its code is OK where the call succeeded."""


@dataclass(frozen=True)
class Runner:
    """A running one."""

    process: asyncio.subprocess.Process

    async def call(self, case: Case, target: str, token: str) -> Outcome:
        """Raises Unsupported, or AssertionError where the runner broke."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(_line(case, target, token)).encode() + b"\n")
        async with asyncio.timeout(SECONDS):
            await stdin.drain()
            answer = await stdout.readline()
        assert answer, "the runner ended"
        try:
            return _outcome(case, json.loads(answer))
        except (KeyError, TypeError, ValueError, DecodeError) as error:
            raise AssertionError(f"no answer of a runner: {error!r}") from error


@asynccontextmanager
async def started(command: str, place: Path) -> AsyncIterator[Runner]:
    """A shell command in a folder; it ends when its standard input does, or is killed."""
    with forking():
        process = await asyncio.create_subprocess_shell(
            f"exec {command}",
            cwd=place,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
    try:
        yield Runner(process)
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _line(case: Case, target: str, token: str) -> Mapping[str, Any]:
    request = GetMessageClass(METHODS[case.rpc].input_type)()
    ParseDict(dict(case.request), request)
    metadata = {"authorization": f"Bearer {token}" if token else "", **case.metadata}
    line = {
        "id": case.name,
        "target": target,
        "rpc": case.rpc,
        "request": base64.b64encode(request.SerializeToString()).decode(),
        "metadata": {key: value for key, value in metadata.items() if value},
        "timeout_ms": case.timeout_ms,
        "cancel_after": case.cancel_after,
        "wait_for_ready": case.wait_for_ready,
    }
    if case.service_config:
        line["service_config"] = json.loads(SERVICE_CONFIG.read_text())
    return line


def _outcome(case: Case, answer: Mapping[str, Any]) -> Outcome:
    assert answer["id"] == case.name, f"an answer to {answer['id']!r}"
    if reason := answer.get("unsupported"):
        raise Unsupported(reason)
    response = GetMessageClass(METHODS[case.rpc].output_type)
    status = Status(message=answer["message"])
    for detail in answer["details"] or ():
        status.details.add(
            type_url=f"type.googleapis.com/{detail['type']}", value=base64.b64decode(detail["value"])
        )
    metadata = {**answer["headers"], **answer["trailers"]}
    return Outcome(
        [response.FromString(base64.b64decode(packed)) for packed in answer["responses"] or ()],
        Failure(answer["code"], answer["message"], metadata, status),
    )
