"""A plain HTTP/1.1 client that shows what is really on the wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from tokenwire_server.simulator import Simulator

CHAT = "/v1/chat/completions"
KEY = {"authorization": "Bearer sk-test"}
Body = dict[str, object]
Headers = Mapping[str, str]


def chat(prompt: str = "Say something.", **parameters: object) -> Body:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **parameters}


@dataclass
class Connection:
    """One request on a connection of its own."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    async def read_head(self) -> None:
        line = await self.reader.readline()
        self.status = int(line.split()[1])
        while (line := await self.reader.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body's chunks as they come; EOFError or ConnectionError if it breaks off."""
        if "content-length" in self.headers:
            yield await self.reader.readexactly(int(self.headers["content-length"]))
            return
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)

    async def read_until(self, mark: bytes) -> bytes:
        """The body as far as the chunk with the mark in it."""
        body = b""
        async for piece in self.pieces():
            body += piece
            if mark in body:
                return body
        raise AssertionError(f"{mark!r} did not come")


@dataclass(frozen=True)
class Answer:
    """One answer, and how it ended."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    ended: Literal["complete", "fin", "rst"]
    pieces: int

    @property
    def json(self) -> Body:
        value: Body = json.loads(self.body)
        return value

    @property
    def error(self) -> Body:
        value = self.json["error"]
        assert isinstance(value, dict)
        return value


@asynccontextmanager
async def connected(
    simulator: Simulator,
    body: object = None,
    *,
    script: object = None,
    method: str = "POST",
    path: str = CHAT,
    headers: Mapping[str, str] = KEY,
) -> AsyncIterator[Connection]:
    """Send a request; nothing of the answer is read yet."""
    where = urlsplit(simulator.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {"host": where.netloc, "content-length": str(len(raw)), **headers}
    if script is not None:
        fields["x-sim-script"] = json.dumps(script)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


def events(body: bytes, end: bytes = b"\n") -> list[bytes]:
    """The events of a whole stream; comments are events too."""
    assert body.endswith(end * 2)
    return body.split(end * 2)[:-1]


def chunks(body: bytes, end: bytes = b"\n") -> list[Body]:
    """The JSON of a whole stream."""
    data = [event.rpartition(b"data: ")[2] for event in events(body, end)]
    return [json.loads(text) for text in data if text.startswith(b"{")]


async def request(
    simulator: Simulator,
    body: object = None,
    *,
    script: object = None,
    method: str = "POST",
    path: str = CHAT,
    headers: Mapping[str, str] = KEY,
) -> Answer:
    """Send a request and read all of the answer."""
    parts = connected(simulator, body, script=script, method=method, path=path, headers=headers)
    async with parts as connection, asyncio.timeout(10):
        await connection.read_head()
        pieces: list[bytes] = []
        ended: Literal["complete", "fin", "rst"] = "complete"
        try:
            async for piece in connection.pieces():
                pieces.append(piece)  # noqa: PERF401 (what came before a break counts)
        except asyncio.IncompleteReadError as broken:
            ended = "fin"
            pieces.append(broken.partial if "content-length" in connection.headers else b"")
        except ConnectionResetError:
            ended = "rst"
        return Answer(connection.status, connection.headers, b"".join(pieces), ended, len(pieces))
