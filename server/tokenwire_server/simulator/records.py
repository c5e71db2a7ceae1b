"""What the simulator received, and how each request ended."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tokenwire_server.simulator.script import Script
from tokenwire_server.simulator.values import Json, as_object, as_text

Outcome = Literal["answering", "completed", "closed by client", "cut by script", "stopped"]

KEPT = 1_000  # requests; the oldest are forgotten


@dataclass(slots=True, eq=False)
class Received:
    """One request.

    `outcome` is "answering" until it is final: "completed" once the last byte was handed to the network,
    "closed by client" when the caller went away before that, "cut by script" when the script broke the
    connection, "stopped" when the simulator was closed. `seconds` is the time it took until then.
    """

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    raw: bytes
    body: object = None  # the parsed JSON, None if it is none
    peer: str = ""  # the client's end of the connection, which it may use for more requests
    script: Script = field(default_factory=Script)
    outcome: Outcome = "answering"
    seconds: float | None = None
    status: int | None = None  # of the answer, once it was begun
    sent: int = 0  # bytes of the answer's body
    _began: float = field(default_factory=time.monotonic, repr=False)
    _final: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def model(self) -> str:
        """The model asked for, "" if there is none."""
        return as_text(as_object(self.body).get("model"))

    @property
    def took(self) -> float:
        """Seconds since it came in."""
        return time.monotonic() - self._began

    def finish(self, outcome: Outcome) -> None:
        """Make the outcome final; only the first call counts."""
        if not self._final.is_set():
            self.outcome, self.seconds = outcome, self.took
            self._final.set()

    async def wait(self) -> None:
        """Return once the outcome is final."""
        await self._final.wait()

    def report(self) -> Json:
        """As JSON; the bodies are texts, with a replacement for what is no UTF-8."""
        return {
            "method": self.method,
            "path": self.path,
            "headers": dict(self.headers),
            "body": self.body,
            "peer": self.peer,
            "raw": self.raw.decode("utf-8", "replace"),
            "status": self.status,
            "sent": self.sent,
            "outcome": self.outcome,
            "seconds": self.seconds,
        }


async def wait_closed(received: Received, timeout: float = 5.0) -> Received:
    """The same request once its outcome is final; TimeoutError if that takes too long."""
    async with asyncio.timeout(timeout):
        await received.wait()
    return received
