"""Clients of the gateway of each test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
from support.gateway import SECONDS, Gateway

from tokenwire import AsyncClient, Client

T = TypeVar("T")


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(gateway.address, timeout=SECONDS) as running:
        yield running


@pytest.fixture
def in_sync(gateway: Gateway) -> "InSync":
    return InSync(gateway.address)


class InSync:
    """Work with the synchronous client, in a thread: the gateway needs this one's event loop."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def __call__(self, work: Callable[[Client], T]) -> T:
        def run() -> T:
            with Client(self._address, timeout=SECONDS) as client:
                return work(client)

        return await asyncio.to_thread(run)
