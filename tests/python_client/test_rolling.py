"""A client of several servers loses no call while they are restarted in turn."""

from pathlib import Path

from faults.test_rolling import GAP, TOKENS, Load, Replica

from tokenwire import AsyncClient
from tokenwire_server.simulator import Script, Simulator


async def test_no_call_is_lost(simulator: Simulator, tmp_path: Path) -> None:
    simulator.set_default(Script(tokens=TOKENS, gap=GAP))
    for name in "ab":
        (tmp_path / name).mkdir()
    async with (
        Replica(tmp_path / "a", simulator.url) as a,
        Replica(tmp_path / "b", simulator.url) as b,
        AsyncClient(f"{a.address},{b.address}") as client,
    ):
        load = Load(client.stub)
        async with load.running(20):
            await a.restart()
            await b.restart()
    assert not load.lost
    assert load.whole > 40
