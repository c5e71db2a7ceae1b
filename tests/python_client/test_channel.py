"""Where a client calls: addresses, TLS, several servers, retries and their limits."""

import asyncio
from collections import Counter
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from python_client.standin import SERVICE, Certificates, Failure, Standin, certificates, serving
from support.gateway import SECONDS

from tokenwire import AsyncClient, Tls, errors
from tokenwire.channel import DEFAULT_TARGET, endpoint

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE

TARGETS = {
    "a:1": "a:1",
    "unix:/run/t.sock": "unix:/run/t.sock",
    "dns:///gateway:50051": "dns:///gateway:50051",
    "127.0.0.1:1,127.0.0.2:2": "ipv4:127.0.0.1:1,127.0.0.2:2",
    " 127.0.0.1:1 , 127.0.0.2:2 ": "ipv4:127.0.0.1:1,127.0.0.2:2",
    "[::1]:1,[::1]:2": "ipv6:[::1]:1,[::1]:2",
    "ipv4:127.0.0.1:1,127.0.0.1:2": "ipv4:127.0.0.1:1,127.0.0.1:2",
}
WRONG = {
    "a:1,b:2": "each is IP:port, not 'a:1'",
    "127.0.0.1:1,[::1]:2": "all IPv4 or all IPv6",
    "127.0.0.1:1,": "an empty address",
    "127.0.0.1,127.0.0.2": "each is IP:port",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_becomes_grpcs(target: str) -> None:
    assert endpoint(target, "", None, None).target == TARGETS[target]


@pytest.mark.parametrize("target", WRONG)
def test_a_wrong_target_is_refused_at_once(target: str) -> None:
    with pytest.raises(ValueError, match=WRONG[target]):
        AsyncClient(target)


def test_what_is_not_given_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKENWIRE_TARGET", raising=False)
    assert endpoint(None, None, None, None).target == DEFAULT_TARGET
    monkeypatch.setenv("TOKENWIRE_TARGET", "elsewhere:1")
    monkeypatch.setenv("TOKENWIRE_TOKEN", "secret")
    found = endpoint(None, None, None, None)
    assert (found.target, found.metadata) == ("elsewhere:1", (("authorization", "Bearer secret"),))
    given = endpoint("here:1", "", None, {"grpc.keepalive_time_ms": 60_000})
    assert (given.target, given.metadata) == ("here:1", ())
    assert dict(given.options)["grpc.keepalive_time_ms"] == 60_000


@pytest.mark.parametrize("token", ["a\nb", "ключ"])
def test_a_token_that_cannot_be_sent_is_refused_at_once(token: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        AsyncClient(token=token)


def test_grpc_knows_each_option_that_it_is_given() -> None:
    """It ignores those that it does not know, without a word."""
    (library,) = (Path(grpc.__file__).parent / "_cython").glob("cygrpc*.so")
    binary = library.read_bytes()
    options = [name for name, _ in endpoint("a:1", "", Tls(server_name="b"), None).options]
    assert [name for name in options if name.encode() + b"\0" not in binary] == []


async def test_a_unix_socket_is_a_target(tmp_path: Path) -> None:
    async with serving(Standin("here"), f"unix:{tmp_path}/s") as address, AsyncClient(address) as client:
        assert (await client.chat("Hi", timeout=SECONDS)).text == "here"


async def test_several_servers_take_turns() -> None:
    first, second = Standin("first"), Standin("second")
    async with (
        serving(first) as one,
        serving(second) as two,
        AsyncClient(f"{one},{two}", timeout=SECONDS) as client,
    ):
        while not (first.calls and second.calls):  # both are connected
            await client.chat("Hi")
        answers = Counter([(await client.chat("Hi")).text for _ in range(10)])
        assert answers == {"first": 5, "second": 5}
        await second.health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        while (await client.chat("Hi")).text == "second" or (await client.chat("Hi")).text == "second":
            pass
        assert {(await client.chat("Hi")).text for _ in range(10)} == {"first"}


RETRIES: dict[str, tuple[list[Failure], int, bool]] = {
    "none": ([], 1, True),
    "a server that stops": ([Failure(UNAVAILABLE)] * 3, 4, True),
    "too often": ([Failure(UNAVAILABLE)] * 4, 4, False),
    "the server says no": ([Failure(UNAVAILABLE, -1)], 1, False),
    "the server says when": ([Failure(UNAVAILABLE, 400)], 2, True),
    "another status": ([Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, 0)], 1, False),
}


@pytest.mark.parametrize("name", RETRIES)
async def test_what_is_tried_again(name: str) -> None:
    failures, calls, succeeds = RETRIES[name]
    standin = Standin(failures=list(failures))
    async with serving(standin) as address, AsyncClient(address, timeout=SECONDS) as client:
        if succeeds:
            await client.chat("Hi")
        else:
            with pytest.raises((errors.Unavailable, errors.ResourceExhausted)):
                await client.chat("Hi")
    assert len(standin.calls) == calls
    if name == "the server says when":
        assert standin.calls[1] - standin.calls[0] > 0.35


async def test_after_a_run_of_failures_nothing_is_tried_again() -> None:
    standin = Standin(failures=[Failure(UNAVAILABLE)] * 1000)
    async with serving(standin) as address, AsyncClient(address, timeout=SECONDS) as client:
        results = await asyncio.gather(*(client.chat("Hi") for _ in range(60)), return_exceptions=True)
        assert {type(result) for result in results} == {errors.Unavailable}
        before = len(standin.calls)
        with pytest.raises(errors.Unavailable):
            await client.chat("Hi")
        assert len(standin.calls) == before + 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


async def test_tls_trusts_who_it_is_told_to(made: Certificates) -> None:
    async with serving(Standin("secret"), credentials=made.for_server(callers=False)) as address:
        tls = Tls(ca=made.ca, server_name="gateway.test")
        async with AsyncClient(address, tls=tls, token="t", timeout=SECONDS) as client:
            assert (await client.chat("Hi")).text == "secret"
        for other in (Tls(ca=made.ca, server_name="other.test"), Tls(server_name="gateway.test")):
            async with AsyncClient(address, tls=other, timeout=SECONDS) as client:
                with pytest.raises(errors.Unavailable):
                    await client.chat("Hi")


async def test_mtls_shows_who_calls(made: Certificates) -> None:
    standin = Standin()
    async with serving(standin, credentials=made.for_server(callers=True)) as address:
        tls = Tls(made.ca, made.certificate("caller"), made.key("caller").read_bytes(), "gateway.test")
        async with AsyncClient(address, tls=tls, timeout=SECONDS) as client:
            await client.chat("Hi")
        async with AsyncClient(
            address, tls=Tls(made.ca, server_name="gateway.test"), timeout=SECONDS
        ) as client:
            with pytest.raises(errors.Unavailable):
                await client.chat("Hi")
    assert standin.identities == ["caller"]
    with pytest.raises(ValueError, match="come together"):
        AsyncClient("a:1", tls=Tls(certificate=b"x"))
    with pytest.raises(FileNotFoundError):
        AsyncClient("a:1", tls=Tls(ca=made.place / "none.pem"))
