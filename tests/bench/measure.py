"""What the operating system says of a process, and figures drawn from it. Linux only: it reads /proc."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final, Self

import orjson

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KIB_PER_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds of a process, all its threads together."""

    user: float
    system: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Since the process started."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)

    @classmethod
    def of_tree(cls, pid: int) -> Self:
        """Of a process and all that descend from it."""
        found = [cls.of(each) for each in _tree(pid)]
        return cls(sum(cpu.user for cpu in found), sum(cpu.system for cpu in found))

    @property
    def total(self) -> float:
        """User and system together."""
        return self.user + self.system

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu(self.user - earlier.user, self.system - earlier.system)


def _tree(pid: int) -> list[int]:
    children = defaultdict[int, list[int]](list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            children[int(stat.read_text().rpartition(")")[2].split()[1])].append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children[each]
    return found


def memory_mib(pid: int, kind: str = "VmRSS") -> float:
    """Resident memory; kind VmHWM is the most there ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / _KIB_PER_MIB
    raise ValueError(f"no {kind} of process {pid}")


def busy_seconds(cores: Sequence[int]) -> float:
    """Seconds that these cores have worked since the machine started, for whomever."""
    names = {f"cpu{core}" for core in cores}
    seconds = 0.0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *times = line.split()
        if name in names:
            user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, times)
            seconds += (user + nice + system + irq + softirq) / _TICKS
    return seconds


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures of several runs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one."""
        return cls(median(values), min(values), max(values))

    def over(self, number: float) -> "Spread":
        """A part of each."""
        return Spread(self.median / number, self.low / number, self.high / number)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank; 0 where there are none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else 0.0


@dataclass(frozen=True, slots=True)
class Kind:
    """The calls of one kind that ended within a window. Times in seconds."""

    calls: int
    latency_p50: float
    latency_p99: float
    first_p50: float
    first_p99: float


REFUSED: Final = "refused"
"""The kind of calls that were refused, whatever they were."""


@dataclass(frozen=True, slots=True)
class Window:
    """What the load generator saw of one server in one run, and what it cost. Times in seconds."""

    seconds: float
    calls: int
    tokens: int
    messages: int
    """Text deltas received."""
    failures: tuple[str, ...]
    latency_p50: float
    latency_p99: float
    first_p50: float
    """From a stream's call to its first text."""
    first_p99: float
    user: float
    """The server's CPU."""
    system: float
    load: float
    """CPU of the load generator."""
    upstream: float
    busy: float
    """CPU that the server's core spent, on whatever."""
    memory_before: float = 0.0
    """The server's resident MiB before the first call."""
    memory: float = 0.0
    """The same at the window's end, with calls in flight."""
    gap_p99: float = 0.0
    """Of the mean time between two tokens of a stream, over the streams."""
    least: int = 0
    """Tokens of the slot that got least, one stream after another."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """By model, where a load has several."""

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """From the load generator's output."""
        fields = orjson.loads(line)
        return cls(**fields | {"kinds": {name: Kind(**kind) for name, kind in fields["kinds"].items()}})

    def micros(self, unit: str) -> float:
        """The server's CPU in microseconds per `call` or `token`."""
        return (self.user + self.system) * 1e6 / self.count(unit)

    def count(self, unit: str) -> int:
        """Calls or tokens."""
        return self.tokens if unit == "token" else self.calls

    def share(self) -> float:
        """How much of one core the server had."""
        return (self.user + self.system) / self.seconds

    def foreign(self) -> float:
        """How much of the server's core others had."""
        return max(0.0, self.busy / self.seconds - self.share())
