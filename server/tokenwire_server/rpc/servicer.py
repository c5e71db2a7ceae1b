"""LLMService: validate, resolve, call the backend, write."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import grpc

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2 as common
from tokenwire.v1 import embed_pb2, health_pb2, llm_service_pb2_grpc, models_pb2, tokens_pb2
from tokenwire.v1.errors_pb2 import SLOW_READER
from tokenwire_server.backend import Backend, ModelList, TokenCounter
from tokenwire_server.call import Call, Target, fill, now
from tokenwire_server.errors import invalid
from tokenwire_server.policy.resolve import Aliases
from tokenwire_server.rpc.current import CALL
from tokenwire_server.rpc.health import Health
from tokenwire_server.rpc.validate import validate
from tokenwire_server.rpc.validate_embed import validate_embed
from tokenwire_server.rpc.validate_models import validate_models
from tokenwire_server.rpc.validate_tokens import examine, input_of, inside
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported
from tokenwire_server.watch import Watch

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Write: TypeAlias = Callable[[pb.ChatStreamResponse], Awaitable[None]]

_HEARTBEAT: Final = pb.ChatStreamResponse(heartbeat=pb.Heartbeat())
_BEGIN_SECONDS: Final = 0.5
"""For a first write that is under way: far more than it takes, unless the caller reads nothing at all."""


class Answering(NamedTuple):
    """Who answers what."""

    backend: Backend
    tokens: TokenCounter
    models: ModelList
    health: Health


class LLMServicer(llm_service_pb2_grpc.LLMServiceServicer):
    """The RPCs. Whatever they raise, the boundary turns into a status."""

    def __init__(
        self,
        answering: Answering,
        aliases: Aliases,
        limits: Server,
        unsupported: "common.UnsupportedParameters.ValueType",
    ) -> None:
        self._backend, self._tokens, self._models, self._health = answering
        self._aliases = aliases
        self._limits = limits
        self._unsupported = unsupported

    async def Chat(self, request: pb.ChatRequest, context: Context) -> pb.ChatResponse:
        call = self._admitted(request)
        response = await self._backend.chat(request, call)
        _complete(response, call)
        return response

    # Writes instead of yielding: grpc never closes a generator that a caller has left.
    async def ChatStream(self, request: pb.ChatRequest, context: Context) -> None:  # type: ignore[override]  # writes instead of yielding, see above
        call = self._admitted(request)
        call.hedge_after = self._aliases.hedge_after(request.model)
        write: Write = partial(_begin, context)
        with Watch(call.deadline) as reader:
            async with self._backend.stream(request, call) as events:
                async for batch in events:
                    reader.expect(self._limits.slow_reader_seconds, SLOW_READER)
                    for event in batch or (_HEARTBEAT,):
                        if event.HasField("completed"):
                            _complete(event.completed.response, call)
                        await write(event)
                        write = context.write
                    reader.relax()

    async def Embed(self, request: embed_pb2.EmbedRequest, context: Context) -> embed_pb2.EmbedResponse:
        call = self._admitted_embed(request)
        response = await self._backend.embed(request, call)
        _complete(response, call)
        return response

    async def CountTokens(
        self, request: tokens_pb2.CountTokensRequest, context: Context
    ) -> tokens_pb2.CountTokensResponse:
        kind = input_of(request)
        with inside(kind):
            call = self._admitted(request.chat) if kind == "chat" else self._admitted_embed(request.embed)
        around = Unsupported(call.unsupported.mode)
        examine(request, around)
        with inside(kind):
            response = await self._tokens.count_tokens(request, call)
        response.warnings.extend(call.unsupported.warnings)
        for warning in response.warnings:
            warning.field = f"{kind}.{warning.field}"
        response.warnings.extend(around.warnings)
        return response

    async def ListModels(
        self, request: models_pb2.ListModelsRequest, context: Context
    ) -> models_pb2.ListModelsResponse:
        validate_models(request, self._limits)
        return await self._models.list_models(request, CALL.get())

    async def Health(self, request: health_pb2.HealthRequest, context: Context) -> health_pb2.HealthResponse:
        return self._health.report(CALL.get().caller)

    def _admitted(self, request: pb.ChatRequest) -> Call:
        """The call, once its request is valid and its target known."""
        call = self._call(request.unsupported_parameters)
        validate(request, self._limits, call.unsupported)
        _aim(call, self._aliases.targets(request.model, request.fallback_models))
        return call

    def _admitted_embed(self, request: embed_pb2.EmbedRequest) -> Call:
        """As `_admitted`."""
        call = self._call(request.unsupported_parameters)
        validate_embed(request, self._limits, call.unsupported)
        _aim(call, self._aliases.same_model(request.model, request.fallback_models))
        return call

    def _call(self, mode: "common.UnsupportedParameters.ValueType") -> Call:
        call = CALL.get()
        call.unsupported = Unsupported(mode or self._unsupported)
        return call


def _aim(call: Call, targets: Sequence[Target]) -> None:
    call.target, *call.fallbacks = targets
    if call.provider_key and any(target.provider != call.target.provider for target in call.fallbacks):
        text = "The caller's own provider key is for one provider, and this may go to several."
        raise invalid("model", text)


async def _begin(context: Context, event: pb.ChatStreamResponse) -> None:
    """The first write of a stream, not cut short by what ends the call: until it has ended, grpc takes the
    metadata that goes out with it for unsent, sends them again with the status, and loses both."""
    writing = asyncio.ensure_future(context.write(event))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait((writing,), timeout=_BEGIN_SECONDS)
        writing.cancel()
        raise


def _complete(response: pb.ChatResponse | embed_pb2.EmbedResponse, call: Call) -> None:
    """Adds what the gateway itself knows of the call."""
    if response.HasField("usage"):
        call.usage = response.usage
    response.attempts.extend(call.attempts)
    response.warnings.extend(call.unsupported.warnings)
    timing = response.timing
    if call.queued_seconds:
        fill(timing.queue, call.queued_seconds)
    fill(timing.upstream, call.upstream_seconds)
    fill(timing.total, now() - call.arrived)
    if call.first_content is not None:
        fill(timing.first_token, call.first_content - call.arrived)
