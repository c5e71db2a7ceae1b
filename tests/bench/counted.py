"""The gateway in a process of its own, on the server's event loop, counting what it does.

Serves the settings on its first line of standard input; each line after it asks for the counts so far. Ends
with its input.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from contextvars import Context
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVarTuple

from tokenwire_server.__main__ import EXPERIMENTS

# As the `tokenwire` command does, before grpc is imported.
os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)

import orjson
import uvloop

import tokenwire_server
from tokenwire_server.app import serving
from tokenwire_server.settings import Settings
from tokenwire_server.telemetry import logs

Ts = TypeVarTuple("Ts")

_SERVER: Final = str(Path(next(iter(tokenwire_server.__path__))))


@dataclass(slots=True)
class Counts:
    """Since the process began."""

    functions: int = 0
    """Calls of Python functions by the server, of its own and of others, and each time that one goes on."""
    builtins: int = 0
    """Calls of functions in C by those."""
    tasks: int = 0
    timers: int = 0
    blocks: int = 0
    """Blocks of memory in use, without what only the garbage collector frees."""


_counts: Final = Counts()


class _Loop(uvloop.Loop):
    """Counts tasks and timers, whoever makes them: gRPC makes some for each call."""

    def create_task(self, *args: Any, **kwargs: Any) -> Any:
        _counts.tasks += 1
        return super().create_task(*args, **kwargs)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """What `call_at` goes through as well."""
        _counts.timers += 1
        return super().call_later(delay, callback, *args, context=context)


def _profile(frame: FrameType, event: str, _: object) -> None:
    if event == "call" and _of_server(frame):
        _counts.functions += 1
    elif event == "c_call" and _of_server(frame):
        _counts.builtins += 1


def _of_server(frame: FrameType | None) -> bool:
    """Whether it is a function of the server, or was called by one; what counts is neither."""
    if frame and frame.f_code.co_filename == __file__:
        return False
    while frame and not frame.f_code.co_filename.startswith(_SERVER):
        frame = frame.f_back
    return frame is not None


def _say(fields: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(fields) + b"\n")
    sys.stdout.flush()


async def main() -> None:
    """Serves."""
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    settings = Settings.model_validate(orjson.loads(await asked.readline()))
    logs.configure(json=True)
    async with serving(settings) as (_, (address,)):
        gc.freeze()  # so that collecting takes no time
        _say({"address": address})
        while await asked.readline():
            sys.setprofile(None)
            gc.collect()
            _counts.blocks = sys.getallocatedblocks()
            _say(asdict(_counts))
            sys.setprofile(_profile)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(main())
