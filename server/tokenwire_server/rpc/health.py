"""grpc.health.v1: what the mesh and probes see of the server."""

import asyncio
from typing import Any, TypeAlias

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Health(HealthServicer):
    """Check and Watch. A watch never ends by itself: `end_watches` ends it, so that it holds up no stop."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Task[Any] | None] = set()
        self._ending = False

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802 (gRPC)
        """Reports each change of a service's status."""
        task = asyncio.current_task()
        self._watches.add(task)
        try:
            await super().Watch(request, context)
        except asyncio.CancelledError:
            if not self._ending or context.done():
                raise
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The server is stopping.")
        finally:
            self._watches.discard(task)

    def end_watches(self) -> None:
        """Ends the open watches with UNAVAILABLE, which tells watchers to come back."""
        self._ending = True
        while self._watches:
            if task := self._watches.pop():
                task.cancel()
