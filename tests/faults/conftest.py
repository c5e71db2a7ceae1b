"""The server runs on uvloop, as it does in production."""

from asyncio import AbstractEventLoop, SelectorEventLoop
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Where processes start beside an open channel, asyncio: uvloop forks, which grpc does not survive."""
    if item.path.stem in ("test_rolling", "test_workers"):
        return {"asyncio": SelectorEventLoop}
    return {"uvloop": uvloop.new_event_loop}
