"""One whole run: start everything, put each scenario on both servers in turn, stop everything."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import client_cost
from . import overload as overloads
from .measure import Spread, Window, memory_mib
from .processes import Cores
from .rig import Bench
from .scenarios import Pair, Result, Scenario

_MOST: Final = 0.9
"""Of its core: who has more is saturated."""
_FOREIGN: Final = 0.1
"""Of the servers' core: more than that is worth saying."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run consists of."""

    scenarios: Sequence[Scenario]
    starts: int
    """How often the gateway is started, for the time that it takes."""
    overload: Scenario | None
    python: str
    """The interpreter of the servers under test."""
    client: client_cost.Plan | None = None


@dataclass(slots=True)
class Findings:
    """What a run found."""

    cores: Cores
    results: list[Result] = field(default_factory=list)
    overload: Sequence[overloads.Round] = ()
    client: Sequence[client_cost.Cost] = ()
    starts: list[float] = field(default_factory=list)
    """Seconds until ready, of each start."""
    idle_mib: float = 0.0
    peak_mib: float = 0.0
    calls: int = 0
    """Those in the gateways' windows; their access logs have at least as many lines."""
    access_lines: int = 0
    doubts: list[str] = field(default_factory=list)
    """Why the run does not show what the gateway can do."""
    notes: list[str] = field(default_factory=list)
    """What else a reader should know."""

    @property
    def start(self) -> Spread:
        """Seconds until ready."""
        return Spread.of(self.starts)

    @property
    def by_name(self) -> dict[str, Result]:
        """The results by their scenarios' names."""
        return {result.scenario.name: result for result in self.results}


async def run(plan: Plan, say: Callable[[str], None]) -> Findings:
    """The findings; `say` is told how far it is. Raises BenchError."""
    findings = Findings(Cores.choose())
    if not findings.cores.apart:
        findings.notes.append("One core only: the servers shared it with load and upstream")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder), findings.cores, plan.python)
        async with bench.running(plan.starts) as findings.starts:
            findings.idle_mib = memory_mib(bench.gateway.pid)
            for scenario in plan.scenarios:
                findings.results += await _scenario(bench, scenario, findings, say)
            findings.peak_mib = memory_mib(bench.gateway.pid, "VmHWM")
            if plan.overload:
                findings.overload = await overloads.measure(bench, plan.overload, say)
                foreign = max(each.overload.foreign() for each in findings.overload)
                _note_others(plan.overload, foreign, findings)
            if plan.client:
                findings.client = await client_cost.measure(bench, plan.client, say)
    findings.calls, findings.access_lines = bench.calls, bench.access_lines
    return findings


async def _scenario(
    bench: Bench, scenario: Scenario, findings: Findings, say: Callable[[str], None]
) -> list[Result]:
    rate = findings.by_name[scenario.of].gateway.per_second.median * scenario.part if scenario.of else 0.0
    pairs = list[Pair]()
    beside = {other: list[Pair]() for other in scenario.through_others()}
    for number in range(scenario.rounds):
        say(f"{scenario.title}: {number + 1} of {scenario.rounds}")
        pair = await bench.pair(scenario, rate)
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
    if held := _held_back(scenario, [pair.gateway for pair in pairs], findings.cores):
        findings.doubts.append(f"{scenario.title}: load and upstream held the gateway back ({held})")
    if held := _held_back(scenario, [pair.reference for pair in pairs], findings.cores):
        findings.notes.append(f"{scenario.title}: the reference could have done more ({held})")
    _note_others(scenario, max(result.reference.foreign.median, result.gateway.foreign.median), findings)


def _note_others(scenario: Scenario, foreign: float, findings: Findings) -> None:
    if foreign > _FOREIGN:
        findings.notes.append(f"{scenario.title}: other processes had {foreign:.0%} of the servers' core")


def _held_back(scenario: Scenario, windows: Sequence[Window], cores: Cores) -> str:
    """How a server waited for load and upstream in most runs, where it should not; empty when it did not."""
    held = [window for window in windows if cores.strain(window) > _MOST and window.share() < _MOST]
    if not scenario.saturates or len(held) * 2 <= len(windows):
        return ""
    return f"{cores.strain(held[0]):.0%} of their core against {held[0].share():.0%} of its own"
