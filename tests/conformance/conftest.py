"""What the suite shares. Run alone or whole, each module has one simulator, and each test finds it empty."""

from collections.abc import AsyncIterator

import pytest_asyncio
from conformance.lab import Lab

from tokenwire_server.providers.http import HttpClient
from tokenwire_server.simulator import serving


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared_lab() -> AsyncIterator[Lab]:
    async with serving() as simulator:
        http = HttpClient()
        try:
            yield Lab(simulator, http)
        finally:
            await http.close()


@pytest_asyncio.fixture(loop_scope="module")
async def lab(shared_lab: Lab) -> Lab:
    shared_lab.simulator.clear()
    return shared_lab
