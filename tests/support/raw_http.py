"""A server that says what no HTTP library would, and shows what happens to its connections."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

PATIENCE: Final = 5.0
"""Seconds that a test may take."""
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED: Final = HEAD + b"transfer-encoding: chunked\r\n\r\n"
FIVE: Final = CHUNKED + b"5\r\nhello\r\n"
END: Final = b"0\r\n\r\n"

Answer = Callable[["Connection"], Awaitable[None]]


@dataclass
class Connection:
    """A connection as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def next_request(self) -> bool:
        """Reads a request; False when the client closes instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split()[0])
            await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
            return False
        self.requests += 1
        return True


@dataclass
class Server:
    """Answers each request by `answer`."""

    answer: Answer
    url: str = ""
    connections: list[Connection] = field(default_factory=list)
    handlers: set[asyncio.Task[None] | None] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        self.connections.append(connection)
        self.handlers.add(asyncio.current_task())
        try:
            while await connection.next_request():
                await self.answer(connection)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """For PATIENCE seconds at most."""
    server = Server(answer)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    async with asyncio.timeout(PATIENCE), listener:
        yield server
        for connection in server.connections:
            connection.writer.close()
        await asyncio.gather(*filter(None, server.handlers))


def sends(*data: bytes) -> Answer:
    """The same each time."""

    async def answer(connection: Connection) -> None:
        await connection.send(b"".join(data))

    return answer


def breaks(data: bytes, *, reset: bool) -> Answer:
    """Sends this much and ends the connection."""

    async def answer(connection: Connection) -> None:
        await connection.send(data)
        if reset:
            connection.writer.transport.abort()
        else:
            connection.writer.close()

    return answer
