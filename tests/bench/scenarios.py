"""What is measured, and the interleaved runs of one scenario."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from .measure import Spread, Window
from .payload import (
    BURST,
    CHAT,
    CHAT_20,
    CHAT_20_TOOLS,
    CHAT_TOOLS,
    CYCLE,
    EMBED,
    EMBED_ONE,
    EMBED_PACKED,
    MISTRAL,
    MIXED,
    OPENAI,
    PACE,
    PACED,
    RESPONSES,
)
from .processes import NO_SETTINGS

BARE: Final = ""
ONE_WORKER: Final = "one worker"
"""What a scenario's ratio is to, besides the gateway's own stream through OpenAI."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load, put on the reference and the gateway in turn."""

    name: str
    title: str
    model: str
    unit: str
    """What CPU is counted by: `call` or `token`."""
    rounds: int
    seconds: float
    warm: float = 0.4
    slots: int = 16
    connections: int = 1
    part: float = 0.0
    """Calls come at a fixed rate, this part of what the gateway did in scenario `of`, so that their latency
    means something; 0 = each slot calls as soon as it can."""
    of: str = ""
    saturates: bool = True
    budget: float | None = None
    """Most that the gateway may cost, in references."""
    against: str = BARE
    own: Mapping[str, int] | None = None
    """Each run has a gateway of its own, with these settings of the server; None = all share one."""
    provider: str = OPENAI
    beside: tuple[tuple[str, float], ...] = ()
    """Other providers that the same load is put through, and the most that it may cost there, in loads
    through OpenAI."""

    @property
    def kind(self) -> str:
        """What it has in common with its variants: the name's first word."""
        return self.name.partition("-")[0]

    def through_others(self) -> Iterator[Self]:
        """The same load through other providers: its reference is the gateway with OpenAI."""
        for provider, budget in self.beside:
            name, title = f"{self.name}-{provider}", f"{self.title}, {provider.title()}"
            yield replace(
                self, name=name, title=title, provider=provider, budget=budget, against="OpenAI", beside=()
            )


_LEVELS: Final = ((10, 5.0), (30, 3.0), (50, 2.5), (70, 2.5), (90, 2.5))
"""Per cent of the capacity, and the seconds that it takes to see enough calls."""

FULL: Final = (
    Scenario("chat", "Chat, saturated", CHAT, "call", rounds=7, seconds=2.0, budget=1.9),
    Scenario("chat-tools", "Chat with tools", CHAT_TOOLS, "call", rounds=5, seconds=1.5),
    Scenario("chat-20", "Chat of 20 messages", CHAT_20, "call", rounds=5, seconds=1.5),
    Scenario("chat-20-tools", "Chat of 20 messages with tools", CHAT_20_TOOLS, "call", rounds=5, seconds=1.5),
    Scenario(
        "burst", "ChatStream, burst", BURST, "token", rounds=7, seconds=2.0, budget=0.45,
        beside=((MISTRAL, 1.3), (RESPONSES, 1.5)),
    ),
    Scenario(
        "paced", f"ChatStream, 50 at {PACE * 1000:.0f} ms", PACED, "token", rounds=4, seconds=3 * CYCLE,
        warm=CYCLE + 0.2, slots=50, saturates=False, budget=1.8, beside=((MISTRAL, 1.3),),
    ),
    Scenario(
        "crowd", f"ChatStream, 200 at {PACE * 1000:.0f} ms", PACED, "token", rounds=3, seconds=2 * CYCLE,
        warm=CYCLE + 0.2, slots=200, saturates=False, own=NO_SETTINGS,
    ),
    Scenario(
        "light", "Chat at 30 % load", CHAT, "call", rounds=5, seconds=1.5, part=0.3, of="chat",
        saturates=False,
    ),
    Scenario("embed", "Embed 100 x 1536", EMBED, "call", rounds=5, seconds=1.5, slots=8, budget=3),
    Scenario(
        "embed-packed", "Embed 100 x 1536, PACKED", EMBED_PACKED, "call", rounds=5, seconds=1.5, slots=8,
        budget=3,
    ),
    Scenario("embed-one", "Embed 1 x 1536", EMBED_ONE, "call", rounds=5, seconds=1.5, budget=3),
    Scenario("mixed", "Mixed, saturated", MIXED, "call", rounds=3, seconds=3.0, warm=CYCLE, slots=200),
    *(
        Scenario(
            f"mixed-{level}", f"Mixed, {level} %", MIXED, "call", rounds=3, seconds=seconds, warm=CYCLE,
            part=level / 100, of="mixed", saturates=False,
        )
        for level, seconds in _LEVELS
    ),
    Scenario(
        "workers", "Chat, two workers on two cores", CHAT, "call", rounds=5, seconds=1.5, connections=16,
        saturates=False, own={"workers": 2}, against=ONE_WORKER, budget=1.1,
    ),
)  # fmt: skip

KINDS: Final = [*dict.fromkeys(scenario.kind for scenario in FULL if scenario.of in {"", scenario.kind})]
"""Those that can be run by themselves."""

_LONG: Final = {"mixed-30", "mixed-50", "mixed-70", "mixed-90"}
QUICK: Final = tuple(
    replace(scenario, rounds=1, seconds=0.6, warm=0.2) for scenario in FULL if scenario.name not in _LONG
)
"""Shows that everything works; its figures mean nothing."""

CHECKED: Final = tuple(
    replace(scenario, rounds=rounds, beside=())
    for scenario in FULL
    if (rounds := {"chat": 5, "burst": 5, "paced": 3}.get(scenario.name))
)
"""Whose ratios a change must not make much worse."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs, one right after the other."""

    reference: Window
    gateway: Window

    def ratio(self, unit: str) -> float:
        """How many references the gateway cost."""
        return self.gateway.micros(unit) / self.reference.micros(unit)


@dataclass(frozen=True, slots=True)
class Result:
    """All pairs of a scenario."""

    scenario: Scenario
    pairs: Sequence[Pair]

    @property
    def ratio(self) -> Spread:
        """Of each pair, in references."""
        return Spread.of([pair.ratio(self.scenario.unit) for pair in self.pairs])

    @property
    def reference(self) -> "Side":
        """What the reference cost."""
        return Side.of([pair.reference for pair in self.pairs], self.scenario.unit)

    @property
    def gateway(self) -> "Side":
        """What the gateway cost."""
        return Side.of([pair.gateway for pair in self.pairs], self.scenario.unit)

    def added_ms(self, field: str) -> Spread:
        """Milliseconds that a call takes longer through the gateway."""
        times = [(getattr(pair.gateway, field), getattr(pair.reference, field)) for pair in self.pairs]
        return Spread.of([(gateway - reference) * 1000 for gateway, reference in times])


@dataclass(frozen=True, slots=True)
class Side:
    """One server in all runs of a scenario: CPU in microseconds per unit, times in milliseconds."""

    cpu: Spread
    user: Spread
    system: Spread
    per_second: Spread
    tokens_per_message: Spread
    latency_p50: Spread
    latency_p99: Spread
    first_p50: Spread
    first_p99: Spread
    share: Spread
    foreign: Spread
    gap_p99: Spread
    least: Spread
    """Tokens of the slot that got least, as a part of one in each PACE."""
    memory_kib: Spread
    """By which the process grew."""

    @classmethod
    def of(cls, windows: Sequence[Window], unit: str) -> Self:
        """From its windows."""

        def spread(field: str, factor: float) -> Spread:
            return Spread.of([getattr(window, field) * factor for window in windows])

        def per_unit(field: str) -> Spread:
            return Spread.of([getattr(window, field) * 1e6 / window.count(unit) for window in windows])

        return cls(
            cpu=Spread.of([window.micros(unit) for window in windows]),
            user=per_unit("user"),
            system=per_unit("system"),
            per_second=Spread.of([window.count(unit) / window.seconds for window in windows]),
            tokens_per_message=Spread.of([w.tokens / w.messages if w.messages else 0.0 for w in windows]),
            latency_p50=spread("latency_p50", 1000),
            latency_p99=spread("latency_p99", 1000),
            first_p50=spread("first_p50", 1000),
            first_p99=spread("first_p99", 1000),
            share=Spread.of([window.share() for window in windows]),
            foreign=Spread.of([window.foreign() for window in windows]),
            gap_p99=spread("gap_p99", 1000),
            least=Spread.of([window.least * PACE / window.seconds for window in windows]),
            memory_kib=Spread.of([(window.memory - window.memory_before) * 1024 for window in windows]),
        )
