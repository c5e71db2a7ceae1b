"""The servers that are called over HTTP: those that this bench starts, and those that run already."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Self

import orjson

from bench.processes import ROOT, BenchError, Process

from .connections import Connections
from .gateways import Peer

_GIVEN: Final = re.compile(r"([\w-]+)=http://([\w.-]+:\d+)(/[^,]*)?,(\d+)(?:,([^,]+))?")
_READY_SECONDS: Final = 180.0
"""LiteLLM takes ten by itself, and many more on a machine that has other work."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that serves."""

    name: str
    title: str
    pid: int
    target: str
    """Host and port."""
    base: str = "/v1"
    """What comes before the paths of OpenAI's API."""
    prefix: str = ""
    """What comes before the models' names."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that it needs besides the key."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `name=url,pid` or `name=url,pid,prefix`; raises ValueError for anything else."""
        found = _GIVEN.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is not name=http://host:port/path,pid")
        name, target, base, pid, prefix = found.groups(default="")
        return cls(name, name, int(pid), target, base.rstrip("/"), prefix)


def base_url(port: int) -> str:
    """The stand-in's, as gateways are told it."""
    return f"http://127.0.0.1:{port}/v1"


def runtime(peer: Peer) -> str:
    """What runs a gateway, by its own word."""
    done = subprocess.run(  # noqa: S603 (fixed words)
        peer.runtime, cwd=ROOT, env={"PATH": _path()}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _path() -> str:
    """Where programs are found: Node.js may be among the project's tools."""
    return f"{ROOT}/.tools/node/bin:{os.environ['PATH']}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Upstream(Process):
    """The providers' stand-in."""

    async def start(self, port: int) -> None:
        """On this port, or on a free one for 0."""
        await self._spawn(sys.executable, "-m", "bench.peers.upstream", str(port), cwd=ROOT)
        self.port = orjson.loads(await self.read_line(_READY_SECONDS))["port"]


class PeerProcess(Process):
    """A gateway of the list, without any settings of whoever runs the bench."""

    async def start(self, peer: Peer, upstream: int) -> Server:
        """Starts it before this upstream; it serves afterwards. Raises BenchError."""
        self.port = _free_port()
        config = self.log.with_suffix(".yaml")
        config.write_text(peer.config.format(upstream=base_url(upstream)))
        words = [word.format(port=self.port, config=config) for word in peer.command]
        env = {"PATH": _path(), "HOME": str(self.log.parent), **peer.env}
        # Its output goes to the log: nobody reads the pipe, and a full one would hold it up.
        await self._spawn("sh", "-c", 'exec "$@" >&2', "sh", *words, cwd=ROOT, env=env)
        await self._ready(f"GET {peer.ready} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        headers = {name: text.format(upstream=base_url(upstream)) for name, text in peer.headers.items()}
        return Server(peer.name, peer.title, self.pid, f"127.0.0.1:{self.port}", headers=headers)

    async def _ready(self, request: bytes) -> None:
        end, connections = monotonic() + _READY_SECONDS, Connections("127.0.0.1", self.port)
        while monotonic() < end:
            if self.has_ended():
                raise self._ended()
            try:
                status, _ = await connections.ask(request, lambda _: None)
            except OSError:
                status = 0
            if status == 200:
                connections.close()
                return
            await asyncio.sleep(0.1)
        raise BenchError(f"{self._name} was not ready after {_READY_SECONDS:.0f} s")
