"""That a call, however it ended, left nothing behind."""

import asyncio
from collections import Counter

from support.gateway import SECONDS, Gateway

Tasks = set["asyncio.Task[object]"]


def tasks() -> Tasks:
    """The tasks that exist now."""
    return asyncio.all_tasks()


async def assert_settled(gateway: Gateway, before: Tasks, outcome: tuple[str, str, str]) -> None:
    """The gateway's first call had this (rpc, code, reason), and is over in every respect."""
    line = await gateway.lines.wait()
    assert (line["rpc"], line["code"], line["reason"]) == outcome
    assert gateway.server.in_flight() == 0
    assert gateway.gauge() == 0
    if left := tasks() - before:
        _, pending = await asyncio.wait(left, timeout=SECONDS)
        assert not pending
    await gateway.works()
    await gateway.lines.wait(2)
    assert len(gateway.lines.access) == 2, "more than one access line for one call"
    assert gateway.outcomes() == Counter([outcome, ("Chat", "OK", "")])
    assert not [line for line in gateway.lines.all if line["level"] == "error"]
