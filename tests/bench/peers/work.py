"""What is done, and what was seen of each server that did it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.measure import Spread, Window
from bench.payload import BURST, CHAT, CYCLE, EMBED, PACE, PACED

from .gateways import AT_LEAST, TOKENWIRE


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of load."""

    name: str
    title: str
    model: str
    unit: str
    """What CPU is counted by: `call` or `token`."""
    rounds: int
    seconds: float
    warm: float = 0.4
    slots: int = 16
    part: float = 0.0
    """Calls come at this part of the rate that the same server bore in work `of`, where that is named; else
    each slot calls as soon as it can."""
    of: str = ""
    latency: str = ""
    """The Window's figures that are compared with a call straight to the stand-in: `latency` or `first`."""


FULL: Final = (
    Work("chat", "Chat, saturated", CHAT, "call", rounds=5, seconds=2.0),
    Work("burst", "ChatStream, burst", BURST, "token", rounds=5, seconds=2.0),
    Work(
        "paced", f"ChatStream, 50 at {PACE * 1000:.0f} ms", PACED, "token", rounds=3, seconds=2 * CYCLE,
        warm=CYCLE + 0.2, slots=50, latency="first",
    ),
    Work(
        "light", "Chat at 30 % load", CHAT, "call", rounds=3, seconds=4.0, part=0.3, of="chat",
        latency="latency",
    ),
    Work("embed", "Embed 100 x 1536", EMBED, "call", rounds=3, seconds=2.0, slots=8),
)  # fmt: skip
QUICK: Final = tuple(
    replace(work, rounds=1, seconds=CYCLE if work.model == PACED else 1.0, warm=0.2) for work in FULL
)
"""Shows that everything works; its figures mean nothing."""


@dataclass(slots=True)
class Found:
    """The runs of one work, by the server's name; those of one place in the lists are of one round."""

    work: Work
    windows: dict[str, list[Window]] = field(default_factory=dict)
    direct: dict[str, list[Window]] = field(default_factory=dict)
    """Straight to the stand-in at the same rate, right before each of the others."""

    def cpu(self, name: str) -> Spread:
        """Microseconds per unit."""
        return Spread.of([window.micros(self.work.unit) for window in self.windows[name]])

    def ratio(self, name: str) -> Spread:
        """How many times Tokenwire's CPU of the same round."""
        pairs = zip(self.windows[name], self.windows[TOKENWIRE], strict=True)
        return Spread.of([one.micros(self.work.unit) / ours.micros(self.work.unit) for one, ours in pairs])

    def at_least(self, name: str) -> float | None:
        """The budget for that, where there is one."""
        return AT_LEAST.get((self.work.name, name))

    def per_second(self, name: str) -> Spread:
        """Calls or tokens."""
        return Spread.of([w.count(self.work.unit) / w.seconds for w in self.windows[name]])

    def added_ms(self, name: str, percentile: str) -> Spread:
        """Milliseconds that are added to a direct call; percentile is `p50` or `p99`."""
        figure = f"{self.work.latency}_{percentile}"
        pairs: Sequence[tuple[Window, Window]] = [*zip(self.windows[name], self.direct[name], strict=True)]
        return Spread.of([(getattr(one, figure) - getattr(direct, figure)) * 1000 for one, direct in pairs])
