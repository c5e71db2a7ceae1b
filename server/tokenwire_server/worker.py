"""One of several processes that serve, under a supervisor that it hears by its standard input, a socket.

From there come the settings, pickled, and then lines: `metrics` asks for what was counted, any other is the
name of a signal. The end of the stream is the supervisor's end. To it go lines of JSON: `serving` or
`failed`, once, then `metrics` whenever it asks.
"""

import asyncio
import pickle
import socket
from contextlib import suppress
from threading import Thread

import orjson
from prometheus_client import CollectorRegistry

from tokenwire_server.settings import Settings
from tokenwire_server.telemetry import merge


class Worker:
    """This process as its supervisor knows it. Made once: it reads the settings."""

    def __init__(self) -> None:
        self._socket = socket.socket(fileno=0)
        self._orders = self._socket.makefile("rb")
        self.settings: Settings = pickle.load(self._orders)  # noqa: S301 (from the process that started this one)

    def failed(self, text: str) -> None:
        """It cannot start, and why."""
        self._tell(failed=text)

    def serving(self, signals: "asyncio.Queue[str]", registry: CollectorRegistry) -> None:
        """It serves, and obeys from then on. In a thread, so that a busy event loop can still be seen."""
        self._tell(serving=True)
        Thread(target=self._obey, args=(asyncio.get_running_loop(), signals, registry), daemon=True).start()

    def _obey(
        self, loop: asyncio.AbstractEventLoop, signals: "asyncio.Queue[str]", registry: CollectorRegistry
    ) -> None:
        with suppress(OSError):  # the supervisor ended
            for line in self._orders:
                order = line.decode().strip()
                if order == "metrics":
                    self._tell(metrics=merge.page(registry))
                else:
                    loop.call_soon_threadsafe(signals.put_nowait, order)
        with suppress(RuntimeError):  # so did this process's event loop
            loop.call_soon_threadsafe(signals.put_nowait, "SIGTERM")

    def _tell(self, **what: object) -> None:
        self._socket.sendall(orjson.dumps(what) + b"\n")
