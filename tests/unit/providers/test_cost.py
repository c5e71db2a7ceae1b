"""What an answer costs: exact where every price is known, absent where one is not."""

from datetime import date
from typing import Any

import pytest

from tokenwire.v1 import common_pb2
from tokenwire_server.catalog import Prices
from tokenwire_server.providers.cost import charge

PRICES = Prices(
    taken=date(2026, 1, 1), input_usd=2.5, cached_input_usd=1.25, output_usd=10, cache_write_input_usd=3
)


def cost(prices: Prices | None, tier: str = "", **usage: Any) -> int | None:
    """The cost that is filled in; None = it is left absent."""
    counted = common_pb2.Usage(**{"source": common_pb2.TOKEN_SOURCE_PROVIDER, **usage})
    charge(counted, prices, tier)
    return counted.cost_nano_usd if counted.HasField("cost_nano_usd") else None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, 0),
        ({"input_tokens": 1}, 2500),
        ({"output_tokens": 1}, 10_000),
        ({"input_tokens": 1_000_000, "output_tokens": 1_000_000}, 12_500_000_000),
        ({"input_tokens": 10, "cached_input_tokens": 4}, 6 * 2500 + 4 * 1250),
        ({"input_tokens": 10, "cached_input_tokens": 4, "cache_write_input_tokens": 5}, 2500 + 5000 + 15_000),
        # Reasoning is part of the output, and is paid once.
        ({"output_tokens": 10, "reasoning_tokens": 8}, 100_000),
        # Some servers count cached tokens beside those of the request.
        ({"input_tokens": 3, "cached_input_tokens": 4}, 4 * 1250),
        ({"input_tokens": 2, "source": common_pb2.TOKEN_SOURCE_ESTIMATED}, 5000),
    ],
)
def test_each_token_has_its_price(usage: Any, expected: int) -> None:
    assert cost(PRICES, **usage) == expected


@pytest.mark.parametrize("tier", ["", "default", "standard"])
def test_list_prices_hold_for_the_usual_tier(tier: str) -> None:
    assert cost(PRICES, tier, input_tokens=1) == 2500


@pytest.mark.parametrize("tier", ["flex", "priority", "batch", "something new"])
def test_other_tiers_have_prices_that_are_not_known(tier: str) -> None:
    assert cost(PRICES, tier, input_tokens=1) is None


@pytest.mark.parametrize(
    ("missing", "usage"),
    [
        ("input_usd", {"input_tokens": 1}),
        ("cached_input_usd", {"input_tokens": 1, "cached_input_tokens": 1}),
        ("cache_write_input_usd", {"input_tokens": 1, "cache_write_input_tokens": 1}),
        ("output_usd", {"output_tokens": 1}),
    ],
)
def test_a_price_that_is_missing_counts_only_when_it_is_needed(missing: str, usage: Any) -> None:
    prices = PRICES.model_copy(update={missing: None})
    assert cost(prices, **usage) is None
    assert cost(prices) == 0


def test_prices_of_short_requests_say_nothing_of_long_ones() -> None:
    prices = PRICES.model_copy(update={"up_to_input_tokens": 10})
    assert cost(prices, input_tokens=10) == 25_000
    assert cost(prices, input_tokens=11) is None


def test_free_is_not_unknown() -> None:
    free = Prices(taken=date(2026, 1, 1), input_usd=0, output_usd=0)
    assert cost(free, input_tokens=5, output_tokens=5) == 0
    assert cost(None, input_tokens=5, output_tokens=5) is None


def test_nothing_is_charged_where_nothing_was_counted() -> None:
    assert cost(PRICES, source=common_pb2.TOKEN_SOURCE_UNSPECIFIED) is None
