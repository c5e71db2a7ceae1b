"""A failed call raises the class of its reason, with all that the server said."""

from typing import Any

import grpc
import pytest
from grpc import aio
from python_client.conftest import InSync
from support.gateway import SECONDS, Gateway, gateway_for, settings_for

from tokenwire import AsyncClient, Client, TokenwireError, errors
from tokenwire.failure import failure
from tokenwire.v1.errors_pb2 import ErrorReason
from tokenwire_server.auth import hash_of
from tokenwire_server.call import Call
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.rpc.status import status_of
from tokenwire_server.settings import Auth
from tokenwire_server.simulator import Script, Simulator

TOKEN = "0f8a63c1d2b94e57a1c0d4e8b7f62935"
CASES: dict[str, tuple[Script, type[TokenwireError], str]] = {
    "rate limit": (Script(error="rate_limit", times=0), errors.RateLimited, "PROVIDER_RATE_LIMITED"),
    "quota": (Script(error="insufficient_quota", times=0), errors.QuotaExceeded, "INSUFFICIENT_QUOTA"),
    "overload": (Script(status=503, times=0), errors.ProviderUnavailable, "PROVIDER_OVERLOADED"),
    "window": (
        Script(error="context_length", times=0),
        errors.ContextLengthExceeded,
        "CONTEXT_LENGTH_EXCEEDED",
    ),
    "no model": (Script(status=404, times=0), errors.NotFound, "MODEL_NOT_FOUND"),
    "no JSON": (Script(raw="<html>", times=0), errors.ProviderBadResponse, "PROVIDER_BAD_RESPONSE"),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_failure_has_the_class_of_its_reason(
    client: AsyncClient, gateway: Gateway, in_sync: InSync, name: str
) -> None:
    script, kind, reason = CASES[name]
    gateway.simulator.set_default(script)
    with pytest.raises(kind) as caught:
        await client.chat("Hi")
    assert caught.value.reason == reason
    assert isinstance(caught.value.__cause__, aio.AioRpcError)

    def failing(client: Client) -> TokenwireError:
        with pytest.raises(kind) as caught:
            client.chat("Hi")
        assert isinstance(caught.value.__cause__, grpc.RpcError)
        with pytest.raises(kind), client.stream("Hi") as stream:
            stream.final()
        return caught.value

    assert (await in_sync(failing)).reason == reason


async def test_a_failure_has_all_that_the_server_said(client: AsyncClient, gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(error="rate_limit", headers={"retry-after": "7"}, times=0))
    with pytest.raises(errors.RateLimited) as caught:
        await client.chat("Hi")
    error = caught.value
    assert (error.code, error.provider, error.attempts) == ("RESOURCE_EXHAUSTED", "openai", 1)
    assert error.details.model == "gpt-4o-mini"
    assert error.details.attempted == "openai/gpt-4o-mini PROVIDER_RATE_LIMITED 429"
    assert error.retry_after == 7
    assert error.request_id == (await gateway.lines.wait())["request_id"]
    assert str(error).startswith("PROVIDER_RATE_LIMITED: ")


async def test_a_refused_field_is_named(client: AsyncClient) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.chat("Hi", temperature=9, top_p=-1)
    assert [violation.field for violation in caught.value.violations] == [
        "config.temperature",
        "config.top_p",
    ]
    with pytest.raises(errors.UnsupportedParameter) as unsupported:
        await client.chat("Hi", model="openai/gpt-5-mini", seed=1)
    assert unsupported.value.violations[0].field == "config.seed"


async def test_a_token_goes_with_every_call(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = Auth.model_validate({"mode": "token", "tokens": {"web": hash_of(TOKEN)}})
    settings = settings_for(simulator.url).model_copy(update={"auth": auth})
    async with gateway_for(simulator, settings) as gateway:
        async with AsyncClient(gateway.address, token=TOKEN) as client:
            assert (await client.chat("Hi")).text
            async with client.stream("Hi") as stream:
                assert (await stream.final()).text
        monkeypatch.setenv("TOKENWIRE_TOKEN", TOKEN)
        monkeypatch.setenv("TOKENWIRE_TARGET", gateway.address)
        async with AsyncClient() as client:
            assert (await client.chat("Hi")).text
        async with AsyncClient(token="") as client:
            with pytest.raises(errors.Unauthenticated):
                await client.chat("Hi")


async def test_a_deadline_is_one_however_it_passed(
    client: AsyncClient, gateway: Gateway, in_sync: InSync
) -> None:
    gateway.simulator.set_default(Script(hang=True, times=0))
    with pytest.raises(errors.DeadlineExceeded):
        await client.chat("Hi", timeout=0.2)

    def late(client: Client) -> None:
        with pytest.raises(errors.DeadlineExceeded), client.stream("Hi", timeout=0.2) as stream:
            stream.final()

    await in_sync(late)


async def test_nobody_there_is_unavailable() -> None:
    async with AsyncClient("127.0.0.1:1", timeout=SECONDS) as client:
        with pytest.raises(errors.Unavailable) as caught:
            await client.chat("Hi")
    assert not isinstance(caught.value, errors.ProviderUnavailable)
    assert (caught.value.reason, caught.value.code) == ("", "UNAVAILABLE")


class Failed(grpc.RpcError):
    """A failed call, as gRPC has it."""

    def __init__(self, code: grpc.StatusCode, trailers: Any = ()) -> None:
        super().__init__()
        self._code, self._trailers = code, trailers

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return None

    def trailing_metadata(self) -> Any:
        return self._trailers


@pytest.mark.parametrize("reason", TABLE, ids=ErrorReason.Name)
def test_each_reason_of_the_contract_has_a_class(reason: "ErrorReason.ValueType") -> None:
    """Its own, or its status's; InternalError is for faults alone."""
    status = status_of(GatewayError(reason=reason, text="Sorry."), Call("r-1", "Chat", arrived=0.0), ())
    error = failure(Failed(status.code, status.trailing_metadata))
    assert error.reason == ErrorReason.Name(reason)
    assert type(error) is not TokenwireError
    faults = ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert isinstance(error, errors.InternalError) == (error.reason in faults)


@pytest.mark.parametrize("packed", [b"\xff\xff", b"", "text", None])
def test_broken_details_leave_the_status(packed: Any) -> None:
    error = failure(Failed(grpc.StatusCode.NOT_FOUND, (("grpc-status-details-bin", packed),)))
    assert type(error) is errors.NotFound
    assert error.details == errors.Details(code="NOT_FOUND")
    assert type(failure(Failed(grpc.StatusCode.DATA_LOSS, None))) is errors.InternalError
