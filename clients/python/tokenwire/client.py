"""The two clients: AsyncClient for services on an event loop, Client for everything else."""

from collections.abc import Coroutine, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, Unpack

from tokenwire.answer import Answer, Embeddings, Health, ModelList, TokenCount
from tokenwire.arguments import ChatFields, EmbedFields
from tokenwire.calls import Calls
from tokenwire.channel import Tls, endpoint
from tokenwire.messages import Turn
from tokenwire.stream import AsyncChatStream, ChatStream
from tokenwire.structured import parsed
from tokenwire.transport import AsyncTransport, SyncTransport, now
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub

if TYPE_CHECKING:  # only the .pyi has it
    from tokenwire.v1.llm_service_pb2_grpc import LLMServiceAsyncStub

T = TypeVar("T")

TIMEOUT: Final = 600.0
"""Seconds for a whole call, where nobody says otherwise."""


class AsyncClient:
    """Calls a Tokenwire server. It connects with the first call, and belongs to that call's event loop.

    `target` is `host:port`, `unix:/path`, `dns:///name:port`, or several `IP:port` with commas between them,
    which take turns; without it TOKENWIRE_TARGET, else 127.0.0.1:50051. `token` is sent as it is, over
    whatever connection there is; without it TOKENWIRE_TOKEN, `""` = none. `tls` encrypts. `timeout` is the
    deadline of each call in seconds. `options` are channel options of gRPC, and win over the client's own.

    Calls that fail raise TokenwireError; arguments that have no place TypeError or ValueError, before
    anything is sent. Cancelling the task that waits for a call cancels the call.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        timeout: float = TIMEOUT,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self._endpoint = endpoint(target, token, tls, options)
        self._transport = AsyncTransport(self._endpoint)
        self.calls: Final = Calls(self._transport, timeout)
        """For what is built on a client."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancels what is in flight. Calls raise ClientClosed from then on; closing again does nothing."""
        await self._transport.close()

    @property
    def stub(self) -> "LLMServiceAsyncStub":
        """The generated stub; its calls take `metadata=client.metadata` and fail with `grpc.RpcError`."""
        return self._transport.stub

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return self._endpoint.metadata

    async def chat(self, *turns: Turn, timeout: float | None = None, **fields: Unpack[ChatFields]) -> Answer:
        """Asks a model; gives the whole answer. What is no message is content of the user's."""
        return await self.calls.chat(turns, fields, timeout)

    def stream(
        self, *turns: Turn, timeout: float | None = None, **fields: Unpack[ChatFields]
    ) -> AsyncChatStream:
        """Asks a model; gives the answer as it comes: `async with client.stream("Hi") as stream`."""
        return self.calls.stream(turns, fields, timeout)

    async def parse(
        self,
        kind: type[T],
        *turns: Turn,
        repairs: int = 0,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> T:
        """Asks a model for a value of this type: a pydantic model, a dataclass or a TypedDict.

        An answer that does not fit goes back to the model with what is wrong, up to `repairs` times; then
        it is OutputInvalid. Needs the extra `tokenwire[tools]`.
        """
        return await parsed(self.calls, kind, turns, fields, timeout, repairs)

    async def embed(
        self, texts: str | Iterable[str], *, timeout: float | None = None, **fields: Unpack[EmbedFields]
    ) -> Embeddings:
        """Turns texts into vectors."""
        return await self.calls.embed(texts, fields, timeout)

    async def count_tokens(
        self, *turns: Turn, timeout: float | None = None, **fields: Unpack[ChatFields]
    ) -> TokenCount:
        """Counts the input tokens of a chat without asking a model."""
        return await self.calls.count_tokens(turns, fields, timeout)

    async def models(self, provider: str = "", *, timeout: float | None = None) -> ModelList:
        """The models of all providers, or of one."""
        return await self.calls.models(provider, timeout)

    async def health(self, *, timeout: float | None = None) -> Health:
        """The state of the gateway and of its providers, as recent calls saw it."""
        return await self.calls.health(timeout)

    def finish(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """How work over `calls` is handed to the caller: to be awaited."""
        return work


class Client:
    """AsyncClient without an event loop: the same calls, each of which holds up its thread. Several threads
    may share one."""

    def __init__(
        self,
        target: str | None = None,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        timeout: float = TIMEOUT,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self._endpoint = endpoint(target, token, tls, options)
        self._transport = SyncTransport(self._endpoint)
        self.calls: Final = Calls(self._transport, timeout)
        """For what is built on a client."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """As AsyncClient.close."""
        self._transport.close()

    @property
    def stub(self) -> LLMServiceStub:
        """As AsyncClient.stub."""
        return self._transport.stub

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return self._endpoint.metadata

    def chat(self, *turns: Turn, timeout: float | None = None, **fields: Unpack[ChatFields]) -> Answer:
        """As AsyncClient.chat."""
        return now(self.calls.chat(turns, fields, timeout))

    def stream(self, *turns: Turn, timeout: float | None = None, **fields: Unpack[ChatFields]) -> ChatStream:
        """As AsyncClient.stream: `with client.stream("Hi") as stream`."""
        return ChatStream(self.calls.stream(turns, fields, timeout))

    def parse(
        self,
        kind: type[T],
        *turns: Turn,
        repairs: int = 0,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> T:
        """As AsyncClient.parse."""
        return now(parsed(self.calls, kind, turns, fields, timeout, repairs))

    def embed(
        self, texts: str | Iterable[str], *, timeout: float | None = None, **fields: Unpack[EmbedFields]
    ) -> Embeddings:
        """As AsyncClient.embed."""
        return now(self.calls.embed(texts, fields, timeout))

    def count_tokens(
        self, *turns: Turn, timeout: float | None = None, **fields: Unpack[ChatFields]
    ) -> TokenCount:
        """As AsyncClient.count_tokens."""
        return now(self.calls.count_tokens(turns, fields, timeout))

    def models(self, provider: str = "", *, timeout: float | None = None) -> ModelList:
        """As AsyncClient.models."""
        return now(self.calls.models(provider, timeout))

    def health(self, *, timeout: float | None = None) -> Health:
        """As AsyncClient.health."""
        return now(self.calls.health(timeout))

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """How work over `calls` is handed to the caller: done."""
        return now(work)
