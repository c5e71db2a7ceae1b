"""The gateway's own limits on a provider, each with its own reason."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

import pytest
from conftest import Opener
from support.ask import ask
from support.gateway import Gateway, gateway_for, settings_for
from support.quiet import assert_settled, tasks
from support.status import Failure, collect, failure

from tokenwire_server.simulator import Script, Simulator, wait_closed

SHORT = 0.3


async def _fails(gateway: Gateway, rpc: str) -> Failure:
    if rpc == "Chat":
        return await failure(gateway.stub.Chat(ask()))
    return await failure(collect(gateway.stub.ChatStream(ask())))


LIMITS = {
    "hang": ("ChatStream", "first_token", Script(hang=True), "FIRST_TOKEN_TIMEOUT"),
    "slow headers": ("ChatStream", "first_token", Script(headers_delay=60), "FIRST_TOKEN_TIMEOUT"),
    "slow first token": ("ChatStream", "first_token", Script(first_token_delay=60), "FIRST_TOKEN_TIMEOUT"),
    "comments only": ("ChatStream", "first_token", Script(after=0, comments=0.05), "FIRST_TOKEN_TIMEOUT"),
    "silence": ("ChatStream", "idle", Script(after=2, comments=60), "STREAM_IDLE_TIMEOUT"),
    "comment trickle": ("ChatStream", "idle", Script(after=2, comments=0.05), "STREAM_IDLE_TIMEOUT"),
    "half an event": ("ChatStream", "idle", Script(cut_at_byte=700, how="stall"), "STREAM_IDLE_TIMEOUT"),
    "total of a stream": ("ChatStream", "total", Script(tokens=1000, gap=0.02), "UPSTREAM_TIMEOUT"),
    "total of a unary call": ("Chat", "total", Script(hang=True), "UPSTREAM_TIMEOUT"),
    "total, within the body": ("Chat", "total", Script(cut_at_byte=99, how="stall"), "UPSTREAM_TIMEOUT"),
}


@pytest.mark.parametrize("name", LIMITS)
async def test_a_provider_that_takes_too_long_is_left(open_gateway: Opener, name: str) -> None:
    rpc, limit, script, reason = LIMITS[name]
    async with open_gateway(timeouts={limit: SHORT}) as gateway:
        gateway.simulator.script(script)
        before = tasks()
        began = monotonic()
        failed = await _fails(gateway, rpc)
        assert (failed.code, failed.reason) == ("UNAVAILABLE", reason)
        assert monotonic() - began >= SHORT * 0.95
        assert failed.info.metadata["attempts"] == "1"
        (received,) = gateway.simulator.received
        await wait_closed(received)
        assert received.outcome == "closed by client"
        await assert_settled(gateway, before, (rpc, "UNAVAILABLE", reason))


async def test_a_failure_within_a_stream_says_how_much_had_come(open_gateway: Opener) -> None:
    async with open_gateway(timeouts={"idle": SHORT}) as gateway:
        gateway.simulator.script(Script(after=7, comments=60))
        failed = await _fails(gateway, "ChatStream")
        assert failed.info.metadata["output_tokens"] == "7"


async def test_a_slow_but_steady_stream_outlives_the_idle_limit(open_gateway: Opener) -> None:
    async with open_gateway(timeouts={"idle": 0.5, "first_token": 0.5}) as gateway:
        gateway.simulator.script(Script(tokens=8, gap=0.1))
        began = monotonic()
        events = await collect(gateway.stub.ChatStream(ask()))
        assert events[-1].HasField("completed")
        assert monotonic() - began > 0.5


async def test_nobody_listens(simulator: Simulator) -> None:
    with socket.socket() as probe:  # bound and not listening: the port refuses, and nobody takes it
        probe.bind(("127.0.0.1", 0))
        settings = settings_for(f"http://127.0.0.1:{probe.getsockname()[1]}/v1")
        async with gateway_for(simulator, settings) as gateway:
            for rpc in ("Chat", "ChatStream"):
                failed = await _fails(gateway, rpc)
                assert (failed.code, failed.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
                assert "127.0.0.1" not in failed.everything
            assert gateway.server.in_flight() == 0


@contextmanager
def _full_backlog() -> Iterator[int]:
    """The port of a listener that takes no more connections, so that the next one waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_no_connection_in_time(simulator: Simulator) -> None:
    with _full_backlog() as port:
        settings = settings_for(f"http://127.0.0.1:{port}/v1", timeouts={"connect": SHORT})
        async with gateway_for(simulator, settings) as gateway:
            for rpc in ("Chat", "ChatStream"):
                failed = await _fails(gateway, rpc)
                assert (failed.code, failed.reason) == ("UNAVAILABLE", "CONNECT_TIMEOUT")
            assert gateway.server.in_flight() == 0


async def test_a_connection_that_is_reset_before_the_reply(simulator: Simulator) -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    listener = await asyncio.start_server(reset, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, gateway_for(simulator, settings_for(f"http://127.0.0.1:{port}/v1")) as gateway:
        failed = await _fails(gateway, "Chat")
        assert failed.reason == "PROVIDER_UNAVAILABLE"


LARGE = {
    "event": ("ChatStream", {"max_event_bytes": 1000}, "x" * 2000),
    "stream": ("ChatStream", {"max_response_bytes": 5000}, None),
    "body": ("Chat", {"max_response_bytes": 500}, None),
    "endless event": ("ChatStream", {"max_event_bytes": 1000}, "data: " + "x" * 50_000),
}


@pytest.mark.parametrize("name", LARGE)
async def test_an_answer_that_is_too_large_is_cut(open_gateway: Opener, name: str) -> None:
    rpc, caps, raw = LARGE[name]
    async with open_gateway(provider=caps) as gateway:
        if raw is not None:
            gateway.simulator.script(Script(raw=raw, content_type="text/event-stream", linger=60))
        else:
            gateway.simulator.script(Script(tokens=5000, linger=60))
        failed = await _fails(gateway, rpc)
        assert (failed.code, failed.reason) == ("RESOURCE_EXHAUSTED", "RESPONSE_TOO_LARGE")
        assert failed.info.metadata["limited_by"] == "gateway"
        assert failed.trailers["grpc-retry-pushback-ms"] == "-1"
        (received,) = gateway.simulator.received
        await wait_closed(received)
        assert received.outcome == "closed by client"
        assert (await gateway.lines.wait())["reason"] == "RESPONSE_TOO_LARGE"
        assert gateway.server.in_flight() == 0
