"""Names, addresses and TLS."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from aiohappyeyeballs import AddrInfoType
from faults.matrix import certificates
from support.raw_http import CHUNKED, END, FIVE, PATIENCE, sends, serving

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.http1 import connect
from tokenwire_server.providers.http1.request import Origin, request

WHOLE = FIVE + END


async def body_of(client: HttpClient, url: str, connect_seconds: float = PATIENCE) -> bytes:
    async with client.send(request("POST", url, {}), b"{}", connect_seconds) as reply:
        return await reply.body(1000)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    running = HttpClient()
    yield running
    await running.close()


async def test_a_certificate_that_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    served = certificates.good()
    monkeypatch.setattr(connect, "tls_context", lambda: served.client)
    client = HttpClient()
    async with serving(sends(WHOLE), served.server) as server:
        for _ in range(3):
            assert await body_of(client, server.url) == b"hello"
        assert [connection.requests for connection in server.connections] == [3]
        await client.close()


async def test_large_bodies_over_tls_in_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    served = certificates.good()
    monkeypatch.setattr(connect, "tls_context", lambda: served.client)
    client = HttpClient()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    async with serving(sends(CHUNKED, chunk * 64, END), served.server) as server:
        async with client.send(request("POST", server.url, {}), b"x" * (8 << 20), PATIENCE) as reply:
            first = await reply.read() or b""
            await asyncio.sleep(0.02)  # what is not read fills all buffers
            rest = await reply.body(64 * 0x10000)
        assert len(first + rest) == 64 * 0x10000
        assert client.pool.idle == 1
        await client.close()


@pytest.mark.parametrize(
    "make",
    [certificates.expired, certificates.other_name, certificates.untrusted],
    ids=lambda make: make.__name__,
)
async def test_a_certificate_that_is_not(
    make: Callable[[], certificates.Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = make()
    monkeypatch.setattr(connect, "tls_context", lambda: served.client)
    client = HttpClient()
    async with serving(sends(WHOLE), served.server) as server:
        with pytest.raises(GatewayError) as raised:
            await body_of(client, server.url)
        assert (raised.value.reason, raised.value.spent) == (Reason.PROVIDER_UNAVAILABLE, True)
        assert not any(connection.requests for connection in server.connections)
        await client.close()


async def test_certificates_are_verified_by_default() -> None:
    context = connect.tls_context()
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


async def test_a_handshake_that_stalls_is_a_connect_timeout(client: HttpClient) -> None:
    async with serving(sends(b"")) as server:
        with pytest.raises(GatewayError) as raised:
            await body_of(client, server.url.replace("http:", "https:"), 0.05)
        assert raised.value.reason == Reason.CONNECT_TIMEOUT
        await server.connections[0].closed.wait()


def addresses(*hosts: str, port: int) -> list[AddrInfoType]:
    return [socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0] for host in hosts]


async def test_an_address_where_nobody_listens_is_passed_over(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(origin: Origin) -> list[AddrInfoType]:
        return addresses("127.0.0.2", "127.0.0.1", port=origin.port)

    monkeypatch.setattr(connect, "_look_up", look_up)
    async with serving(sends(WHOLE)) as server:
        assert await body_of(client, server.url.replace("127.0.0.1", "provider.invalid")) == b"hello"


async def test_a_name_is_looked_up_once_for_all_who_wait_even_if_the_first_leaves(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Origin] = []
    answered = asyncio.Event()

    async def look_up(origin: Origin) -> list[AddrInfoType]:
        asked.append(origin)
        await answered.wait()
        return addresses("127.0.0.1", port=origin.port)

    monkeypatch.setattr(connect, "_look_up", look_up)
    async with serving(sends(WHOLE)) as server:
        url = server.url.replace("127.0.0.1", "provider.invalid")
        first, *others = [asyncio.create_task(body_of(client, url)) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        answered.set()
        assert await asyncio.gather(*others) == [b"hello"] * 4
        assert len(asked) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_name_and_an_address(client: HttpClient, host: str) -> None:
    async with serving(sends(WHOLE)) as server:
        assert await body_of(client, server.url.replace("127.0.0.1", host)) == b"hello"


async def test_a_name_that_is_none_is_unavailable(client: HttpClient) -> None:
    with pytest.raises(GatewayError) as raised:
        await body_of(client, f"http://{'a' * 64}.invalid/v1")
    assert raised.value.reason == Reason.PROVIDER_UNAVAILABLE


async def test_closing_gives_up_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(_: Origin) -> list[AddrInfoType]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(connect, "_look_up", look_up)
    client = HttpClient()
    with pytest.raises(GatewayError):
        await body_of(client, "http://provider.invalid", 0.02)
    before = asyncio.all_tasks()
    await client.close()
    assert len(before - asyncio.all_tasks()) == 1
