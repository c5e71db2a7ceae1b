"""All processes of a run, and how one work is put on one of the servers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from bench.job import DRAIN_SECONDS, Job
from bench.measure import Window
from bench.payload import KEYS, OPENAI
from bench.processes import BenchError, Cores, Gateway, Module, Process

from .gateways import TOKENWIRE, Peer
from .load import HttpJob
from .servers import PeerProcess, Server, Upstream
from .work import Work

_SETTLE_SECONDS: Final = 1.0
_KEY: Final = {"authorization": f"Bearer {KEYS[OPENAI]}"}


@dataclass(frozen=True, slots=True)
class Subject:
    """One server, and how it is called."""

    name: str
    title: str
    load: Process
    """The load generator that speaks its protocol."""
    job: Job
    """All of a job but its work."""

    async def window(self, work: Work, rate: float) -> Window:
        """One run; raises BenchError when a call fails, or none ends."""
        window = await self._run(work, rate)
        if window.failures or not window.count(work.unit):
            why = "; ".join(window.failures) or f"no {work.unit} within {work.seconds} s"
            raise BenchError(f"{self.title}, {work.title}: {why}")
        return window

    async def settle(self, work: Work) -> tuple[str, ...]:
        """A short run that is not measured, for what loads or compiles at first; gives what failed."""
        return (await self._run(replace(work, seconds=min(work.seconds, _SETTLE_SECONDS)), 0.0)).failures

    async def _run(self, work: Work, rate: float) -> Window:
        job = replace(
            self.job, model=work.model, slots=work.slots, rate=rate, warm=work.warm, seconds=work.seconds
        )
        self.load.write_line(orjson.dumps(asdict(job)))
        return Window.parse(await self.load.read_line(work.warm + work.seconds + 2 * DRAIN_SECONDS))


class Rig:
    """Everything that runs."""

    direct: Subject
    """The stand-in itself."""
    gateways: list[Subject]
    """Tokenwire first."""

    def __init__(self, folder: Path, cores: Cores) -> None:
        self._folder = folder
        self._cores = cores
        self._upstream = Upstream("upstream", folder, cores.upstream)
        self._grpc = Module("load", folder, cores.load)
        self._http = Module("peers.load", folder, cores.load)
        self._gateway = Gateway("gateway", folder, cores.server)

    @asynccontextmanager
    async def running(self, peers: Sequence[Peer], given: Sequence[Server], port: int) -> AsyncIterator[None]:
        """All of it, the stand-in on this port (0: a free one); `given` run already, and go on running."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._upstream.stop)
            await self._upstream.start(port)
            for load in (self._grpc, self._http):
                stack.push_async_callback(load.stop)
                await load.start(serves=False)
            stack.push_async_callback(self._gateway.stop)
            await self._gateway.start(self._upstream.port)
            started = list[Server]()
            for peer in peers:
                process = PeerProcess(peer.name, self._folder, self._cores.server)
                stack.push_async_callback(process.stop)
                started.append(await process.start(peer, self._upstream.port))
            job = self._job(f"127.0.0.1:{self._gateway.port}", self._gateway.pid)
            ours = Subject(TOKENWIRE, "Tokenwire", self._grpc, job)
            self.gateways = [ours, *map(self._over_http, [*started, *given])]
            upstream = f"127.0.0.1:{self._upstream.port}"
            self.direct = self._over_http(Server("direct", "direct", self._upstream.pid, upstream))
            yield

    def _over_http(self, server: Server) -> Subject:
        fields = asdict(self._job(server.target, server.pid))
        job = HttpJob(**fields, base=server.base, prefix=server.prefix, headers=_KEY | dict(server.headers))
        return Subject(server.name, server.title, self._http, job)

    def _job(self, target: str, pid: int) -> Job:
        """Without its work."""
        return Job(
            target=target,
            provider=OPENAI,
            model="",
            completes=True,
            slots=0,
            rate=0.0,
            warm=0.0,
            seconds=0.0,
            server=pid,
            upstream=self._upstream.pid,
            cores=self._cores.server,
        )
