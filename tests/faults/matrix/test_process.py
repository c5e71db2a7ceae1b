"""What happens to the process itself: a step of its clock, a stall of its event loop."""

import asyncio
import socket
import time
from collections.abc import Callable
from urllib.request import urlopen

import pytest
from faults.matrix.cells import AT_ONCE, plain, settings
from support.ask import ask
from support.gateway import SECONDS, gateway_for
from support.quiet import Quiet
from support.status import collect

from tokenwire.v1 import health_pb2
from tokenwire_server.settings import Metrics
from tokenwire_server.simulator import Script, Simulator

HOUR = 3600.0
STALL = 2.0


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forwards", "backwards"])
async def test_a_step_of_the_wall_clock_ends_no_call(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """P4."""
    right: Callable[[], float] = time.time
    simulator.script(
        Script(tokens=60, gap=0.01, match="gpt-4o-mini"),
        Script(headers_delay=0.5, match="mistral-small-latest"),
        Script(error="rate_limit", headers={"retry-after": "0.5"}, match="gpt-4o"),
    )
    async with gateway_for(simulator, settings(simulator)) as gateway:
        await plain(gateway)
        quiet = Quiet.of(gateway)
        stream = gateway.stub.ChatStream(ask(), timeout=2 * SECONDS)
        others = [
            asyncio.ensure_future(gateway.stub.Chat(ask(model=model), timeout=2 * SECONDS).code())
            for model in ("mistral/mistral-small-latest", "openai/gpt-4o")
        ]
        await anext(aiter(stream))
        with monkeypatch.context() as patch:  # which the callers of this process would see as well
            patch.setattr(time, "time", lambda: right() + step)
            assert [event async for event in stream][-1].HasField("completed")
            assert [code.name for code in await asyncio.gather(*others)] == ["OK", "OK"]
        ended = [("ChatStream", "OK", ""), ("Chat", "OK", ""), ("Chat", "OK", "")]
        await quiet.assert_again(gateway, ended, lambda: plain(gateway))


async def test_a_stalled_event_loop_is_seen_and_gone_afterwards(simulator: Simulator) -> None:
    """P9. Metrics have a thread of their own; calls and health go on where they were."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    simulator.script(Script(tokens=30, gap=0.01, match="gpt-4o-mini"))
    table = settings(simulator).model_copy(update={"metrics": Metrics(listen=address)})
    async with gateway_for(simulator, table) as gateway:
        await plain(gateway)
        await asyncio.to_thread(_read, address)  # the thread that reads is there from now on
        quiet = Quiet.of(gateway)
        stream = gateway.stub.ChatStream(ask(), timeout=2 * SECONDS)
        await anext(aiter(stream))
        reading = asyncio.get_running_loop().run_in_executor(None, _read, address)
        time.sleep(STALL)  # noqa: ASYNC251 (this is the stall)
        over = time.monotonic()
        page, read_at = await reading
        assert read_at < over, "metrics waited for the event loop"
        assert 'tokenwire_in_flight{rpc="ChatStream"} 1.0' in page
        health = await gateway.stub.Health(health_pb2.HealthRequest(), timeout=AT_ONCE)
        assert health.status == health_pb2.HEALTH_STATUS_SERVING
        assert (await collect(stream))[-1].HasField("completed")
        ended = [("Health", "OK", ""), ("ChatStream", "OK", "")]
        await quiet.assert_again(gateway, ended, lambda: plain(gateway))


def _read(address: str) -> tuple[str, float]:
    """The page of metrics, and when it had come."""
    with urlopen(f"http://{address}/metrics", timeout=SECONDS) as page:
        return page.read().decode(), time.monotonic()
