"""Replies that list things: vectors, and models."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable
from ctypes import c_float
from typing import Any, Final, TypeVar, cast

from tokenwire.v1 import embed_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire.v1.models_pb2 import Model
from tokenwire_server import catalog
from tokenwire_server.call import Call, Target
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.embed_limits import Limits
from tokenwire_server.providers.embeddings import Embedder, EmbedFormat
from tokenwire_server.providers.exchange import Exchanger
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.models import ModelLister
from tokenwire_server.secret import Secret
from tokenwire_server.settings import Kind, OpenAIProvider

T = TypeVar("T")

_SETTINGS: Final = OpenAIProvider(kind="openai", api_key=Secret("sk-test"))
_FORM: Final = EmbedFormat("dimensions", "user", Limits(max_inputs=100, max_tokens=10_000))
_CATALOG: Final = catalog.load(())
_KINDS: Final[tuple[Kind, ...]] = ("openai", "mistral", "openai_compatible")


class _Canned:
    """Stands in for an Exchanger: each reply is this one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def answer(self, *given: Any) -> object:
        *_, decode = given
        return decode(self._body)

    async def get(self, *_: object) -> bytes:
        return self._body


def embeddings(data: bytes) -> None:
    """A body is refused, or gives a vector for each input, the same in either encoding.

    The first byte is the number of inputs, and that of dimensions asked for.
    """
    flags = data[0] if data else 0
    request = pb.EmbedRequest(input=["text"] * (1 + flags % 4))
    if flags & 0x70:
        request.dimensions = flags >> 4 & 7
    floats, packed = asyncio.run(_embed(request, data[1:]))
    if floats is None or packed is None:
        assert floats is packed
        return
    expected = _vectors(data[1:])
    for place, (numbers, vector) in enumerate(zip(floats.embeddings, packed.embeddings, strict=True)):
        assert numbers.index == vector.index == place
        assert vector.packed == expected[place]
        assert numbers.SerializeToString().endswith(expected[place])  # as a NaN has many forms
        assert len(numbers.values) == floats.dimensions == packed.dimensions
    assert len(floats.embeddings) == len(request.input)
    assert not request.dimensions or floats.dimensions == request.dimensions
    assert floats.usage == packed.usage
    assert floats.usage.source


async def _embed(request: pb.EmbedRequest, body: bytes) -> list[pb.EmbedResponse | None]:
    """In both encodings; None is a refusal."""
    found: list[pb.EmbedResponse | None] = []
    for encoding in (pb.VECTOR_ENCODING_FLOATS, pb.VECTOR_ENCODING_PACKED):
        request.encoding = encoding
        call = Call("request", "Embed", 0.0, target=Target("p", "m"))
        found.append(await _unless_refused(_embedder(body).embed(request, call)))
    return found


async def _unless_refused(answer: Awaitable[T]) -> T | None:
    try:
        return await answer
    except GatewayError as error:
        if error.reason != Reason.PROVIDER_BAD_RESPONSE:
            raise
        return None


def _embedder(body: bytes) -> Embedder:
    return Embedder("p", _SETTINGS, _FORM, _CATALOG, cast("Exchanger", _Canned(body)))


def _vectors(body: bytes) -> dict[int, bytes]:
    """As the standard library reads them."""
    entries = json.loads(body.decode("utf-8", "replace"))["data"]
    return {entry.get("index", place): _packed(entry["embedding"]) for place, entry in enumerate(entries)}


def _packed(embedding: str | list[float]) -> bytes:
    if isinstance(embedding, str):
        return b64decode(embedding, validate=True)
    return b"".join(bytes(c_float.__ctype_le__(number)) for number in embedding)


def models(data: bytes) -> None:
    """A body is refused, or gives models in order; whatever a card says besides its id is no reason to."""
    for kind in _KINDS:
        lister = ModelLister("p", kind, cast("Exchanger", _Canned(data)), _CATALOG, 2**25)
        found = asyncio.run(_unless_refused(lister.models()))
        _check(found or [])
        assert {model.id for model in found or []} == _ids(data)


def _check(found: list[Model]) -> None:
    """They can be sent, and are in order."""
    names = [model.name for model in found]
    assert names == sorted(set(names))
    for model in found:
        assert model.name == f"p/{model.id}"
        model.SerializeToString()
        model.deprecate_time.ToJsonString()
        model.create_time.ToJsonString()


def _ids(data: bytes) -> set[str]:
    """Those of a list that is one; none where an entry has none."""
    try:
        reply: Any = loads(data)
    except ValueError:
        return set()
    cards = reply.get("data") if isinstance(reply, dict) else reply
    if not isinstance(cards, list):
        return set()
    ids = [card.get("id") if isinstance(card, dict) else None for card in cards]
    return {str(found) for found in ids} if all(isinstance(found, str) and found for found in ids) else set()
