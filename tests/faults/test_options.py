"""The server's channel options: grpc says nothing of a name it does not know, so each shows its effect."""

import asyncio
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import Opener
from faults.matrix.http2 import PING, Frame, connected
from grpc import aio
from support.ask import ask
from support.gateway import CHANNEL, SECONDS
from support.status import collect, failure

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.rpc import server
from tokenwire_server.settings import Server
from tokenwire_server.simulator import Script, Simulator

PING_FRAME = Frame(PING, 0, 0, b"12345678")


@pytest.mark.parametrize("name", dict(server.options(Server())))
def test_grpc_knows_the_name(name: str) -> None:
    module = find_spec("grpc._cython.cygrpc")
    assert module
    assert module.origin
    binary = Path(module.origin).read_bytes()
    assert name.encode() + b"\0" in binary


def test_no_age_is_no_option() -> None:
    names = dict(server.options(Server(max_connection_age_seconds=0)))
    assert not [name for name in names if "connection_age" in name]


async def test_a_caller_may_ping_every_ten_seconds(
    open_gateway: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C9, with 0.3 s in place of 10 s; without a call."""
    name = "grpc.http2.min_ping_interval_without_data_ms"
    monkeypatch.setattr(server, "OPTIONS", tuple((dict(server.OPTIONS) | {name: 300}).items()))
    async with open_gateway() as gateway, connected(gateway.address) as peer:
        for _ in range(5):
            await peer.send(PING_FRAME)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(peer.closed(), 0.4)
        await gateway.works()


async def test_a_ping_each_second_is_too_often(open_gateway: Opener) -> None:
    """C9."""
    async with open_gateway() as gateway, connected(gateway.address) as peer:
        closed = asyncio.ensure_future(peer.closed())
        while not closed.done():
            await peer.send(PING_FRAME)
            await asyncio.wait((closed,), timeout=1)
        await closed
        await gateway.works()


async def test_an_old_connection_is_ended_once_its_stream_is(
    open_gateway: Opener, simulator: Simulator
) -> None:
    """N5. A peer that knows nothing of it is cut off when the longest deadline is over too."""
    simulator.script(Script(tokens=10, gap=0.05))
    ages = {"max_connection_age_seconds": 0.2, "max_deadline_seconds": 4}
    async with open_gateway(server=ages) as gateway, connected(gateway.address) as peer:
        events = await collect(gateway.stub.ChatStream(ask(), timeout=SECONDS))
        assert events[-1].HasField("completed")
        await peer.closed()
        await gateway.works()


async def test_a_call_without_a_deadline_may_outlive_its_connection(
    open_gateway: Opener, simulator: Simulator
) -> None:
    """N5."""
    simulator.script(Script(after=1, comments=60))
    ages = {"max_connection_age_seconds": 0.2, "max_deadline_seconds": 0.5}
    async with open_gateway(server=ages) as gateway:
        assert (await failure(collect(gateway.stub.ChatStream(ask())))).code == "UNAVAILABLE"
        await gateway.works()


async def test_calls_over_the_limit_of_a_connection_wait(open_gateway: Opener, simulator: Simulator) -> None:
    simulator.script(Script(after=1, comments=60, match="gpt-4o-mini"))
    async with open_gateway(server={"max_concurrent_streams": 1}) as gateway:
        first = gateway.stub.ChatStream(ask(), timeout=3 * SECONDS)
        assert (await anext(aiter(first))).HasField("started")
        second = asyncio.ensure_future(gateway.works())
        async with aio.insecure_channel(gateway.address, options=CHANNEL) as channel:
            assert (await LLMServiceStub(channel).Chat(ask(model="openai/gpt-4o"), timeout=SECONDS)).choices
        assert len(simulator.received) == 2, "the second call on the first connection was let through"
        assert not second.done()
        first.cancel()
        await second


async def test_connections_over_the_limit_are_refused(open_gateway: Opener) -> None:
    """N1. The gateway's own channel is the first one."""
    async with open_gateway(server={"max_connections": 2}) as gateway:
        async with connected(gateway.address), connected(gateway.address) as third:
            await third.closed()
            await gateway.works()
        async with (
            asyncio.timeout(SECONDS),
            aio.insecure_channel(gateway.address, options=CHANNEL) as channel,
        ):
            stub = LLMServiceStub(channel)
            assert (await stub.Chat(ask(), timeout=SECONDS, wait_for_ready=True)).choices


@pytest.mark.parametrize(("kib", "code"), [(9, "OK"), (15, "OK"), (20, "RESOURCE_EXHAUSTED")])
async def test_metadata_have_one_limit(open_gateway: Opener, kib: int, code: str) -> None:
    """C8. Several times each: between two limits grpc would refuse at random."""
    async with open_gateway() as gateway:
        for _ in range(5):
            call = gateway.stub.Chat(ask(), metadata=(("x-large", "x" * kib * 1024),), timeout=SECONDS)
            assert (await call.code()).name == code
        await gateway.works()
