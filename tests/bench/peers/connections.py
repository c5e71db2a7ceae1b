"""The least HTTP/1.1 client that hears a stream: it must cost little beside what it measures."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import httptools

Heard = Callable[[bytes], None]
"""Told of each part of a body as it comes."""


class Connection(asyncio.Protocol):
    """One connection, for one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._heard: Heard
        self._body = list[bytes]()
        self._done: asyncio.Future[None] | None = None
        self.reusable = False

    async def ask(self, request: bytes, heard: Heard) -> tuple[int, bytes]:
        """The reply's status and body. Raises OSError when the connection ends before it is whole."""
        self._parser, self._heard = httptools.HttpResponseParser(self), heard
        self._body.clear()
        self._done, self.reusable = asyncio.get_running_loop().create_future(), False
        self._transport.write(request)
        await self._done
        self.reusable = self._parser.should_keep_alive()
        return self._parser.get_status_code(), b"".join(self._body)

    def close(self) -> None:
        """At once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails what waits for a reply."""
        self.reusable = False
        self._end(ConnectionResetError("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        """Parses it."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(OSError(f"no HTTP: {error}"))

    def on_body(self, data: bytes) -> None:
        """Part of the body."""
        self._body.append(data)
        self._heard(data)

    def on_message_complete(self) -> None:
        """The reply is whole."""
        self._end(None)

    def _end(self, error: OSError | None) -> None:
        if self._done and not self._done.done():
            if error:
                self._done.set_exception(error)
            else:
                self._done.set_result(None)


class Connections:
    """Those to one server, as many as there are requests at once; kept until closed."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle = list[Connection]()

    async def ask(self, request: bytes, heard: Heard) -> tuple[int, bytes]:
        """Over a free connection, else a new one. Raises OSError."""
        connection = await self._free()
        try:
            reply = await connection.ask(request, heard)
        except BaseException:
            connection.close()
            raise
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    async def _free(self) -> Connection:
        with suppress(IndexError):
            while not (connection := self._idle.pop()).reusable:
                pass
            return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port)
        return connection

    def close(self) -> None:
        """All that are idle."""
        for connection in self._idle:
            connection.close()
