"""A server of ours over a backend that does as the test says."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from grpc import aio
from support.gateway import CHANNEL, Lines

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2, tokens_pb2
from tokenwire_server.backend import Provider
from tokenwire_server.call import Call
from tokenwire_server.policy.models import Models
from tokenwire_server.policy.resolve import Aliases, Resolver
from tokenwire_server.rpc.boundary import Boundary
from tokenwire_server.rpc.health import Health
from tokenwire_server.rpc.server import Server
from tokenwire_server.rpc.servicer import Answering, LLMServicer
from tokenwire_server.settings import Settings
from tokenwire_server.telemetry.metrics import Metrics
from tokenwire_server.telemetry.observe import Observer
from tokenwire_server.telemetry.provider_health import ProviderHealth

Answer = Callable[[pb.ChatRequest, Call], Awaitable[pb.ChatResponse]]


@dataclass(frozen=True)
class FakeBackend:
    """Answers with what `answer` gives; a stream is `started`, then `completed` with it."""

    answer: Answer

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        return await self.answer(request, call)

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        async def events() -> AsyncIterator[Sequence[pb.ChatStreamResponse]]:
            yield [pb.ChatStreamResponse(started=pb.ChatStarted(id="s-1"))]
            response = await self.answer(request, call)
            yield [pb.ChatStreamResponse(completed=pb.ChatCompleted(response=response))]

        yield events()

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        raise AssertionError("nothing here embeds")

    async def count_tokens(
        self, request: tokens_pb2.CountTokensRequest, call: Call
    ) -> tokens_pb2.CountTokensResponse:
        raise AssertionError("nothing here counts tokens")


@dataclass(frozen=True)
class Served:
    """The running server."""

    address: str
    channel: aio.Channel
    lines: Lines
    metrics: Metrics
    boundary: Boundary


@asynccontextmanager
async def served(backend: Provider) -> AsyncIterator[Served]:
    """Serves LLMService over a backend, for the provider names `openai` and `fake`."""
    settings = Settings.model_validate({"server": {"listen": ["127.0.0.1:0"]}}).server
    lines, metrics = Lines(), Metrics()
    structlog.configure(processors=[lines])
    seen = ProviderHealth({"fake": "openai_compatible"}, (), metrics)
    health = Health(seen, "", asks_callers=False)
    boundary = Boundary(settings, Observer(metrics, seen), provider_keys=False)
    resolver = Resolver({"openai": "", "fake": ""}, ("openai", "mistral"), "fake/model")
    servicer = LLMServicer(
        Answering(backend, backend, Models({}, ttl=1), health),
        Aliases(resolver, {}),
        settings,
        common_pb2.UNSUPPORTED_PARAMETERS_DROP_SAMPLING,
    )
    server = Server(settings, servicer, boundary, health)
    try:
        (address,) = await server.start()
        async with aio.insecure_channel(address, options=CHANNEL) as channel:
            yield Served(address, channel, lines, metrics, boundary)
    finally:
        await server.abort()
        structlog.reset_defaults()


def raising(error: BaseException) -> FakeBackend:
    """A backend that fails with this error."""

    async def answer(_request: pb.ChatRequest, _call: Call) -> pb.ChatResponse:
        raise error

    return FakeBackend(answer)
