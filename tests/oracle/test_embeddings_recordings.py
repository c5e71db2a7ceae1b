"""Recorded embeddings are the same vectors to OpenAI's SDK and to this gateway."""

from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from openai import AsyncOpenAI
from oracle.capture import gateway, listening, new_call
from oracle.replies import Recorded, recordings

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError

(ANSWER,) = [reply for reply in recordings("openai-embeddings.jsonl") if reply.status == 200]
(REFUSAL,) = [reply for reply in recordings("openai-embeddings.jsonl") if reply.status != 200]
TEXTS = ["hello", "world"]


@asynccontextmanager
async def giving(reply: Recorded) -> AsyncIterator[str]:
    """Serves a reply at the base URL that it gives."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    app = web.Application()
    app.router.add_post("/v1/embeddings", answer)
    async with listening(app) as address:
        yield f"{address}/v1"


@pytest.mark.parametrize("encoding", [pb.VECTOR_ENCODING_FLOATS, pb.VECTOR_ENCODING_PACKED])
async def test_a_recorded_answer_means_the_same_to_both(encoding: "pb.VectorEncoding.ValueType") -> None:
    async with giving(ANSWER) as url:
        async with AsyncOpenAI(api_key="sk-test", base_url=url, max_retries=0) as sdk:
            theirs = await sdk.embeddings.create(model="text-embedding-3-small", input=TEXTS)
        async with gateway(url) as backend:
            ours = await backend.embed(pb.EmbedRequest(input=TEXTS, encoding=encoding), new_call())
    assert [found.index for found in ours.embeddings] == [row.index for row in theirs.data] == [0, 1]
    for found, row in zip(ours.embeddings, theirs.data, strict=True):
        wanted = array("f", row.embedding)
        assert len(wanted) == ours.dimensions == 1536
        assert found.packed == wanted.tobytes() or list(found.values) == wanted.tolist()
    assert ours.model == theirs.model
    assert ours.usage.input_tokens == theirs.usage.prompt_tokens == 2
    assert ours.usage.source == common_pb2.TOKEN_SOURCE_PROVIDER


async def test_a_recorded_refusal_reaches_its_reason() -> None:
    async with giving(REFUSAL) as url, gateway(url) as backend:
        with pytest.raises(GatewayError) as raised:
            await backend.embed(pb.EmbedRequest(input=["Hello, world!"]), new_call("nonexistent"))
    error = raised.value
    assert Reason.Name(error.reason) == "MODEL_NOT_FOUND"
    assert (error.upstream.status, error.upstream.code) == (404, "model_not_found")
