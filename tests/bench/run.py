"""One whole run: start everything, put each scenario on both servers in turn, stop everything."""

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import orjson

from .job import DRAIN_SECONDS, Job
from .measure import Spread, Window, memory_mib
from .processes import BenchError, Cores, Gateway, Module
from .scenarios import Pair, Result, Scenario

_MOST: Final = 0.9
"""Of its core: who has more is saturated."""
_FOREIGN: Final = 0.1
"""Of the servers' core: more than that is worth saying."""


@dataclass(slots=True)
class Findings:
    """What a run found."""

    cores: Cores
    results: list[Result] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    """Seconds until ready, of each start."""
    idle_mib: float = 0.0
    peak_mib: float = 0.0
    calls: int = 0
    """Those in the gateway's windows; its access log has at least as many lines."""
    access_lines: int = 0
    doubts: list[str] = field(default_factory=list)
    """Why the run does not show what the gateway can do."""
    notes: list[str] = field(default_factory=list)
    """What else a reader should know."""

    @property
    def start(self) -> Spread:
        """Seconds until ready."""
        return Spread.of(self.starts)


class Bench:
    """The processes, and how one run is put on one of the two servers."""

    def __init__(self, folder: Path, cores: Cores) -> None:
        self._cores = cores
        self.reference = Module("reference", folder, cores.server)
        self.gateway = Gateway("gateway", folder, cores.server)
        self.upstream = Module("upstream", folder, cores.upstream)
        self._load = Module("load", folder, cores.load)

    @asynccontextmanager
    async def running(self, starts: int) -> AsyncIterator[list[float]]:
        """All of them, the gateway started so many times; gives the seconds that each start took."""
        async with AsyncExitStack() as stack:
            for module in (self.upstream, self.reference, self._load):
                await module.start(serves=module is not self._load)
                stack.push_async_callback(module.stop)
            seconds = []
            stack.push_async_callback(self.gateway.stop)
            for _ in range(starts - 1):
                seconds.append(await self.gateway.start(self.upstream.port))
                await self.gateway.stop()
            seconds.append(await self.gateway.start(self.upstream.port))
            yield seconds

    async def window(self, scenario: Scenario, rate: float, server: Module | Gateway) -> Window:
        """One run; raises BenchError when a call fails."""
        job = Job(
            target=f"127.0.0.1:{server.port}",
            provider=scenario.provider,
            model=scenario.model,
            completes=server is self.gateway,
            slots=scenario.slots,
            rate=rate,
            warm=scenario.warm,
            seconds=scenario.seconds,
            server=server.pid,
            upstream=self.upstream.pid,
            cores=self._cores.server,
        )
        self._load.write_line(orjson.dumps(asdict(job)))
        patience = scenario.warm + scenario.seconds + 2 * DRAIN_SECONDS
        window = Window(**orjson.loads(await self._load.read_line(patience)))
        if window.failures:
            raise BenchError(f"{scenario.name}: a call failed: {'; '.join(window.failures)}")
        if not window.count(scenario.unit):
            raise BenchError(f"{scenario.name}: no {scenario.unit} within {scenario.seconds} s")
        return window


async def run(scenarios: Sequence[Scenario], starts: int, say: Callable[[str], None]) -> Findings:
    """The findings; `say` is told how far it is. Raises BenchError."""
    findings = Findings(Cores.choose())
    if not findings.cores.apart:
        findings.notes.append("One core only: the servers shared it with load and upstream")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder), findings.cores)
        async with bench.running(starts) as findings.starts:
            findings.idle_mib = memory_mib(bench.gateway.pid)
            for scenario in scenarios:
                findings.results += await _scenario(bench, scenario, findings, say)
            findings.peak_mib = memory_mib(bench.gateway.pid, "VmHWM")
        findings.access_lines = bench.gateway.access_lines()
    if findings.access_lines < findings.calls:
        raise BenchError(f"{findings.calls} calls left {findings.access_lines} access lines only")
    return findings


async def _scenario(
    bench: Bench, scenario: Scenario, findings: Findings, say: Callable[[str], None]
) -> list[Result]:
    rate = findings.results[0].light_rate() if scenario.light else 0.0
    pairs = list[Pair]()
    beside = {other: list[Pair]() for other in scenario.through_others()}
    for number in range(scenario.rounds):
        say(f"{scenario.title}: {number + 1} of {scenario.rounds}")
        pair = Pair(
            await bench.window(scenario, rate, bench.reference),
            await bench.window(scenario, rate, bench.gateway),
        )
        pairs.append(pair)
        for other, found in beside.items():
            found.append(Pair(pair.gateway, await bench.window(other, rate, bench.gateway)))
    results = [Result(scenario, pairs), *(Result(other, found) for other, found in beside.items())]
    for result in results:
        _judge(result, findings)
    return results


def _judge(result: Result, findings: Findings) -> None:
    """Says what makes a result doubtful."""
    scenario, pairs = result.scenario, result.pairs
    findings.calls += sum(pair.gateway.calls for pair in pairs)
    if held := _held_back(scenario, [pair.gateway for pair in pairs], findings.cores):
        findings.doubts.append(f"{scenario.title}: load and upstream held the gateway back ({held})")
    if held := _held_back(scenario, [pair.reference for pair in pairs], findings.cores):
        findings.notes.append(f"{scenario.title}: the reference could have done more ({held})")
    if (foreign := max(result.reference.foreign.median, result.gateway.foreign.median)) > _FOREIGN:
        findings.notes.append(f"{scenario.title}: other processes had {foreign:.0%} of the servers' core")


def _held_back(scenario: Scenario, windows: Sequence[Window], cores: Cores) -> str:
    """How a server waited for load and upstream in most runs, where it should not; empty when it did not."""
    held = [window for window in windows if cores.strain(window) > _MOST and window.share() < _MOST]
    if not scenario.saturates or len(held) * 2 <= len(windows):
        return ""
    return f"{cores.strain(held[0]):.0%} of their core against {held[0].share():.0%} of its own"
