"""A server that is there and says nothing: its connection stands, as when a machine or a route is lost."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from support.gateway import SECONDS
from support.process import serve

from tokenwire import AsyncClient, errors
from tokenwire_server.simulator import Script, Simulator

KEEPALIVE = {"grpc.keepalive_time_ms": 1000, "grpc.http2.ping_timeout_ms": 500}


async def test_keepalive_notices(tmp_path: Path, simulator: Simulator) -> None:
    """Long before the call's own deadline, and in the middle of a stream."""
    simulator.set_default(Script(hang=True, times=0))
    async with (
        serve(tmp_path, simulator.url) as running,
        AsyncClient(running.address, options=KEEPALIVE) as client,
        client.stream("Hi") as stream,
    ):
        await simulator.wait_received()
        os.kill(running.process.pid, signal.SIGSTOP)
        async with asyncio.timeout(SECONDS):
            with pytest.raises(errors.Unavailable) as caught:
                await stream.final()
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "")


async def test_the_deadline_ends_a_call(tmp_path: Path, simulator: Simulator) -> None:
    async with serve(tmp_path, simulator.url) as running, AsyncClient(running.address) as client:
        await client.health()
        os.kill(running.process.pid, signal.SIGSTOP)
        with pytest.raises(errors.DeadlineExceeded):
            await client.chat("Hi", timeout=0.5)
