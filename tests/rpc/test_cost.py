"""What a call costs, and that its model has ended: told in the reply, the access line and the metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest
from support.ask import ask
from support.gateway import Gateway, gateway_for, settings_for
from support.status import collect

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2
from tokenwire_server.catalog import Facts, Prices, Row
from tokenwire_server.simulator import Simulator

EMBEDDINGS = "text-embedding-3-small"
PRICES = Prices(taken=date(2026, 1, 1), input_usd=1, cached_input_usd=0.5, output_usd=2)
Reply = pb.ChatResponse | embed_pb2.EmbedResponse


@asynccontextmanager
async def knowing(simulator: Simulator, **facts: Any) -> AsyncIterator[Gateway]:
    """A gateway that knows this of the models that the tests use."""
    rows = tuple(
        Row(kind="openai", match=match, facts=Facts(**facts)) for match in ("gpt-4o-mini", EMBEDDINGS)
    )
    settings = settings_for(simulator.url).model_copy(update={"catalog": rows})
    async with gateway_for(simulator, settings) as gateway:
        yield gateway


async def each(gateway: Gateway) -> list[Reply]:
    """A reply of each RPC that asks a model."""
    *_, last = await collect(gateway.stub.ChatStream(ask("ping")))
    embedded = embed_pb2.EmbedRequest(model=f"openai/{EMBEDDINGS}", input=["a", "b"])
    return [
        await gateway.stub.Chat(ask("ping")),
        last.completed.response,
        await gateway.stub.Embed(embedded),
    ]


async def test_a_model_with_prices_tells_the_cost(simulator: Simulator) -> None:
    async with knowing(simulator, prices=PRICES) as gateway:
        replies = await each(gateway)
        for number, reply in enumerate(replies):
            usage = reply.usage
            assert usage.cost_nano_usd == 1000 * usage.input_tokens + 2000 * usage.output_tokens > 0
            line = await gateway.lines.wait(number + 1)
            assert line["cost_nano_usd"] in {found.usage.cost_nano_usd for found in replies}
        counted = gateway.metrics.registry.get_sample_value(
            "tokenwire_cost_usd_total", {"provider": "openai", "model": "gpt-4o-mini"}
        )
        chats = replies[:2]
        assert counted == pytest.approx(sum(reply.usage.cost_nano_usd for reply in chats) / 1e9)


async def test_a_model_without_prices_tells_none(simulator: Simulator) -> None:
    async with knowing(simulator) as gateway:
        for number, reply in enumerate(await each(gateway)):
            assert not reply.usage.HasField("cost_nano_usd")
            assert (await gateway.lines.wait(number + 1))["cost_nano_usd"] is None


async def test_a_model_that_has_ended_is_asked_with_a_warning(simulator: Simulator) -> None:
    ended = {"shutdown": date(2020, 2, 1), "replacement": "gpt-5-mini"}
    async with knowing(simulator, **ended) as gateway:
        for reply in await each(gateway):
            (warning,) = reply.warnings
            assert warning.code == common_pb2.WARNING_CODE_MODEL_DEPRECATED
            assert warning.field == "model"
            assert warning.text == "The provider ended the model on 2020-02-01; gpt-5-mini replaces it."
        assert len(simulator.received) == 3


async def test_a_model_that_ends_later_has_no_warning(simulator: Simulator) -> None:
    async with knowing(simulator, shutdown=date(2999, 1, 1)) as gateway:
        assert [list(reply.warnings) for reply in await each(gateway)] == [[], [], []]
