"""Signals to the real process: what is in flight, what health says, how it exits."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.ask import ask
from support.gateway import CHANNEL, SECONDS
from support.process import Running, serve
from support.status import collect, failure
from support.stream import whole

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.simulator import Script, Simulator, wait_closed

STATUS = health_pb2.HealthCheckResponse
CANARY = "canary-of-the-prompt"


@asynccontextmanager
async def _streaming(running: Running, prompt: str = CANARY) -> AsyncIterator[tuple[Any, Any]]:
    """A stream that has begun, and a watch on health that has said SERVING."""
    async with aio.insecure_channel(running.address, options=CHANNEL) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # its methods have no types
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=3 * SECONDS)
        assert (await anext(aiter(watch))).status == STATUS.SERVING
        stream = LLMServiceStub(channel).ChatStream(ask(prompt), timeout=3 * SECONDS)
        assert (await anext(aiter(stream))).HasField("started")
        yield stream, watch


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_stream_in_flight_ends_well(
    simulator: Simulator, tmp_path: Path, number: signal.Signals
) -> None:
    simulator.script(Script(tokens=30, gap=0.05))
    async with serve(tmp_path, simulator.url) as running, _streaming(running) as (stream, watch):
        running.process.send_signal(number)
        async with asyncio.timeout(1):
            assert (await anext(aiter(watch))).status == STATUS.NOT_SERVING
        rest = [event async for event in stream]
        assert rest[-1].HasField("completed")
        whole([pb.ChatStreamResponse(started=pb.ChatStarted()), *rest])
        assert await running.end() == 0, "a watch on health held up the stop"
    lines = [json.loads(line) for line in running.lines]
    assert [line["event"] for line in lines] == ["serving", "stopping", "rpc", "stopped"]
    assert lines[1]["signal"] == number.name
    assert (lines[1]["in_flight"], lines[2]["code"]) == (1, "OK")
    assert CANARY not in "".join(running.lines)


async def test_who_watches_health_gets_a_moment_to_go_elsewhere(simulator: Simulator, tmp_path: Path) -> None:
    """What comes in that moment is served; what comes later is refused by closed ports."""
    async with serve(tmp_path, simulator.url) as running:
        async with aio.insecure_channel(running.address, options=CHANNEL) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)  # its methods have no types
            watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=3 * SECONDS)
            assert (await anext(aiter(watch))).status == STATUS.SERVING
            running.process.terminate()
            assert (await anext(aiter(watch))).status == STATUS.NOT_SERVING
            assert (await LLMServiceStub(channel).Chat(ask(), timeout=SECONDS)).choices
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == STATUS.NOT_SERVING
            ended = await failure(collect(watch))
            assert (ended.code, ended.message) == ("UNAVAILABLE", "The server is stopping.")
            assert (await failure(LLMServiceStub(channel).Chat(ask(), timeout=SECONDS))).code == "UNAVAILABLE"
        assert await running.end() == 0


async def test_a_caller_that_reads_nothing_holds_up_no_stop(simulator: Simulator, tmp_path: Path) -> None:
    simulator.script(Script(tokens=200_000))
    async with serve(tmp_path, simulator.url, drain=0.5) as running, _streaming(running) as (stream, _):
        (received,) = simulator.received
        running.process.terminate()
        began = monotonic()
        assert await running.end() == 0
        assert monotonic() - began < 5
        assert (await wait_closed(received)).outcome == "closed by client"
        stream.cancel()


async def test_without_calls_it_stops_at_once(simulator: Simulator, tmp_path: Path) -> None:
    async with serve(tmp_path, simulator.url) as running:
        began = monotonic()
        running.process.terminate()
        assert await running.end() == 0
        assert monotonic() - began < 3


@pytest.mark.parametrize("hangs", ["waits", "blocks"])
async def test_a_clean_up_that_hangs_is_abandoned(simulator: Simulator, tmp_path: Path, hangs: str) -> None:
    async with (
        serve(tmp_path, simulator.url, drain=0.5, program="faults.hanging") as running,
        _streaming(running, hangs),
    ):
        running.process.terminate()
        began = monotonic()
        assert await running.end() == 1
        assert 2 < monotonic() - began < 10
    last = json.loads(running.lines[-1])
    assert (last["event"], last["level"], last["in_flight"]) == ("abandoned", "error", 1)


async def test_a_second_signal_shortens_that_too(simulator: Simulator, tmp_path: Path) -> None:
    async with (
        serve(tmp_path, simulator.url, drain=600, program="faults.hanging") as running,
        _streaming(running, "waits"),
    ):
        running.process.terminate()
        await running.line("stopping")
        running.process.terminate()
        assert await running.end() == 1
    assert json.loads(running.lines[-1])["event"] == "abandoned"


async def test_a_second_signal_ends_what_is_in_flight(simulator: Simulator, tmp_path: Path) -> None:
    simulator.script(Script(after=1, comments=60))
    async with serve(tmp_path, simulator.url, drain=30) as running, _streaming(running) as (stream, _):
        running.process.terminate()
        await running.line("stopping")
        running.process.terminate()
        began = monotonic()
        cut = await failure(collect(stream))
        assert (cut.code, cut.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        assert await running.end() == 0
        assert monotonic() - began < 5
        (received,) = simulator.received
        assert (await wait_closed(received)).outcome == "closed by client"


async def test_a_stream_longer_than_the_grace_is_cut(simulator: Simulator, tmp_path: Path) -> None:
    simulator.script(Script(tokens=100_000, gap=0.05))
    async with serve(tmp_path, simulator.url, drain=0.5) as running, _streaming(running) as (stream, _):
        running.process.terminate()
        began = monotonic()
        cut = await failure(collect(stream))
        assert (cut.code, cut.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        assert 0.4 < monotonic() - began < 5
        assert await running.end() == 0
        (received,) = simulator.received
        assert (await wait_closed(received)).outcome == "closed by client"
    lines = [json.loads(line) for line in running.lines]
    assert [line["event"] for line in lines] == ["serving", "stopping", "rpc", "stopped"]
    assert (lines[2]["code"], lines[2]["reason"]) == ("UNAVAILABLE", "SHUTTING_DOWN")
