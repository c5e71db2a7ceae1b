"""Streams for a long time, some of which fail: does the gateway hold on to anything? Run by `make soak`.

Exit status 1 when memory grows by more than MOST_MIB_PER_HOUR for certain, when a call without a fault fails,
or when something is still held at the end.
"""

import argparse
import asyncio
import itertools
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import Any, Final

from grpc import aio
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb

from .rig import Rig, State, rig

STREAMS: Final = 200
FAULTY: Final = 20
"""Each twentieth call has a fault."""
MOST_MIB_PER_HOUR: Final = 8.0
"""A process that grows by less works for a week before it has taken 1.5 GiB, and twenty minutes of this load
tell it from noise. Real growth that a caller can cause is far above: it comes with every call."""
_BATCHES: Final = 15
_T: Final = 2.160
"""Student's t of 95 % for the fit of a line to so many points."""
_SAMPLE_SECONDS: Final = 5.0
_CALL_SECONDS: Final = 300.0
"""Fifty times what a call takes: the load has the lowest priority on a machine that others may use."""
_CHANNEL_FDS: Final = 4
"""The caller's connection, and what grpc opens with its first call."""
_SOUND: Final = ("openai/gpt-4o-mini", "openai/gpt-5.4-mini", "mistral/mistral-small-latest")
_FAULTS: Final[dict[str, dict[str, object]]] = {
    "gpt-4o": {"status": 500},
    "gpt-4": {"cut_at_byte": 900, "how": "rst"},
    "gpt-4-turbo": {"no_finish": True, "tokens": 5},
    "gpt-4.1": {"after": 3, "bad_json_event": True},
    "gpt-4.1-mini": {"status": 429},
    "gpt-3.5-turbo": {"after": 3, "wrong_shape": "list"},
}
"""By the model that they happen to."""
_SCRIPTS: Final[tuple[dict[str, object], ...]] = (
    {"gap": 0.1, "tokens": 60},
    *({"times": 0, "match": model, "gap": 0.1, **script} for model, script in _FAULTS.items()),
)
_CANCELLED: Final = "cancelled"
_INVALID: Final = "invalid"


def _kinds() -> Iterator[str]:
    """Models for ever, each FAULTY-th of them one with a fault, a call to cancel, or a request to refuse."""
    sound, faulty = itertools.cycle(_SOUND), itertools.cycle((*_FAULTS, _CANCELLED, _INVALID))
    for number in itertools.count(1):
        yield next(sound if number % FAULTY else faulty)


class Soak:
    """The load, and what became of it."""

    def __init__(self, running: Rig, seconds: float) -> None:
        self._rig = running
        self._end = monotonic() + seconds
        self._kinds = _kinds()
        self.ended: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        """Calls that should not have."""
        self.samples: list[tuple[float, State]] = []

    async def run(self) -> None:
        """Until the time is over and the last call has ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(STREAMS):
                group.create_task(self._caller())
            group.create_task(self._sampler())

    async def _caller(self) -> None:
        while monotonic() < self._end:
            kind = next(self._kinds)
            try:
                await self._call(kind)
                self.ended["OK"] += 1
            except asyncio.CancelledError:
                self.ended["CANCELLED"] += 1
            except aio.AioRpcError as error:
                self.ended[error.code().name] += 1
                if kind in _SOUND:
                    self.failed[f"{kind}: {error.details()}"] += 1

    async def _call(self, kind: str) -> None:
        call: Any = self._rig.stub.ChatStream(_request(kind), timeout=_CALL_SECONDS)
        async for event in call:
            if kind == _CANCELLED and event.HasField("text_delta"):
                call.cancel()

    async def _sampler(self) -> None:
        while monotonic() < self._end:
            self.samples.append((monotonic(), await self._rig.state()))
            await asyncio.sleep(_SAMPLE_SECONDS)


def _request(kind: str) -> pb.ChatRequest:
    if kind == _INVALID:
        return pb.ChatRequest(model=_SOUND[0])
    return ask(model=_SOUND[0] if kind == _CANCELLED else kind if kind in _SOUND else f"openai/{kind}")


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of the line through the means of successive batches, and half of its 95 % interval.

    Means, because successive samples are not independent: memory moves in steps.
    """
    size = len(points) // _BATCHES
    batches = [points[start : start + size] for start in range(0, size * _BATCHES, size)]
    xs, ys = ([fmean(point[axis] for point in batch) for batch in batches] for axis in (0, 1))
    mean_x, mean_y = fmean(xs), fmean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    residual = sum((y - mean_y - rise * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return rise, _T * sqrt(residual / (_BATCHES - 2) / spread)


def _report(soak: Soak, before: State, after: State) -> list[str]:
    """Prints what was seen; gives what is wrong."""
    kept = soak.samples[len(soak.samples) // 4 :]
    rise, half = slope([(at / 3600, state.memory_mib) for at, state in kept])
    threads = [state.threads for _, state in kept]
    print(f"calls: {', '.join(f'{code} {number}' for code, number in soak.ended.most_common())}")  # noqa: T201 (what the program says)
    print(  # noqa: T201 (what the program says)
        f"memory: {kept[0][1].memory_mib:.1f} to {kept[-1][1].memory_mib:.1f} MiB after warm-up, "
        f"slope {rise:+.1f} ± {half:.1f} MiB/h (95 %)"
    )
    print(f"threads: {min(threads)} to {max(threads)} after warm-up")  # noqa: T201 (what the program says)
    print(  # noqa: T201 (what the program says)
        f"at the end: {after.in_flight} in flight, {after.fds} descriptors ({before.fds} before any call)"
    )
    wrong = {
        f"memory grows by more than {MOST_MIB_PER_HOUR} MiB/h": rise - half > MOST_MIB_PER_HOUR,
        "calls are still in flight": after.in_flight > 0,
        "descriptors are left": after.fds > before.fds + _CHANNEL_FDS,
        **{f"{number} times {text}": True for text, number in soak.failed.most_common(5)},
    }
    return [text for text, happened in wrong.items() if happened]


async def _main(seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        async with rig(Path(place), *_SCRIPTS) as running:
            before = await running.state()
            soak = Soak(running, seconds)
            await soak.run()
            after = await running.settled(before.fds + _CHANNEL_FDS)
    wrong = _report(soak, before, after)
    for line in wrong:
        print(f"FAILED: {line}")  # noqa: T201 (what the program says)
    return 1 if wrong else 0


def main() -> int:
    """Runs it, behind all else that the machine has to do."""
    parser = argparse.ArgumentParser(prog="make soak", description="Streams for a long time.")
    parser.add_argument("seconds", type=float, nargs="?", default=1200.0)
    seconds = parser.parse_args().seconds
    if seconds < 2 * _BATCHES * _SAMPLE_SECONDS:
        parser.error(f"{2 * _BATCHES * _SAMPLE_SECONDS:.0f} seconds at least: less shows no slope")
    os.nice(19)
    return asyncio.run(_main(seconds))


if __name__ == "__main__":
    sys.exit(main())
