"""A caller that does not read its stream: what comes of it is bounded in time and memory."""

import json

import grpc
import pytest
from conftest import Opener
from grpc import aio
from support.ask import ask
from support.gateway import CHANNEL, SECONDS
from support.quiet import assert_settled, tasks
from support.status import collect

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.simulator import Script, wait_closed

WINDOW = (*CHANNEL, ("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0))
"""A caller whose own buffers are small, and do not grow."""
PIECE = {"choices": [{"index": 0, "delta": {"content": "word " * 200}}]}
ENDLESS = Script(raw=f"data: {json.dumps(PIECE)}\n\n" * 20_000, content_type="text/event-stream")
"""20 MB of answer."""


async def test_a_stream_that_is_not_read_ends_by_itself(open_gateway: Opener) -> None:
    async with open_gateway(server={"slow_reader_seconds": 0.5}) as gateway:
        before = tasks()
        gateway.simulator.script(ENDLESS)
        async with aio.insecure_channel(gateway.address, options=WINDOW) as channel:
            call = LLMServiceStub(channel).ChatStream(ask(), timeout=3 * SECONDS)
            line = await gateway.lines.wait()
            assert (line["code"], line["reason"]) == ("RESOURCE_EXHAUSTED", "SLOW_READER")
            (received,) = gateway.simulator.received
            await wait_closed(received, SECONDS)
            with pytest.raises(aio.AioRpcError) as ended:
                await collect(call)
            assert ended.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await assert_settled(gateway, before, ("ChatStream", "RESOURCE_EXHAUSTED", "SLOW_READER"))


async def test_a_slow_caller_who_reads_gets_all_of_it(open_gateway: Opener) -> None:
    """The limit is for each write, not for the stream."""
    async with open_gateway(server={"slow_reader_seconds": 0.5}) as gateway:
        gateway.simulator.script(Script(tokens=30, gap=0.05))
        events = [event async for event in gateway.stub.ChatStream(ask(), timeout=SECONDS)]
        assert events[-1].HasField("completed")
