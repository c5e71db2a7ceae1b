"""A client's life: closing, event loops, and servers that go away and come back."""

import asyncio
import threading

import pytest
from python_client.conftest import InSync
from python_client.standin import Standin, serving
from support.gateway import SECONDS, Gateway

from tokenwire import AsyncClient, Client, TokenwireError, errors
from tokenwire_server.simulator import Script


async def test_a_closed_client_says_so(gateway: Gateway) -> None:
    client = AsyncClient(gateway.address)
    await client.chat("Hi")
    await client.close()
    await client.close()
    with pytest.raises(errors.ClientClosed):
        await client.chat("Hi")
    with pytest.raises(errors.ClientClosed):
        async with client.stream("Hi"):
            pass
    never_used = AsyncClient(gateway.address)
    await never_used.close()
    with pytest.raises(errors.ClientClosed):
        await never_used.chat("Hi")


async def test_a_closed_sync_client_says_so(in_sync: InSync) -> None:
    def closed(client: Client) -> None:
        client.close()
        client.close()
        with pytest.raises(errors.ClientClosed):
            client.chat("Hi")
        with pytest.raises(errors.ClientClosed), client.stream("Hi"):
            pass

    await in_sync(closed)


async def test_closing_ends_what_is_in_flight(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(hang=True, times=0))
    client = AsyncClient(gateway.address)

    async def read() -> None:
        async with client.stream("Hi") as stream:
            await stream.final()

    calls = [asyncio.ensure_future(work) for work in (client.chat("Hi"), read())]
    await gateway.simulator.wait_received(2)
    await client.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [errors.ClientClosed] * 2


async def test_closing_from_another_thread_ends_what_is_in_flight(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(hang=True, times=0))
    client = Client(gateway.address)

    def chat() -> TokenwireError:
        with pytest.raises(TokenwireError) as caught:
            client.chat("Hi")
        return caught.value

    waiting = asyncio.ensure_future(asyncio.to_thread(chat))
    await gateway.simulator.wait_received()
    client.close()
    assert type(await waiting) is errors.ClientClosed


async def test_a_second_event_loop_is_refused(client: AsyncClient) -> None:
    assert (await client.chat("Hi")).text

    def elsewhere() -> None:
        async def use() -> None:
            with pytest.raises(errors.WrongEventLoop):
                await client.chat("Hi")
            with pytest.raises(errors.WrongEventLoop):
                async with client.stream("Hi"):
                    pass
            with pytest.raises(errors.WrongEventLoop):
                await client.close()

        asyncio.run(use())

    await asyncio.to_thread(elsewhere)
    assert (await client.chat("Hi")).text


async def test_a_client_may_be_made_before_any_loop_runs(gateway: Gateway) -> None:
    client = await asyncio.to_thread(AsyncClient, gateway.address)
    async with client:
        assert (await client.chat("Hi", timeout=SECONDS)).text


async def test_the_sync_client_works_where_a_loop_runs(gateway: Gateway) -> None:
    """It needs none, and minds none: as in a notebook."""

    def notebook() -> str:
        async def cell() -> str:
            with Client(gateway.address, timeout=SECONDS) as client:
                return client.chat("Hi").text

        return asyncio.run(cell())

    assert await asyncio.to_thread(notebook)


async def test_several_threads_share_a_sync_client(gateway: Gateway) -> None:
    with Client(gateway.address, timeout=SECONDS) as client:
        answers = await asyncio.gather(*(asyncio.to_thread(client.chat, "Hi") for _ in range(20)))
    assert len({answer.text for answer in answers}) == 1


async def test_a_server_may_go_away_and_come_back() -> None:
    client = AsyncClient("127.0.0.1:1")
    async with serving(Standin("before")) as address:
        client = AsyncClient(address, timeout=SECONDS)
        assert (await client.chat("Hi")).text == "before"
    with pytest.raises(errors.Unavailable):
        await client.chat("Hi")
    async with serving(Standin("after"), address):
        async with asyncio.timeout(2 * SECONDS):
            assert await _back(client) == "after"
    await client.close()


async def _back(client: AsyncClient) -> str:
    """The first answer of a server that is back: while gRPC waits to connect again, calls fail at once."""
    while True:
        try:
            return (await client.chat("Hi")).text
        except errors.Unavailable:
            continue


async def test_an_async_client_leaves_no_thread(gateway: Gateway) -> None:
    async def used() -> None:
        async with AsyncClient(gateway.address, timeout=SECONDS) as client:
            await client.chat("Hi")

    await used()
    before = threading.active_count()
    for _ in range(10):
        await used()
    assert threading.active_count() <= before
