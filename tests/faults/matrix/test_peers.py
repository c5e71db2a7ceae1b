"""Callers' connections that misbehave or vanish: they harm nobody else, and leave nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from faults.matrix.cells import bounded_memory, plain, settings
from faults.matrix.http2 import (
    CANCEL,
    CHAT,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Frame,
    Peer,
    connected,
    header,
    message,
)
from grpc import aio
from support.ask import ask
from support.gateway import CHANNEL, Gateway, gateway_for
from support.quiet import Outcome, Quiet, until

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.rpc import server
from tokenwire_server.simulator import Script, Simulator, wait_closed

Impatient = Callable[[str, int], None]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Impatient:
    """Shortens one of the server's own times, which must be among its options."""

    def shorten(name: str, milliseconds: int) -> None:
        assert name in dict(server.OPTIONS)
        options = tuple((key, milliseconds if key == name else value) for key, value in server.OPTIONS)
        monkeypatch.setattr(server, "OPTIONS", options)

    return shorten


@asynccontextmanager
async def _unharmed(simulator: Simulator, *outcomes: Outcome) -> AsyncIterator[Gateway]:
    """A gateway that is as before afterwards, with no other calls than these."""
    async with gateway_for(simulator, settings(simulator)) as gateway:
        await plain(gateway)
        quiet = Quiet.of(gateway)
        with bounded_memory():
            yield gateway
        await quiet.assert_again(gateway, outcomes, lambda: plain(gateway))


_PLAIN = ("Chat", "OK", "")


@pytest.mark.parametrize("number", [50, pytest.param(400, marks=pytest.mark.whole)])
@pytest.mark.parametrize(
    "first",
    [
        (b"PRI * HT",),
        (PREFACE, Frame(SETTINGS, 0, 0, b"")),
        (PREFACE, Frame(SETTINGS, 0, 0, b""), Frame(HEADERS, 0, 1, CHAT[:20])),
    ],
    ids=["half a preface", "idle", "half the headers"],
)
async def test_many_connections_that_say_little(
    simulator: Simulator, first: tuple[Frame | bytes, ...], number: int
) -> None:
    """N1, N3."""
    async with _unharmed(simulator, _PLAIN) as gateway, AsyncExitStack() as stack:
        for _ in range(number):
            await stack.enter_async_context(connected(gateway.address, *first))
        await plain(gateway)


async def test_a_connection_that_never_begins_is_closed(simulator: Simulator, impatient: Impatient) -> None:
    """N3."""
    impatient("grpc.server_handshake_timeout_ms", 500)
    async with _unharmed(simulator, _PLAIN) as gateway, connected(gateway.address, b"PRI") as peer:
        await plain(gateway)
        await peer.closed()


async def test_whole_calls_that_are_reset_at_once_end(simulator: Simulator) -> None:
    """N4. Those that were begun are cancelled, down to the provider."""
    simulator.set_default(Script(hang=True, match="gpt-4o-mini"))
    async with gateway_for(simulator, settings(simulator)) as gateway:
        await plain(gateway)
        quiet = Quiet.of(gateway)
        async with connected(gateway.address) as peer:
            for stream in range(1, 400, 2):
                await peer.send(
                    Frame(HEADERS, END_HEADERS, stream, CHAT),
                    Frame(DATA, END_STREAM, stream, message(ask())),
                    Frame(RST_STREAM, 0, stream, CANCEL),
                )
            await plain(gateway)
        await until(lambda: not gateway.server.in_flight(), lambda: "calls left behind")
        await gateway.caught_up()
        ended = [(line["rpc"], line["code"], line["reason"]) for line in gateway.lines.access[1:]]
        assert set(ended) <= {_PLAIN, ("Chat", "CANCELLED", "CANCELLED")}
        await quiet.assert_again(gateway, ended, lambda: plain(gateway))
        assert not [received for received in simulator.received if received.outcome == "answering"]


async def _continued(peer: Peer) -> None:
    """CONTINUATION without end (CVE-2024-27316 and its like)."""
    await peer.send(Frame(HEADERS, 0, 1, CHAT))
    for number in range(400):
        await peer.send(Frame(CONTINUATION, 0, 1, header(f"x-{number}", "x" * 16_000)))


async def _unpacked(peer: Peer) -> None:
    """A header of 4 KB that is named 12,000 times (CVE-2023-33953)."""
    block = CHAT + header("x-large", "x" * 3_900, indexed=True) + b"\xbe" * 12_000
    await peer.send(Frame(HEADERS, END_HEADERS | END_STREAM, 1, block))


async def _oversized(peer: Peer) -> None:
    """A frame far over the size that the server allows."""
    await peer.send(Frame(DATA, 0, 1, b"x" * 4_000_000))


HARMLESS = {
    "CONTINUATION without end": _continued,
    "headers that unpack to 46 MB": _unpacked,
    "a frame over the limit": _oversized,
}


@pytest.mark.parametrize("name", HARMLESS)
async def test_a_peer_that_goes_too_far_harms_nobody_else(simulator: Simulator, name: str) -> None:
    """N4. What it sent is not kept, and calls nobody."""
    async with _unharmed(simulator, _PLAIN) as gateway, connected(gateway.address) as peer:
        await HARMLESS[name](peer)
        await plain(gateway)
        assert len(simulator.received) == 2


async def test_a_caller_that_vanishes_frees_its_call(simulator: Simulator, impatient: Impatient) -> None:
    """C4. Nothing closes its connection; only the server's pings are not answered any more."""
    impatient("grpc.keepalive_time_ms", 500)
    impatient("grpc.http2.ping_timeout_ms", 500)
    simulator.script(Script(after=2, comments=60, times=0, match="gpt-4o-mini"))
    async with (
        _unharmed(simulator, ("ChatStream", "CANCELLED", "CANCELLED")) as gateway,
        _relay(gateway.address) as relay,
        aio.insecure_channel(relay.address, options=CHANNEL) as channel,
    ):
        call = LLMServiceStub(channel).ChatStream(ask())
        await anext(aiter(call))
        relay.frozen = True
        await wait_closed(simulator.received[-1])
        assert simulator.received[-1].outcome == "closed by client"


@dataclass
class _Relay:
    """The same server by another address. Frozen, it passes nothing on, and closes nothing."""

    server: str
    address: str = ""
    frozen: bool = False
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.server.rpartition(":")
        inner, outer = await asyncio.open_connection(host, int(port))
        self.tasks += map(asyncio.ensure_future, (self._copy(reader, outer), self._copy(inner, writer)))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                if not self.frozen:
                    writer.write(data)
            await asyncio.Event().wait()
        finally:
            writer.transport.abort()


@asynccontextmanager
async def _relay(server_address: str) -> AsyncIterator[_Relay]:
    relay = _Relay(server_address)
    listener = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    async with listener:
        relay.address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield relay
        for task in relay.tasks:
            task.cancel()
        await asyncio.gather(*relay.tasks, return_exceptions=True)
