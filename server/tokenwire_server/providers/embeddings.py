"""Embeddings: inputs split into the batches that a provider takes, sent side by side, joined in order.

Vectors come as base64 where the provider has it, and go into the reply without becoming Python floats.
"""

import asyncio
import sys
from array import array
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire_server.call import Call, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.estimate import BYTES_PER_TOKEN
from tokenwire_server.providers.exchange import Exchanger, decoding
from tokenwire_server.providers.jsontext import JsonObject, from_struct, loads

_SIDE_BY_SIDE: Final = 4
"""Batches of one call that are under way at once: one call must not take a provider's rate limit alone."""

_VECTOR_BYTES: Final = 64 * 1024
"""Room for one vector in a reply: 3,000 numbers in JSON, four times as many in base64."""

_VALUES: Final = bytes([pb.Embedding.VALUES_FIELD_NUMBER << 3 | 2])
"""Tag of the packed field `values`: its content is little-endian float32: what providers send."""


@dataclass(frozen=True, slots=True)
class EmbedFormat:
    """How a provider takes inputs."""

    dimensions_field: str
    user_field: str
    """Empty: the end user's id goes into the metadata."""
    max_inputs: int
    max_tokens: int
    """Most tokens of one batch, as estimated here."""


class Embedder:
    """Embed for one provider."""

    path: Final = "/embeddings"

    def __init__(self, name: str, form: EmbedFormat, exchanger: Exchanger, max_response_bytes: int) -> None:
        self._name = name
        self._form = form
        self._max_inputs = max(1, min(form.max_inputs, max_response_bytes // _VECTOR_BYTES))
        self._exchanger = exchanger
        self._max_response_bytes = max_response_bytes

    async def embed(self, request: pb.EmbedRequest, call: Call) -> pb.EmbedResponse:
        """One vector for each input, in order. A batch that fails ends the others, and the call with them."""
        batches = list(_batches(request.input, self._max_inputs, self._form.max_tokens))
        if len(batches) == 1:
            return await self._batch(request, batches[0], call)
        began, waiting = now(), iter(enumerate(batches))
        parts: dict[int, pb.EmbedResponse] = {}

        async def work() -> None:
            for place, batch in waiting:  # shared by all; one that fails takes no other batch
                parts[place] = await self._batch(request, batch, call)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in batches[:_SIDE_BY_SIDE]:
                    group.create_task(work())
        except* GatewayError as failures:
            raise _first(failures) from None
        finally:
            call.upstream_seconds = now() - began  # side by side, not one after the other
        return _joined([parts[place] for place in range(len(batches))])

    async def _batch(self, request: pb.EmbedRequest, inputs: Sequence[str], call: Call) -> pb.EmbedResponse:
        body = _body(request, inputs, call.target.model, self._name, self._form)
        async with self._exchanger.exchange(self.path, body, call) as exchange:
            raw = await exchange.reply.body(self._max_response_bytes)
            with decoding():
                response = _decode(loads(raw), len(inputs), request)
        response.provider = self._name
        _estimate(inputs, response)
        return response


def _first(failures: BaseExceptionGroup[GatewayError]) -> GatewayError:
    first = failures.exceptions[0]
    return first if isinstance(first, GatewayError) else _first(first)


def _batches(inputs: Sequence[str], max_inputs: int, max_tokens: int) -> Iterator[Sequence[str]]:
    start = tokens = 0
    for index, text in enumerate(inputs):
        size = len(text.encode()) // BYTES_PER_TOKEN + 1
        if index > start and (index - start == max_inputs or tokens + size > max_tokens):
            yield inputs[start:index]
            start, tokens = index, 0
        tokens += size
    yield inputs[start:]


def _body(
    request: pb.EmbedRequest, inputs: Sequence[str], model: str, provider: str, form: EmbedFormat
) -> JsonObject:
    body: JsonObject = {"model": model, "input": [*inputs], "encoding_format": "base64"}
    if request.HasField("dimensions"):
        body[form.dimensions_field] = request.dimensions
    if request.end_user_id and form.user_field:
        body[form.user_field] = request.end_user_id
    elif request.end_user_id:
        body["metadata"] = {"end_user_id": request.end_user_id}
    if provider in request.provider_options.fields:
        body |= from_struct(request.provider_options.fields[provider].struct_value)
    return body


def _decode(reply: object, count: int, request: pb.EmbedRequest) -> pb.EmbedResponse:
    """A batch's vectors in the order of its inputs; raises ValueError and its like for anything else."""
    if not isinstance(reply, dict):
        raise TypeError("not an object")
    vectors = _ordered(reply["data"], count)
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or (request.HasField("dimensions") and lengths != {4 * request.dimensions}):
        raise ValueError("vectors of another length")
    packed = request.encoding == pb.VECTOR_ENCODING_PACKED
    response = pb.EmbedResponse(
        model=reply.get("model") or "",
        dimensions=lengths.pop() // 4,
        encoding=pb.VECTOR_ENCODING_PACKED if packed else pb.VECTOR_ENCODING_FLOATS,
    )
    for index, vector in enumerate(vectors):
        embedding = response.embeddings.add(index=index)
        if packed:
            embedding.packed = vector
        else:
            embedding.MergeFromString(_VALUES + _varint(len(vector)) + vector)
    usage = reply.get("usage") or {}
    if tokens := usage.get("prompt_tokens") or usage.get("total_tokens"):
        response.usage.input_tokens = tokens
        response.usage.total_tokens = usage.get("total_tokens") or tokens
        response.usage.source = common_pb2.TOKEN_SOURCE_PROVIDER
    return response


def _ordered(data: Sequence[Mapping[str, Any]], count: int) -> list[bytes]:
    """The vectors by their index; some servers give none, and mean the order they stand in."""
    if len(data) != count:
        raise ValueError("another number of vectors than of inputs")
    vectors = {entry.get("index", place): _vector(entry["embedding"]) for place, entry in enumerate(data)}
    return [vectors[index] for index in range(count)]


def _vector(embedding: object) -> bytes:
    """Little-endian float32, from base64 or from numbers where a server knows no other."""
    if isinstance(embedding, str):
        raw = b64decode(embedding, validate=True)
        if not raw or len(raw) % 4:
            raise ValueError("no whole float32 numbers")
        return raw
    if not isinstance(embedding, list) or not embedding:
        raise TypeError("no vector")
    numbers = array("f", embedding)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _varint(number: int) -> bytes:
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _estimate(inputs: Sequence[str], response: pb.EmbedResponse) -> None:
    """Fills `usage` where the provider did not."""
    if not response.HasField("usage"):
        tokens = sum(len(text.encode()) // BYTES_PER_TOKEN + 1 for text in inputs)
        response.usage.input_tokens = response.usage.total_tokens = tokens
        response.usage.source = common_pb2.TOKEN_SOURCE_ESTIMATED


def _joined(parts: Sequence[pb.EmbedResponse]) -> pb.EmbedResponse:
    """One response of all batches; their vectors must be of one length."""
    whole = parts[0]
    for part in parts[1:]:
        with decoding():
            if part.dimensions != whole.dimensions:
                raise ValueError("vectors of another length")
        offset = len(whole.embeddings)
        for embedding in part.embeddings:
            embedding.index += offset
        whole.embeddings.extend(part.embeddings)
        whole.usage.input_tokens += part.usage.input_tokens
        whole.usage.total_tokens += part.usage.total_tokens
        whole.usage.source = max(whole.usage.source, part.usage.source)  # estimated as soon as one part is
    return whole
