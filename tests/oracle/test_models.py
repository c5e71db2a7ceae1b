"""Lists of models mean the same to the official SDKs and to this gateway."""

from collections.abc import AsyncIterator

import pytest
from mistralai.client import Mistral
from openai import AsyncOpenAI
from oracle.capture import gateway

from tokenwire_server.simulator import Simulator, serving


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with serving() as running:
        yield running


async def test_openais(simulator: Simulator) -> None:
    async with AsyncOpenAI(api_key="sk-test", base_url=simulator.url, max_retries=0) as sdk:
        theirs = {card.id: card.created async for card in sdk.models.list()}
    async with gateway(simulator.url) as backend:
        ours = {model.id: model.create_time.seconds for model in await backend.models()}
    assert ours == theirs


async def test_mistrals(simulator: Simulator) -> None:
    async with Mistral(api_key="sk-test", server_url=simulator.mistral_url) as sdk:
        cards = (await sdk.models.list_async()).data or []
    async with gateway(simulator.mistral_url, kind="mistral") as backend:
        ours = {model.id: model for model in await backend.models()}
    assert ours.keys() == {card.id for card in cards}
    for card in cards:
        model = ours[card.id]
        assert model.context_window == card.max_context_length
        assert list(model.aliases) == card.aliases
        assert model.description == card.description
        if card.deprecation:
            assert model.deprecate_time.ToDatetime(card.deprecation.tzinfo) == card.deprecation
            assert model.replacement == card.deprecation_replacement_model
