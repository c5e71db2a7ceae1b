"""Rolling restarts of two replicas under load: a caller that spreads its calls over both loses none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from docs.pages import blocks
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.ask import ask
from support.process import SECONDS, Running, serve
from support.status import collect

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.simulator import Script, Simulator

if TYPE_CHECKING:  # only the .pyi has it
    from tokenwire.v1.llm_service_pb2_grpc import LLMServiceAsyncStub

SERVICE = "tokenwire.v1.LLMService"
SERVING = health_pb2.HealthCheckResponse.SERVING
TOKENS, GAP = 20, 0.04
"""A stream of 0.8 s: far shorter than the grace."""

CLIENT = next(block.text for block in blocks() if "loadBalancingConfig" in block.text)
"""The service config that docs/health.md recommends."""


class Replica:
    """A server that can be restarted on its port. Its log is read all the time: a full pipe would stop it."""

    def __init__(self, place: Path, url: str) -> None:
        self._place, self._url = place, url
        self.address = "127.0.0.1:0"
        self._life = AsyncExitStack()
        self._running: Running
        self._log: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        environ = {"TOKENWIRE_SERVER__LISTEN": self.address}
        self._running = await self._life.enter_async_context(serve(self._place, self._url, environ=environ))
        self.address = self._running.address
        self._log = asyncio.create_task(_skip(self._running))
        async with aio.insecure_channel(self.address) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)  # its methods have no types
            request = health_pb2.HealthCheckRequest(service=SERVICE)
            assert (await health.Check(request, timeout=SECONDS, wait_for_ready=True)).status == SERVING
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.process.terminate()
        async with asyncio.timeout(SECONDS):
            await self._log
            assert await self._running.process.wait() == 0
        await self._life.aclose()

    async def restart(self) -> None:
        """Ends it as a deployment does, and starts it again."""
        await self.__aexit__()
        await self.__aenter__()


async def _skip(running: Running) -> None:
    assert running.process.stderr is not None
    async for _ in running.process.stderr:
        pass


class Load:
    """So many streams at a time, one after the other, until it is told to end."""

    def __init__(self, stub: "LLMServiceAsyncStub") -> None:
        self._stub = stub
        self._ending = False
        self.whole = 0
        self.lost: list[str] = []

    async def keep(self) -> None:
        """One stream after the other."""
        while not self._ending:
            try:
                events = await collect(self._stub.ChatStream(ask(), timeout=3 * SECONDS))
            except aio.AioRpcError as error:
                self.lost.append(f"{error.code().name} {error.details()}")
            else:
                assert events[-1].HasField("completed")
                self.whole += 1

    @asynccontextmanager
    async def running(self, streams: int) -> AsyncIterator[None]:
        """While the block runs, so many streams do."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(streams):
                tasks.create_task(self.keep())
            yield
            self._ending = True


@pytest.mark.parametrize(
    ("restarts", "streams"), [(3, 20), pytest.param(20, 100, marks=pytest.mark.whole)], ids=["fast", "whole"]
)
async def test_no_call_is_lost(simulator: Simulator, tmp_path: Path, restarts: int, streams: int) -> None:
    simulator.set_default(Script(tokens=TOKENS, gap=GAP))
    for name in "ab":
        (tmp_path / name).mkdir()
    async with Replica(tmp_path / "a", simulator.url) as a, Replica(tmp_path / "b", simulator.url) as b:
        options = [("grpc.service_config", CLIENT), ("grpc.enable_http_proxy", 0)]
        async with aio.insecure_channel(f"ipv4:{a.address},{b.address}", options=options) as channel:
            load = Load(LLMServiceStub(channel))
            async with load.running(streams):
                for turn in range(restarts):
                    await (a, b)[turn % 2].restart()
    assert not load.lost
    assert load.whole > restarts * streams
