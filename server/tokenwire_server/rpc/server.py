"""The gRPC server: options, services, listeners, and a stop that lets calls end."""

import asyncio
from typing import Final, cast

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from tokenwire.v1 import llm_service_pb2, llm_service_pb2_grpc
from tokenwire_server.rpc.boundary import Boundary
from tokenwire_server.rpc.health import Health
from tokenwire_server.rpc.servicer import LLMServicer
from tokenwire_server.settings import Server as ServerSettings

_SERVICE: Final = llm_service_pb2.DESCRIPTOR.services_by_name["LLMService"].full_name
_SERVICES: Final = (_SERVICE, HEALTH)
_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_MARGIN: Final = 0.5
"""Seconds after our own grace until grpc cuts off what is left: last statuses need a moment to leave."""
_NOTICE: Final = 1.0
"""Seconds for those who watch health. grpc cancels calls that cross its stop, without a status that anybody
retries (docs/decisions/0006-drain.md)."""

OPTIONS: Final = (
    # Behind our own limit, which answers with details; this one protects memory.
    ("grpc.max_receive_message_length", 64 * _MIB),
    ("grpc.max_send_message_length", 64 * _MIB),
    # Clients in a mesh may ping every 10 s, also without a call; more often is abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A peer that vanished is noticed within 80 s.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # grpc.keepalive_timeout_ms does nothing in grpcio 1.85
    # A connection that never says anything is closed.
    ("grpc.server_handshake_timeout_ms", 20_000),
    # Room for a caller's certificate or token. One number, as grpc refuses at random between the two.
    ("grpc.max_metadata_size", 16 * _KIB),
    ("grpc.absolute_max_metadata_size", 16 * _KIB),
)


def options(settings: ServerSettings) -> tuple[tuple[str, int], ...]:
    """The server's channel options. grpc says nothing of a name that it does not know."""
    found = (
        *OPTIONS,
        # One process shares its port with no other: a second server is refused instead of joining in silence.
        ("grpc.so_reuseport", int(settings.workers != 1)),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
    )
    if not settings.max_connection_age_seconds:
        return found
    return (
        *found,
        # Varied by a tenth, so that callers who came together do not leave together.
        ("grpc.max_connection_age_ms", int(settings.max_connection_age_seconds * 1000)),
        # No call lasts longer, so that none is cut.
        ("grpc.max_connection_age_grace_ms", int(settings.max_deadline_seconds * 1000)),
    )


class BindError(Exception):
    """A listener could not be opened; the text is its address."""


class Server:
    """LLMService, grpc.health.v1 and reflection on the configured listeners."""

    def __init__(
        self, settings: ServerSettings, servicer: LLMServicer, boundary: Boundary, health: Health
    ) -> None:
        self._settings = settings
        self._boundary = boundary
        self._health = health
        self._server = grpc.aio.server(handlers=(boundary,), options=options(settings))
        methods = cast("grpc.aio.Server", boundary)
        llm_service_pb2_grpc.add_LLMServiceServicer_to_server(servicer, methods)
        health_pb2_grpc.add_HealthServicer_to_server(health, methods)
        if settings.reflection:
            names = (*_SERVICES, reflection.SERVICE_NAME)
            described = reflection.aio.ReflectionServicer(names)  # type: ignore[attr-defined]  # not in the stubs
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(described, methods)  # type: ignore[no-untyped-call]  # nor this

    async def start(self) -> list[str]:
        """Opens the listeners and serves; gives their addresses. Raises BindError."""
        addresses = [self._bind(listen) for listen in self._settings.listen]
        await self._server.start()
        return addresses

    async def stop(self) -> None:
        """NOT_SERVING at once. Who watches that has a moment to go elsewhere, in which all is served. Calls
        in flight get the rest of `drain_seconds` to end, then they end with SHUTTING_DOWN.
        Gives back when all handlers have ended, clean-up included."""
        grace = self._settings.drain_seconds
        self._health.stop()
        notice = min(_NOTICE, grace) if self._health.watched() else 0.0
        await asyncio.sleep(notice)
        await self._end(grace - notice)

    async def abort(self) -> None:
        """Ends what `stop` still waits for, or everything at once. May be called more than once."""
        await self._end(0)

    async def _end(self, grace: float) -> None:
        stopping = asyncio.ensure_future(self._server.stop(grace + _MARGIN))
        await self._boundary.drain(grace)
        self._health.end_watches()
        await stopping

    def _bind(self, listen: str) -> str:
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise BindError(listen) from error
        host, colon, _ = listen.rpartition(":")
        return listen if listen.startswith("unix:") else f"{host}{colon}{port}"

    def in_flight(self) -> int:
        """RPCs of ours that are being handled."""
        return self._boundary.in_flight()
