"""A caller's own provider key: where it goes, where it never shows, and who may send one."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from support.ask import ask
from support.gateway import KEY, Gateway, gateway_for
from support.process import refused as refused_start
from support.status import Failure, collect, failure, trailers_of

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.settings import Settings, SettingsError, load
from tokenwire_server.simulator import Script, Simulator

OWN = "sk-callers-canary-4d1e"
WITH_KEY = (("x-tokenwire-provider-key", OWN),)
MISTRAL = "mistral/mistral-small-latest"
LOCAL = "local/gpt-4o-mini"


def settings(simulator: Simulator, *, provider_keys: bool) -> Settings:
    return Settings.model_validate(
        {
            "server": {"listen": ["127.0.0.1:0"]},
            "metrics": {"listen": "off"},
            "attempts": {"max_calls": 1},
            "auth": {"provider_keys": provider_keys},
            "defaults": {"model": "openai/gpt-4o-mini"},
            "providers": {
                "openai": {"kind": "openai", "api_key": KEY, "base_url": simulator.url},
                "mistral": {"kind": "mistral", "api_key": KEY, "base_url": simulator.mistral_url},
                "local": {
                    "kind": "openai_compatible",
                    "base_url": simulator.url,
                    "headers": {"Authorization": f"Bearer {KEY}"},
                },
            },
        }
    )


@pytest.fixture
async def keyed(simulator: Simulator) -> AsyncIterator[Gateway]:
    """A gateway that takes keys of callers."""
    async with gateway_for(simulator, settings(simulator, provider_keys=True)) as running:
        yield running


@pytest.fixture
async def closed(simulator: Simulator) -> AsyncIterator[Gateway]:
    """A gateway that does not."""
    async with gateway_for(simulator, settings(simulator, provider_keys=False)) as running:
        yield running


async def call(gateway: Gateway, *, stream: bool, model: str = "", key: bool = True) -> dict[str, Any]:
    """A call that succeeds; gives its trailers."""
    metadata = WITH_KEY if key else ()
    if stream:
        streamed = gateway.stub.ChatStream(ask("Hi", model=model), metadata=metadata)
        assert await collect(streamed)
        return trailers_of(await streamed.trailing_metadata())
    unary = gateway.stub.Chat(ask("Hi", model=model), metadata=metadata)
    assert (await unary).choices
    return trailers_of(await unary.trailing_metadata())


async def refusal(gateway: Gateway, *, stream: bool, model: str = "", key: bool = True) -> Failure:
    """A call that fails."""
    metadata = WITH_KEY if key else ()
    if stream:
        return await failure(collect(gateway.stub.ChatStream(ask("Hi", model=model), metadata=metadata)))
    return await failure(gateway.stub.Chat(ask("Hi", model=model), metadata=metadata))


def keys(gateway: Gateway) -> list[str]:
    """What came upstream as each request's credentials."""
    found = [received.headers["authorization"] for received in gateway.simulator.received]
    return [header.removeprefix("Bearer ") for header in found]


either = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
every_provider = pytest.mark.parametrize("model", ["", MISTRAL, LOCAL], ids=["openai", "mistral", "local"])


@either
async def test_where_keys_are_off_a_key_is_refused_and_nothing_is_sent(
    closed: Gateway, *, stream: bool
) -> None:
    refused = await refusal(closed, stream=stream)
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED")
    assert OWN not in refused.everything
    assert closed.simulator.received == []
    assert (await closed.lines.wait())["reason"] == "PERMISSION_DENIED"


async def test_where_keys_are_off_an_empty_one_is_none(closed: Gateway) -> None:
    assert (await closed.stub.Chat(ask("Hi"), metadata=(("x-tokenwire-provider-key", ""),))).choices
    assert keys(closed) == [KEY]


@either
@every_provider
async def test_the_key_is_the_only_credential_of_its_call_and_of_no_other(
    keyed: Gateway, model: str, *, stream: bool
) -> None:
    await call(keyed, stream=stream, model=model)
    await call(keyed, stream=stream, model=model, key=False)
    assert keys(keyed) == [OWN, KEY]
    first, second = keyed.simulator.received
    assert KEY not in f"{first.headers} {first.raw!r}"
    assert OWN not in f"{second.headers} {second.raw!r}"
    assert [name for name, value in first.headers.items() if OWN in value] == ["authorization"]
    assert OWN.encode() not in first.raw


async def test_the_key_goes_to_the_called_provider_only(keyed: Gateway) -> None:
    await call(keyed, stream=False, model=MISTRAL)
    for other in ("", LOCAL):
        await call(keyed, stream=False, model=other, key=False)
    paths = {received.path: received.headers["authorization"] for received in keyed.simulator.received}
    assert paths == {
        "/mistral/v1/chat/completions": f"Bearer {OWN}",
        "/v1/chat/completions": f"Bearer {KEY}",
    }


async def test_keys_of_calls_at_once_do_not_mix(keyed: Gateway) -> None:
    async def one(number: int) -> None:
        metadata = (("x-tokenwire-provider-key", f"{OWN}-{number}"),) if number % 2 else ()
        assert (await keyed.stub.Chat(ask(f"I am {number}."), metadata=metadata)).choices

    await asyncio.gather(*(one(number) for number in range(10)))
    sent = {received.headers["authorization"]: received.raw for received in keyed.simulator.received}
    for number in range(1, 10, 2):
        assert f"I am {number}.".encode() in sent[f"Bearer {OWN}-{number}"]
    assert keys(keyed).count(KEY) == 5


@either
@every_provider
async def test_a_key_that_the_provider_refuses_is_the_callers_to_mend(
    keyed: Gateway, model: str, *, stream: bool
) -> None:
    keyed.simulator.script(Script(error="invalid_api_key"))
    refused = await refusal(keyed, stream=stream, model=model)
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "PROVIDER_KEY_INVALID")
    assert refused.info.metadata["upstream_status"] == "401"
    assert OWN not in refused.everything
    await call(keyed, stream=stream, model=model, key=False)
    assert keys(keyed) == [OWN, KEY]


@either
async def test_a_key_of_the_gateway_that_is_refused_is_the_operators_to_mend(
    keyed: Gateway, *, stream: bool
) -> None:
    keyed.simulator.script(Script(error="invalid_api_key"))
    refused = await refusal(keyed, stream=stream, key=False)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "PROVIDER_CREDENTIALS_INVALID")
    assert KEY not in refused.everything


@pytest.mark.parametrize("error", ["", "invalid_api_key", "rate_limit", "server_error", "bad_request"])
@either
async def test_the_key_shows_nowhere(
    keyed: Gateway, error: str, caplog: pytest.LogCaptureFixture, *, stream: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    if error:
        keyed.simulator.script(Script(error=error))
        seen = (await refusal(keyed, stream=stream)).everything
    else:
        seen = str(await call(keyed, stream=stream))
    await keyed.lines.wait()
    assert keys(keyed) == [OWN]
    written = io.StringIO()
    print(seen, keyed.lines.all, caplog.text, generate_latest(keyed.metrics.registry), file=written)
    for secret in (OWN, KEY):
        assert secret not in written.getvalue()


async def test_a_request_that_is_refused_here_does_not_show_its_key(keyed: Gateway) -> None:
    wrong = ask("Hi", config=pb.GenerationConfig(temperature=9))
    refused = await failure(keyed.stub.Chat(wrong, metadata=WITH_KEY))
    assert OWN not in refused.everything
    await keyed.lines.wait()
    assert OWN not in str(keyed.lines.all)
    assert keyed.simulator.received == []


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", "10.0.0.1:50051"])
def test_a_server_that_other_machines_reach_does_not_start_with_keys_of_callers(
    tmp_path: Path, listen: str
) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_text(f'[server]\nlisten = ["{listen}"]\n[auth]\nmode = "none"\nprovider_keys = true\n')
    with pytest.raises(SettingsError, match="lets provider keys cross the network unencrypted"):
        load(None, {}, tmp_path, {})
    file.write_text(f'[server]\nlisten = ["{listen}"]\n[auth]\nmode = "none"\n')
    assert load(None, {}, tmp_path, {}).server.listen == (listen,)


async def test_serve_says_so_and_exits(tmp_path: Path) -> None:
    toml = '[server]\nlisten = ["0.0.0.0:50051"]\n[auth]\nmode = "none"\nprovider_keys = true\n'
    (tmp_path / "tokenwire.toml").write_text(toml)
    code, said = await refused_start(tmp_path, "serve")
    assert code == 2
    assert "auth.provider_keys (tokenwire.toml): lets provider keys cross the network" in said


@pytest.mark.parametrize("listen", ["127.0.0.1:50051", "[::1]:50051", "unix:/run/tokenwire.sock"])
def test_a_server_that_only_this_machine_reaches_does(tmp_path: Path, listen: str) -> None:
    toml = f'[server]\nlisten = ["{listen}"]\n[auth]\nprovider_keys = true\n'
    (tmp_path / "tokenwire.toml").write_text(toml)
    assert load(None, {}, tmp_path, {}).auth.provider_keys
