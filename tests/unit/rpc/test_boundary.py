"""The one barrier: no exception's text gets past it, whatever raises it and wherever."""

import asyncio

import grpc
import pytest
from google.protobuf.message import DecodeError
from support.ask import ask
from support.fake import FakeBackend, Served, raising, served
from support.gateway import SECONDS, gateway_for, settings_for
from support.status import Failure, collect, failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import llm_service_pb2_grpc
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.call import Call
from tokenwire_server.errors import GatewayError
from tokenwire_server.rpc.boundary import Boundary
from tokenwire_server.simulator import Simulator
from tokenwire_server.telemetry import observe

CANARY = "sk-canary-in-a-text"


class OddError(Exception):
    """One whose text cannot even be made."""

    def __str__(self) -> str:
        raise ValueError(CANARY)

    __repr__ = __str__


ERRORS = {
    "RuntimeError": RuntimeError(CANARY),
    "KeyError": KeyError(CANARY),
    "TimeoutError": TimeoutError(CANARY),
    "OSError": OSError(5, CANARY),
    "RecursionError": RecursionError(CANARY),
    "MemoryError": MemoryError(CANARY),
    "AssertionError": AssertionError(CANARY),
    "CancelledError": asyncio.CancelledError(CANARY),
    "AbortError": grpc.aio.AbortError(CANARY),
    "UsageError": grpc.aio.UsageError(CANARY),
    "BaseError": grpc.aio.BaseError(CANARY),
    "group": ExceptionGroup(CANARY, [ValueError(CANARY)]),
    "no text": OddError(),
}


async def _call(running: Served, rpc: str) -> Failure:
    stub = LLMServiceStub(running.channel)
    if rpc == "Chat":
        return await failure(stub.Chat(ask(), timeout=SECONDS))
    return await failure(collect(stub.ChatStream(ask(), timeout=SECONDS)))


@pytest.mark.parametrize("rpc", ["Chat", "ChatStream"])
@pytest.mark.parametrize("name", ERRORS)
async def test_whatever_a_backend_raises_is_internal(rpc: str, name: str) -> None:
    async with served(raising(ERRORS[name])) as running:
        failed = await asyncio.wait_for(_call(running, rpc), SECONDS / 2)
        assert (failed.code, failed.reason) == ("INTERNAL", "INTERNAL")
        assert CANARY not in failed.everything
        assert "canary" not in failed.everything.lower()
        assert failed.request_id == failed.trailers["x-request-id"]
        line = await running.lines.wait()
        assert (line["code"], line["reason"]) == ("INTERNAL", "INTERNAL")
        (logged,) = [entry for entry in running.lines.all if entry["level"] == "error"]
        assert logged["error_type"] == type(ERRORS[name]).__name__
        assert logged["request_id"] == failed.request_id
        assert running.boundary.in_flight() == 0


async def test_the_cause_of_an_error_of_ours_stays_inside() -> None:
    error = GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text="The provider could not be reached.")
    error.__cause__ = RuntimeError(CANARY)
    async with served(raising(error)) as running:
        failed = await _call(running, "Chat")
        assert failed.reason == "PROVIDER_UNAVAILABLE"
        assert CANARY not in failed.everything


DESERIALIZER_ERRORS = {
    "DecodeError": (DecodeError(CANARY), "INVALID_ARGUMENT", "INVALID_REQUEST"),
    "RuntimeError": (RuntimeError(CANARY), "INTERNAL", "INTERNAL"),
    "RecursionError": (RecursionError(CANARY), "INTERNAL", "INTERNAL"),
}


@pytest.mark.parametrize("name", DESERIALIZER_ERRORS)
async def test_no_text_of_the_deserializer_gets_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    error, code, reason = DESERIALIZER_ERRORS[name]

    def deserialize(_data: bytes) -> pb.ChatRequest:
        raise error

    def register(servicer: object, server: Boundary) -> None:
        method = grpc.unary_unary_rpc_method_handler(
            servicer.Chat,  # type: ignore[attr-defined]  # a stand-in
            request_deserializer=deserialize,
            response_serializer=pb.ChatResponse.SerializeToString,
        )
        server.add_registered_method_handlers("tokenwire.v1.LLMService", {"Chat": method})

    monkeypatch.setattr(llm_service_pb2_grpc, "add_LLMServiceServicer_to_server", register)
    async with served(raising(AssertionError("not reached"))) as running:
        failed = await _call(running, "Chat")
        assert (failed.code, failed.reason) == (code, reason)
        assert CANARY not in failed.everything
        assert failed.request_id
        await running.lines.wait()


async def test_calls_that_ended_just_before_a_stop_leave_their_lines(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "_WAIT", 3600.0)  # so that nothing but the stop writes them
    async with gateway_for(simulator, settings_for(simulator.url)) as gateway:
        await gateway.works()
        assert not gateway.lines.access
    assert [line["code"] for line in gateway.lines.access] == ["OK"]
    assert gateway.outcomes() == {("Chat", "OK", ""): 1}


async def test_grpc_waits_with_one_task_for_calls_of_all_methods() -> None:
    async with served(raising(AssertionError("not reached"))):
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    assert [name for name in names if name.startswith("AioServer._request")] == ["AioServer._request_call"]


async def test_a_call_gets_the_callers_deadline_at_most_an_hour() -> None:
    seen: list[float] = []

    async def answer(_request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        seen.append(call.remaining())
        return pb.ChatResponse()

    async with served(FakeBackend(answer)) as running:
        stub = LLMServiceStub(running.channel)
        for timeout in (30.0, 9_000.0, None):
            await stub.Chat(ask(), timeout=timeout)
    bounded, capped, unbounded = seen
    assert 0 < bounded <= 31
    assert 3_500 < capped <= 3_600
    assert unbounded == float("inf")
