"""Embeddings of every provider that has them: the same vectors as it gave, whatever its habits are."""

import json
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from conformance.lab import Lab, new_call
from conformance.subjects import (
    AZURE,
    DEEPSEEK,
    GROQ,
    LLAMACPP,
    MISTRAL,
    ODD,
    OLLAMA,
    OPENAI,
    OPENROUTER,
    VLLM,
    Subject,
)
from conformance.test_errors import REASONS
from google.protobuf.struct_pb2 import Struct

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.simulator import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = ["Hello, world!", "Hello!", "Привет 👋🏽"]
SIZES: Mapping[Subject, tuple[str, int]] = {
    OPENAI: ("text-embedding-3-small", 1536),
    AZURE: ("text-embedding-3-small", 1536),
    MISTRAL: ("mistral-embed", 1024),
    VLLM: ("any-model", 1024),
    OLLAMA: ("any-model", 768),
    LLAMACPP: ("any-model", 768),
    OPENROUTER: ("any-model", 1536),
    ODD: ("any-model", 384),
}
"""Model and length of its vectors."""
SHORTENING = {OPENAI: "text-embedding-3-small", AZURE: "text-embedding-3-small", MISTRAL: "codestral-embed"}
SHORTENING |= dict.fromkeys((OLLAMA, OPENROUTER), "any-model")
every_subject = pytest.mark.parametrize("subject", SIZES, ids=str)


async def embed(lab: Lab, subject: Subject, model: str = "", **fields: Any) -> pb.EmbedResponse:
    request = pb.EmbedRequest(**{"input": TEXTS, **fields})
    call = new_call(subject, model or SIZES[subject][0])
    response = await lab.backend(subject).embed(request, call)
    (attempt,) = call.attempts
    assert (attempt.provider, attempt.upstream_status, attempt.code) == (subject.name, 200, 0)
    return response


async def refusal(lab: Lab, subject: Subject, model: str = "", **fields: Any) -> str:
    with pytest.raises(GatewayError) as raised:
        await embed(lab, subject, model, **fields)
    return Reason.Name(raised.value.reason)


def sent(lab: Lab) -> dict[str, Any]:
    """The last body that the provider received."""
    body = json.loads(lab.simulator.received[-1].raw)
    assert isinstance(body, dict)
    return body


async def given(lab: Lab, path: str, headers: Mapping[str, str], model: str) -> list[Sequence[float]]:
    """The vectors that the provider itself gives, as numbers and by index."""
    body = {"model": model, "input": TEXTS, "encoding_format": "float"}
    url = lab.simulator.url.removesuffix("/v1") + path
    kept = {name: headers[name] for name in ("authorization", "api-key") if name in headers}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=kept) as reply:
        rows = (await reply.json())["data"]
    return [row["embedding"] for row in sorted(rows, key=lambda row: row["index"])]


@every_subject
async def test_vectors_are_those_that_the_provider_gives(lab: Lab, subject: Subject) -> None:
    model, size = SIZES[subject]
    floats = await embed(lab, subject)
    packed = await embed(lab, subject, encoding=pb.VECTOR_ENCODING_PACKED)
    received = lab.simulator.received[-1]
    wanted = [array("f", vector) for vector in await given(lab, received.path, received.headers, model)]
    assert [array("f", found.values) for found in floats.embeddings] == wanted
    assert [found.packed for found in packed.embeddings] == [vector.tobytes() for vector in wanted]
    assert {len(vector) for vector in wanted} == {floats.dimensions} == {packed.dimensions} == {size}
    assert [found.index for found in floats.embeddings] == [0, 1, 2]
    assert (floats.provider, floats.model) == (subject.name, model)


@every_subject
async def test_usage_says_who_counted(lab: Lab, subject: Subject) -> None:
    usage = (await embed(lab, subject)).usage
    told = subject is not ODD
    assert usage.source == (common_pb2.TOKEN_SOURCE_PROVIDER if told else common_pb2.TOKEN_SOURCE_ESTIMATED)
    assert usage.input_tokens == usage.total_tokens > 0
    lab.simulator.script(Script(no_usage=True))
    assert (await embed(lab, subject)).usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED


@pytest.mark.parametrize("subject", SHORTENING, ids=str)
async def test_vectors_are_as_long_as_was_asked_for(lab: Lab, subject: Subject) -> None:
    response = await embed(lab, subject, SHORTENING[subject], dimensions=16)
    assert {len(found.values) for found in response.embeddings} == {response.dimensions} == {16}
    field = "output_dimension" if subject is MISTRAL else "dimensions"
    assert sent(lab)[field] == 16


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (VLLM, "INVALID_REQUEST"),
        (MISTRAL, "INVALID_REQUEST"),
        (LLAMACPP, "PROVIDER_BAD_RESPONSE"),
        (ODD, "PROVIDER_BAD_RESPONSE"),
    ],
    ids=str,
)
async def test_a_length_that_is_not_to_be_had_is_a_failure(lab: Lab, subject: Subject, reason: str) -> None:
    assert await refusal(lab, subject, dimensions=16) == reason


@every_subject
async def test_the_end_users_id_is_sent_where_the_provider_has_a_place_for_it(
    lab: Lab, subject: Subject
) -> None:
    await embed(lab, subject, end_user_id="u-1")
    body = sent(lab)
    expected = {"metadata": {"end_user_id": "u-1"}} if subject is MISTRAL else {"user": "u-1"}
    assert {key: body[key] for key in body.keys() - {"model", "input", "encoding_format"}} == expected


@every_subject
async def test_options_are_those_of_the_provider_only(lab: Lab, subject: Subject) -> None:
    options = Struct()
    options.update({subject.name: {"encoding_format": "float"}, "another": {"x": 1}})
    assert (await embed(lab, subject, provider_options=options)).embeddings == (
        await embed(lab, subject)
    ).embeddings
    assert [json.loads(received.raw)["encoding_format"] for received in lab.simulator.received] == [
        "float",
        "base64",
    ]
    assert sent(lab).keys() == {"model", "input", "encoding_format"}


@every_subject
async def test_a_missing_vector_is_a_failure(lab: Lab, subject: Subject) -> None:
    lab.simulator.script(Script(drop_last=1))
    assert await refusal(lab, subject) == "PROVIDER_BAD_RESPONSE"


@pytest.mark.parametrize(
    ("subject", "name"), [(subject, name) for subject in SIZES for name in REASONS[subject]], ids=str
)
async def test_an_error_has_the_same_reason_as_in_a_chat(lab: Lab, subject: Subject, name: str) -> None:
    """Save that a text that is too long is known by the provider's message, where it has no code for that."""
    lab.simulator.script(Script(error=name))
    expected = "CONTEXT_LENGTH_EXCEEDED" if name == "context_length" else REASONS[subject][name]
    assert await refusal(lab, subject) == expected


@pytest.mark.parametrize("subject", [GROQ, DEEPSEEK], ids=str)
async def test_a_provider_without_embeddings_says_so(lab: Lab, subject: Subject) -> None:
    with pytest.raises(GatewayError) as raised:
        await lab.backend(subject).embed(pb.EmbedRequest(input=["a"]), new_call(subject))
    assert Reason.Name(raised.value.reason) == "MODEL_NOT_FOUND"
    assert raised.value.upstream.status == 404
