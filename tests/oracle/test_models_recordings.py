"""A recorded list of models means the same to OpenAI's SDK and to this gateway."""

import pytest
from aiohttp import web
from openai import AsyncOpenAI
from oracle.capture import gateway, listening
from oracle.replies import Recorded, recordings

RECORDED = recordings("cerebras-models.jsonl")


@pytest.mark.parametrize("reply", RECORDED, ids=lambda reply: reply.name)
async def test_a_recorded_list_means_the_same_to_both(reply: Recorded) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    app = web.Application()
    app.router.add_get("/v1/models", answer)
    async with listening(app) as address:
        async with AsyncOpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0) as sdk:
            theirs = [(card.id, card.created) async for card in sdk.models.list()]
        async with gateway(f"{address}/v1", kind="openai_compatible") as backend:
            ours = await backend.models()
    assert theirs
    assert [(model.id, model.create_time.seconds) for model in ours] == sorted(theirs)
    assert not any(model.HasField("create_time") for model in ours), "the recorded servers do not tell it"
