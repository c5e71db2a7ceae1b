"""The simulator as a process: one line of output says where it is, one for each line of input what it saw.

Its argument is a JSON list of scripts; the first is the default.
"""

import asyncio
import json
import sys
from time import monotonic
from typing import Any

from tokenwire_server.simulator import Received, Simulator, parse_script, serving


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _seen(received: Received) -> dict[str, Any]:
    """How the request ended, and when by the machine's monotonic clock."""
    body: Any = received.body
    said = body["messages"][-1]["content"] if "messages" in body else ""
    ended = None if received.seconds is None else monotonic() - received.took + received.seconds
    return {"said": said, "outcome": received.outcome, "ended": ended}


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def _direct(simulator: Simulator, scripts: list[object]) -> None:
    default, *others = (parse_script(script) for script in scripts)
    simulator.set_default(default)
    simulator.script(*others)


async def main() -> None:
    """Serves until its input ends."""
    lines = await _lines()
    async with serving() as simulator:
        _direct(simulator, json.loads(sys.argv[1]))
        _say(simulator.urls)
        while await lines.readline():
            _say([_seen(received) for received in simulator.received])


if __name__ == "__main__":
    asyncio.run(main())
