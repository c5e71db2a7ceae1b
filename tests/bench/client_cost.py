"""What the Python client costs on top of the generated stub, in CPU of its own process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from .job import DRAIN_SECONDS
from .measure import Spread
from .payload import TOKENS
from .rig import Bench

NAME: Final = "client"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is called, in each of the rounds."""

    rounds: int
    calls: int
    streams: int


FULL: Final = Plan(rounds=25, calls=800, streams=80)
QUICK: Final = Plan(rounds=1, calls=32, streams=16)


@dataclass(frozen=True, slots=True)
class Cost:
    """One kind of call by the stub and by the client, in microseconds."""

    title: str
    budget: float
    """Most that the client may add."""
    stub: Sequence[float]
    client: Sequence[float]

    @property
    def added(self) -> Spread:
        """By which a round of the client was dearer than the stub's right before it."""
        return Spread.of([client - stub for stub, client in zip(self.stub, self.client, strict=True)])


async def measure(bench: Bench, plan: Plan, say: Callable[[str], None]) -> list[Cost]:
    """Both kinds, against the bare server. Raises BenchError when a call fails."""
    calls, events = list[list[float]](), list[list[float]]()
    job = (f"127.0.0.1:{bench.reference.port}", plan.rounds, plan.calls, plan.streams)
    bench.client.write_line(orjson.dumps(job))
    for number in range(plan.rounds):
        say(f"Python client: {number + 1} of {plan.rounds}")
        found = orjson.loads(await bench.client.read_line(3 * DRAIN_SECONDS))
        calls.append([seconds * 1e6 / plan.calls for seconds in found["chat"]])
        events.append([seconds * 1e6 / plan.streams / TOKENS for seconds in found["stream"]])
    return [
        Cost("Python client, Chat, CPU µs a call", 40.0, *zip(*calls, strict=True)),
        Cost("Python client, ChatStream, CPU µs an event", 5.0, *zip(*events, strict=True)),
    ]
