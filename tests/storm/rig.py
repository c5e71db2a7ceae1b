"""A gateway and its upstream, each a process of its own, and what can be seen of them from outside."""

import asyncio
import contextlib
import json
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

from bench.measure import memory_mib
from grpc import aio
from support.gateway import CHANNEL
from support.process import forking, spawn

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub

if TYPE_CHECKING:  # only the .pyi has it
    from tokenwire.v1.llm_service_pb2_grpc import LLMServiceAsyncStub

SETTLED_SECONDS = 20.0
_LONGEST_LINE = 64 * 1024 * 1024
_ESTABLISHED = "01"
_TOML = """
[server]
listen = ["127.0.0.1:0"]

[metrics]
listen = "127.0.0.1:{metrics}"

[providers.openai]
kind = "openai"
api_key = "sk-storm"
base_url = "{openai}"

[providers.mistral]
kind = "mistral"
api_key = "sk-storm"
base_url = "{mistral}"
"""


@dataclass(frozen=True)
class State:
    """What the gateway holds."""

    memory_mib: float
    fds: int
    """Without its connections to the upstream, and those of whoever reads its metrics."""
    connections: int
    """To the upstream, idle ones too."""
    threads: int
    in_flight: int


class Upstream:
    """The simulator's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.urls: Mapping[str, str]
        self.port = 0

    @classmethod
    async def start(cls, *scripts: Mapping[str, object]) -> "Upstream":
        """The first script is the default."""
        with forking():
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "storm.upstream", json.dumps(scripts)),
                cwd=Path(__file__).parents[1],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
            )
        upstream = cls(process)
        upstream.urls = await upstream._line()
        upstream.port = urlsplit(upstream.urls["openai"]).port or 0
        return upstream

    async def seen(self) -> list[dict[str, Any]]:
        """The latest thousand requests: what was `said`, their `outcome`, and when they `ended`."""
        assert self._process.stdin
        self._process.stdin.write(b"\n")
        found: list[dict[str, Any]] = await self._line()
        return found

    async def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        await self._process.wait()

    async def _line(self) -> Any:
        assert self._process.stdout
        return json.loads(await asyncio.wait_for(self._process.stdout.readline(), SETTLED_SECONDS))


@dataclass(frozen=True)
class Rig:
    """Both, running."""

    pid: int
    """Of the gateway."""
    stub: "LLMServiceAsyncStub"
    upstream: Upstream
    _metrics: str

    async def state(self) -> State:
        """As it is at this moment."""
        return await asyncio.to_thread(self._state)

    async def counted(self, metric: str, label: str = "") -> float:
        """The sum of a metric over all series with this label."""
        return await asyncio.to_thread(self._sum, metric, label)

    async def settled(self, fds: float = inf) -> State:
        """The state once nothing is in flight, here or upstream, and no more than so many descriptors are
        open; the latest state when that does not come about."""
        end = monotonic() + SETTLED_SECONDS
        while True:
            state = await self.state()
            answering = [one for one in await self.upstream.seen() if one["outcome"] == "answering"]
            if (not answering and not state.in_flight and state.fds <= fds) or monotonic() > end:
                return state
            await asyncio.sleep(0.1)

    def _state(self) -> State:
        in_flight = int(self._sum("tokenwire_in_flight"))
        place = Path(f"/proc/{self.pid}")
        fds = set(_links(place / "fd"))
        sockets = list(_sockets())
        connections = fds & {
            one.name for one in sockets if one.remote_port == self.upstream.port and one.state == _ESTABLISHED
        }
        ours = fds & {one.name for one in sockets if one.local_port == urlsplit(self._metrics).port}
        return State(
            memory_mib=memory_mib(self.pid),
            fds=len(fds - connections - ours),
            connections=len(connections),
            threads=len(list((place / "task").iterdir())),
            in_flight=in_flight,
        )

    def _sum(self, metric: str, label: str = "") -> float:
        with urlopen(self._metrics, timeout=SETTLED_SECONDS) as reply:  # noqa: S310 (ours)
            lines = reply.read().decode().splitlines()
        pattern = re.compile(rf"{metric}(?:{{.*{label}.*}})? (\S+)")
        return sum(float(match[1]) for line in lines if (match := pattern.fullmatch(line)))


class _Socket(NamedTuple):
    name: str
    """As a descriptor links to it."""
    local_port: int
    remote_port: int
    state: str


def _links(folder: Path) -> Iterator[str]:
    """What descriptors are; one that is closed meanwhile is none. Kinds without a name of their own count."""
    for number, descriptor in enumerate(folder.iterdir()):
        with contextlib.suppress(FileNotFoundError):
            name = descriptor.readlink().name
            yield name if name.startswith("socket") else f"{number} {name}"


def _sockets() -> Iterator[_Socket]:
    """All TCP sockets of the machine."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        here, there = (int(place.partition(":")[2], 16) for place in (local, remote))
        yield _Socket(f"socket:[{inode}]", here, there, state)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@asynccontextmanager
async def rig(place: Path, *scripts: Mapping[str, object]) -> AsyncIterator[Rig]:
    """A gateway with its files in `place`, before an upstream that follows the scripts, and a channel."""
    async with AsyncExitStack() as stack:
        upstream = await Upstream.start(*scripts)
        stack.push_async_callback(upstream.stop)
        metrics = _free_port()
        (place / "tokenwire.toml").write_text(_TOML.format(metrics=metrics, **upstream.urls))
        running = await spawn(place, "serve")
        stack.push_async_callback(running.process.wait)
        stack.callback(running.process.kill)
        (running.address,) = (await running.line("serving"))["listen"]
        reading = asyncio.ensure_future(_discard(running.process.stderr))  # or it would wait for a reader
        stack.callback(reading.cancel)
        channel = await stack.enter_async_context(aio.insecure_channel(running.address, options=CHANNEL))
        yield Rig(
            running.process.pid, LLMServiceStub(channel), upstream, f"http://127.0.0.1:{metrics}/metrics"
        )


async def _discard(log: asyncio.StreamReader | None) -> None:
    assert log
    while await log.read(64 * 1024):
        pass
