"""Everything that a run needs, started; and one run of one scenario put on it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

import orjson

from .job import DRAIN_SECONDS, Job
from .measure import Window
from .payload import OVERLOAD
from .processes import NO_SETTINGS, BenchError, Cores, Gateway, Module
from .scenarios import ONE_WORKER, Pair, Scenario


class Bench:
    """The processes, and how one run is put on one of the two servers."""

    def __init__(self, folder: Path, cores: Cores, python: str) -> None:
        self._folder = folder
        self._cores = cores
        self._python = python
        self.reference = Module("reference", folder, cores.server)
        self.gateway = Gateway("gateway", folder, cores.server)
        self.upstream = Module("upstream", folder, cores.upstream)
        self._load = Module("load", folder, cores.load)
        self.client = Module("client", folder, cores.load)
        self.calls = 0
        """Those in the gateways' windows; their access logs have at least as many lines."""
        self.access_lines = 0

    @asynccontextmanager
    async def running(self, starts: int) -> AsyncIterator[list[float]]:
        """All of them, the gateway started so many times; gives the seconds that each start took."""
        async with AsyncExitStack() as stack:
            for module in (self.upstream, self._load, self.client):
                await module.start(serves=module is self.upstream)
                stack.push_async_callback(module.stop)
            await self.reference.start(python=self._python)
            stack.push_async_callback(self.reference.stop)
            seconds = []
            for _ in range(starts - 1):
                async with self._started(self.gateway, NO_SETTINGS) as took:
                    seconds.append(took)
            seconds.append(await stack.enter_async_context(self._started(self.gateway, NO_SETTINGS)))
            yield seconds

    @asynccontextmanager
    async def another(self, settings: Mapping[str, int]) -> AsyncIterator[Gateway]:
        """A gateway with settings of its own, beside the one of most runs, which idles meanwhile. Several
        workers may use all cores."""
        cores = self._cores.all if settings.get("workers", 1) > 1 else self._cores.server
        gateway = Gateway("another", self._folder, cores)
        async with self._started(gateway, settings):
            yield gateway

    @asynccontextmanager
    async def _started(self, gateway: Gateway, settings: Mapping[str, int]) -> AsyncIterator[float]:
        """Raises BenchError when its log lacks calls at the end."""
        try:
            yield await gateway.start(self.upstream.port, settings, self._python)
        finally:
            await gateway.stop()
        lines = gateway.access_lines()
        if lines < gateway.calls:
            raise BenchError(f"{gateway.calls} calls left {lines} access lines only")
        self.access_lines += lines
        self.calls += gateway.calls

    async def window(self, scenario: Scenario, rate: float, server: Module | Gateway) -> Window:
        """One run; raises BenchError when a call fails."""
        job = Job(
            target=f"127.0.0.1:{server.port}",
            provider=scenario.provider,
            model=scenario.model,
            completes=isinstance(server, Gateway),
            slots=scenario.slots,
            rate=rate,
            warm=scenario.warm,
            seconds=scenario.seconds,
            server=server.pid,
            upstream=self.upstream.pid,
            cores=self._cores.server,
            connections=scenario.connections,
            sheds=scenario.model == OVERLOAD,
        )
        self._load.write_line(orjson.dumps(asdict(job)))
        patience = scenario.warm + scenario.seconds + 2 * DRAIN_SECONDS
        window = Window.parse(await self._load.read_line(patience))
        if window.failures:
            raise BenchError(f"{scenario.name}: a call failed: {'; '.join(window.failures)}")
        if not window.count(scenario.unit):
            raise BenchError(f"{scenario.name}: no {scenario.unit} within {scenario.seconds} s")
        if isinstance(server, Gateway):
            server.calls += window.calls
        return window

    async def pair(self, scenario: Scenario, rate: float) -> Pair:
        """One run on each side, one right after the other."""
        if scenario.own is None:
            reference = await self.window(scenario, rate, self.reference)
            return Pair(reference, await self.window(scenario, rate, self.gateway))
        other = self.gateway if scenario.against == ONE_WORKER else self.reference
        reference = await self.window(scenario, rate, other)
        async with self.another(scenario.own) as gateway:
            first = replace(scenario, slots=1, connections=1, warm=0.0, seconds=0.2)
            await self.window(first, 0.0, gateway)  # what the first call brings into memory counts for none
            return Pair(reference, await self.window(scenario, rate, gateway))
