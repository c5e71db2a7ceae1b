from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI

from tokenwire_server.simulator import Simulator, serving


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with serving() as running:
        yield running


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-test", base_url=simulator.url, max_retries=0) as sdk:
        yield sdk
