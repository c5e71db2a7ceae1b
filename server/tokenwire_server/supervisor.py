"""Several processes on the same ports: starts them, starts those again that end unasked, passes signals on,
and shows the metrics of all. Loads neither grpc nor an SDK; a call never comes through here.
"""

import asyncio
import os
from collections.abc import Iterable
from contextlib import AsyncExitStack
from math import ceil
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.registry import Collector

from tokenwire_server.listeners import reserved
from tokenwire_server.open_files import raise_limit
from tokenwire_server.settings import Settings
from tokenwire_server.signals import stop_signals
from tokenwire_server.telemetry import logs, merge
from tokenwire_server.telemetry.endpoint import exposed
from tokenwire_server.worker_process import WorkerProcess

_log: Final = structlog.get_logger()
_MARGIN: Final = 3.0
"""Seconds after the grace until a worker is killed: each ends itself after two."""
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def supervise(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT with `server.workers` processes. Gives the exit status: 0, or 1 when one
    of them abandoned something. Raises StartError."""
    logs.configure(json=settings.production)
    raise_limit(settings.server)
    return asyncio.run(_run(settings))


def cpus() -> int:
    """CPUs that this process may use at once, by its affinity and the quota of its container."""
    usable = len(os.sched_getaffinity(0))
    try:
        quota, period = _QUOTA.read_text().split()
    except OSError:
        return usable
    return usable if quota == "max" else min(usable, ceil(int(quota) / int(period)))


async def _run(settings: Settings) -> int:
    signals = stop_signals()
    registry = CollectorRegistry()
    restarts = Counter("tokenwire_worker_restarts_total", "Processes that ended unasked.", registry=registry)
    async with AsyncExitStack() as stack:
        listen = stack.enter_context(reserved(settings))
        resolved = settings.model_copy(
            update={"server": settings.server.model_copy(update={"listen": listen})}
        )
        workers = [
            WorkerProcess(number, resolved, restarts.inc)
            for number in range(settings.server.workers or cpus())
        ]
        registry.register(_All(workers))
        stack.enter_context(exposed(registry, settings.metrics.listen))
        for worker in workers:
            await worker.spawn()
            stack.push_async_callback(worker.kill)
        await asyncio.gather(*(worker.ready() for worker in workers))
        keeping = asyncio.gather(*(worker.keep() for worker in workers))
        _log.info("serving", listen=list(listen), workers=len(workers))
        name = await signals.get()
        _log.info("stopping", signal=name)
        _pass_on(name, workers)
        await _stop(keeping, signals, workers, settings.server.drain_seconds)
    _log.info("stopped")
    return int(any(await keeping))


def _pass_on(name: str, workers: Iterable[WorkerProcess]) -> None:
    for worker in workers:
        worker.stop(name)


async def _stop(
    ending: "asyncio.Future[list[int]]",
    signals: "asyncio.Queue[str]",
    workers: Iterable[WorkerProcess],
    grace: float,
) -> None:
    """Waits until all have ended. A second signal is passed on too."""
    hurry = asyncio.ensure_future(signals.get())
    await asyncio.wait((ending, hurry), timeout=grace + _MARGIN, return_when=asyncio.FIRST_COMPLETED)
    if hurry.done():
        _pass_on(hurry.result(), workers)
        await asyncio.wait((ending,), timeout=_MARGIN)
    hurry.cancel()
    if not ending.done():
        _log.error("abandoned")


class _All(Collector):
    """What all workers counted, asked for whenever somebody reads it."""

    def __init__(self, workers: Iterable[WorkerProcess]) -> None:
        self._workers = workers
        self._loop = asyncio.get_running_loop()

    def collect(self) -> Iterable[Metric]:
        """Called in a thread of the endpoint's."""
        return asyncio.run_coroutine_threadsafe(self._metrics(), self._loop).result()

    async def _metrics(self) -> Iterable[Metric]:
        pages = await asyncio.gather(*(worker.page() for worker in self._workers))
        return merge.metrics(merge.merged(pages))
