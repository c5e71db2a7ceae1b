"""More calls than the gateway takes: who is answered, who is refused, and that it ends with the overload."""

import asyncio

import pytest
from conftest import Opener
from support.ask import ask
from support.gateway import SECONDS, Gateway
from support.quiet import until
from support.status import Failure, collect, failure

from tokenwire.v1 import embed_pb2, health_pb2
from tokenwire_server.simulator import Script

SETTINGS = {"max_in_flight": 2, "max_queued": 1}
EMBED = embed_pb2.EmbedRequest(model="openai/text-embedding-3-small", input=["text"])


async def refused(gateway: Gateway, rpc: str) -> Failure:
    match rpc:
        case "Chat":
            return await failure(gateway.stub.Chat(ask(), timeout=SECONDS))
        case "ChatStream":
            return await failure(collect(gateway.stub.ChatStream(ask(), timeout=SECONDS)))
        case _:
            return await failure(gateway.stub.Embed(EMBED, timeout=SECONDS))


@pytest.mark.parametrize("rpc", ["Chat", "ChatStream", "Embed"])
async def test_what_finds_no_place_is_refused_and_hurts_nobody(open_gateway: Opener, rpc: str) -> None:
    async with open_gateway(server=SETTINGS) as gateway:
        simulator = gateway.simulator
        simulator.set_default(Script(hang=True))
        placed = [gateway.stub.Chat(ask(), timeout=3 * SECONDS) for _ in range(2)]
        await until(lambda: len(simulator.received) == 2, lambda: "the places are not taken")
        queued = gateway.stub.Chat(ask(), timeout=3 * SECONDS)
        await until(lambda: gateway.server.in_flight() == 3, lambda: "the queue is not full")

        for found in await asyncio.gather(*(refused(gateway, rpc) for _ in range(20))):
            assert (found.code, found.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
            assert found.retry_after is not None
            assert found.retry_after >= 1
            assert int(found.trailers["grpc-retry-pushback-ms"]) == found.retry_after * 1000
            assert found.info.metadata["limited_by"] == "gateway"
        assert len(simulator.received) == 2, "a refused call costs the provider nothing"
        health = await gateway.stub.Health(health_pb2.HealthRequest(), timeout=SECONDS)
        assert health.status == health_pb2.HEALTH_STATUS_SERVING

        simulator.set_default(Script())
        placed[0].cancel()
        assert (await queued).choices[0].message.text
        placed[1].cancel()
        await gateway.works()
        await until(lambda: not gateway.server.in_flight(), lambda: "calls left behind")
        await gateway.caught_up()
        assert gateway.outcomes() == {
            (rpc, "RESOURCE_EXHAUSTED", "OVERLOADED"): 20,
            ("Chat", "CANCELLED", "CANCELLED"): 2,
            ("Chat", "OK", ""): 2,
            ("Health", "OK", ""): 1,
        }
