"""What tests of the running server share."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any

import pytest
from support.gateway import Gateway, gateway_for, settings_for

from tokenwire_server.providers import ended
from tokenwire_server.simulator import Simulator, serving

Opener = Callable[..., AbstractAsyncContextManager[Gateway]]


def pytest_configure(config: pytest.Config) -> None:
    """bpe-openai reads its files in a way that Python 3.11 and 3.12 deprecate, and 3.13 has again."""
    config.addinivalue_line(
        "filterwarnings", "ignore:open_binary is deprecated:DeprecationWarning:bpe_openai"
    )


@pytest.fixture(autouse=True)
def early_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model that the catalog knows has ended yet: what answers warn of must not change with the days."""
    monkeypatch.setattr(ended, "today", lambda: date(2023, 1, 1))


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
