"""Embeddings: we send what the official SDKs send, and return the vectors that they return."""

from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from mistralai.client import Mistral
from openai import AsyncOpenAI
from oracle.capture import MODEL, Capture, Sent, canonical, gateway, listening, mutations, new_call

from tokenwire.v1 import embed_pb2 as pb
from tokenwire_server.rpc.validate_embed import validate_embed
from tokenwire_server.settings import Server
from tokenwire_server.simulator import Simulator, serving
from tokenwire_server.unsupported import Unsupported

in_one_loop = pytest.mark.asyncio(loop_scope="module")

TEXTS = ["Hello, world!", "Привет 👋🏽", "the same again", "the same again", " "]
ENCODINGS = [pb.VECTOR_ENCODING_FLOATS, pb.VECTOR_ENCODING_PACKED]

Case = tuple[pb.EmbedRequest, Mapping[str, Any]]
"""One request, in our contract and as arguments of the SDK's call."""

OPENAI: Mapping[str, Case] = {
    "one text": (pb.EmbedRequest(input=["a"]), {"input": ["a"]}),
    "texts": (pb.EmbedRequest(input=TEXTS), {"input": TEXTS}),
    "dimensions": (pb.EmbedRequest(input=["a"], dimensions=256), {"input": ["a"], "dimensions": 256}),
    "end user": (pb.EmbedRequest(input=["a"], end_user_id="u-1"), {"input": ["a"], "user": "u-1"}),
    "packed": (pb.EmbedRequest(input=["a"], encoding=pb.VECTOR_ENCODING_PACKED), {"input": ["a"]}),
}
MISTRAL: Mapping[str, Case] = {
    "one text": (pb.EmbedRequest(input=["a"]), {"inputs": ["a"]}),
    "texts": (pb.EmbedRequest(input=TEXTS), {"inputs": TEXTS}),
    "dimensions": (pb.EmbedRequest(input=["a"], dimensions=256), {"inputs": ["a"], "output_dimension": 256}),
    "end user": (
        pb.EmbedRequest(input=["a"], end_user_id="u-1"),
        {"inputs": ["a"], "metadata": {"end_user_id": "u-1"}},
    ),
}
every_case = pytest.mark.parametrize(
    ("kind", "name"), [("openai", name) for name in OPENAI] + [("mistral", name) for name in MISTRAL]
)


def case_of(kind: str, name: str) -> Case:
    return (OPENAI if kind == "openai" else MISTRAL)[name]


class Vectors(Capture):
    """Writes requests down, and answers each with as many vectors as it has inputs."""

    async def answer(self, request: web.Request) -> web.Response:
        await super().answer(request)
        body = self.sent[-1].json
        size = body.get("dimensions") or body.get("output_dimension") or 1
        rows = [
            {"object": "embedding", "index": index, "embedding": [0.5] * size}
            for index in range(len(body["input"]))
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1, "completion_tokens": 0}
        reply = {"id": "e-1", "object": "list", "model": MODEL, "data": rows, "usage": usage}
        return web.json_response(reply)


@asynccontextmanager
async def capturing() -> AsyncIterator[Vectors]:
    capture = Vectors()
    app = web.Application()
    app.router.add_post("/v1/embeddings", capture.answer)
    async with listening(app) as address:
        capture.url = address
        yield capture


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def capture() -> AsyncIterator[Vectors]:
    async with capturing() as running:
        yield running


async def ours(capture: Vectors, kind: str, request: pb.EmbedRequest) -> Sent:
    url = capture.url if kind == "mistral" else f"{capture.url}/v1"
    async with gateway(url, kind=kind) as backend:
        await backend.embed(request, new_call())
    return capture.only()


async def theirs(capture: Vectors, kind: str, arguments: Mapping[str, Any]) -> Sent:
    if kind == "mistral":
        async with Mistral(api_key="sk-test", server_url=capture.url) as mistral:
            await mistral.embeddings.create_async(model=MODEL, encoding_format="base64", **arguments)
    else:
        async with AsyncOpenAI(api_key="sk-test", base_url=f"{capture.url}/v1", max_retries=0) as openai:
            await openai.embeddings.create(model=MODEL, **arguments)
    return capture.only()


@every_case
def test_the_tables_hold_requests_that_the_server_accepts(kind: str, name: str) -> None:
    unsupported = Unsupported()
    validate_embed(case_of(kind, name)[0], Server(), unsupported)
    assert unsupported.warnings == []


@in_one_loop
@every_case
async def test_we_send_what_the_sdk_sends(capture: Vectors, kind: str, name: str) -> None:
    request, arguments = case_of(kind, name)
    our = await ours(capture, kind, request)
    their = await theirs(capture, kind, arguments)
    assert (our.method, our.path) == (their.method, their.path) == ("POST", "/v1/embeddings")
    assert canonical(our.body) == canonical(their.body)
    for header in ("authorization", "content-type"):
        assert our.headers[header] == their.headers[header]


@in_one_loop
@every_case
async def test_no_change_of_the_body_stays_unseen(capture: Vectors, kind: str, name: str) -> None:
    our = await ours(capture, kind, case_of(kind, name)[0])
    changes = list(mutations(our.json))
    assert len(changes) > 5
    for change, body in changes:
        assert canonical(body) != canonical(our.body), change


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def simulator() -> AsyncIterator[Simulator]:
    async with serving() as running:
        yield running


def same(response: pb.EmbedResponse, expected: Sequence[Sequence[float]]) -> bool:
    """Whether the vectors are these, bit for bit."""
    wanted = [array("f", vector) for vector in expected]
    if response.encoding == pb.VECTOR_ENCODING_PACKED:
        return [found.packed for found in response.embeddings] == [vector.tobytes() for vector in wanted]
    return [list(found.values) for found in response.embeddings] == [vector.tolist() for vector in wanted]


@in_one_loop
@pytest.mark.parametrize("encoding", ENCODINGS, ids=["floats", "packed"])
@pytest.mark.parametrize("model", ["text-embedding-3-small", "text-embedding-3-large"])
@pytest.mark.parametrize("dimensions", [None, 7])
async def test_vectors_are_those_of_openais_sdk(
    simulator: Simulator, encoding: "pb.VectorEncoding.ValueType", model: str, dimensions: int | None
) -> None:
    asked: dict[str, Any] = {"dimensions": dimensions} if dimensions else {}
    async with AsyncOpenAI(api_key="sk-test", base_url=simulator.url, max_retries=0) as sdk:
        packed = await sdk.embeddings.create(model=model, input=TEXTS, **asked)
        floats = await sdk.embeddings.create(model=model, input=TEXTS, encoding_format="float", **asked)
    async with gateway(simulator.url) as backend:
        request = pb.EmbedRequest(input=TEXTS, encoding=encoding, **asked)
        response = await backend.embed(request, new_call(model))
    for reply in (packed, floats):
        assert same(response, [row.embedding for row in reply.data])
        assert response.model == reply.model
        assert response.usage.input_tokens == reply.usage.prompt_tokens
        assert response.usage.total_tokens == reply.usage.total_tokens
    assert len({found.SerializeToString() for found in response.embeddings}) == len(TEXTS)


@in_one_loop
@pytest.mark.parametrize("encoding", ENCODINGS, ids=["floats", "packed"])
@pytest.mark.parametrize(("model", "dimensions"), [("mistral-embed", None), ("codestral-embed", 7)])
async def test_vectors_are_those_of_mistrals_sdk(
    simulator: Simulator, encoding: "pb.VectorEncoding.ValueType", model: str, dimensions: int | None
) -> None:
    async with Mistral(api_key="sk-test", server_url=simulator.mistral_url) as sdk:
        reply = await sdk.embeddings.create_async(model=model, inputs=TEXTS, output_dimension=dimensions)
    async with gateway(simulator.mistral_url, kind="mistral") as backend:
        request = pb.EmbedRequest(input=TEXTS, encoding=encoding, dimensions=dimensions)
        response = await backend.embed(request, new_call(model))
    assert same(response, [row.embedding or [] for row in reply.data])
    assert response.model == reply.model
    assert response.usage.input_tokens == reply.usage.prompt_tokens
