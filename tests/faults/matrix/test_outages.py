"""Many calls of a provider that fails, hangs or is slow: what it costs the provider, and everybody else."""

import asyncio

import pytest
from faults.matrix import upstreams
from faults.matrix.cells import plain, settings
from faults.matrix.rows import APIS, CHAT, MISTRAL, RESPONSES, Api
from support.ask import ask
from support.gateway import SECONDS, Gateway, gateway_for
from support.quiet import Pool, Quiet, until
from support.status import collect, failure

from tokenwire.v1 import health_pb2
from tokenwire_server.simulator import Script, Simulator

PROBES = 5.0
"""Seconds in which a provider that is back is found: the waits before two probes, and a margin."""


@pytest.mark.parametrize(
    ("api", "when"),
    [
        (CHAT, "at once"),
        pytest.param(CHAT, "in turn", marks=pytest.mark.whole),
        pytest.param(RESPONSES, "at once", marks=pytest.mark.whole),
        (RESPONSES, "in turn"),
        pytest.param(MISTRAL, "at once", marks=pytest.mark.whole),
        pytest.param(MISTRAL, "in turn", marks=pytest.mark.whole),
    ],
    ids=str,
)
async def test_an_outage_is_not_made_worse_and_its_end_is_noticed(
    simulator: Simulator, api: Api, when: str
) -> None:
    """U15. Retries: ten to begin with and one for ten calls; then the circuit opens."""
    name = api.model.partition("/")[2]
    calls = 50
    async with gateway_for(simulator, settings(simulator)) as gateway:
        await plain(gateway)
        quiet = Quiet.of(gateway)
        simulator.set_default(Script(status=503, match=name, times=0))
        if when == "at once":
            failed = await asyncio.gather(*(_fails(gateway, api) for _ in range(calls)))
        else:
            failed = [await _fails(gateway, api) for _ in range(calls)]
        asked = [received for received in simulator.received if received.model == name]
        assert len(asked) <= calls + 10 + calls // 10
        await gateway.caught_up()
        assert max(line["attempts"] for line in gateway.lines.access) <= 3
        assert {reason for reason, _ in failed} <= {"PROVIDER_OVERLOADED", "CIRCUIT_OPEN"}
        refused = await _fails(gateway, api)
        assert refused[0] == "CIRCUIT_OPEN"
        assert len([received for received in simulator.received if received.model == name]) == len(asked)

        simulator.set_default(Script())
        failed += [refused, *await _until_back(gateway, api)]
        outcomes = [("Chat", "UNAVAILABLE", reason) for reason, _ in failed]
        await quiet.assert_again(gateway, [*outcomes, ("Chat", "OK", "")], lambda: plain(gateway))


OK_AGAIN = ("", 0.0)


async def _fails(gateway: Gateway, api: Api) -> tuple[str, float]:
    """The reason of a call's failure, and the seconds that the caller is told to wait."""
    call = gateway.stub.Chat(ask(model=api.model), timeout=3 * SECONDS)
    if (await call.code()).name == "OK":
        return OK_AGAIN
    failed = await failure(call)
    return failed.reason, failed.retry_after or 0.05


async def _until_back(gateway: Gateway, api: Api) -> list[tuple[str, float]]:
    """The failures until a call goes well, which must be soon."""
    failed = []
    async with asyncio.timeout(PROBES):
        while (again := await _fails(gateway, api)) is not OK_AGAIN:
            failed.append(again)
            await asyncio.sleep(again[1])
    return failed


async def test_health_tells_of_an_outage_and_of_its_end(simulator: Simulator) -> None:
    """U15."""

    async def state() -> str:
        found = await gateway.stub.Health(health_pb2.HealthRequest(), timeout=SECONDS)
        (row,) = (row for row in found.providers if row.name == "openai")
        return health_pb2.ProviderState.Name(row.state).removeprefix("PROVIDER_STATE_")

    async with gateway_for(simulator, settings(simulator)) as gateway:
        simulator.set_default(Script(status=503, match="gpt-4o-mini", times=0))
        while (await _fails(gateway, CHAT))[0] != "CIRCUIT_OPEN":
            pass
        assert await state() == "CIRCUIT_OPEN"
        simulator.set_default(Script())
        await _until_back(gateway, CHAT)
        assert await state() == "OK"


async def test_a_silent_name_server_holds_up_nobody_else(simulator: Simulator) -> None:
    """U18."""
    limits = {"timeouts": {"connect": 1.5}}
    async with (
        upstreams.silent_name_server() as url,
        gateway_for(simulator, settings(simulator, url, **limits)) as gateway,
    ):
        await plain(gateway)
        quiet = Quiet.of(gateway)
        waiting = [asyncio.ensure_future(_fails(gateway, CHAT)) for _ in range(20)]
        await until(lambda: gateway.server.in_flight() == len(waiting), lambda: "they have not begun")
        await plain(gateway)
        await plain(gateway)
        assert not any(call.done() for call in waiting)
        reasons = [reason for reason, _ in await asyncio.gather(*waiting)]
        assert set(reasons) <= {"CONNECT_TIMEOUT", "PROVIDER_UNAVAILABLE", "CIRCUIT_OPEN"}
        outcomes = [("Chat", "UNAVAILABLE", reason) for reason in reasons]
        await quiet.assert_again(gateway, [("Chat", "OK", "")] * 2 + outcomes, lambda: plain(gateway))


@pytest.mark.parametrize("number", [30, pytest.param(1000, marks=pytest.mark.whole)])
@pytest.mark.parametrize("api", APIS, ids=str)
async def test_streams_in_turn_share_a_connection(simulator: Simulator, api: Api, number: int) -> None:
    """U22. To each provider one, although neither of its ends waits for the other after the last event."""
    async with gateway_for(simulator, settings(simulator)) as gateway:
        await plain(gateway)
        quiet = Quiet.of(gateway)
        peers = set()
        for _ in range(number):
            await collect(gateway.stub.ChatStream(ask(model=api.model), timeout=SECONDS))
            peers.add(simulator.received[-1].peer)
            await until(lambda: not Pool.of(gateway).in_use, lambda: "the connection is not given back")
        assert len(peers) == 1
        await quiet.assert_again(gateway, [("ChatStream", "OK", "")] * number, lambda: plain(gateway))


@pytest.mark.parametrize("number", [40, pytest.param(400, marks=pytest.mark.whole)])
@pytest.mark.parametrize("api", [CHAT, MISTRAL], ids=str)
async def test_cancels_at_any_moment_lose_no_connection(simulator: Simulator, api: Api, number: int) -> None:
    """U23. Swept over the first 20 ms of a call, two at a time through two places."""
    admission = {"max_in_flight": 2}
    table = settings(simulator)
    table = table.model_copy(update={"server": table.server.model_copy(update=admission)})
    async with gateway_for(simulator, table) as gateway:
        await plain(gateway)
        quiet = Quiet.of(gateway)
        simulator.set_default(Script(tokens=30, gap=0.001, match=api.model.partition("/")[2]))
        for step in range(0, number, 2):
            calls = [gateway.stub.ChatStream(ask(model=api.model), timeout=SECONDS) for _ in range(2)]
            reading = [asyncio.ensure_future(collect(call)) for call in calls]
            await asyncio.sleep(step / number * 0.02)
            for call in calls:
                call.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
        await until(lambda: not gateway.server.in_flight(), lambda: "calls left behind")
        await gateway.caught_up()
        ended = [(line["rpc"], line["code"], line["reason"]) for line in gateway.lines.access[1:]]
        assert {code for _, code, _ in ended} <= {"CANCELLED", "OK"}
        assert len(ended) <= number
        await quiet.assert_again(gateway, ended, lambda: plain(gateway))
