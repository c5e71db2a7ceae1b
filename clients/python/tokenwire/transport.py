"""The two ways to wait for a gRPC call: in an event loop, and in place.

Everything above is written once, for the first; in the second nothing ever waits, so that `now` can run it.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message
from grpc import aio

from tokenwire.channel import Endpoint
from tokenwire.errors import ClientClosed, TokenwireError, WrongEventLoop
from tokenwire.failure import failure
from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub

if TYPE_CHECKING:  # only the .pyi has it
    from tokenwire.v1.llm_service_pb2_grpc import LLMServiceAsyncStub

T = TypeVar("T")

_CLOSED = "the client is closed"


class Source(Protocol):
    """The events of one stream."""

    async def next(self) -> pb.ChatStreamResponse | None:
        """None behind the last one. Raises TokenwireError."""

    def cancel(self) -> None:
        """Ends the call, wherever it is."""


class Transport(Protocol):
    """Makes calls. They fail with TokenwireError."""

    async def unary(self, method: str, request: Message, timeout: float) -> Any:  # noqa: ANN401 (by method)
        """The response of a method of LLMService."""

    def events(self, request: pb.ChatRequest, timeout: float) -> Source:
        """Begins a stream."""

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work that waits for other things than calls."""


def now(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never waits, because its transport does not."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("callbacks of the synchronous client must not wait in an event loop")


class AsyncTransport:
    """Calls that belong to the event loop of the first one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._closed = False
        self._channel: aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def stub(self) -> "LLMServiceAsyncStub":
        """Opens the channel, if none is. Raises ClientClosed, WrongEventLoop."""
        self._check_loop()
        if self._closed:
            raise ClientClosed(_CLOSED)
        if self._channel is None:
            self._loop = asyncio.get_running_loop()
            self._channel = self._endpoint.open_async()
            self._stub = LLMServiceStub(self._channel)
        return self._stub

    async def unary(self, method: str, request: Message, timeout: float) -> Any:  # noqa: ANN401 (by method)
        """As Transport has it."""
        call = getattr(self.stub, method)
        try:
            return await call(request, timeout=timeout, metadata=self._endpoint.metadata)
        except aio.AioRpcError as error:
            raise failure(error) from error
        except asyncio.CancelledError:
            self.cancelled()
            raise

    def events(self, request: pb.ChatRequest, timeout: float) -> Source:
        """As Transport has it."""
        return _AsyncSource(
            self, self.stub.ChatStream(request, timeout=timeout, metadata=self._endpoint.metadata)
        )

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        """As Transport has it."""
        return await work

    def cancelled(self) -> None:
        """Raises ClientClosed for a call that closing cancelled, and not the task that waits for it."""
        task = asyncio.current_task()
        if self._closed and task is not None and not task.cancelling():
            raise ClientClosed(_CLOSED) from None

    async def close(self) -> None:
        """Cancels what is in flight."""
        self._check_loop()
        self._closed = True
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(None)

    def _check_loop(self) -> None:
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise WrongEventLoop("the client belongs to another event loop, that of its first call")


class _AsyncSource:
    def __init__(
        self, transport: AsyncTransport, call: "aio.UnaryStreamCall[pb.ChatRequest, pb.ChatStreamResponse]"
    ) -> None:
        self._transport = transport
        self._call = call

    async def next(self) -> pb.ChatStreamResponse | None:
        try:
            event = await self._call.read()
        except aio.AioRpcError as error:
            raise failure(error) from error
        except asyncio.CancelledError:
            self._transport.cancelled()
            raise
        return event if isinstance(event, pb.ChatStreamResponse) else None

    def cancel(self) -> None:
        self._call.cancel()


class SyncTransport:
    """Calls that hold up their thread. Several threads may use it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._closed = False
        self._channel = endpoint.open()
        self._stub = LLMServiceStub(self._channel)

    @property
    def stub(self) -> LLMServiceStub:
        """Raises ClientClosed."""
        if self._closed:
            raise ClientClosed(_CLOSED)
        return self._stub

    async def unary(self, method: str, request: Message, timeout: float) -> Any:  # noqa: ANN401 (by method)
        """As Transport has it."""
        call = getattr(self.stub, method)
        try:
            return call(request, timeout=timeout, metadata=self._endpoint.metadata)
        except grpc.RpcError as error:
            raise self.meaning(error) from error

    def events(self, request: pb.ChatRequest, timeout: float) -> Source:
        """As Transport has it."""
        return _SyncSource(
            self, self.stub.ChatStream(request, timeout=timeout, metadata=self._endpoint.metadata)
        )

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        """In an event loop and a thread of its own: this thread may be in the middle of another loop."""
        with ThreadPoolExecutor(1, "tokenwire") as executor:
            return executor.submit(copy_context().run, asyncio.run, work).result()

    def meaning(self, error: grpc.RpcError) -> TokenwireError:
        """What a failed call means: closing cancels those in flight."""
        return ClientClosed(_CLOSED) if self._closed else failure(error)

    def close(self) -> None:
        """Cancels what is in flight."""
        self._closed = True
        self._channel.close()


class _SyncSource:
    def __init__(self, transport: SyncTransport, call: Any) -> None:  # noqa: ANN401 (its type has no cancel)
        self._transport = transport
        self._call = call

    async def next(self) -> pb.ChatStreamResponse | None:
        try:
            event: pb.ChatStreamResponse | None = next(self._call, None)
        except grpc.RpcError as error:
            raise self._transport.meaning(error) from error
        return event

    def cancel(self) -> None:
        self._call.cancel()
