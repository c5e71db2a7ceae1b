"""A small client of a running Tokenwire, for the commands that call one."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2, models_pb2, tokens_pb2
from tokenwire.v1 import health_pb2 as tokenwire_health_pb2
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub

OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),  # a proxy meant for the web would be asked for 127.0.0.1 too
)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(slots=True, kw_only=True)
class CallFailure(Exception):  # noqa: N818 (to the caller it is an outcome, not a bug)
    """A call failed. What a server without error details said is in `code` and `message` alone."""

    code: str
    reason: str = ""
    message: str = ""
    violations: tuple[tuple[str, str], ...] = ()
    """Fields of the request, each with what is wrong with it."""
    request_id: str = ""
    retry_after: float | None = None
    """Seconds after which the server says that trying again may help."""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Caller:
    """Calls of one channel. Each ends within `timeout` seconds and fails with CallFailure only.

    A `token` goes with every call, over the network as it is.
    """

    def __init__(self, channel: aio.Channel, timeout: float, token: str = "") -> None:
        self._llm = LLMServiceStub(channel)
        self._health: Any = health_pb2_grpc.HealthStub(channel)  # its methods have no types
        self._timeout = timeout
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def chat(self, request: pb.ChatRequest) -> AsyncIterator[pb.ChatStreamResponse]:
        """The answer's events; the last one is `completed`."""
        complete = False
        try:
            async for event in self._llm.ChatStream(request, timeout=self._timeout, metadata=self._metadata):
                complete = event.HasField("completed")
                yield event
        except aio.AioRpcError as error:
            raise decode(error) from None
        if not complete:
            raise CallFailure(code="UNKNOWN", message="the stream ended without its `completed` event")

    async def embed(self, request: embed_pb2.EmbedRequest) -> embed_pb2.EmbedResponse:
        """The vectors."""
        return await self._answer(self._llm.Embed, request)

    async def count_tokens(self, request: tokens_pb2.CountTokensRequest) -> tokens_pb2.CountTokensResponse:
        """How many tokens a request has."""
        return await self._answer(self._llm.CountTokens, request)

    async def list_models(self, request: models_pb2.ListModelsRequest) -> models_pb2.ListModelsResponse:
        """One page of models."""
        return await self._answer(self._llm.ListModels, request)

    async def health_report(self) -> tokenwire_health_pb2.HealthResponse:
        """What the server says of itself and of its providers; to a caller without a token, less."""
        return await self._answer(self._llm.Health, tokenwire_health_pb2.HealthRequest())

    async def health(self) -> str:
        """What grpc.health.v1 says of the whole server: SERVING, NOT_SERVING, UNKNOWN."""
        try:
            reply = await self._health.Check(
                health_pb2.HealthCheckRequest(), timeout=self._timeout, metadata=self._metadata
            )
        except aio.AioRpcError as error:
            raise decode(error) from None
        return health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)

    async def _answer(
        self, method: "aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response:
        try:
            return await method(request, timeout=self._timeout, metadata=self._metadata)
        except aio.AioRpcError as error:
            raise decode(error) from None


@asynccontextmanager
async def caller(target: str, timeout: float, token: str = "") -> AsyncIterator[Caller]:
    """A client of the server at `host:port` or `unix:/path`. Leaving it cancels what is still in flight."""
    async with aio.insecure_channel(target, options=OPTIONS) as channel:
        yield Caller(channel, timeout, token)


def decode(error: aio.AioRpcError) -> CallFailure:
    """All that a failed call says."""
    info, bad, request, retry = ErrorInfo(), BadRequest(), RequestInfo(), RetryInfo()
    _unpack(error, info, bad, request, retry)
    # The stubs know neither that metadata is iterable nor what it holds.
    trailers = dict(cast("Iterable[tuple[str, Any]]", error.trailing_metadata() or ()))
    delay = retry.retry_delay
    return CallFailure(
        code=error.code().name,
        reason=info.reason,
        message=error.details() or "",
        violations=tuple((field.field, field.description) for field in bad.field_violations),
        request_id=request.request_id or trailers.get("x-request-id", ""),
        retry_after=delay.seconds + delay.nanos / 1e9 if retry.HasField("retry_delay") else None,
    )


def _unpack(error: aio.AioRpcError, *messages: Message) -> None:
    """Fills the messages from the status details of the same types."""
    try:
        status = rpc_status.from_call(cast("grpc.Call", error))  # has all that is read of one
        for detail in status.details if status else ():
            for message in messages:
                detail.Unpack(message)
    except (ValueError, DecodeError):  # something between replaced the status, or broke it
        return
