"""A gateway in this process: a real port, a real channel, and the simulator as its provider."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from grpc import aio
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from support.ask import ask

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server import app
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.rpc.server import Server
from tokenwire_server.settings import Settings
from tokenwire_server.simulator import Simulator
from tokenwire_server.telemetry.metrics import Metrics

if TYPE_CHECKING:  # only the .pyi has it
    from tokenwire.v1.llm_service_pb2_grpc import LLMServiceAsyncStub

KEY = "sk-canary-7b1f0c"
"""The provider key: it must be seen nowhere but at the provider."""

SECONDS = 10.0
"""For what must happen: far more than it takes on a busy machine."""

CHANNEL = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)

Table = Mapping[str, object]


class Lines:
    """The log: a processor that keeps events, and lets tests wait for them."""

    def __init__(self) -> None:
        self.all: list[Mapping[str, Any]] = []
        self._came = asyncio.Event()

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        self.all.append({**event, "level": method})
        self._came.set()
        raise structlog.DropEvent

    @property
    def access(self) -> list[Mapping[str, Any]]:
        return [line for line in self.all if line["event"] == "rpc"]

    async def wait(self, number: int = 1) -> Mapping[str, Any]:
        """The access line with this number."""
        async with asyncio.timeout(SECONDS):
            while len(self.access) < number:
                self._came.clear()
                await self._came.wait()
        return self.access[number - 1]


@dataclass(frozen=True)
class Gateway:
    """A running gateway and all that a test may want to look at."""

    simulator: Simulator
    server: Server
    address: str
    channel: aio.Channel
    stub: "LLMServiceAsyncStub"
    lines: Lines
    metrics: Metrics
    http: HttpClient

    async def caught_up(self) -> None:
        """All calls that have ended are logged and counted: whoever asks for health is told of them."""
        stub: Any = HealthStub(self.channel)  # its methods have no types
        await stub.Check(HealthCheckRequest(), timeout=SECONDS)

    def outcomes(self) -> Counter[tuple[str, str, str]]:
        """How often each (rpc, code, reason) was counted."""
        found: Counter[tuple[str, str, str]] = Counter()
        for sample in self._samples("tokenwire_requests_total"):
            found[sample.labels["rpc"], sample.labels["code"], sample.labels["reason"]] += int(sample.value)
        return found

    def gauge(self) -> float:
        """RPCs in flight, as the metrics have it."""
        return sum(float(sample.value) for sample in self._samples("tokenwire_in_flight"))

    def _samples(self, name: str) -> list[Any]:
        families = self.metrics.registry.collect()
        return [sample for family in families for sample in family.samples if sample.name == name]

    async def works(self) -> None:
        """A plain call succeeds: to a model of its own, as others may be over a limit."""
        reply = await self.stub.Chat(ask("ping", model="openai/gpt-4o"), timeout=SECONDS)
        assert reply.choices[0].message.text


def settings_for(
    url: str,
    *,
    server: Table | None = None,
    provider: Table | None = None,
    timeouts: Table | None = None,
    defaults: Table | None = None,
    attempts: Table | None = None,
) -> Settings:
    """Settings with one provider, `openai`, at a URL, and one attempt; the tables change single keys."""
    identity = {"kind": "openai", "api_key": KEY, "base_url": url, "timeouts": dict(timeouts or {})}
    return Settings.model_validate(
        {
            "server": {"listen": ["127.0.0.1:0"], **(server or {})},
            "metrics": {"listen": "off"},
            "attempts": {"max_calls": 1, **(attempts or {})},
            "defaults": {"model": "openai/gpt-4o-mini", **(defaults or {})},
            "providers": {"openai": {**identity, **(provider or {})}},
        }
    )


@asynccontextmanager
async def gateway_for(simulator: Simulator, settings: Settings) -> AsyncIterator[Gateway]:
    """A gateway with these settings; its log goes to `lines` only."""
    lines, metrics, http = Lines(), Metrics(), HttpClient()
    structlog.configure(processors=[lines])
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app, "Metrics", lambda: metrics)
            patch.setattr(app, "HttpClient", lambda: http)
            async with (
                app.serving(settings) as (server, addresses),
                aio.insecure_channel(addresses[0], options=CHANNEL) as channel,
            ):
                await asyncio.wait_for(channel.channel_ready(), SECONDS)
                stub = LLMServiceStub(channel)
                yield Gateway(simulator, server, addresses[0], channel, stub, lines, metrics, http)
    finally:
        structlog.reset_defaults()
