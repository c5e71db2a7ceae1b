"""Embedder: how inputs are split, what replies come to, and which replies are none."""

import json
import math
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar, cast

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call, Target, now
from tokenwire_server.catalog import Catalog
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.embed_limits import Limits
from tokenwire_server.providers.embeddings import Embedder, EmbedFormat, _varint
from tokenwire_server.providers.estimate import BYTES_PER_TOKEN
from tokenwire_server.providers.exchange import Exchanger
from tokenwire_server.secret import Secret
from tokenwire_server.settings import OpenAIProvider

T = TypeVar("T")

MIB = 1024 * 1024
ROOM = 64 * 1024
"""Bytes of the largest reply that one input takes."""
FORM = EmbedFormat("dimensions", "user", Limits(max_inputs=2048, max_tokens=200_000))
MISTRAL = EmbedFormat("output_dimension", "", Limits(max_inputs=512, max_tokens=10_000))
FLOATS, PACKED = pb.VECTOR_ENCODING_FLOATS, pb.VECTOR_ENCODING_PACKED
AWKWARD = [0.1, -0.0, 1e-45, 3.4028234e38, 1 / 3, -1.17549435e-38]
"""The smallest and largest float32, a negative zero, and some that only rounding makes float32."""


class Canned:
    """Stands in for an Exchanger: gives replies, and keeps the bodies that were sent."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.bodies: list[dict[str, Any]] = []

    async def answer(
        self, _path: str, body: dict[str, Any], _call: Call, _patience: object, decode: Callable[[bytes], T]
    ) -> T:
        self.bodies.append(body)
        given = self.replies.pop(0) if self.replies else answer(*map(of, body["input"]))
        return decode(given if isinstance(given, bytes) else json.dumps(given).encode())

    def embedder(self, form: EmbedFormat = FORM, cap: int = 32 * MIB) -> Embedder:
        settings = OpenAIProvider(kind="openai", api_key=Secret("sk-test"), max_response_bytes=cap)
        return Embedder("openai", settings, form, Catalog(()), cast("Exchanger", self))

    async def embed(self, *texts: str, form: EmbedFormat = FORM, **fields: Any) -> pb.EmbedResponse:
        request = pb.EmbedRequest(input=texts, **fields)
        return await self.embedder(form).embed(request, new_call())


def new_call() -> Call:
    return Call("request-1", "Embed", now(), target=Target("openai", "text-embedding-3-small"))


def packed(numbers: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def in_base64(numbers: Sequence[float]) -> str:
    return b64encode(packed(numbers)).decode()


def of(text: str) -> str:
    """A vector that tells which text it is of."""
    return in_base64([float(len(text)), float(sum(map(ord, text)) % 9973)])


def rows(*vectors: Any) -> list[dict[str, Any]]:
    return [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]


def answer(*vectors: Any, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": rows(*vectors), "model": "m-1", "usage": usage, **more}


def without(reply: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != key}


# what is sent


@pytest.mark.parametrize(
    ("form", "fields", "sent"),
    [
        (FORM, {}, {}),
        (FORM, {"dimensions": 2}, {"dimensions": 2}),
        (FORM, {"end_user_id": "u-1"}, {"user": "u-1"}),
        (MISTRAL, {"dimensions": 2}, {"output_dimension": 2}),
        (MISTRAL, {"end_user_id": "u-1"}, {"metadata": {"end_user_id": "u-1"}}),
        (FORM, {"encoding": PACKED}, {}),
    ],
)
async def test_a_body_says_what_the_request_says(
    form: EmbedFormat, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    canned = Canned()
    await canned.embed("a", "b", form=form, **fields)
    base = {"model": "text-embedding-3-small", "input": ["a", "b"], "encoding_format": "base64"}
    assert canned.bodies == [{**base, **sent}]


async def test_options_of_this_provider_are_sent_and_those_of_others_are_not() -> None:
    options = Struct()
    options.update({"openai": {"truncate": "END", "n": 3}, "mistral": {"x": 1}})
    canned = Canned()
    await canned.embed("a", provider_options=options)
    (body,) = canned.bodies
    assert body.keys() == {"model", "input", "encoding_format", "truncate", "n"}
    assert (body["truncate"], repr(body["n"])) == ("END", "3")


def estimated(text: str) -> int:
    return len(text.encode()) // BYTES_PER_TOKEN + 1


@given(
    texts=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=60),
    max_inputs=st.integers(1, 20),
    max_tokens=st.integers(1, 60),
)
async def test_batches_together_are_the_input_and_keep_the_bounds(
    texts: list[str], max_inputs: int, max_tokens: int
) -> None:
    canned = Canned()
    form = EmbedFormat("dimensions", "user", Limits(max_inputs, max_tokens))
    response = await canned.embed(*texts, form=form, encoding=PACKED)
    batches = [body["input"] for body in canned.bodies]
    assert [text for batch in batches for text in batch] == texts
    for batch in batches:
        assert 1 <= len(batch) <= max_inputs
        assert len(batch) == 1 or sum(map(estimated, batch)) <= max_tokens
    for batch, after in pairwise(batches):
        full = len(batch) == max_inputs or sum(map(estimated, [*batch, after[0]])) > max_tokens
        assert full, "a batch has room for what the next one begins with"
    assert [b64encode(found.packed).decode() for found in response.embeddings] == [*map(of, texts)]
    assert [found.index for found in response.embeddings] == [*range(len(texts))]
    assert response.usage.input_tokens == response.usage.total_tokens == 3 * len(batches)


@pytest.mark.parametrize(("cap", "sizes"), [(3 * ROOM, [3, 3, 1]), (ROOM - 1, [1] * 7), (8 * ROOM, [7])])
async def test_a_batch_is_not_larger_than_what_its_reply_may_be(cap: int, sizes: list[int]) -> None:
    canned = Canned()
    await canned.embedder(cap=cap).embed(pb.EmbedRequest(input=["a"] * 7), new_call())
    assert [len(body["input"]) for body in canned.bodies] == sizes


# what comes back


@pytest.mark.parametrize("vector", [AWKWARD, in_base64(AWKWARD)], ids=["float", "base64"])
@pytest.mark.parametrize("encoding", [pb.VECTOR_ENCODING_UNSPECIFIED, FLOATS, PACKED])
async def test_vectors_are_equal_bit_for_bit_however_they_come_and_go(
    vector: object, encoding: "pb.VectorEncoding.ValueType"
) -> None:
    response = await Canned(answer(vector)).embed("a", encoding=encoding)
    (found,) = response.embeddings
    if encoding == PACKED:
        assert (found.packed, list(found.values)) == (packed(AWKWARD), [])
        assert response.encoding == PACKED
    else:
        assert (packed(found.values), found.packed) == (packed(AWKWARD), b"")
        assert math.copysign(1, found.values[1]) == -1
        assert response.encoding == FLOATS
    assert response.dimensions == len(AWKWARD)
    assert pb.EmbedResponse.FromString(response.SerializeToString()) == response


async def test_a_reply_is_read_whole() -> None:
    response = await Canned(answer([1.0, 0.5], [2.0, 0.25])).embed("a", "b")
    usage = common_pb2.Usage(input_tokens=3, total_tokens=3, source=common_pb2.TOKEN_SOURCE_PROVIDER)
    assert response == pb.EmbedResponse(
        embeddings=[pb.Embedding(index=0, values=[1, 0.5]), pb.Embedding(index=1, values=[2, 0.25])],
        usage=usage,
        model="m-1",
        provider="openai",
        dimensions=2,
        encoding=FLOATS,
    )


async def test_vectors_stand_in_the_order_of_their_indexes() -> None:
    data = rows([0.0], [1.0], [2.0])
    response = await Canned(answer(data=[data[2], data[0], data[1]])).embed("a", "b", "c")
    assert [list(found.values) for found in response.embeddings] == [[0], [1], [2]]


async def test_vectors_without_index_stand_in_the_order_in_which_they_came() -> None:
    data = [{"embedding": [0.0]}, {"embedding": [1.0]}]
    response = await Canned(answer(data=data)).embed("a", "b")
    assert [(found.index, list(found.values)) for found in response.embeddings] == [(0, [0]), (1, [1])]


BAD: Mapping[str, object] = {
    "no JSON": b"<html>",
    "cut": b'{"data": [',
    "empty": b"",
    "NaN": b'{"data": [{"embedding": [NaN]}, {"embedding": [1]}]}',
    "a list": rows([1.0], [1.0]),
    "null": None,
    "no data": without(answer(), "data"),
    "an error with status 200": {"error": {"message": "no"}},
    "data is null": answer(data=None),
    "data is an object": answer(data={"a": 1, "b": 2}),
    "data of texts": answer(data=["a", "b"]),
    "too few": answer([1.0]),
    "too many": answer([1.0], [1.0], [1.0]),
    "none": answer(),
    "the same index twice": answer(data=rows([1.0], [1.0])[:1] * 2),
    "indexes from 1": answer(data=rows([1.0], [1.0], [1.0])[1:]),
    "index is null": answer(data=[{"index": None, "embedding": [1.0]}] * 2),
    "index is a list": answer(data=[{"index": [0], "embedding": [1.0]}] * 2),
    "no vector": answer(data=[{"index": 0}, {"index": 1}]),
    "vector is null": answer(None, [1.0]),
    "vector is a number": answer(1.0, [1.0]),
    "vector is an object": answer({"a": 1.0}, [1.0]),
    "empty vectors": answer([], []),
    "empty base64": answer("", ""),
    "mixed lengths": answer([1.0, 2.0], [1.0]),
    "texts in a vector": answer(["1.0"], [1.0]),
    "null in a vector": answer([None], [1.0]),
    "vectors in a vector": answer([[1.0]], [[1.0]]),
    "no base64": answer("####", "####"),
    "base64 for URLs": answer("__-_____", "__-_____"),
    "base64 without its end": answer(of("a")[:-1], of("b")[:-1]),
    "base64 with line breaks": answer(of("a") + "\n", of("b")),
    "no whole numbers": answer(b64encode(b"12345").decode(), b64encode(b"12345").decode()),
    "model is a number": answer([1.0], [1.0], model=7),
    "usage is a list": answer([1.0], [1.0], usage=[1]),
    "usage of texts": answer([1.0], [1.0], usage={"prompt_tokens": "many"}),
    "more tokens than a number holds": answer([1.0], [1.0], usage={"prompt_tokens": 2**40}),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_not_the_protocol_is_the_providers_failure(name: str) -> None:
    with pytest.raises(GatewayError) as raised:
        await Canned(BAD[name]).embed("a", "b")
    assert Reason.Name(raised.value.reason) == "PROVIDER_BAD_RESPONSE"


@pytest.mark.parametrize("vector", [[1.0, 2.0], in_base64([1.0, 2.0])], ids=["float", "base64"])
async def test_another_length_than_was_asked_for_is_the_providers_failure(vector: object) -> None:
    assert (await Canned(answer(vector)).embed("a", dimensions=2)).dimensions == 2
    with pytest.raises(GatewayError) as raised:
        await Canned(answer(vector)).embed("a", dimensions=3)
    assert raised.value.reason == Reason.PROVIDER_BAD_RESPONSE


async def test_batches_of_different_lengths_are_the_providers_failure() -> None:
    form = EmbedFormat("dimensions", "user", Limits(max_inputs=1, max_tokens=100))
    canned = Canned(answer([1.0]), answer([1.0, 2.0]))
    with pytest.raises(GatewayError) as raised:
        await canned.embed("a", "b", form=form)
    assert raised.value.reason == Reason.PROVIDER_BAD_RESPONSE


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "total_tokens": 0}])
async def test_usage_that_nobody_told_is_estimated(usage: object) -> None:
    response = await Canned(answer([1.0], [1.0], usage=usage)).embed("a" * 40, "é" * 2)
    estimate = common_pb2.Usage(input_tokens=13, total_tokens=13, source=common_pb2.TOKEN_SOURCE_ESTIMATED)
    assert response.usage == estimate


async def test_a_reply_that_tells_only_its_total_is_believed() -> None:
    response = await Canned(answer([1.0], usage={"total_tokens": 7})).embed("a")
    usage = common_pb2.Usage(input_tokens=7, total_tokens=7, source=common_pb2.TOKEN_SOURCE_PROVIDER)
    assert response.usage == usage


async def test_usage_is_estimated_as_soon_as_that_of_one_batch_is() -> None:
    form = EmbedFormat("dimensions", "user", Limits(max_inputs=1, max_tokens=100))
    canned = Canned(answer([1.0]), without(answer([1.0]), "usage"), answer([1.0]))
    response = await canned.embed("a", "b" * 8, "c", form=form)
    assert response.usage.input_tokens == 3 + 3 + 3
    assert response.usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED


@given(st.integers(0, 2**63 - 1))
def test_a_varint_is_read_as_the_number_that_it_was(number: int) -> None:
    written = _varint(number)
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(written)) == number
    assert all(byte & 0x80 for byte in written[:-1])
    assert not written[-1] & 0x80
    assert len(written) == max(1, -(-number.bit_length() // 7))


@pytest.mark.parametrize("length", [1, 31, 32, 4095, 4096])
async def test_vectors_of_any_length_reach_the_reply(length: int) -> None:
    numbers = [float(place) for place in range(length)]
    response = await Canned(answer(in_base64(numbers))).embed("a")
    assert list(response.embeddings[0].values) == numbers
