"""The boundary of every RPC of ours: what comes in becomes a Call, whatever happens becomes a status.

No text of an exception gets past it, neither of a handler nor of the
deserializer; each RPC that arrives leaves one access line and one count, refused ones too.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, NoReturn, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from google.rpc.code_pb2 import Code

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import UNBOUNDED, Call, now
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.rpc.authentication import CALLER, Authentication, unauthenticated
from tokenwire_server.rpc.current import CALL
from tokenwire_server.rpc.status import Metadata, status_of
from tokenwire_server.secret import Secret
from tokenwire_server.settings import Server
from tokenwire_server.telemetry.metrics import OTHER
from tokenwire_server.telemetry.observe import Observer

_log: Final = structlog.get_logger()
_ids: Final = random.Random()  # noqa: S311 (nobody is kept out by them)
_OURS: Final = "tokenwire.v1."
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONGEST: Final = 256
"""Characters of a trailer: callers may refuse more than 8 KB of them."""
_LAST_WORD: Final = 1.0
"""Seconds for a caller that does not read to read its status."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Given: TypeAlias = "Mapping[str, str | bytes]"
"""A call's metadata, read from grpc once: it decodes them anew each time. Of a key that comes twice the first
value counts."""
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour: TypeAlias = "Callable[[Any, Context], Awaitable[Message | None]]"
Deserialize: TypeAlias = Callable[[bytes], Message]


class Boundary(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Wraps the handlers of LLMService; health and reflection pass as they are.

    With `authentication`, a call of anything that is not open to everybody must have a caller first.
    To generated code it looks like a server, to the server like one handler of all methods: for each method
    that grpc.aio itself knows it holds a task, all of which it looks through with every call.
    """

    def __init__(
        self,
        limits: Server,
        observer: Observer,
        *,
        provider_keys: bool,
        authentication: Authentication | None = None,
    ) -> None:
        self._limits = limits
        self._authentication = authentication
        self._provider_keys = provider_keys
        self._observer = observer
        self._handlers: dict[str, Handler] = {}
        self._refusals: dict[str, Handler] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._closing = False

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """What generated code calls for each service."""
        ours = service.startswith(_OURS)
        for name, handler in handlers.items():
            self._handlers[f"/{service}/{name}"] = self._wrap(handler, name) if ours else handler

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """What it calls as well, with the same handlers."""

    def in_flight(self) -> int:
        """RPCs that are being handled."""
        return len(self._running)

    async def drain(self, grace: float) -> None:
        """Waits until no RPC is being handled. Those that take longer than `grace`, or only begin after it,
        end with SHUTTING_DOWN."""
        end = now() + grace
        while self._running and (left := end - now()) > 0:
            await asyncio.wait(self._running, timeout=left)
        self._closing = True
        while self._running:  # grpc's own stop does not wait for clean-up
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """The handler of a call, before its request is read; None where there is no such method."""
        handler = self._handlers.get(handler_call_details.method)
        if self._authentication:
            caller = self._authentication.caller(handler_call_details)
            if caller is None:
                return self._refusal(handler_call_details.method.rpartition("/")[2] if handler else OTHER)
            CALLER.set(caller)
        return handler

    def _wrap(self, handler: Handler, rpc: str) -> Handler:
        behaviour: Behaviour = handler.unary_stream or handler.unary_unary  # type: ignore[assignment]  # never None here
        deserialize: Deserialize = handler.request_deserializer  # type: ignore[assignment]  # never None here

        bounded = partial(self._run, rpc, behaviour)
        kind = (
            grpc.unary_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return kind(
            bounded,
            request_deserializer=self._deserializer(deserialize),
            response_serializer=handler.response_serializer,
        )

    def _refusal(self, rpc: str) -> Handler:
        """Ends a call without a caller; made once per method. As a stream, whose messages nobody reads."""

        async def refuse(_requests: object, context: Context) -> None:
            await self._run(rpc, _nothing, unauthenticated(), context)

        if rpc not in self._refusals:
            self._refusals[rpc] = grpc.stream_stream_rpc_method_handler(refuse)
        return self._refusals[rpc]

    def _deserializer(self, deserialize: Deserialize) -> Callable[[bytes], Message | Exception]:
        """Gives the error instead of raising it: grpc would send its text to the caller."""
        most = self._limits.max_request_bytes

        def deserializer(data: bytes) -> Message | Exception:
            if len(data) > most:
                return GatewayError(
                    reason=Reason.REQUEST_TOO_LARGE, text=f"A request has at most {most} bytes."
                )
            try:
                return deserialize(data)
            except DecodeError as error:
                refusal = GatewayError(
                    reason=Reason.INVALID_REQUEST, text="The request is not a valid message of its type."
                )
                refusal.__cause__ = error
                return refusal
            except Exception as error:  # noqa: BLE001 (raised again inside the barrier)
                return error

        return deserializer

    async def _run(
        self, rpc: str, behaviour: Behaviour, request: Message | Exception, context: Context
    ) -> Message | None:
        metadata = _first_values(context)
        call = self._call(rpc, metadata, context)
        CALL.set(call)
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # grpc runs a task per call
        self._running.add(task)
        self._observer.began(call)
        code = reason = ""
        try:
            message = _decoded(_stopping() if self._closing else request)
            call.provider_key = self._provider_key(metadata)
            response = await behaviour(message, context)
            context.set_trailing_metadata(_trailers(call))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (the one barrier)
            failure = self._failure(error, call, context)
            code, reason = Code.Name(TABLE[failure.reason].code), Reason.Name(failure.reason)
            await _end(error, failure, call, context)
        else:
            return response
        finally:
            self._running.discard(task)
            self._observer.ended(call, code or "OK", reason)

    def _provider_key(self, metadata: Given) -> Secret | None:
        """The caller's own key for the provider; refused where the settings do not allow it."""
        key = _value(metadata, "x-tokenwire-provider-key")
        if not key:
            return None
        if not self._provider_keys:
            raise GatewayError(
                reason=Reason.PERMISSION_DENIED, text="This server takes no provider keys from callers."
            )
        return Secret(key)

    def _failure(self, error: BaseException, call: Call, context: Context) -> GatewayError:
        """What an exception means to the caller."""
        if isinstance(error, asyncio.CancelledError) and self._closing and not context.done():
            return _stopping()
        return _failure(error, call, context)

    def _call(self, rpc: str, metadata: Given, context: Context) -> Call:
        arrived = now()
        remaining = context.time_remaining()
        longest = self._limits.max_deadline_seconds
        deadline = UNBOUNDED if remaining is None else arrived + min(remaining, longest)
        return Call(_request_id(metadata), rpc, arrived, deadline, caller=CALLER.get())


async def _nothing(_request: Message, _context: Context) -> None:
    """What a refused call never gets to."""


def _stopping() -> GatewayError:
    return GatewayError(reason=Reason.SHUTTING_DOWN, text="The server is stopping.")


def _first_values(context: Context) -> Given:
    pairs: Sequence[tuple[str, str | bytes]] = context.invocation_metadata() or ()  # type: ignore[assignment]  # a tuple, whatever the stubs say
    return dict(reversed(pairs))


def _value(metadata: Given, name: str) -> str:
    """The value of a metadata key; empty when there is none."""
    value = metadata.get(name)
    return value if isinstance(value, str) else ""


def _decoded(request: Message | Exception) -> Message:
    if isinstance(request, Exception):
        raise request
    return request


def _request_id(metadata: Given) -> str:
    """The caller's `x-request-id` where it is well formed, else a new one: no secret, but nobody's twice."""
    given = _value(metadata, "x-request-id")
    return given if given and _REQUEST_ID.fullmatch(given) else f"{_ids.getrandbits(64):016x}"


def _failure(error: BaseException, call: Call, context: Context) -> GatewayError:
    if isinstance(error, GatewayError):
        return error
    if _left(error, context):
        if _deadline_passed(call):
            return GatewayError(reason=Reason.DEADLINE_EXCEEDED, text="The call's deadline passed.")
        return GatewayError(reason=Reason.CANCELLED, text="The caller cancelled.")
    return GatewayError(reason=Reason.INTERNAL, text="The gateway failed; its log has the details.")


def _deadline_passed(call: Call) -> bool:
    """A caller gives up at its own deadline. Ours is later: the time that is left comes rounded up by 1 % at
    most, and counts from when grpc reads it, which a busy machine may do a while after it was sent."""
    time = call.deadline - call.arrived
    return call.deadline < UNBOUNDED and call.remaining() <= 0.2 + time / 100


def _left(error: BaseException, context: Context) -> bool:
    """Whether the caller is gone. A write that it interrupts fails with an error of grpc's core, maybe
    before the context knows; a cancellation that grpc did not ask for is a fault of ours."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, grpc.aio.InternalError) or bool(context.cancelled() or context.done())


async def _end(error: BaseException, failure: GatewayError, call: Call, context: Context) -> NoReturn:
    """Ends the RPC: a caller that has left hears nothing, and grpc must see its cancellation as it is."""
    if failure.reason != Reason.SHUTTING_DOWN and _left(error, context):
        raise error
    if failure.reason == Reason.INTERNAL:
        _log.error(
            "failed",
            request_id=call.request_id,
            rpc=call.rpc,
            error_type=type(error).__name__,
            exc_info=error,
        )
    abort = context.abort_with_status(status_of(failure, call, _trailers(call)))  # type: ignore[attr-defined]  # not in the stubs
    if failure.reason == Reason.SLOW_READER:
        await _or_drop(abort)
    await abort
    raise AssertionError("abort raises")


async def _or_drop(abort: Coroutine[Any, Any, None]) -> None:
    """A status waits behind the messages that the caller does not read. As it may never do so, the RPC is
    dropped after a moment: grpc resets the stream of a handler that is cancelled."""
    try:
        await asyncio.wait_for(abort, _LAST_WORD)
    except TimeoutError:
        raise asyncio.CancelledError from None


def _trailers(call: Call) -> Metadata:
    overhead = max(0.0, now() - call.arrived - call.upstream_seconds - call.queued_seconds)
    found = [
        (key, value)
        for key, value in (
            ("x-request-id", call.request_id),
            ("x-tokenwire-provider", call.target.provider),
            ("x-tokenwire-model", call.target.model),
            ("x-tokenwire-upstream-request-id", call.upstream_request_id),
            ("x-tokenwire-overhead-us", str(round(overhead * 1e6))),
        )
        if value and len(value) <= _LONGEST and value.isascii() and value.isprintable()
    ]
    return tuple(found)
