"""More connections, files or resets than anybody needs: the real process lives, and serves the others."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from faults.matrix.http2 import CANCEL, CHAT, END_HEADERS, HEADERS, RST_STREAM, Frame, connected
from grpc import aio
from support.ask import ask
from support.process import SECONDS, Running, serve

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.simulator import Simulator

FLOOD = 200


@asynccontextmanager
async def _server(simulator: Simulator, place: Path, **environ: str) -> AsyncIterator[Running]:
    """A process that answers a caller who was there before, throughout, and a new one afterwards."""
    async with serve(place, simulator.url, environ=environ) as running:
        async with aio.insecure_channel(running.address) as channel:
            await _ask(channel)
            yield running
            await _ask(channel)
        async with aio.insecure_channel(running.address) as channel:
            await _ask(channel)
        running.process.terminate()
        assert await running.end() == 0


async def _ask(channel: aio.Channel) -> None:
    assert (await LLMServiceStub(channel).Chat(ask(), timeout=SECONDS, wait_for_ready=True)).choices


@pytest.mark.parametrize("first", [b"", b"PRI * HT"], ids=["silent", "half a preface"])
async def test_a_flood_of_connections(simulator: Simulator, tmp_path: Path, first: bytes) -> None:
    """N1, N3."""
    async with (
        _server(simulator, tmp_path, TOKENWIRE_SERVER__MAX_CONNECTIONS="50") as running,
        AsyncExitStack() as stack,
    ):
        for _ in range(FLOOD):
            await stack.enter_async_context(connected(running.address, first))


async def test_a_server_without_files_waits_for_some(simulator: Simulator, tmp_path: Path) -> None:
    """N2. It neither ends nor spins."""
    async with _server(simulator, tmp_path) as running, AsyncExitStack() as stack:
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (96, 96))
        for _ in range(FLOOD):
            await stack.enter_async_context(connected(running.address))
        began, spent = monotonic(), _cpu(running)
        await asyncio.sleep(1)
        assert _cpu(running) - spent < 0.5 * (monotonic() - began)


async def test_streams_that_are_reset_at_once(simulator: Simulator, tmp_path: Path) -> None:
    """N4, CVE-2023-44487."""
    async with _server(simulator, tmp_path) as running, connected(running.address) as peer:
        for stream in range(1, 4000, 2):
            await peer.send(Frame(HEADERS, END_HEADERS, stream, CHAT), Frame(RST_STREAM, 0, stream, CANCEL))
    assert len(simulator.received) == 3, "a call without a request was made"


def _cpu(running: Running) -> float:
    """Seconds of processor time that the process took so far."""
    fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
