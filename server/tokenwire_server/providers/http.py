"""One HTTP exchange: send a request, get status, headers and whole network reads."""

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http1.connection import Connection
from tokenwire_server.providers.http1.pool import Pool
from tokenwire_server.providers.http1.request import Request
from tokenwire_server.providers.http1.unpack import PACKED, Unpacker

_DRAIN_SECONDS: Final = 1.0


class Reply:
    """A provider's reply: its head, and its body as it comes."""

    def __init__(self, connection: Connection) -> None:
        self.status: Final = connection.status
        self.headers: Final[Mapping[str, str]] = connection.headers
        """Names are in lower case."""
        self.complete = False
        """Set when the message is known to be over although the body has not ended yet."""
        packed = self.headers.get("content-encoding", "").lower() in PACKED
        self.read: Final = Unpacker(connection.read).read if packed else connection.read
        """All that has arrived, waiting for some; b"" at the end. Raises STREAM_TRUNCATED when the connection
        is lost."""
        self.hold: Final = connection.hold
        """Lets the next read wait for more."""

    async def read_within(self, patience: float) -> bytes | None:
        """The same; None after `patience` seconds of nothing."""
        try:
            async with asyncio.timeout(max(0.001, patience)):
                return await self.read()
        except TimeoutError:
            return None

    async def body(self, cap: int) -> bytes:
        """The whole body; RESPONSE_TOO_LARGE above `cap` bytes."""
        reads, size = list[bytes](), 0
        while read := await self.read():
            reads.append(read)
            size += len(read)
            if size > cap:
                raise GatewayError(
                    reason=Reason.RESPONSE_TOO_LARGE, text="The provider's answer is larger than allowed."
                )
        return reads[0] if len(reads) == 1 else b"".join(reads)

    async def start_of_body(self, cap: int, patience: float) -> bytes:
        """What there is of the body, about `cap` bytes at most: enough to tell what went wrong."""
        body = bytearray()
        with contextlib.suppress(GatewayError):
            while len(body) < cap and (read := await self.read_within(patience)):
                body += read
        return bytes(body)


class HttpClient:
    """A pool of connections to providers, shared by all of them. No cookies, redirects or ambient proxies.

    Made inside the event loop that uses it; whoever made it closes it.
    """

    def __init__(self) -> None:
        self.pool: Final = Pool()
        self._drains: set[asyncio.Task[None]] = set()

    def send(
        self, request: Request, body: bytes, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]:
        """Sends the request and gives the reply once its head has arrived.

        Leaving the context closes the connection, unless the reply ended or is marked complete: then it
        goes back to the pool. Nothing is sent twice. Raises CONNECT_TIMEOUT, PROVIDER_UNAVAILABLE or
        PROVIDER_BAD_RESPONSE.
        """
        return _Exchange(self, request, body, connect_seconds)

    def leave(self, connection: Connection, reply: Reply) -> None:
        """Gives the connection of a reply back to the pool."""
        if connection.ended or not reply.complete:
            self.pool.put(connection)
            return
        # The end of the body is usually one packet behind: worth a moment to keep the connection.
        task = asyncio.get_running_loop().create_task(_drain(connection))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)
        task.add_done_callback(lambda _: self.pool.put(connection))  # even if it never ran

    async def close(self) -> None:
        """Closes all connections."""
        for task in self._drains:
            task.cancel()
        await asyncio.gather(*self._drains, return_exceptions=True)
        await self.pool.close()


class _Exchange(AbstractAsyncContextManager[Reply]):
    """A class, because a generator costs more."""

    def __init__(self, client: HttpClient, request: Request, body: bytes, connect_seconds: float) -> None:
        self._client = client
        self._request = request
        self._body = body
        self._connect_seconds = connect_seconds
        self._connection: Connection
        self._reply: Reply

    async def __aenter__(self) -> Reply:
        request, body = self._request, self._body
        connection = await self._client.pool.get(request.origin, self._connect_seconds)
        try:
            await connection.send(request.sized(body), body)
        except BaseException:
            self._client.pool.put(connection)
            raise
        self._connection = connection
        self._reply = Reply(connection)
        return self._reply

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.leave(self._connection, self._reply)


async def _drain(connection: Connection) -> None:
    """Waits a moment for the body's end, with which the connection can be used again."""
    with contextlib.suppress(TimeoutError, GatewayError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            await connection.read()
