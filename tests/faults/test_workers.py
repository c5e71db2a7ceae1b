"""Several processes on one port: calls, metrics and signals over all, and what if one of them ends."""

import asyncio
import os
import re
import select
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from support.ask import ask
from support.gateway import CHANNEL
from support.process import SECONDS, Running, free, page_of, refused, serve
from support.status import collect, failure

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.simulator import Script, Simulator

CONNECTIONS = 24
"""The kernel deals them out to two processes: that one gets none happens once in ten million runs."""


@dataclass
class Crew:
    """A server with two workers."""

    running: Running
    metrics: str

    def workers(self) -> list[int]:
        """Their process ids."""
        pid = self.running.process.pid
        return sorted(map(int, _proc(pid, f"task/{pid}/children").split()))

    async def counts(self, name: str, expected: float) -> None:
        """The sum of a metric's series soon is that: calls are counted a moment after their end."""
        async with asyncio.timeout(SECONDS):
            while await self._counted(name) != expected:  # noqa: ASYNC110 (a page tells nobody)
                await asyncio.sleep(0.01)

    async def _counted(self, name: str) -> float:
        page = await asyncio.to_thread(page_of, self.metrics)
        return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)))


@asynccontextmanager
async def _crew(place: Path, simulator: Simulator, drain: float = 10.0) -> AsyncIterator[Crew]:
    metrics = free()
    environ = {"TOKENWIRE_SERVER__WORKERS": "2"}
    async with serve(place, simulator.url, environ=environ, metrics=metrics, drain=drain) as running:
        yield Crew(running, metrics)


@asynccontextmanager
async def _channels(crew: Crew) -> AsyncIterator[list[Any]]:
    """Stubs with a connection each."""
    async with AsyncExitStack() as stack:
        stubs = []
        for _ in range(CONNECTIONS):
            channel = aio.insecure_channel(crew.running.address, options=CHANNEL)
            stubs.append(LLMServiceStub(await stack.enter_async_context(channel)))
        yield stubs


@asynccontextmanager
async def _streams(crew: Crew) -> AsyncIterator[list[Any]]:
    """Streams that have begun, on connections of their own."""
    async with _channels(crew) as stubs:
        streams = [stub.ChatStream(ask(), timeout=3 * SECONDS) for stub in stubs]
        for stream in streams:
            assert (await anext(aiter(stream))).HasField("started")
        yield streams


def _sockets(pid: int) -> int:
    files = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    return sum(file.startswith("socket:") for file in files)


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


async def _gone(pidfd: int) -> None:
    """Returns once the process has ended, whoever is to collect it."""
    ended, _, _ = await asyncio.to_thread(select.select, [pidfd], [], [], SECONDS)
    os.close(pidfd)
    assert ended, "a worker is still there"


async def test_all_workers_serve(simulator: Simulator, tmp_path: Path) -> None:
    async with _crew(tmp_path, simulator) as crew:
        before = {pid: _sockets(pid) for pid in crew.workers()}
        assert len(before) == 2
        async with _channels(crew) as stubs:
            for stub in stubs:
                assert (await stub.Chat(ask(), timeout=SECONDS)).choices
            assert min(_sockets(pid) - sockets for pid, sockets in before.items()) > 0
        await crew.counts("tokenwire_requests_total", CONNECTIONS)
        await crew.counts("tokenwire_request_duration_seconds_count", CONNECTIONS)
        await crew.counts("tokenwire_provider_up", 1)
        for pid in (crew.running.process.pid, *before):
            assert "canary" not in _proc(pid, "cmdline")
        assert "cygrpc" not in _proc(crew.running.process.pid, "maps"), "the parent loads grpc"


async def test_a_worker_that_is_killed_comes_back(simulator: Simulator, tmp_path: Path) -> None:
    """P2."""
    simulator.set_default(Script(tokens=20, gap=0.1))
    async with _crew(tmp_path, simulator) as crew:
        async with _channels(crew) as stubs:
            await asyncio.gather(*(stub.Chat(ask(), timeout=SECONDS) for stub in stubs))
        await crew.counts("tokenwire_requests_total", CONNECTIONS)
        victim, other = crew.workers()
        async with _streams(crew) as streams:
            os.kill(victim, signal.SIGKILL)
            ended = await asyncio.gather(*map(collect, streams), return_exceptions=True)
            cut = [error for error in ended if isinstance(error, aio.AioRpcError)]
            assert {error.code().name for error in cut} == {"UNAVAILABLE"}
            assert len(cut) < CONNECTIONS, "no stream of the other worker was left"
        await crew.counts("tokenwire_requests_total", 2 * CONNECTIONS - len(cut))
        await crew.counts("tokenwire_in_flight", 0)
        line = await crew.running.line("worker")
        assert (line["worker"], line["state"], line["code"]) == (0, "ENDED", -signal.SIGKILL)
        assert (await crew.running.line("worker"))["state"] == "SERVING"
        assert other in crew.workers()
        assert len(crew.workers()) == 2
        async with _channels(crew) as stubs:
            await asyncio.gather(*(stub.Chat(ask(), timeout=SECONDS) for stub in stubs))
        await crew.counts("tokenwire_requests_total", 3 * CONNECTIONS - len(cut))
        await crew.counts("tokenwire_worker_restarts_total", 1)
        crew.running.process.terminate()
        assert await crew.running.end() == 0


async def test_a_worker_that_does_not_answer_counts_as_it_did(simulator: Simulator, tmp_path: Path) -> None:
    async with _crew(tmp_path, simulator) as crew:
        async with _channels(crew) as stubs:
            await asyncio.gather(*(stub.Chat(ask(), timeout=SECONDS) for stub in stubs))
        await crew.counts("tokenwire_requests_total", CONNECTIONS)
        victim, _ = crew.workers()
        os.kill(victim, signal.SIGSTOP)
        try:
            await crew.counts("tokenwire_requests_total", CONNECTIONS)
        finally:
            os.kill(victim, signal.SIGCONT)


@pytest.mark.parametrize("everybody", [False, True], ids=["the parent alone", "the whole group"])
async def test_a_signal_drains_all(simulator: Simulator, tmp_path: Path, *, everybody: bool) -> None:
    """Service managers and terminals signal a whole group; that must not count as a second signal."""
    simulator.set_default(Script(tokens=20, gap=0.1))
    async with _crew(tmp_path, simulator) as crew, _streams(crew) as streams:
        if everybody:
            for pid in crew.workers():
                os.kill(pid, signal.SIGTERM)
        crew.running.process.terminate()
        for stream in streams:
            assert (await collect(stream))[-1].HasField("completed")
        assert await crew.running.end() == 0
    lines = [loads(line) for line in crew.running.lines]
    assert [line["event"] for line in lines] == ["serving", "stopping", *["rpc"] * CONNECTIONS, "stopped"]
    assert lines[1]["signal"] == "SIGTERM"


async def test_a_second_signal_ends_what_is_in_flight(simulator: Simulator, tmp_path: Path) -> None:
    simulator.set_default(Script(after=1, comments=60))
    async with _crew(tmp_path, simulator, drain=600) as crew, _streams(crew) as streams:
        crew.running.process.terminate()
        await crew.running.line("stopping")
        crew.running.process.terminate()
        cut = [await failure(collect(stream)) for stream in streams]
        assert {(one.code, one.reason) for one in cut} == {("UNAVAILABLE", "SHUTTING_DOWN")}
        assert await crew.running.end() == 0


async def test_a_worker_that_hangs_is_abandoned(simulator: Simulator, tmp_path: Path) -> None:
    async with _crew(tmp_path, simulator, drain=0.5) as crew:
        victim = os.pidfd_open(crew.workers()[0])
        signal.pidfd_send_signal(victim, signal.SIGSTOP)
        crew.running.process.terminate()
        assert await crew.running.end() == 1
        await _gone(victim)
    assert [loads(line)["event"] for line in crew.running.lines[-2:]] == ["abandoned", "stopped"]


async def test_workers_do_not_outlive_the_parent(simulator: Simulator, tmp_path: Path) -> None:
    """They end as at SIGTERM."""
    simulator.set_default(Script(tokens=20, gap=0.1))
    async with _crew(tmp_path, simulator) as crew, _streams(crew) as streams:
        workers = [os.pidfd_open(pid) for pid in crew.workers()]
        crew.running.process.kill()
        for stream in streams:
            assert (await collect(stream))[-1].HasField("completed")
        for worker in workers:
            await _gone(worker)


@pytest.mark.parametrize(("first", "second"), [("2", "2"), ("2", "1"), ("1", "2")])
async def test_a_second_server_on_its_port_is_refused(
    simulator: Simulator, tmp_path: Path, first: str, second: str
) -> None:
    async with serve(tmp_path, simulator.url, environ={"TOKENWIRE_SERVER__WORKERS": first}) as running:
        environ = {"TOKENWIRE_SERVER__WORKERS": second, "TOKENWIRE_SERVER__LISTEN": running.address}
        code, shown = await refused(tmp_path, "serve", environ=environ)
        assert (code, shown.count("\n")) == (2, 1)
        assert shown.startswith(f"error: server.listen: {running.address} cannot be opened")
        async with aio.insecure_channel(running.address, options=CHANNEL) as channel:
            assert (await LLMServiceStub(channel).Chat(ask(), timeout=SECONDS)).choices


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("told", "the sky is down; hold it up"),
        ("silent", "a worker process ended with status 7 before it served; see its last lines above"),
    ],
)
async def test_workers_that_cannot_start_are_one_error(tmp_path: Path, how: str, reason: str) -> None:
    environ = {
        "OPENAI_API_KEY": "sk-x",
        "TOKENWIRE_TARGET": how,
        "TOKENWIRE_METRICS__LISTEN": "off",
        "TOKENWIRE_SERVER__LISTEN": "127.0.0.1:0",
        "TOKENWIRE_SERVER__WORKERS": "3",
    }
    assert await refused(tmp_path, "serve", environ=environ, program="faults.failing") == (
        2,
        f"error: {reason}\n",
    )
