"""What an answer costs: its usage by the list prices of the catalog."""

from typing import Final

from tokenwire.v1 import common_pb2
from tokenwire_server.catalog import Prices

_LIST_PRICED: Final = frozenset({"", "default", "standard"})
"""Service tiers at list price; others are cheaper or dearer."""

_NANO_USD: Final = 1000
"""One US dollar for a million tokens is so many billionths of a dollar for each."""


def charge(usage: common_pb2.Usage, prices: Prices | None, service_tier: str = "") -> None:
    """Fills `usage.cost_nano_usd`; leaves it absent where a price that it needs is not known."""
    if prices is None or service_tier not in _LIST_PRICED or not usage.source:
        return
    if prices.up_to_input_tokens is not None and usage.input_tokens > prices.up_to_input_tokens:
        return
    cost = 0.0
    for tokens, price in _items(usage, prices):
        if tokens:
            if price is None:
                return
            cost += tokens * price
    usage.cost_nano_usd = round(cost * _NANO_USD)


def _items(usage: common_pb2.Usage, prices: Prices) -> tuple[tuple[int, float | None], ...]:
    """Tokens, and what a million of them costs."""
    cached, written = usage.cached_input_tokens, usage.cache_write_input_tokens
    return (
        (max(0, usage.input_tokens - cached - written), prices.input_usd),
        (cached, prices.cached_input_usd),
        (written, prices.cache_write_input_usd),
        (usage.output_tokens, prices.output_usd),
    )
