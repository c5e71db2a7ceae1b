"""The Mistral API: which answer belongs to which request."""

import re
from collections.abc import Mapping
from dataclasses import replace

import orjson

from tokenwire_server.simulator import seeds
from tokenwire_server.simulator.mistral_api import models
from tokenwire_server.simulator.mistral_api.chat import complete
from tokenwire_server.simulator.mistral_api.chat_params import NOT_SIMULATED
from tokenwire_server.simulator.mistral_api.chat_reply import ChatReply
from tokenwire_server.simulator.mistral_api.embeddings import embed
from tokenwire_server.simulator.mistral_api.errors import ERRORS, ApiError, ValidationFailed, by_name
from tokenwire_server.simulator.mistral_api.models import MODELS
from tokenwire_server.simulator.reply import STREAM_TYPE, Exchange, Mount, NamedError, Reply
from tokenwire_server.simulator.values import as_object

__all__ = ["ERRORS", "MODELS", "MOUNT", "NOT_SIMULATED", "ROOT"]

ROOT = "/mistral"
"""Stands for the provider's server; its own paths follow."""

_REFUSED_KEY = "sk-invalid"
_TOKEN_LIMIT, _REQUEST_LIMIT = 2_000_000, 360

_CHAT = f"{ROOT}/v1/chat/completions"
_EMBEDDINGS = f"{ROOT}/v1/embeddings"
_MODELS = f"{ROOT}/v1/models"
_METHODS = {_CHAT: "POST", _EMBEDDINGS: "POST", _MODELS: "GET"}


def _answer(exchange: Exchange) -> Reply:
    try:
        reply = _route(exchange)
    except (ApiError, ValidationFailed) as refused:
        reply = _reply(refused.body, refused.status)
    return replace(reply, headers={**_headers(exchange), **reply.headers})


def _error(name: str, exchange: Exchange) -> NamedError | None:
    error = by_name(name, exchange, _request_id(exchange))
    return None if error is None else replace(error, headers={**_headers(exchange), **error.headers})


MOUNT = Mount(f"{ROOT}/", _answer, _error)


def _route(exchange: Exchange) -> Reply:
    received = exchange.received
    path = received.path.partition("?")[0]
    known = _MODELS if path.startswith(f"{_MODELS}/") else path
    if known not in _METHODS:
        return _reply({"message": "no Route matched with those values"}, 404)
    if received.method != _METHODS[known]:
        return _reply({"detail": "Method Not Allowed"}, 405)
    if not _authentic(received.headers):
        return _reply({"detail": "Unauthorized"}, 401)
    if known == _CHAT:
        return _chat(exchange)
    if known == _EMBEDDINGS:
        return _embeddings(exchange)
    if path == _MODELS:
        return _reply({"object": "list", "data": [models.card(name, exchange.now) for name in MODELS]})
    name = path.removeprefix(f"{_MODELS}/")
    if models.find(name) is None:
        raise ApiError(f"Invalid model: {name}", "invalid_model", "1500", status=404)
    return _reply(models.card(name, exchange.now))


def _authentic(headers: Mapping[str, str]) -> bool:
    given = re.fullmatch(r"Bearer +(\S+)", headers.get("authorization", ""))
    return given is not None and given[1] != _REFUSED_KEY


def _chat(exchange: Exchange) -> Reply:
    received = exchange.received
    completion = complete(received.raw, received.body, received.script.tokens)
    reply = ChatReply(completion, _hex(exchange), exchange.now)
    headers = _cost(reply.total_tokens)
    if as_object(received.body).get("stream"):
        return Reply(events=reply.events(), content_type=STREAM_TYPE, headers=headers)
    return replace(_reply(reply.whole()), headers=headers)


def _embeddings(exchange: Exchange) -> Reply:
    received = exchange.received
    asked = embed(received.raw, received.body)
    return replace(_reply(asked.whole(_hex(exchange), received.script)), headers=_cost(asked.tokens))


def _cost(tokens: int) -> dict[str, str]:
    return {
        "x-ratelimit-remaining-tokens-minute": str(max(0, _TOKEN_LIMIT - tokens)),
        "x-ratelimit-tokens-query-cost": str(tokens),
    }


def _reply(value: object, status: int = 200) -> Reply:
    return Reply(orjson.dumps(value), status=status)


def _hex(exchange: Exchange) -> str:
    parts = (exchange.received.raw, exchange.ordinal)
    return f"{seeds.number('high', *parts):016x}{seeds.number('low', *parts):016x}"


def _request_id(exchange: Exchange) -> str:
    text = _hex(exchange)
    return "-".join((text[:8], text[8:12], f"7{text[13:16]}", f"a{text[17:20]}", text[20:]))


def _headers(exchange: Exchange) -> dict[str, str]:
    request_id = _request_id(exchange)
    return {
        "mistral-correlation-id": request_id,
        "x-kong-request-id": request_id,
        "x-envoy-upstream-service-time": str(round(exchange.received.took * 1000)),
        "x-ratelimit-limit-req-minute": str(_REQUEST_LIMIT),
        "x-ratelimit-limit-tokens-minute": str(_TOKEN_LIMIT),
        "x-ratelimit-remaining-req-minute": str(_REQUEST_LIMIT - 1),
        "x-ratelimit-remaining-tokens-minute": str(_TOKEN_LIMIT),
    }
