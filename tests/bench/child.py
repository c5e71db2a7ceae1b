"""What the bench's own processes have in common: they say their port, and end when their parent does."""

import asyncio
import json
import sys


async def serve_until_told(port: int) -> None:
    """Writes the port, then waits until standard input closes."""
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), closed.set)  # nothing is ever sent: readable means closed
    await closed.wait()
    loop.remove_reader(sys.stdin.fileno())
