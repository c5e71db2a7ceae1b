"""Health and grpc.health.v1: what they say after calls went well or wrong. Neither asks a provider."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from time import time
from typing import Any

import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.ask import ask
from support.gateway import KEY, SECONDS, Gateway, gateway_for, settings_for
from support.status import collect, failure
from support.timers import Timers

from tokenwire.v1 import health_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.auth import hash_of
from tokenwire_server.fingerprint import fingerprint
from tokenwire_server.rpc.caller import caller
from tokenwire_server.settings import Auth, Settings
from tokenwire_server.simulator import Script, Simulator

pytestmark = pytest.mark.usefixtures("timers")

SERVICES = ("", "tokenwire.v1.LLMService")
STATUS = health_pb2.HealthCheckResponse
TOKEN = "tw_canary-0123456789abcdef"
MISTRAL = "mistral/mistral-small-latest"

Opener = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers.instead(monkeypatch)


@pytest.fixture
async def gateway(simulator: Simulator) -> AsyncIterator[Gateway]:
    """One provider; evidence grows old when the test says so."""
    async with gateway_for(simulator, settings_for(simulator.url)) as running:
        yield running


def with_auth(settings: Settings, **table: object) -> Settings:
    return settings.model_copy(update={"auth": Auth.model_validate(table)})


def two_providers(simulator: Simulator) -> Settings:
    return Settings.model_validate(
        {
            "server": {"listen": ["127.0.0.1:0"]},
            "metrics": {"listen": "off"},
            "providers": {
                "openai": {"kind": "openai", "api_key": KEY, "base_url": simulator.url},
                "mistral": {"kind": "mistral", "api_key": KEY, "base_url": simulator.mistral_url},
            },
        }
    )


async def report(gateway: Gateway, **metadata: str) -> pb.HealthResponse:
    pairs = tuple(metadata.items())
    return await gateway.stub.Health(pb.HealthRequest(), metadata=pairs, timeout=SECONDS)


async def status(gateway: Gateway) -> str:
    return pb.HealthStatus.Name((await report(gateway)).status).removeprefix("HEALTH_STATUS_")


async def state(gateway: Gateway, name: str = "openai") -> tuple[str, str]:
    """The provider's state, and why a call of it failed last."""
    (row,) = (row for row in (await report(gateway)).providers if row.name == name)
    found = pb.ProviderState.Name(row.state).removeprefix("PROVIDER_STATE_")
    return found, Reason.Name(row.last_error_reason)


async def fails(gateway: Gateway, error: str, times: int = 1, model: str = "") -> None:
    """Calls that the provider answers so, until all that follows from them is known."""
    before = len(gateway.lines.access)
    gateway.simulator.script(Script(error=error, times=times))
    for _ in range(times):
        await failure(gateway.stub.Chat(ask(model=model or "openai/gpt-4o-mini"), timeout=SECONDS))
    await gateway.lines.wait(before + times)


@asynccontextmanager
async def watching(gateway: Gateway, service: str = "") -> AsyncIterator[Callable[[], Any]]:
    """Opens a watch, and gives what waits for its next status."""
    stub: Any = health_pb2_grpc.HealthStub(gateway.channel)  # its methods have no types
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=3 * SECONDS)
    events = aiter(watch)

    async def following() -> str:
        reply = await asyncio.wait_for(anext(events), SECONDS)
        return STATUS.ServingStatus.Name(reply.status)

    yield following
    watch.cancel()


async def test_a_provider_that_nobody_used_is_unknown(gateway: Gateway) -> None:
    found = await report(gateway)
    assert found.status == pb.HEALTH_STATUS_SERVING
    mistral, openai = found.providers
    assert openai == pb.ProviderHealth(name="openai", kind="openai", configured=True)
    assert mistral == pb.ProviderHealth(name="mistral", kind="mistral")


@pytest.mark.parametrize("rpc", ["Chat", "ChatStream"])
async def test_after_a_good_call_it_is_ok(gateway: Gateway, rpc: str) -> None:
    began = time()
    call = getattr(gateway.stub, rpc)(ask(), timeout=SECONDS)
    await (collect(call) if rpc == "ChatStream" else call)
    await gateway.lines.wait()
    assert await state(gateway) == ("OK", "ERROR_REASON_UNSPECIFIED")
    check_time = (await report(gateway)).providers[1].check_time
    assert began <= check_time.ToNanoseconds() / 1e9 <= time()


async def test_it_says_what_runs_here(simulator: Simulator) -> None:
    settings = settings_for(simulator.url)
    async with gateway_for(simulator, settings) as gateway:
        found = await report(gateway)
        assert (found.service, found.version) == ("tokenwire", version("tokenwire"))
        assert found.config_hash == fingerprint(settings)
        later = await report(gateway)
        assert 0 < found.uptime.ToNanoseconds() < later.uptime.ToNanoseconds()
        async with caller(gateway.address, SECONDS) as client:
            assert (await client.health_report()).config_hash == found.config_hash


async def test_no_provider_is_asked(gateway: Gateway) -> None:
    await report(gateway)
    async with watching(gateway) as following:
        assert await following() == "SERVING"
    await gateway.caught_up()
    assert not gateway.simulator.received
    assert gateway.outcomes() == {("Health", "OK", ""): 1}


async def test_it_answers_while_every_provider_hangs(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(hang=True))
    calls = [gateway.stub.Chat(ask(), timeout=3 * SECONDS) for _ in range(50)]
    await gateway.simulator.wait_received(50)
    assert await status(gateway) == "SERVING"
    for call in calls:
        call.cancel()


# One provider


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("error", "times", "seen"),
    [
        ("invalid_api_key", 1, ("CREDENTIALS_INVALID", "PROVIDER_CREDENTIALS_INVALID")),
    ],
)
async def test_watchers_hear_that_it_cannot_be_used_and_that_it_can_again(
    gateway: Gateway, service: str, error: str, times: int, seen: tuple[str, str]
) -> None:
    async with watching(gateway, service) as following, watching(gateway, service) as other:
        assert await following() == await other() == "SERVING"
        await fails(gateway, error, times)
        assert await following() == await other() == "NOT_SERVING"
        assert await state(gateway) == seen
        assert await status(gateway) == "NOT_SERVING"
        await gateway.works()
        assert await following() == await other() == "SERVING"
        assert await state(gateway) == ("OK", seen[1])
        assert await status(gateway) == "SERVING"


@pytest.mark.parametrize(
    ("error", "reason"),
    [("server_error", "PROVIDER_UNAVAILABLE"), ("insufficient_quota", "INSUFFICIENT_QUOTA")],
)
async def test_an_outage_degrades_and_goes_on_serving(gateway: Gateway, error: str, reason: str) -> None:
    async with watching(gateway) as following:
        assert await following() == "SERVING"
        await fails(gateway, error, 3)
        assert (await status(gateway), await state(gateway)) == ("DEGRADED", ("FAILING", reason))
        await fails(gateway, "invalid_api_key")
        assert await following() == "NOT_SERVING", "it heard of DEGRADED"


async def test_one_failure_is_no_outage_and_is_shown(gateway: Gateway) -> None:
    await gateway.works()
    await fails(gateway, "server_error", 2)
    assert await state(gateway) == ("OK", "PROVIDER_UNAVAILABLE")
    assert await status(gateway) == "SERVING"


async def test_what_the_caller_did_wrong_is_no_fault_of_the_provider(gateway: Gateway) -> None:
    await fails(gateway, "model_not_found", 3)
    await fails(gateway, "rate_limit", 3)
    assert await state(gateway) == ("OK", "PROVIDER_RATE_LIMITED")


async def test_it_is_given_another_chance(gateway: Gateway, timers: Timers) -> None:
    """A mesh sends no calls to a server that does not serve, so no call would show that it can again."""
    async with watching(gateway) as following:
        assert await following() == "SERVING"
        await fails(gateway, "invalid_api_key")
        assert await following() == "NOT_SERVING"
        timers.run_out()
        assert await following() == "SERVING"
        assert await status(gateway) == "SERVING"
        assert (await state(gateway))[0] == "CREDENTIALS_INVALID"
        await fails(gateway, "invalid_api_key")
        assert await following() == "NOT_SERVING"


async def test_a_callers_own_key_does_not_count(simulator: Simulator) -> None:
    settings = with_auth(settings_for(simulator.url), provider_keys=True)
    own = (("x-tokenwire-provider-key", "sk-own"),)
    async with gateway_for(simulator, settings) as gateway:
        simulator.script(Script(error="invalid_api_key"))
        refused = await failure(gateway.stub.Chat(ask(), metadata=own, timeout=SECONDS))
        assert refused.reason == "PROVIDER_KEY_INVALID"
        await gateway.lines.wait()
        assert await state(gateway) == ("UNSPECIFIED", "ERROR_REASON_UNSPECIFIED")
        await fails(gateway, "invalid_api_key")
        await gateway.stub.Chat(ask(), metadata=own, timeout=SECONDS)
        assert (await state(gateway))[0] == "CREDENTIALS_INVALID"


async def test_one_bad_key_of_two_is_no_bad_provider(simulator: Simulator) -> None:
    """It is shown, and the server serves as long as the other one is taken."""
    settings = settings_for(simulator.url, provider={"extra_api_keys": [f"{KEY}-2"]})
    seen = "PROVIDER_CREDENTIALS_INVALID"
    async with gateway_for(simulator, settings) as gateway, watching(gateway) as following:
        assert await following() == "SERVING"
        await fails(gateway, "invalid_api_key")
        assert (await status(gateway), await state(gateway)) == ("SERVING", ("UNSPECIFIED", seen))
        await gateway.stub.Chat(ask(), timeout=SECONDS)
        assert await state(gateway) == ("OK", seen)
        await fails(gateway, "invalid_api_key", 2)
        assert await following() == "NOT_SERVING"
        assert await state(gateway) == ("CREDENTIALS_INVALID", seen)
        await gateway.works()
        assert await following() == "SERVING"


# Two providers


async def test_one_of_two_degrades_and_probes_see_no_difference(simulator: Simulator, timers: Timers) -> None:
    async with gateway_for(simulator, two_providers(simulator)) as gateway, watching(gateway) as following:
        assert await following() == "SERVING"
        await fails(gateway, "invalid_api_key")
        assert await status(gateway) == "DEGRADED"
        assert await state(gateway, "mistral") == ("UNSPECIFIED", "ERROR_REASON_UNSPECIFIED")
        await fails(gateway, "invalid_api_key", model=MISTRAL)
        assert await status(gateway) == "NOT_SERVING"
        assert await following() == "NOT_SERVING", "it heard of DEGRADED"
        timers.run_out()
        assert await following() == "SERVING"


async def test_a_server_that_stops_never_serves_again(simulator: Simulator, timers: Timers) -> None:
    async with gateway_for(simulator, two_providers(simulator)) as gateway, watching(gateway) as following:
        assert await following() == "SERVING"
        await fails(gateway, "invalid_api_key")
        simulator.script(Script(hang=True))
        hanging = gateway.stub.Chat(ask(), timeout=3 * SECONDS)
        await simulator.wait_received(2)
        stopping = asyncio.ensure_future(gateway.server.stop())
        assert await following() == "NOT_SERVING"
        timers.run_out()
        hanging.cancel()
        with pytest.raises(aio.AioRpcError) as ended:
            await following()
        assert ended.value.details() == "The server is stopping."
        await asyncio.wait_for(stopping, SECONDS)


# Who is told what

SIGHT: Mapping[str, tuple[str, Mapping[str, str], bool]] = {
    "nobody is asked": ("none", {}, True),
    "a token where nobody is asked": ("none", {"authorization": "Bearer x"}, True),
    "a token": ("token", {"authorization": f"Bearer {TOKEN}"}, True),
    "no token": ("token", {}, False),
}


@pytest.mark.parametrize("name", SIGHT)
async def test_who_is_told_what(simulator: Simulator, name: str) -> None:
    mode, metadata, everything = SIGHT[name]
    tokens = {"tokens": {"web": hash_of(TOKEN)}} if mode == "token" else {}
    async with gateway_for(simulator, with_auth(settings_for(simulator.url), mode=mode, **tokens)) as gateway:
        found = await report(gateway, **metadata)
        if everything:
            assert found.config_hash
            assert [row.name for row in found.providers] == ["mistral", "openai"]
        else:
            assert found == pb.HealthResponse(status=pb.HEALTH_STATUS_SERVING)
        line = await gateway.lines.wait()
        assert line["caller"] == ("web" if metadata and mode == "token" else "")


@pytest.mark.parametrize("value", ["Bearer tw_wrong", "Bearer ", "", "Basic x", TOKEN])
async def test_a_wrong_token_is_refused(simulator: Simulator, value: str) -> None:
    settings = with_auth(settings_for(simulator.url), mode="token", tokens={"web": hash_of(TOKEN)})
    async with gateway_for(simulator, settings) as gateway:
        refused = await failure(report(gateway, authorization=value))
        assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED")
