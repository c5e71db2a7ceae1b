"""What Health says of a provider that breaks, and that callers who leave say nothing of it."""

import socket

import pytest
from conftest import Opener
from support.ask import ask
from support.gateway import SECONDS, Gateway
from support.status import collect, failure

from tokenwire.v1 import health_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.simulator import Script


async def health(gateway: Gateway) -> tuple[str, str, str]:
    """The server's status, the provider's state, and why a call of it failed last."""
    found = await gateway.stub.Health(pb.HealthRequest(), timeout=SECONDS)
    (row,) = (row for row in found.providers if row.configured)
    return (
        pb.HealthStatus.Name(found.status).removeprefix("HEALTH_STATUS_"),
        pb.ProviderState.Name(row.state).removeprefix("PROVIDER_STATE_"),
        Reason.Name(row.last_error_reason),
    )


async def test_a_provider_that_is_not_there_fails(open_gateway: Opener) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        async with open_gateway(provider={"base_url": url}) as gateway:
            for number in (1, 2, 3):
                assert (await health(gateway))[0] == "SERVING"
                await failure(gateway.stub.Chat(ask(), timeout=SECONDS))
                await gateway.lines.wait(2 * number)
            assert await health(gateway) == ("DEGRADED", "FAILING", "PROVIDER_UNAVAILABLE")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script(times=3, cut_at_byte=300), "STREAM_TRUNCATED"),
        (Script(times=3, bad_json_event=True), "PROVIDER_BAD_RESPONSE"),
        (Script(times=3, after=1, comments=0.1), "STREAM_IDLE_TIMEOUT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_streams_that_break_are_an_outage(open_gateway: Opener, script: Script, reason: str) -> None:
    async with open_gateway(timeouts={"idle": 0.3}) as gateway:
        gateway.simulator.script(script)
        for _ in range(3):
            assert (await failure(collect(gateway.stub.ChatStream(ask(), timeout=SECONDS)))).reason == reason
        await gateway.lines.wait(3)
        assert await health(gateway) == ("DEGRADED", "FAILING", reason)
        await gateway.works()
        assert await health(gateway) == ("SERVING", "OK", reason)


async def test_callers_who_leave_or_are_in_a_hurry_tell_nothing(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(hang=True))
    for number in (1, 2, 3):
        leaving = gateway.stub.Chat(ask(), timeout=SECONDS)
        await gateway.simulator.wait_received(2 * number - 1)
        leaving.cancel()
        hurried = await failure(gateway.stub.Chat(ask(), timeout=0.5))
        assert hurried.code == "DEADLINE_EXCEEDED"
        await gateway.simulator.wait_received(2 * number)
    await gateway.lines.wait(6)
    assert {line["reason"] for line in gateway.lines.access} == {"CANCELLED", "DEADLINE_EXCEEDED"}
    assert await health(gateway) == ("SERVING", "UNSPECIFIED", "ERROR_REASON_UNSPECIFIED")


async def test_a_provider_that_is_left_alone_is_called_so(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(error="server_error"))
    for _ in range(5):
        await failure(gateway.stub.Chat(ask(), timeout=SECONDS))
    refused = await failure(gateway.stub.Chat(ask(), timeout=SECONDS))
    assert (refused.code, refused.reason) == ("UNAVAILABLE", "CIRCUIT_OPEN")
    assert "grpc-retry-pushback-ms" not in refused.trailers  # another replica may be better off
    assert refused.retry_after is not None
    assert 0 < refused.retry_after <= 1, "when the next probe may be made"
    assert len(gateway.simulator.received) == 5
    await gateway.lines.wait(6)
    assert await health(gateway) == ("DEGRADED", "CIRCUIT_OPEN", "PROVIDER_UNAVAILABLE")


async def test_a_breaker_that_opens_within_a_call_does_not_hide_its_failure(open_gateway: Opener) -> None:
    """It opens with the fifth failure, which is the second one of the second call."""
    async with open_gateway(attempts={"max_calls": 3}) as gateway:
        gateway.simulator.set_default(Script(error="overloaded"))
        for attempts in (3, 2):
            refused = await failure(gateway.stub.Chat(ask(), timeout=SECONDS))
            assert refused.reason == "PROVIDER_OVERLOADED"
            assert refused.info.metadata["attempts"] == str(attempts)
            assert refused.trailers["grpc-retry-pushback-ms"] == "-1"
