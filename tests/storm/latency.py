"""How long after a caller's cancel the provider sees its connection closed; `make storm` prints it."""

import asyncio
import tempfile
from collections import deque
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from bench.measure import percentile
from support.ask import ask

from .rig import SETTLED_SECONDS, Rig, rig

PACE = {"gap": 0.1, "tokens": 600}
"""The upstream's: ten tokens a second, for a minute."""
_ROUND = 20
_APART = 0.005
"""Seconds between two cancels of a round; after it as many streams begin."""
_MODELS = ("openai/gpt-4o-mini", "mistral/mistral-small-latest")


class Streams:
    """Live streams, the oldest of which is cancelled next."""

    def __init__(self, running: Rig) -> None:
        self._rig = running
        self._numbers = count()
        self._live: deque[tuple[str, asyncio.Task[None]]] = deque()
        self._cancelled: dict[str, float] = {}

    async def begin(self) -> None:
        """One more, once its first token has come."""
        number = next(self._numbers)
        name, begun = f"stream {number}", asyncio.Event()
        call = self._rig.stub.ChatStream(ask(name, model=_MODELS[number % len(_MODELS)]))
        self._live.append((name, asyncio.ensure_future(_read(call, begun))))
        await begun.wait()

    def cancel(self) -> None:
        """One less."""
        name, reading = self._live.popleft()
        self._cancelled[name] = monotonic()
        reading.cancel()

    async def latencies(self) -> list[float]:
        """Seconds that each cancel so far took to arrive; TimeoutError when one does not."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while True:
                seen = [one for one in await self._rig.upstream.seen() if one["said"] in self._cancelled]
                if all(one["ended"] for one in seen):
                    return [one["ended"] - self._cancelled[one["said"]] for one in seen]
                await asyncio.sleep(0.05)


async def _read(call: Any, begun: asyncio.Event) -> None:
    async for event in call:  # which its task's cancellation cancels
        if event.HasField("text_delta"):
            begun.set()


async def latencies(running: Rig, streams: int, cancels: int) -> list[float]:
    """Of so many cancels while so many streams are live, a few more or less; at most 1,000 together."""
    measured = Streams(running)
    await asyncio.gather(*(measured.begin() for _ in range(streams - _ROUND)))
    for _ in range(cancels // _ROUND):
        await asyncio.gather(*(measured.begin() for _ in range(_ROUND)))
        for _ in range(_ROUND):
            measured.cancel()
            await asyncio.sleep(_APART)
    found = await measured.latencies()
    assert len(found) == cancels
    return found


async def _main() -> None:
    with tempfile.TemporaryDirectory(prefix="storm-") as place:
        for streams, cancels in ((_ROUND, 500), (200, 500)):
            async with rig(Path(place), PACE) as running:
                found = [1000 * seconds for seconds in await latencies(running, streams, cancels)]
            p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
            print(  # noqa: T201 (what the command is for)
                f"{cancels} cancels, {streams} streams live: "
                f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {max(found):.1f} ms"
            )


if __name__ == "__main__":
    asyncio.run(_main())
