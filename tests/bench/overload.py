"""Overload: three times the calls that a bounded gateway can make. What of those it takes and refuses?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from .measure import REFUSED, Spread, Window
from .payload import HEALTH, OVERLOAD, SLOW, SLOW_SECONDS
from .processes import BenchError
from .rig import Bench
from .scenarios import Scenario

PLACES: Final = 64
SETTINGS: Final = {"max_in_flight": PLACES, "max_queued": PLACES // 2}
"""A queue no longer than the places is empty after one call's duration: none that is taken takes two."""
CAPACITY: Final = PLACES / SLOW_SECONDS
"""Calls per second that the places allow."""

FULL: Final = Scenario("overload", "Overload", OVERLOAD, "call", rounds=3, seconds=3.0, warm=1.5)
QUICK: Final = replace(FULL, rounds=1, seconds=0.8, warm=0.8)


@dataclass(frozen=True, slots=True)
class Round:
    """The same gateway under three loads."""

    easy: Window
    """A few calls, none of which waits."""
    peak: Window
    """As many at once as there are places."""
    overload: Window
    """At three times the capacity."""

    def goodput(self) -> float:
        """Answers in the overload, in those of the peak."""
        return self.overload.kinds[SLOW].calls / self.overload.seconds / (self.peak.calls / self.peak.seconds)

    def slowdown(self) -> float:
        """p99 of the calls that were taken, in those of the easy load."""
        return self.overload.kinds[SLOW].latency_p99 / self.easy.latency_p99

    def refused_p99(self) -> float:
        """Milliseconds until a call is refused."""
        return self.overload.kinds[REFUSED].latency_p99 * 1000

    def health_p99(self) -> float:
        """Milliseconds of the service's Health meanwhile."""
        return self.overload.kinds[HEALTH].latency_p99 * 1000


async def measure(bench: Bench, scenario: Scenario, say: Callable[[str], None]) -> list[Round]:
    """All rounds, each on a gateway of its own. Raises BenchError for wrong refusals, too."""
    rounds = []
    for number in range(scenario.rounds):
        say(f"{scenario.title}: {number + 1} of {scenario.rounds}")
        async with bench.another(SETTINGS) as gateway:
            calm = replace(scenario, model=SLOW, slots=PLACES)
            easy = await bench.window(calm, CAPACITY / 4, gateway)
            peak = await bench.window(calm, 0.0, gateway)
            overload = await bench.window(scenario, CAPACITY * 3, gateway)
        if missing := {SLOW, REFUSED, HEALTH} - overload.kinds.keys():
            raise BenchError(f"{scenario.name}: no call ended of {', '.join(missing)}")
        rounds.append(Round(easy, peak, overload))
    return rounds


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of all rounds and what it should be."""

    title: str
    found: Spread
    unit: str
    least: bool
    """Whether the budget is the least that it should be, not the most."""
    budget: float

    def kept(self) -> bool:
        """Whether the median is within the budget."""
        return self.found.median >= self.budget if self.least else self.found.median <= self.budget


def findings(rounds: Sequence[Round]) -> list[Finding]:
    """What is shown of them."""

    def spread(figure: Callable[[Round], float]) -> Spread:
        return Spread.of([figure(each) for each in rounds])

    return [
        Finding("answers", spread(Round.goodput), " x the peak", least=True, budget=0.8),
        Finding("calls taken, p99", spread(Round.slowdown), " x unloaded", least=False, budget=2),
        Finding("refusals, ms p99", spread(Round.refused_p99), " ms", least=False, budget=50),
        Finding("Health, ms p99", spread(Round.health_p99), " ms", least=False, budget=50),
    ]
