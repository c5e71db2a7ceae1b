"""How the server is: grpc.health.v1 for the mesh and probes, the RPC Health for people. One source."""

import asyncio
from importlib.metadata import version
from typing import Any, Final, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tokenwire.v1 import health_pb2 as pb
from tokenwire.v1 import llm_service_pb2
from tokenwire_server.call import fill, now
from tokenwire_server.telemetry.provider_health import ProviderHealth

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Reply: TypeAlias = health_pb2.HealthCheckResponse

_NAME: Final = "tokenwire"
_SERVICES: Final = ("", llm_service_pb2.DESCRIPTOR.services_by_name["LLMService"].full_name)


class Health(health_pb2_grpc.HealthServicer):
    """Check and Watch, and what the RPC Health answers. DEGRADED is SERVING to those who know no third.

    A watch never ends by itself: `end_watches` ends it, so that it holds up no stop. `asks_callers`: the
    server asks callers who they are, and tells others the status alone.
    """

    def __init__(self, providers: ProviderHealth, config_hash: str, *, asks_callers: bool) -> None:
        self._providers = providers
        self._asks_callers = asks_callers
        self._about = pb.HealthResponse(version=version(_NAME), config_hash=config_hash, service=_NAME)
        self._began = now()
        self._stopping = False
        self._ending = False
        self._watches: set[asyncio.Task[Any] | None] = set()
        self._changed = asyncio.Event()
        providers.changed = self._wake

    def report(self, caller: str) -> pb.HealthResponse:
        """The answer to a caller of this name; empty = it has not said who it is."""
        if self._asks_callers and not caller:
            return pb.HealthResponse(status=self._status())
        found = pb.HealthResponse(status=self._status(), providers=self._providers.rows())
        fill(found.uptime, now() - self._began)
        found.MergeFrom(self._about)
        return found

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> Reply:  # noqa: N802 (gRPC)
        """The status of a service; NOT_FOUND where there is none."""
        reply = self._reply(request.service)
        if reply.status == Reply.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return reply

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802 (gRPC)
        """Reports each change of a service's status."""
        task = asyncio.current_task()
        self._watches.add(task)
        try:
            await self._watch(request.service, context)
        except asyncio.CancelledError:
            if not self._ending or context.done():
                raise
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The server is stopping.")
        finally:
            self._watches.discard(task)

    async def _watch(self, service: str, context: Context) -> None:
        last = None
        while True:
            changed, reply = self._changed, self._reply(service)
            if reply != last:
                await context.write(reply)
                last = reply
            await changed.wait()

    def stop(self) -> None:
        """NOT_SERVING from now on, whatever happens."""
        self._stopping = True
        self._wake()

    def watched(self) -> bool:
        """Whether somebody would see a change at once."""
        return bool(self._watches)

    def end_watches(self) -> None:
        """Ends the open watches with UNAVAILABLE, which tells watchers to come back."""
        self._ending = True
        while self._watches:
            if task := self._watches.pop():
                task.cancel()

    def _status(self) -> "pb.HealthStatus.ValueType":
        return pb.HEALTH_STATUS_NOT_SERVING if self._stopping else self._providers.status()

    def _reply(self, service: str) -> Reply:
        if service not in _SERVICES:
            return Reply(status=Reply.SERVICE_UNKNOWN)
        serves = self._status() != pb.HEALTH_STATUS_NOT_SERVING
        return Reply(status=Reply.SERVING if serves else Reply.NOT_SERVING)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
