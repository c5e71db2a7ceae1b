"""The processes of a run: started on their cores, found ready, ended by their ids."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Final, Self

from .measure import Window
from .payload import KEYS

ROOT: Final = Path(__file__).parents[2]
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_CONFIG: Final = """\
environment = "production"

[server]
listen = ["127.0.0.1:0"]
{server}

[metrics]
listen = "127.0.0.1:0"

[providers.openai]
kind = "openai"
api_key = "{openai}"
base_url = "http://127.0.0.1:{port}/v1"

[providers.mistral]
kind = "mistral"
api_key = "{mistral}"
base_url = "http://127.0.0.1:{port}"

[providers.responses]
kind = "openai_compatible"
endpoint = "responses"
api_key = "{responses}"
base_url = "http://127.0.0.1:{port}/v1"
"""


NO_SETTINGS: Final[Mapping[str, int]] = {}


class BenchError(Exception):
    """The run is void; the text says why."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. The servers under test have the last core for themselves."""

    server: tuple[int, ...]
    load: tuple[int, ...]
    upstream: tuple[int, ...]

    @classmethod
    def choose(cls) -> Self:
        """Of the cores there are; with one, everybody shares it."""
        first, *others = sorted(os.sched_getaffinity(0))
        last = others[-1] if others else first
        return cls((last,), (first,), (others[0],) if len(others) > 1 else (first,))

    @property
    def all(self) -> tuple[int, ...]:
        """For a server of several processes."""
        return tuple(sorted({*self.server, *self.load, *self.upstream}))

    @property
    def apart(self) -> bool:
        """Whether the servers share their core with nobody."""
        return self.server != self.load

    def strain(self, window: Window) -> float:
        """How much of its core the busier of load and upstream had; together where they share one."""
        parts = [window.load, window.upstream]
        return (sum(parts) if self.load == self.upstream else max(parts)) / window.seconds


@contextmanager
def _on(cores: Sequence[int]) -> Iterator[None]:
    """What is started within inherits these cores, from its first instruction on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Process:
    """One child. Its standard error goes to a file in the run's folder."""

    def __init__(self, name: str, folder: Path, cores: Sequence[int]) -> None:
        self.log: Final = folder / f"{name}.log"
        self.port = 0
        self._name = name
        self._cores = cores
        self._child: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Of the running child."""
        return self._child.pid

    async def _spawn(self, *command: str, cwd: Path, env: dict[str, str] | None = None) -> None:
        with self.log.open("wb") as log, _on(self._cores):
            self._child = await asyncio.create_subprocess_exec(
                *command, cwd=cwd, env=env, stdin=_PIPE, stdout=_PIPE, stderr=log
            )

    async def read_line(self, patience: float) -> bytes:
        """The next line of its output; raises BenchError when it ends instead, or takes too long."""
        assert self._child.stdout
        try:
            line = await asyncio.wait_for(self._child.stdout.readline(), patience)
        except TimeoutError:
            raise BenchError(f"{self._name} said nothing for {patience:.0f} s") from None
        if not line:
            raise self._ended()
        return line

    def write_line(self, line: bytes) -> None:
        """Tells it something."""
        assert self._child.stdin
        self._child.stdin.write(line + b"\n")

    def _ended(self) -> BenchError:
        return BenchError(f"{self._name} ended: {self.log.read_text(errors='replace')[-2000:].strip()}")

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._child.returncode is not None

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not end in time."""
        if self.has_ended():
            return
        self._child.terminate()
        try:
            await asyncio.wait_for(self._child.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._child.kill()
            await self._child.wait()


_PIPE: Final = asyncio.subprocess.PIPE


class Module(Process):
    """A module of this package."""

    async def start(self, *, serves: bool = True, python: str = sys.executable) -> Self:
        """Starts it; one that serves is ready afterwards."""
        await self._spawn(python, "-m", f"tests.bench.{self._name}", cwd=ROOT)
        if serves:
            self.port = json.loads(await self.read_line(_READY_SECONDS))["port"]
        return self


class Gateway(Process):
    """`tokenwire serve`, as a user starts it: metrics on, access log on and written to a file."""

    calls = 0
    """That were counted, and must be in its log."""

    async def start(
        self, upstream: int, server: Mapping[str, int] = NO_SETTINGS, python: str = sys.executable
    ) -> float:
        """Starts it before this upstream, and gives the seconds until it said that it serves.

        `server` are settings besides the shipped ones, `python` is of an environment that has Tokenwire.
        """
        config = self.log.with_suffix(".toml")
        lines = "\n".join(f"{name} = {value}" for name, value in server.items())
        config.write_text(_CONFIG.format(**KEYS, port=upstream, server=lines))
        foreign = ("TOKENWIRE_", "OPENAI_", "MISTRAL_")  # settings of whoever runs the bench
        env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        command = str(Path(python).with_name("tokenwire"))
        began = monotonic()
        await self._spawn(command, "serve", "--config", str(config), cwd=self.log.parent, env=env)
        with self.log.open("rb") as log:
            address = await self._serving(log, began + _READY_SECONDS)
        self.port = int(address.rpartition(":")[2])
        return monotonic() - began

    async def _serving(self, log: IO[bytes], end: float) -> str:
        while monotonic() < end:
            for line in log:
                if b'"event":"serving"' in line:
                    return str(json.loads(line)["listen"][0])
            if self.has_ended():
                raise self._ended()
            await asyncio.sleep(0.005)
        raise BenchError(f"the gateway was not ready after {_READY_SECONDS:.0f} s")

    def access_lines(self) -> int:
        """How many calls its log has."""
        with self.log.open("rb") as log:
            return sum(b'"event":"rpc"' in line for line in log)
