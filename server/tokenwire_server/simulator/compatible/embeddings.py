"""POST /v1/embeddings at compatible servers: from a request's body to the answer."""

from tokenwire_server.simulator import seeds, vectors
from tokenwire_server.simulator.compatible.habits import Embedder
from tokenwire_server.simulator.openai_api.embeddings import Embeddings, contents_of
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.reply import Exchange
from tokenwire_server.simulator.values import Json, as_int, as_list, as_object


def embed(value: object, model: str, embedder: Embedder) -> Embeddings:
    """The request; ApiError if this server would refuse it. Parameters that it does not know are ignored."""
    body = as_object(value)
    contents = contents_of(body.get("input"))
    if not contents or not (embedder.ids or isinstance(contents[0], str)):
        raise ApiError("invalid input")
    kept = as_int(body.get("dimensions"))
    if kept is not None:
        kept = _kept(kept, model, embedder)
    base64 = embedder.base64 and body.get("encoding_format") == "base64"
    return Embeddings(model, contents, sum(map(vectors.count, contents)), embedder.size, kept, base64)


def _kept(wanted: int, model: str, embedder: Embedder) -> int | None:
    if embedder.dimensions == "ignored":
        return None
    if embedder.dimensions == "refused":
        raise ApiError(
            f'Model "{model}" does not support matryoshka representation, changing output dimensions will '
            "lead to poor results."
        )
    if not 1 <= wanted <= embedder.size:
        raise ApiError(f"dimensions must be between 1 and {embedder.size}")
    return wanted


def whole(asked: Embeddings, embedder: Embedder, exchange: Exchange) -> Json:
    """The answer with this server's habits."""
    body = asked.whole(exchange.received.script)
    if embedder.backwards:
        body["data"] = as_list(body["data"])[::-1]
    if embedder.id is not None:
        unique = seeds.name(32, exchange.received.raw, exchange.ordinal)
        body |= {"id": f"{embedder.id}{unique}", "created": exchange.now}
    if embedder.usage is None:
        body.pop("usage", None)
    elif "usage" in body:
        body["usage"] = {**as_object(body["usage"]), **embedder.usage}
    return body
