"""Cancels by the thousand: no slot, connection, descriptor or memory is left behind."""

import asyncio
from pathlib import Path

import pytest
from support.ask import ask
from support.gateway import SECONDS

from .cancels import PACE, SIDE_BY_SIDE, storm
from .rig import Rig, rig

MIB = 5.0
POOL_SECONDS = 90.0
"""After so long the gateway has closed its idle connections."""


async def weathered(running: Rig, warm_up: int, cancels: int) -> None:
    await running.stub.Chat(ask(), timeout=SECONDS)
    idle = await running.settled()
    await storm(running, warm_up)
    before = await running.settled(idle.fds)
    completed = await storm(running, cancels)
    assert completed < cancels, "most calls ended before they were cancelled"
    after = await running.settled(idle.fds)
    assert after.in_flight == 0
    assert after.fds <= idle.fds
    assert after.connections <= SIDE_BY_SIDE
    assert after.memory_mib - before.memory_mib <= MIB
    assert {one["outcome"] for one in await running.upstream.seen()} <= {"completed", "closed by client"}
    assert await running.counted("tokenwire_requests_total", 'code="CANCELLED"') > cancels / 4
    reply = await running.stub.Chat(ask(), timeout=SECONDS)
    assert reply.choices[0].message.text


async def test_two_thousand_cancels_leave_nothing_behind(tmp_path: Path) -> None:
    async with rig(tmp_path, PACE) as running:
        await weathered(running, 1_000, 2_000)


@pytest.mark.whole
async def test_twenty_thousand_cancels_leave_nothing_behind(tmp_path: Path) -> None:
    async with rig(tmp_path, PACE) as running:
        await weathered(running, 2_000, 20_000)
        await asyncio.sleep(POOL_SECONDS)  # nothing tells it from outside
        assert (await running.state()).connections == 0
