"""Connections that wait for the next request."""

import asyncio
from collections import defaultdict
from typing import Final

from tokenwire_server.call import now
from tokenwire_server.providers.http1.connect import Connector
from tokenwire_server.providers.http1.connection import Connection
from tokenwire_server.providers.http1.request import Origin

_IDLE_SECONDS: Final = 60.0
"""Less than the 75 that many servers wait: whoever closes first should be us."""
_SWEEP_SECONDS: Final = 5.0
_MOST_IDLE: Final = 256
"""To one server."""


class Pool:
    """Gives out connections, any number at once. Whoever made it closes it."""

    def __init__(self) -> None:
        self._connector = Connector()
        self._origins: dict[Connection, Origin] = {}
        """Of those in use."""
        self._idle = defaultdict[Origin, list[Connection]](list)
        """Those that were used last are at the end."""
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def in_use(self) -> int:
        """Connections that were not put back yet."""
        return len(self._origins)

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return sum(connection.reusable for idle in self._idle.values() for connection in idle)

    async def get(self, origin: Origin, seconds: float) -> Connection:
        """One that is idle, or a new one after so many seconds at most; to be put back.

        Raises CONNECT_TIMEOUT or PROVIDER_UNAVAILABLE.
        """
        connection = self._take(origin) or await self._connector.connect(origin, seconds)
        self._origins[connection] = origin
        return connection

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.reusable:
                return connection
        return None

    def put(self, connection: Connection) -> None:
        """Takes one back; one within an exchange is closed."""
        if (origin := self._origins.pop(connection, None)) is None:
            return
        idle = self._idle[origin]
        if connection.reusable and len(idle) < _MOST_IDLE:
            connection.idle_since = now()
            idle.append(connection)
            self._sweeper = self._sweeper or self._sweep_later()
        else:
            connection.abort()

    def _sweep(self) -> None:
        """Closes those that have waited too long, or were closed by the server."""
        oldest = now() - _IDLE_SECONDS
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since <= oldest:
                    connection.abort()
            self._idle[origin] = [connection for connection in idle if connection.reusable]
            if not self._idle[origin]:
                del self._idle[origin]
        self._sweeper = self._sweep_later() if self._idle else None

    def _sweep_later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)

    async def close(self) -> None:
        """Closes all connections."""
        if self._sweeper:
            self._sweeper.cancel()
        await self._connector.close()
        connections = [*self._origins, *(one for idle in self._idle.values() for one in idle)]
        for connection in connections:
            connection.abort()
        self._idle.clear()
        await asyncio.gather(*(connection.lost for connection in connections))
