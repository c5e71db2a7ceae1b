"""What stands behind the port that a case calls: a gateway before the simulator, or a stand-in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from conformance.kit.cases import Case
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo
from google.rpc.status_pb2 import Status
from grpc import aio
from python_client.standin import SERVICE, Failure, Standin, serving
from support.ask import ask
from support.gateway import Gateway, gateway_for, settings_for
from support.process import free

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason
from tokenwire_server.auth import hash_of
from tokenwire_server.errors import TABLE
from tokenwire_server.settings import Auth
from tokenwire_server.simulator import Simulator, parse_script
from tokenwire_server.simulator import serving as simulating

TOKEN = "tw_canary-kit-0123456789abcdef"
LATE_SECONDS = 0.3
FIELD_57 = b"\xca\x03\x02hi"
"""Number 57, two bytes: of a contract to come."""


async def _nothing() -> None:
    """Between two calls."""


@dataclass(frozen=True)
class Stage:
    """Where to call, and what saw the calls."""

    address: str
    simulator: Simulator | None = None
    standin: Standin | None = None
    between: Callable[[], Awaitable[None]] = _nothing


def _gateway(simulator: Simulator, case: Case, **server: object) -> AbstractAsyncContextManager[Gateway]:
    tables = {key: value for key, value in case.given.items() if key not in {"script", "auth"}}
    auth = {"mode": "token", "tokens": {"kit": hash_of(TOKEN)}, **case.given.get("auth", {})}
    settings = settings_for(simulator.url, **{**tables, "server": {**tables.get("server", {}), **server}})
    simulator.set_default(parse_script(case.given.get("script", {})))
    return gateway_for(simulator, settings.model_copy(update={"auth": Auth.model_validate(auth)}))


@asynccontextmanager
async def gateway(case: Case) -> AsyncIterator[Stage]:
    """A gateway before the simulator."""
    async with simulating() as simulator, _gateway(simulator, case) as running:
        yield Stage(running.address, simulator)


@asynccontextmanager
async def busy(case: Case) -> AsyncIterator[Stage]:
    """The same, while another call never ends, of which it takes one."""
    async with simulating() as simulator, _gateway(simulator, case, max_in_flight=1, max_queued=0) as running:
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        other = running.stub.Chat(ask("Hello", model="openai/gpt-4o"), metadata=metadata)
        await simulator.wait_received()
        yield Stage(running.address)
        other.cancel()


@asynccontextmanager
async def restarted(case: Case) -> AsyncIterator[Stage]:
    """A gateway that drains between two calls, and another one at the same address."""
    address = free()
    async with simulating() as simulator, AsyncExitStack() as running:

        async def start() -> None:
            await running.enter_async_context(_gateway(simulator, case, listen=[address]))

        async def again() -> None:
            await running.aclose()
            await start()

        await start()
        yield Stage(address, simulator, between=again)


@asynccontextmanager
async def late(_case: Case) -> AsyncIterator[Stage]:
    """Nothing at first."""
    address, standin = free(), Standin()
    async with AsyncExitStack() as running:

        async def start() -> None:
            await asyncio.sleep(LATE_SECONDS)  # nothing shows that a caller waits
            await running.enter_async_context(serving(standin, address))

        starting = asyncio.create_task(start())
        yield Stage(address, standin=standin)
        await starting


@asynccontextmanager
async def flaky(case: Case) -> AsyncIterator[Stage]:
    """Its first calls end UNAVAILABLE; each with the pushback that is given, in milliseconds, or none."""
    failures = [Failure(grpc.StatusCode.UNAVAILABLE, pushback) for pushback in case.given["pushbacks"]]
    standin = Standin(failures=failures)
    async with serving(standin) as address:
        yield Stage(address, standin=standin)


@asynccontextmanager
async def newer(_case: Case) -> AsyncIterator[Stage]:
    """Speaks a contract with fields, an event and a finish reason that this one has not."""
    choice = pb.Choice(message=pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="Hello"))
    choice.MergeFromString(b"\x18\x63")  # finish_reason = 99
    response = pb.ChatResponse(id="kit", choices=[choice])
    response.MergeFromString(FIELD_57)
    part = pb.ContentPart(text="Hello")
    events = [
        pb.ChatStreamResponse(started=pb.ChatStarted(id="kit")),
        pb.ChatStreamResponse.FromString(FIELD_57),
        pb.ChatStreamResponse(part_started=pb.PartStarted(part=pb.ContentPart(text=""))),
        pb.ChatStreamResponse.FromString(
            pb.ChatStreamResponse(text_delta=pb.TextDelta(text="Hello")).SerializeToString() + FIELD_57
        ),
        pb.ChatStreamResponse(part_done=pb.PartDone(part=part)),
        pb.ChatStreamResponse(completed=pb.ChatCompleted(response=response)),
    ]

    async def chat(_request: bytes, _context: object) -> bytes:
        return response.SerializeToString()

    async def chat_stream(_request: bytes, _context: object) -> AsyncIterator[bytes]:
        for event in events:
            yield event.SerializeToString()

    methods = {
        "Chat": grpc.unary_unary_rpc_method_handler(chat),
        "ChatStream": grpc.unary_stream_rpc_method_handler(chat_stream),
    }
    async with _raw(methods) as address:
        yield Stage(address)


@asynccontextmanager
async def refusing(case: Case) -> AsyncIterator[Stage]:
    """Refuses for the reason that is given: for those which a gateway has not on demand."""
    reason = case.given["reason"]
    code = TABLE[ErrorReason.Value(reason)].code
    status = Status(code=code, message=f"{reason}: As told. [kit]")
    status.details.extend(
        _packed(ErrorInfo(reason=reason, domain="tokenwire"), RequestInfo(request_id="kit"))
    )
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)

    async def chat(_request: bytes, context: Any) -> bytes:
        codes = {found.value[0]: found for found in grpc.StatusCode}
        await context.abort(codes[code], status.message, trailers)
        raise AssertionError

    async with _raw({"Chat": grpc.unary_unary_rpc_method_handler(chat)}) as address:
        yield Stage(address)


def _packed(*details: ErrorInfo | RequestInfo) -> Iterable[Packed]:
    for detail in details:
        packed = Packed()
        packed.Pack(detail)
        yield packed


@asynccontextmanager
async def _raw(methods: Mapping[str, "grpc.RpcMethodHandler[bytes, bytes]"]) -> AsyncIterator[str]:
    """A server whose methods have bytes."""
    server = aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, dict(methods)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


STAGES: Mapping[str, Callable[[Case], AbstractAsyncContextManager[Stage]]] = {
    "gateway": gateway,
    "busy": busy,
    "restarted": restarted,
    "late": late,
    "flaky": flaky,
    "newer": newer,
    "refusing": refusing,
}
