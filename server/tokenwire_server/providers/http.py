"""One HTTP exchange: send a request, get status, headers and whole network reads.

A narrow seam: whatever else can do this much may stand in for aiohttp.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from typing import Final

import aiohttp

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError

_DRAIN_SECONDS: Final = 1.0
_KEEPALIVE_SECONDS: Final = 75.0
_ONE_WRITE: Final = 1024 * 1024
"""Bytes of a body that are written at once; larger ones in pieces, so that others have their turn."""
_READ_BUFFER: Final = 64 * 1024


class Reply:
    """A provider's reply: its head, and its body as it comes."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status: Final = response.status
        self.headers: Final[Mapping[str, str]] = response.headers
        self.complete = False
        """Set when the message is known to be over although the body has not ended yet."""

    async def read(self, patience: float | None = None) -> bytes | None:
        """All that has arrived, waiting for some; b"" at the end, None after `patience` seconds of nothing.

        Raises STREAM_TRUNCATED when the connection is lost.
        """
        content = self._response.content
        try:
            if patience is None:
                return await content.readany()
            async with asyncio.timeout(patience):
                return await content.readany()
        except TimeoutError:
            return None
        except aiohttp.ClientError as error:
            raise GatewayError(
                reason=Reason.STREAM_TRUNCATED,
                text="The connection to the provider was lost within its answer.",
            ) from error

    async def body(self, cap: int) -> bytes:
        """The whole body; RESPONSE_TOO_LARGE above `cap` bytes."""
        body = bytearray()
        while read := await self.read():
            body += read
            if len(body) > cap:
                raise GatewayError(
                    reason=Reason.RESPONSE_TOO_LARGE, text="The provider's answer is larger than allowed."
                )
        return bytes(body)

    async def start_of_body(self, cap: int, patience: float) -> bytes:
        """What there is of the body, about `cap` bytes at most: enough to tell what went wrong."""
        body = bytearray()
        with contextlib.suppress(GatewayError):
            while len(body) < cap and (read := await self.read(patience)):
                body += read
        return bytes(body)


class HttpClient:
    """A pool of connections to providers, shared by all of them. No cookies, redirects or ambient proxies.

    Made inside the event loop that uses it; whoever made it closes it.
    """

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BUFFER,
            skip_auto_headers=("accept", "accept-encoding", "user-agent"),
            trust_env=False,
        )
        self._drains: set[asyncio.Task[None]] = set()

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]:
        """Sends the request and gives the reply once its head has arrived.

        Leaving the context closes the connection, unless the reply ended or is marked complete: then it
        goes back to the pool. Raises CONNECT_TIMEOUT, PROVIDER_UNAVAILABLE or PROVIDER_BAD_RESPONSE.
        """
        data = body if len(body) <= _ONE_WRITE else BytesIO(body)
        return self._request("POST", url, headers, data, connect_seconds)

    def get(
        self, url: str, headers: Mapping[str, str], connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]:
        """The same, of a request without a body."""
        return self._request("GET", url, headers, None, connect_seconds)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: bytes | BytesIO | None,
        connect_seconds: float,
    ) -> AsyncIterator[Reply]:
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds)
        try:
            response = await self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False, timeout=timeout
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _no_reply(error) from error
        reply = Reply(response)
        try:
            yield reply
        finally:
            self._leave(response, reply)

    def _leave(self, response: aiohttp.ClientResponse, reply: Reply) -> None:
        if response.content.at_eof():
            response.release()
        elif reply.complete:
            # The end of the body is usually one packet behind: worth a moment to keep the connection.
            task = asyncio.get_running_loop().create_task(_drain(response))
            self._drains.add(task)
            task.add_done_callback(self._drains.discard)
            task.add_done_callback(lambda _: response.close())  # even if it never ran
        else:
            response.close()

    async def close(self) -> None:
        """Closes all connections."""
        for task in self._drains:
            task.cancel()
        await asyncio.gather(*self._drains, return_exceptions=True)
        await self._session.close()


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Waits a moment for the body's end, with which the connection goes back to the pool."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            await response.content.readany()


def _no_reply(error: aiohttp.ClientError | OSError) -> GatewayError:
    """What the failure to get a reply's head means."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return GatewayError(reason=Reason.CONNECT_TIMEOUT, text="No connection to the provider in time.")
        case aiohttp.ClientResponseError():
            return GatewayError(
                reason=Reason.PROVIDER_BAD_RESPONSE, text="The provider's reply is not HTTP as it should be."
            )
        case _:
            return GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text="The provider could not be reached.")
