"""That a call, however it ended, left nothing behind."""

import asyncio
from collections import Counter

from support.gateway import SECONDS, Gateway

Tasks = set["asyncio.Task[object]"]


_ALWAYS = ("AioServer._request", "RequestHandler.start")
"""grpc waits for the next call, and the simulator on each connection for the next request."""


def tasks() -> Tasks:
    """The tasks that exist now, without those that only wait for more to do."""
    return {
        task
        for task in asyncio.all_tasks()
        if not getattr(task.get_coro(), "__qualname__", "").startswith(_ALWAYS)
    }


async def assert_settled(gateway: Gateway, before: Tasks, outcome: tuple[str, str, str]) -> None:
    """The gateway's first call had this (rpc, code, reason), and is over in every respect."""
    line = await gateway.lines.wait()
    logged = (line["rpc"], line["code"], line["reason"])
    assert logged == outcome, f"{logged} was logged, {gateway.lines.all}"
    assert gateway.server.in_flight() == 0
    assert gateway.gauge() == 0
    if left := tasks() - before:
        _, pending = await asyncio.wait(left, timeout=SECONDS)
        assert not pending, f"left behind: {pending}"
    await gateway.works()
    await gateway.lines.wait(2)
    assert len(gateway.lines.access) == 2, "more than one access line for one call"
    assert gateway.outcomes() == Counter([outcome, ("Chat", "OK", "")])
    assert not [line for line in gateway.lines.all if line["level"] == "error"]
