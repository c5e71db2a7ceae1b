"""What tests of the running server share."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from support.gateway import Gateway, gateway_for, settings_for

from tokenwire_server.simulator import Simulator, serving

Opener = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with serving() as running:
        yield running


@pytest.fixture
async def gateway(simulator: Simulator) -> AsyncIterator[Gateway]:
    async with gateway_for(simulator, settings_for(simulator.url)) as running:
        yield running


@pytest.fixture
def open_gateway(simulator: Simulator) -> Opener:
    """Opens a gateway with other settings: `async with open_gateway(timeouts={"idle": 0.2}) as gateway`."""

    def opened(**tables: Any) -> AbstractAsyncContextManager[Gateway]:
        return gateway_for(simulator, settings_for(simulator.url, **tables))

    return opened
