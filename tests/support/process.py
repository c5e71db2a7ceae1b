"""The real `tokenwire serve`, as a process of its own."""

import asyncio
import gc
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

SECONDS = 60.0
"""For a start or a stop: far more than it takes on a busy machine."""

TOML = """
[server]
listen = ["127.0.0.1:0"]
drain_seconds = {drain}

[metrics]
listen = "{metrics}"

[defaults]
model = "openai/gpt-4o-mini"

[providers.openai]
kind = "openai"
api_key = "{key}"
base_url = "{url}"
"""


@dataclass
class Running:
    """A process, and the lines that it wrote so far."""

    process: asyncio.subprocess.Process
    address: str = ""
    lines: list[str] = field(default_factory=list)

    async def line(self, event: str) -> Mapping[str, Any]:
        """The next log line of this event; the process must log JSON."""
        stderr = self.process.stderr
        assert stderr is not None
        async with asyncio.timeout(SECONDS):
            while raw := await stderr.readline():
                self.lines.append(raw.decode())
                if raw.startswith(b"{") and (found := json.loads(raw))["event"] == event:
                    return dict(found)
        raise AssertionError(f"it ended before {event!r}: {''.join(self.lines)}")

    async def end(self) -> int:
        """The exit status, once it has ended; all of standard error is in `lines` then."""
        async with asyncio.timeout(SECONDS):
            _, rest = await self.process.communicate()  # closes both pipes, which workers share
        self.lines += rest.decode().splitlines(keepends=True)
        code = self.process.returncode
        assert code is not None
        return code


@contextmanager
def forking() -> Iterator[None]:
    """Around the start of a process under uvloop, whose child runs Python before it becomes another program.

    A collection there would wait for ever for grpc's threads, which a child does not have.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def spawn(
    place: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    production: bool = True,
    program: str = "tokenwire_server",
) -> Running:
    """Starts `tokenwire`, or a program of the tests that stands for it, in a folder, with no other
    environment than this."""
    variables = {"ENVIRONMENT": "production"} if production else {}
    with forking():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-m",
            program,
            *arguments,
            cwd=place,
            env={"PYTHONPATH": ":".join(sys.path), **variables, **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    return Running(process)


@asynccontextmanager
async def serve(
    place: Path,
    url: str,
    *,
    environ: Mapping[str, str] | None = None,
    drain: float = 10.0,
    metrics: str = "off",
    key: str = "sk-canary-7b1f0c",
    program: str = "tokenwire_server",
) -> AsyncIterator[Running]:
    """A server with one provider at a URL, once it serves. Leaving kills what is still there."""
    (place / "tokenwire.toml").write_text(TOML.format(drain=drain, metrics=metrics, key=key, url=url))
    running = await spawn(place, "serve", environ=environ, program=program)
    try:
        (running.address,) = (await running.line("serving"))["listen"]
        yield running
    finally:
        if running.process.returncode is None:
            running.process.kill()
        await running.end()


def free() -> str:
    """An address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def page_of(metrics: str) -> str:
    """The page of metrics at an address; waits for it."""
    with urlopen(f"http://{metrics}/metrics", timeout=SECONDS) as page:
        return str(page.read().decode())


async def refused(
    place: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    program: str = "tokenwire_server",
) -> tuple[int, str]:
    """Exit status and standard error of a command that must not start."""
    running = await spawn(place, *arguments, environ=environ, program=program)
    try:
        code = await running.end()
    finally:
        if running.process.returncode is None:
            running.process.kill()
    return code, "".join(running.lines)
