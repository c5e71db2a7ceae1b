"""The commands that call a server, against one that answers as the test says."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_status import rpc_status
from typer.testing import CliRunner, Result

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, llm_service_pb2_grpc
from tokenwire_server.cli import app
from tokenwire_server.rpc.caller import CallFailure, caller, decode

T = TypeVar("T")
TOKEN = "tw_canary-0123456789abcdef"
Context = aio.ServicerContext[pb.ChatRequest, pb.ChatStreamResponse]
HEALTH = health_pb2.HealthCheckResponse


def text(delta: str) -> pb.ChatStreamResponse:
    return pb.ChatStreamResponse(text_delta=pb.TextDelta(text=delta))


def completed(
    answer: str, finish: pb.FinishReason.ValueType = pb.FINISH_REASON_STOP, **fields: object
) -> pb.ChatStreamResponse:
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT, text=answer)
    response = pb.ChatResponse(id="r-1", choices=[pb.Choice(message=message, finish_reason=finish)])
    for name, value in fields.items():
        getattr(response, name).extend(value)
    return pb.ChatStreamResponse(completed=pb.ChatCompleted(response=response))


def failure(code: grpc.StatusCode, message: str, *details: Message) -> Status:
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    return Status(code=code.value[0], message=message, details=packed)


class Scripted(llm_service_pb2_grpc.LLMServiceServicer):
    """Streams `events`, then ends with `status`, or never when `hang` is set."""

    def __init__(self) -> None:
        self.requests: list[pb.ChatRequest] = []
        self.events: list[pb.ChatStreamResponse] = []
        self.status: Status | None = None
        self.hang = False
        self.cancelled: Future[None] = Future()

    async def ChatStream(  # noqa: N802 (the contract's name)
        self, request: pb.ChatRequest, context: Context
    ) -> AsyncIterator[pb.ChatStreamResponse]:
        self.requests.append(request)
        for event in self.events:
            yield event
        if self.hang:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set_result(None)
        if self.status:
            # The stubs do not know this method.
            await context.abort_with_status(rpc_status.to_status(self.status))  # type: ignore[attr-defined]  # not in the stubs


class Authorizations(aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Remembers what each call had as `authorization`."""

    def __init__(self) -> None:
        self.seen: list[list[str | bytes]] = []

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        metadata = handler_call_details.invocation_metadata
        self.seen.append([value for key, value in metadata if key == "authorization"])
        return await continuation(handler_call_details)


class Served:
    """A gRPC server in an event loop and thread of its own: the commands bring theirs."""

    def __init__(self, listen: str) -> None:
        self.llm = Scripted()  # type: ignore[abstract]  # the other methods are not called
        self.health = HealthServicer()
        self.authorizations = Authorizations()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.target = self.run(self._start(listen))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def _start(self, listen: str) -> str:
        self.server = aio.server(interceptors=(self.authorizations,))
        llm_service_pb2_grpc.add_LLMServiceServicer_to_server(self.llm, self.server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        port = self.server.add_insecure_port(listen)
        await self.server.start()
        return listen if listen.startswith("unix:") else f"127.0.0.1:{port}"

    def set_health(self, status: int) -> None:
        self.run(self.health.set("", status))

    def close(self) -> None:
        self.run(self.server.stop(None))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, as this machine may have one."""
    monkeypatch.delenv("TOKENWIRE_TOKEN", raising=False)


@pytest.fixture(params=["127.0.0.1:0", "unix:"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    listen = request.param if request.param != "unix:" else f"unix:{tmp_path / 's'}"
    served = Served(listen)
    yield served
    served.close()


@pytest.fixture
def tokenwire(server: Served) -> Callable[..., Result]:
    """Runs a command against the server."""

    def run(command: str, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, [command, "--target", server.target, *arguments], input=stdin)

    return run


# chat


def test_chat_sends_what_it_is_told_and_prints_the_tokens(
    server: Served, tokenwire: Callable[..., Result]
) -> None:
    server.llm.events = [text("Hé"), text("llo"), completed("Héllo")]
    result = tokenwire("chat", "Hi", "--model", "openai/gpt-4o", "--system", "Be brief.")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Héllo\n", "")
    system = pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Be brief.")
    user = pb.ChatMessage(role=pb.ROLE_USER, text="Hi")
    assert server.llm.requests == [pb.ChatRequest(model="openai/gpt-4o", messages=[system, user])]


def test_chat_reads_its_prompt_from_standard_input(server: Served, tokenwire: Callable[..., Result]) -> None:
    server.llm.events = [completed("")]
    assert tokenwire("chat", stdin="Hi\nthere").exit_code == 0
    assert server.llm.requests[0].messages[0].text == "Hi\nthere"


def test_chat_json_prints_the_response_alone(server: Served, tokenwire: Callable[..., Result]) -> None:
    server.llm.events = [text("Hé"), completed("Hé")]
    result = tokenwire("chat", "Hi", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["choices"][0]["message"]["text"] == "Hé"


def test_chat_tells_apart_what_was_not_honoured_and_a_cut_answer(
    server: Served, tokenwire: Callable[..., Result]
) -> None:
    warning = common_pb2.CallWarning(field="config.temperature", text="left out [o1]")
    server.llm.events = [text("Hi\n"), completed("Hi\n", pb.FINISH_REASON_LENGTH, warnings=[warning])]
    result = tokenwire("chat", "Hi")
    assert (result.exit_code, result.stdout) == (0, "Hi\n")
    assert result.stderr == (
        "warning: config.temperature: left out [o1]\nthe answer ended with FINISH_REASON_LENGTH\n"
    )


def test_chat_explains_a_failure_with_all_the_server_said(
    server: Served, tokenwire: Callable[..., Result]
) -> None:
    server.llm.events = [text("Hal")]
    server.llm.status = failure(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE_LIMITED: too many requests [abc]",
        ErrorInfo(reason="RATE_LIMITED", domain="tokenwire"),
        RequestInfo(request_id="abc"),
        RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000)),
        BadRequest(field_violations=[BadRequest.FieldViolation(field="model", description="is busy")]),
    )
    result = tokenwire("chat", "Hi")
    assert (result.exit_code, result.stdout) == (1, "Hal\n")
    assert result.stderr.splitlines() == [
        "error: RATE_LIMITED: too many requests [abc]",
        "  model: is busy",
        "  request id: abc",
        "  try again in 2.5 s",
    ]


def test_a_stream_without_its_end_is_a_failure(server: Served, tokenwire: Callable[..., Result]) -> None:
    server.llm.events = [text("Hal")]
    result = tokenwire("chat", "Hi")
    assert (result.exit_code, result.stdout) == (1, "Hal\n")
    assert result.stderr == "error: UNKNOWN: the stream ended without its `completed` event\n"


def test_chat_ends_by_its_timeout(server: Served, tokenwire: Callable[..., Result]) -> None:
    server.llm.hang = True
    result = tokenwire("chat", "Hi", "--timeout", "0.3")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: DEADLINE_EXCEEDED")
    server.llm.cancelled.result(10)


def test_ctrl_c_cancels_the_call_and_exits_130(server: Served) -> None:
    server.llm.events, server.llm.hang = [text("Hal")], True
    command = [sys.executable, "-m", "tokenwire_server", "chat", "Hi", "--target", server.target]
    with subprocess.Popen(  # noqa: S603 (a command of ours)
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(3) == b"Hal"  # tokens are printed as they come
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"\n", b"")
    server.llm.cancelled.result(10)


def test_arguments_that_are_no_text_are_refused(tokenwire: Callable[..., Result]) -> None:
    result = tokenwire("chat", "\udcff")
    assert (result.exit_code, result.stderr) == (2, "error: the arguments are not UTF-8 text\n")


# health


@pytest.mark.parametrize(("status", "code"), [(HEALTH.SERVING, 0), (HEALTH.NOT_SERVING, 1)])
def test_health_exits_by_the_status(
    server: Served, tokenwire: Callable[..., Result], status: int, code: int
) -> None:
    server.set_health(status)
    result = tokenwire("health")
    assert (result.exit_code, result.stdout) == (code, HEALTH.ServingStatus.Name(status) + "\n")


@pytest.mark.parametrize("target", ["127.0.0.1:1", "unix:/gone", "a:b:c"])
def test_a_server_that_is_not_there_is_told_from_one_that_does_not_serve(target: str) -> None:
    result = CliRunner().invoke(app, ["health"], env={"TOKENWIRE_TARGET": target})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: UNAVAILABLE: ")
    assert "is `tokenwire serve` running at" in result.stderr


def test_chat_without_a_server_exits_1() -> None:
    result = CliRunner().invoke(app, ["chat", "Hi", "--target", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "is `tokenwire serve` running at 127.0.0.1:1? --target names another" in result.stderr


# Tokens


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_chat_and_health_send_the_token_that_is_set(
    server: Served, tokenwire: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("TOKENWIRE_TOKEN", token)
    server.llm.events = [completed("")]
    server.set_health(HEALTH.SERVING)
    assert tokenwire("chat", "Hi").exit_code == tokenwire("health").exit_code == 0
    assert server.authorizations.seen == [[f"Bearer {token}"] if token else []] * 2


@pytest.mark.parametrize("command", [["chat", "Hi"], ["health"]])
@pytest.mark.parametrize("token", ["canary\n", "can ary", "canary-é"])
def test_a_variable_that_is_no_token_is_told_and_not_shown(command: list[str], token: str) -> None:
    result = CliRunner().invoke(app, command, env={"TOKENWIRE_TOKEN": token})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: TOKENWIRE_TOKEN is no token")
    assert token not in result.stderr


def test_a_refused_caller_is_told_where_the_token_comes_from(
    server: Served, tokenwire: Callable[..., Result]
) -> None:
    details = ErrorInfo(reason="UNAUTHENTICATED", domain="tokenwire")
    server.llm.status = failure(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED: no", details)
    result = tokenwire("chat", "Hi")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: UNAUTHENTICATED: no",
        "  TOKENWIRE_TOKEN must be a token that the server knows",
    ]


# caller


async def test_a_failure_without_details_still_has_its_code_and_message(server: Served) -> None:
    server.llm.status = failure(grpc.StatusCode.PERMISSION_DENIED, "no")
    with pytest.raises(CallFailure) as caught:
        async with caller(server.target, 5) as client:
            _ = [event async for event in client.chat(pb.ChatRequest())]
    assert caught.value == CallFailure(code="PERMISSION_DENIED", message="no")


@pytest.mark.parametrize(
    "details",
    [
        b"\xff",
        Status(code=5, message="no").SerializeToString(),
        Status(code=14, message="x").SerializeToString(),
    ],
)
def test_status_details_that_are_broken_or_of_another_call_are_left_out(details: bytes) -> None:
    trailers = aio.Metadata(("grpc-status-details-bin", details), ("x-request-id", "abc"))
    error = aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, aio.Metadata(), trailers, "no", None)
    assert decode(error) == CallFailure(code="UNAVAILABLE", message="no", request_id="abc")
