"""One whole run: each work put on each server in turn, round after round."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from bench.measure import memory_mib
from bench.processes import BenchError, Cores

from .gateways import TOKENWIRE, Peer
from .rig import Rig, Subject
from .servers import Server
from .work import Found, Work

_MOST: Final = 0.9
"""Of its core: who has more is saturated."""
_FOREIGN: Final = 0.1
"""Of the gateways' core: more than that is worth saying."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    works: Sequence[Work]
    peers: Sequence[Peer]
    """Gateways to start."""
    given: Sequence[Server]
    """Gateways that run already, and go on running."""
    port: int = 0
    """The stand-in's; 0 = a free one."""


@dataclass(slots=True)
class Findings:
    """What a run found."""

    cores: Cores
    titles: dict[str, str] = field(default_factory=dict)
    """The gateways by their names, Tokenwire first."""
    works: dict[str, Found] = field(default_factory=dict)
    """By the works' names."""
    idle_mib: dict[str, float] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What a reader should know."""


async def run(plan: Plan, say: Callable[[str], None]) -> Findings:
    """The findings; `say` is told how far it is. Raises BenchError."""
    findings = Findings(Cores.choose())
    if not findings.cores.apart:
        findings.notes.append("One core only: the gateways shared it with load and upstream")
    findings.notes += [
        f"{server.title} does not run on the gateways' core {findings.cores.server}"
        for server in plan.given
        if os.sched_getaffinity(server.pid) != set(findings.cores.server)
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rig = Rig(Path(folder), findings.cores)
        async with rig.running(plan.peers, plan.given, plan.port):
            findings.titles = {subject.name: subject.title for subject in rig.gateways}
            findings.idle_mib = _memory(rig, "VmRSS")
            for work in plan.works:
                found = await _work(rig, work, findings, say)
                findings.works[work.name] = found
                findings.notes += [*_held_back(found, findings), *_disturbed(found, findings)]
            findings.peak_mib = _memory(rig, "VmHWM")
    return findings


def _memory(rig: Rig, kind: str) -> dict[str, float]:
    return {subject.name: memory_mib(subject.job.server, kind) for subject in rig.gateways}


async def _work(rig: Rig, work: Work, findings: Findings, say: Callable[[str], None]) -> Found:
    found = Found(work)
    subjects = [subject for subject in rig.gateways if await _can(subject, work, findings)]
    for number in range(work.rounds):
        say(f"{work.title}: {number + 1} of {work.rounds}")
        for subject in subjects:
            rate = _rate(subject, work, findings)
            if work.latency:
                found.direct.setdefault(subject.name, []).append(await rig.direct.window(work, rate))
            found.windows.setdefault(subject.name, []).append(await subject.window(work, rate))
    return found


def _rate(subject: Subject, work: Work, findings: Findings) -> float:
    return findings.works[work.of].per_second(subject.name).median * work.part if work.of else 0.0


async def _can(subject: Subject, work: Work, findings: Findings) -> bool:
    """Whether a gateway can do it at all; Tokenwire has to."""
    if work.of and subject.name not in findings.works[work.of].windows:
        return False
    failures = await subject.settle(work)
    if not failures:
        return True
    why = f"{subject.title} cannot do {work.title}: {failures[0]}"
    if subject.name == TOKENWIRE:
        raise BenchError(why)
    findings.notes.append(why)
    return False


def _held_back(found: Found, findings: Findings) -> list[str]:
    """Says who waited for load and stand-in, where the gateway alone should be the limit."""
    if found.work.latency:
        return []
    return [
        f"{found.work.title}: {findings.titles[name]} could have done more"
        for name, windows in found.windows.items()
        if all(findings.cores.strain(window) > _MOST > window.share() for window in windows)
    ]


def _disturbed(found: Found, findings: Findings) -> list[str]:
    """Says how much others than the one that was measured had of the gateways' core."""
    shares = {name: median(w.foreign() for w in windows) for name, windows in found.windows.items()}
    much = [f"{share:.0%} ({findings.titles[name]})" for name, share in shares.items() if share > _FOREIGN]
    return (
        [f"{found.work.title}: other processes had {', '.join(much)} of the gateways' core"] if much else []
    )
