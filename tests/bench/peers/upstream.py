"""The providers' stand-in on a port that is known beforehand, for gateways that somebody else has started."""

import asyncio
import sys

import uvloop

from bench.child import serve_until_told
from bench.upstream import Connection


async def main(port: int) -> None:
    """Serves on it; on a free one for 0."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    async with server:
        await serve_until_told(server.sockets[0].getsockname()[1])


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
