"""A place among the workers, as their supervisor sees it: a process, and the next one if it ends unasked."""

import asyncio
import pickle
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from time import monotonic
from typing import Final

import orjson
import structlog

from tokenwire_server.listeners import StartError
from tokenwire_server.secret import Secret
from tokenwire_server.settings import Settings
from tokenwire_server.telemetry import merge

_log: Final = structlog.get_logger()
_COMMAND: Final = (sys.executable, "-P", "-m", "tokenwire_server", "worker")
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
"""Seconds until a worker is started again; doubled each time, and varied by half."""
_SOUND: Final = 60.0
"""Seconds of life after which an end counts as the first one."""
_ANSWER: Final = 1.0
"""Seconds for a worker to tell what it counted."""
_LONGEST_LINE: Final = 64 * 1024 * 1024


class WorkerProcess:
    """`spawn`, `ready`, then `keep` until `stop`. `ended` is told of each process that ended unasked."""

    def __init__(self, number: int, settings: Settings, ended: Callable[[], None]) -> None:
        self._number = number
        self._settings = settings
        self._ended = ended
        self._stopping = asyncio.Event()
        self._serving = False
        self._told = asyncio.Event()
        self._page: merge.Page = []
        self._retired: merge.Page = []
        self._process: subprocess.Popen[bytes]
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def spawn(self) -> None:
        """Starts a process."""
        ours, theirs = socket.socketpair()
        with theirs, _unsignalled():
            self._process = subprocess.Popen(_COMMAND, stdin=theirs.fileno())  # noqa: S603, ASYNC220 (ours; does not wait)
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
        self._writer.write(handed_over(self._settings))

    async def ready(self) -> None:
        """Gives back once it serves. Raises StartError when it does not."""
        with suppress(OSError, ValueError):  # it ended within the line
            if line := await self._reader.readline():
                if failure := orjson.loads(line).get("failed"):
                    raise StartError(failure)
                self._serving = True
                return
        status = await self._wait()
        raise StartError(
            f"a worker process ended with status {status} before it served; see its last lines above"
        )

    async def keep(self) -> int:
        """Keeps a process there until `stop`; gives the status of the last."""
        failures = 0
        while True:
            began, served = monotonic(), self._serving
            await self._listen()
            status = await self._wait()
            if self._stopping.is_set():
                return status if served else 0
            self._ended()
            _log.error("worker", worker=self._number, state="ENDED", code=status)
            failures = 1 if monotonic() - began >= _SOUND else failures + 1
            await self._again(failures)

    async def _again(self, failures: int) -> None:
        """Starts another process after a while, unless all are to stop."""
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2**failures) * random.uniform(0.5, 1)  # noqa: S311 (spreads load)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay)
            return
        with suppress(OSError, StartError):  # `keep` finds that there is none
            await self.spawn()
            await self.ready()
            _log.info("worker", worker=self._number, state="SERVING")

    def stop(self, name: str) -> None:
        """Passes a signal on. A process that does not serve yet is killed."""
        self._stopping.set()
        if self._serving:
            self._writer.write(f"{name}\n".encode())
        else:
            self._process.kill()

    async def kill(self) -> None:
        """Ends the process at once, if it has not ended."""
        self._process.kill()
        await self._wait()

    async def page(self) -> merge.Page:
        """What all processes of this place counted; of one that does not answer, what it said last."""
        if self._serving:
            told = self._told
            self._writer.write(b"metrics\n")
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), _ANSWER)
        return merge.merged((self._retired, self._page))

    async def _listen(self) -> None:
        """Takes what it tells, until it ends."""
        with suppress(OSError, ValueError):  # the same
            async for line in self._reader:
                self._page = orjson.loads(line)["metrics"]
                self._told.set()
                self._told = asyncio.Event()

    async def _wait(self) -> int:
        """Its exit status. What it counted stays."""
        self._serving = False
        self._writer.close()
        self._retired, self._page = merge.merged((self._retired, merge.kept(self._page))), []
        return await asyncio.to_thread(self._process.wait)


def handed_over(settings: Settings) -> bytes:
    """Settings with their secrets as they are at this moment, for a process of ours alone. Elsewhere a secret
    cannot be pickled."""
    file = BytesIO()
    pickler = pickle.Pickler(file)
    pickler.dispatch_table = {Secret: lambda secret: (Secret, (secret.reveal(), secret._path, secret._stamp))}  # noqa: SLF001 (nobody else may read it)
    pickler.dump(settings)
    return file.getvalue()


@contextmanager
def _unsignalled() -> Iterator[None]:
    """Processes that start within never get these signals. A terminal or a service manager sends them to all
    processes of a service, and a worker would take the one that is passed on for the second."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
