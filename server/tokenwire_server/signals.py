"""SIGTERM and SIGINT."""

import asyncio
import signal


def stop_signals() -> "asyncio.Queue[str]":
    """The names of those that come to this process from now on."""
    came: asyncio.Queue[str] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, came.put_nowait, number.name)
    return came
