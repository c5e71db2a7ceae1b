"""Upstreams that are no provider: what a network, a proxy or a certificate can do. Each gives a base URL."""

import asyncio
import contextlib
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from ssl import SSLContext
from typing import Final, NoReturn

import pytest
from faults.matrix import certificates

from tokenwire_server.providers.http1 import connect

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Upstream = Callable[[], AbstractAsyncContextManager[str]]

_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n%b\r\n"
_MIB: Final = 1024 * 1024


@asynccontextmanager
async def answering(answer: Answer, tls: SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers each connection so, and closes it then."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handle(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task in handlers:
            task.cancel()


async def _request(reader: asyncio.StreamReader) -> None:
    """Reads one."""
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))


def _sending(data: bytes) -> Upstream:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(data)
        await writer.drain()
        await reader.read()

    return lambda: answering(answer)


not_http: Final = _sending(b"220 mail.invalid ESMTP\r\n\r\n")


@asynccontextmanager
async def refusing() -> AsyncIterator[str]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}/v1"


@asynccontextmanager
async def blackhole() -> AsyncIterator[str]:
    """A listener whose backlog is full, so that the next connection waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@asynccontextmanager
async def _resolving(resolve: Callable[..., Awaitable[NoReturn]]) -> AsyncIterator[str]:
    """A name in the place of whose server there is this: tests ask no real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connect, "_look_up", resolve)
        yield "https://provider.invalid/v1"


def unknown_name() -> AbstractAsyncContextManager[str]:
    async def resolve(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    return _resolving(resolve)


def silent_name_server() -> AbstractAsyncContextManager[str]:
    """Given up in the end, as by the C library; a look-up outlives the calls that wait for it."""

    async def resolve(*_: object, **__: object) -> NoReturn:
        await asyncio.sleep(3)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    return _resolving(resolve)


def resetting() -> AbstractAsyncContextManager[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.transport.abort()

    return answering(answer)


def ending() -> AbstractAsyncContextManager[str]:
    async def answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await _request(reader)

    return answering(answer)


def _bomb(kind: bytes, beginning: bytes) -> Upstream:
    """A gigabyte of blanks in a megabyte, though we ask for no compression."""
    packer = zlib.compressobj(9, wbits=31)
    data = packer.compress(beginning) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    data += block * 1024  # after a full flush the same bytes mean the same again
    return _sending(_HEAD % (kind, b"content-encoding: gzip\r\n") + b"%x\r\n%b\r\n" % (len(data), data))


gzip_body: Final = _bomb(b"application/json", b'{"choices": [')
gzip_stream: Final = _bomb(b"text/event-stream", b"data: ")


@asynccontextmanager
async def redirecting() -> AsyncIterator[str]:
    """Sends to another port, where nobody may come."""
    came: list[object] = []

    async def visited(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)

    async with answering(visited) as elsewhere:
        head = b"HTTP/1.1 307 Moved\r\nconnection: close\r\ncontent-length: 0\r\nlocation: %b\r\n\r\n"
        async with _sending(head % elsewhere.encode())() as url:
            yield url
    assert not came, "the redirect was followed"


def _serving(make: Callable[[], certificates.Served]) -> Upstream:
    """HTTPS with a certificate, and a client that trusts the authority of the tests alone."""

    @asynccontextmanager
    async def upstream() -> AsyncIterator[str]:
        served = make()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connect, "tls_context", lambda: served.client)
            async with answering(_completion, served.server) as url:
                yield url

    return upstream


async def _completion(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _request(reader)
    body = b'{"id":"c","choices":[{"index":0,"finish_reason":"stop","message":{"content":"hi"}}]}'
    writer.write(
        _HEAD % (b"application/json", b"connection: close\r\n") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    await reader.read()


trusted: Final = _serving(certificates.good)
expired: Final = _serving(certificates.expired)
other_name: Final = _serving(certificates.other_name)
untrusted: Final = _serving(certificates.untrusted)


@asynccontextmanager
async def _over_tls(answer: Answer) -> AsyncIterator[str]:
    """An https URL of a server without TLS."""
    async with answering(answer) as url:
        yield url.replace("http://", "https://")


def no_tls() -> AbstractAsyncContextManager[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    return _over_tls(answer)


def tls_stall() -> AbstractAsyncContextManager[str]:
    async def answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    return _over_tls(answer)
