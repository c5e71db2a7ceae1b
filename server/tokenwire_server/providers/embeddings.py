"""Embeddings: inputs split into the batches that a provider takes, sent side by side, joined in order.

Vectors come as base64 where the provider has it, and go into the reply without becoming Python floats.
"""

import asyncio
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from pybase64 import b64decode

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire_server.call import Call, now
from tokenwire_server.catalog import Catalog
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.embed_limits import (
    Limits,
    batches,
    check_lengths,
    estimated,
    limits_of,
    point_at,
)
from tokenwire_server.providers.exchange import Exchanger, decoding
from tokenwire_server.providers.jsontext import JsonObject, from_struct, loads
from tokenwire_server.providers.patience import at_once, patience_for
from tokenwire_server.settings import Provider

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
    limits: Limits
    """Of models that the catalog does not know."""


class Embedder:
    """Embed for one provider."""

    path: Final = "/embeddings"

    def __init__(
        self, name: str, settings: Provider, form: EmbedFormat, catalog: Catalog, exchanger: Exchanger
    ) -> None:
        self._name = name
        self._settings = settings
        self._form = form
        self._catalog = catalog
        self._exchanger = exchanger

    async def embed(self, request: pb.EmbedRequest, call: Call) -> pb.EmbedResponse:
        """One vector for each input, in order. A batch that fails ends the others, and the call with them.

        A text that is certainly too long for the model is CONTEXT_LENGTH_EXCEEDED before anything is sent.
        When a call is tried again, only the batches that are missing are sent.
        """
        limits = self._limits(call.target.model)
        await check_lengths(request.input, limits)
        places = list(batches(request.input, limits))
        if len(places) == 1:
            return await self._batch(request, places[0], call)
        parts = call.embedded.setdefault(call.target, {})
        waiting = iter([batch for batch in places if batch not in parts])
        began = now() - call.upstream_seconds

        async def work() -> None:
            for batch in waiting:  # shared by all; one that fails takes no other batch
                parts[batch] = await self._batch(request, batch, call)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in places[:_SIDE_BY_SIDE]:
                    group.create_task(work())
        except* GatewayError as failures:
            raise _first(failures) from None
        finally:
            call.upstream_seconds = now() - began  # side by side, not one after the other
        return _joined([parts[batch] for batch in places])

    def _limits(self, model: str) -> Limits:
        found = limits_of(self._catalog, self._settings.kind, model, self._form.limits)
        room = max(1, self._settings.max_response_bytes // _VECTOR_BYTES)
        return replace(found, max_inputs=min(found.max_inputs, room))

    async def _batch(self, request: pb.EmbedRequest, batch: range, call: Call) -> pb.EmbedResponse:
        inputs = request.input[batch.start : batch.stop]
        patience = at_once(patience_for(self._settings, call.target.model, reasons=False))
        body = _body(request, inputs, call.target.model, self._name, self._form)
        try:
            decode = partial(_decoded, len(inputs), request)
            response = await self._exchanger.answer(self.path, body, call, patience, decode)
        except GatewayError as error:
            point_at(error, batch)
            raise
        response.provider = self._name
        _estimate(inputs, response)
        return response


def _first(failures: BaseExceptionGroup[GatewayError]) -> GatewayError:
    first = failures.exceptions[0]
    return first if isinstance(first, GatewayError) else _first(first)


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


def _decoded(count: int, request: pb.EmbedRequest, raw: bytes) -> pb.EmbedResponse:
    with decoding():
        return _decode(loads(raw), count, request)


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
    field = _VALUES + _varint(4 * response.dimensions)
    for index, vector in enumerate(vectors):
        embedding = response.embeddings.add(index=index)
        if packed:
            embedding.packed = vector
        else:
            embedding.MergeFromString(field + vector)
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
        tokens = sum(map(estimated, inputs))
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
