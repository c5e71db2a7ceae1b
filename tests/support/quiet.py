"""That a call, however it ended, left nothing behind."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.gateway import KEY, SECONDS, Gateway

Tasks = set["asyncio.Task[object]"]
Outcome = tuple[str, str, str]
"""RPC, code and reason."""

_ALWAYS = ("AioServer._request", "RequestHandler.start")
"""grpc waits for the next call, and the simulator on each connection for the next request."""


def tasks() -> Tasks:
    """The tasks that exist now, without those that only wait for more to do."""
    return {
        task
        for task in asyncio.all_tasks()
        if not getattr(task.get_coro(), "__qualname__", "").startswith(_ALWAYS)
    }


async def assert_settled(gateway: Gateway, before: Tasks, outcome: Outcome) -> None:
    """The gateway's first call had this (rpc, code, reason), and is over in every respect."""
    line = await gateway.lines.wait()
    logged = (line["rpc"], line["code"], line["reason"])
    assert logged == outcome, f"{logged} was logged, {gateway.lines.all}"
    assert gateway.server.in_flight() == 0
    assert gateway.gauge() == 0
    if left := tasks() - before:
        _, pending = await asyncio.wait(left, timeout=SECONDS)
        assert not pending, f"left behind: {pending}"
    await gateway.works()
    await gateway.lines.wait(2)
    assert len(gateway.lines.access) == 2, "more than one access line for one call"
    assert gateway.outcomes() == Counter([outcome, ("Chat", "OK", "")])
    assert not [line for line in gateway.lines.all if line["level"] == "error"]


@dataclass(frozen=True)
class Pool:
    """Connections to providers."""

    in_use: int
    idle: int

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        """As the client counts them."""
        return cls(gateway.http.pool.in_use, gateway.http.pool.idle)


def descriptors(gateway: Gateway) -> int:
    """Open files of this process, without the idle connections, both of whose ends are here."""
    return len(list(Path("/proc/self/fd").iterdir())) - 2 * Pool.of(gateway).idle


@dataclass(frozen=True)
class Quiet:
    """What a gateway holds when it has nothing to do, taken after a first call that went well."""

    tasks: Tasks
    threads: int
    descriptors: int

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        return cls(tasks(), threading.active_count(), descriptors(gateway))

    async def assert_again(
        self, gateway: Gateway, outcomes: Sequence[Outcome], plain: Callable[[], Awaitable[None]]
    ) -> None:
        """It holds no more than that. Since then there were these calls and no others, each with one access
        line and one count, and none with a secret. `plain`, a call that must go well, does so at once."""
        await gateway.lines.wait(1 + len(outcomes))
        await until(lambda: not tasks() - self.tasks, lambda: f"tasks left behind: {tasks() - self.tasks}")
        assert gateway.server.in_flight() == gateway.gauge() == 0
        await until(lambda: not Pool.of(gateway).in_use, lambda: "connections in use")
        await until(
            lambda: descriptors(gateway) <= self.descriptors,
            lambda: f"{descriptors(gateway)} open files, and {self.descriptors} before",
        )
        assert threading.active_count() <= self.threads
        await plain()
        well = ("Chat", "OK", "")
        await gateway.lines.wait(2 + len(outcomes))
        ended = Counter((line["rpc"], line["code"], line["reason"]) for line in gateway.lines.access)
        assert ended == gateway.outcomes() == Counter([well, *outcomes, well])
        assert not [line for line in gateway.lines.all if line["level"] == "error"]
        assert KEY not in str(gateway.lines.all)


async def until(true: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Returns once it is true; each turn of the loop may make it so."""
    try:
        async with asyncio.timeout(SECONDS):
            while not true():  # noqa: ASYNC110 (what it waits for tells nobody)
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(otherwise()) from None
