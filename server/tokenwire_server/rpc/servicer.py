"""LLMService: validate, resolve, call the backend, write."""

from typing import Any, Final, NoReturn, TypeAlias

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2 as common
from tokenwire.v1 import embed_pb2, llm_service_pb2_grpc
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.backend import Backend
from tokenwire_server.call import Call, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy.resolve import Resolver
from tokenwire_server.rpc.current import CALL
from tokenwire_server.rpc.validate import validate
from tokenwire_server.rpc.validate_embed import validate_embed
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_HEARTBEAT: Final = pb.ChatStreamResponse(heartbeat=pb.Heartbeat())


class LLMServicer(llm_service_pb2_grpc.LLMServiceServicer):
    """The RPCs. Whatever they raise, the boundary turns into a status."""

    def __init__(
        self,
        backend: Backend,
        resolver: Resolver,
        limits: Server,
        unsupported: "common.UnsupportedParameters.ValueType",
    ) -> None:
        self._backend = backend
        self._resolver = resolver
        self._limits = limits
        self._unsupported = unsupported

    async def Chat(self, request: pb.ChatRequest, context: Context) -> pb.ChatResponse:
        call = self._admitted(request)
        response = await self._backend.chat(request, call)
        _complete(response, call)
        return response

    # Writes instead of yielding: grpc never closes a generator that a caller has left.
    async def ChatStream(self, request: pb.ChatRequest, context: Context) -> None:  # type: ignore[override]
        call = self._admitted(request)
        async with self._backend.stream(request, call) as events:
            async for batch in events:
                for event in batch or (_HEARTBEAT,):
                    if event.HasField("completed"):
                        _complete(event.completed.response, call)
                    await context.write(event)

    async def Embed(self, request: embed_pb2.EmbedRequest, context: Context) -> embed_pb2.EmbedResponse:
        call = self._call(request.unsupported_parameters)
        validate_embed(request, self._limits, call.unsupported)
        call.target = self._resolver.resolve(request.model)
        response = await self._backend.embed(request, call)
        _complete(response, call)
        return response

    async def _later(self, request: Message, context: Context) -> NoReturn:
        raise GatewayError(
            reason=Reason.METHOD_NOT_IMPLEMENTED, text="This server does not have the method yet."
        )

    CountTokens = ListModels = Health = _later

    def _admitted(self, request: pb.ChatRequest) -> Call:
        """The call, once its request is valid and its target known."""
        call = self._call(request.unsupported_parameters)
        validate(request, self._limits, call.unsupported)
        call.target = self._resolver.resolve(request.model)
        return call

    def _call(self, mode: "common.UnsupportedParameters.ValueType") -> Call:
        call = CALL.get()
        call.unsupported = Unsupported(mode or self._unsupported)
        return call


def _complete(response: pb.ChatResponse | embed_pb2.EmbedResponse, call: Call) -> None:
    """Adds what the gateway itself knows of the call."""
    if response.HasField("usage"):
        call.usage = response.usage
    response.attempts.extend(call.attempts)
    response.warnings.extend(call.unsupported.warnings)
    timing = response.timing
    timing.upstream.CopyFrom(_duration(call.upstream_seconds))
    timing.total.CopyFrom(_duration(now() - call.arrived))
    if call.first_content is not None:
        timing.first_token.CopyFrom(_duration(call.first_content - call.arrived))


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration
