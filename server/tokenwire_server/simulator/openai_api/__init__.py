"""The OpenAI API: authentication, routes, headers."""

import re
from collections.abc import Mapping
from dataclasses import replace

from tokenwire_server.simulator import seeds
from tokenwire_server.simulator.openai_api import models
from tokenwire_server.simulator.openai_api.chat import complete
from tokenwire_server.simulator.openai_api.chat_params import NOT_SIMULATED as NOT_SIMULATED_IN_CHAT
from tokenwire_server.simulator.openai_api.chat_reply import ChatReply
from tokenwire_server.simulator.openai_api.embeddings import embed
from tokenwire_server.simulator.openai_api.errors import ERRORS, ApiError, by_name
from tokenwire_server.simulator.openai_api.models import MODELS
from tokenwire_server.simulator.openai_api.responses import respond
from tokenwire_server.simulator.openai_api.responses_params import (
    NOT_SIMULATED as NOT_SIMULATED_IN_RESPONSES,
)
from tokenwire_server.simulator.openai_api.responses_reply import ResponsesReply
from tokenwire_server.simulator.openai_api.responses_stream import as_error, events
from tokenwire_server.simulator.reply import STREAM_TYPE, Exchange, Mount, NamedError, Reply, json_reply
from tokenwire_server.simulator.values import Json, as_object

__all__ = ["ERRORS", "MODELS", "MOUNT", "NOT_SIMULATED", "create_response"]

NOT_SIMULATED = {**NOT_SIMULATED_IN_CHAT, **NOT_SIMULATED_IN_RESPONSES}

_REFUSED_KEY = "sk-invalid"
_REQUEST_LIMIT, _TOKEN_LIMIT = 10_000, 2_000_000

_CHAT = "/v1/chat/completions"
_RESPONSES = "/v1/responses"
_EMBEDDINGS = "/v1/embeddings"
_MODELS = "/v1/models"
_METHODS = {_CHAT: "POST", _RESPONSES: "POST", _EMBEDDINGS: "POST", _MODELS: "GET"}

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using "
    "Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if "
    "you're accessing the API from your browser and are prompted for a username and password. You can "
    "obtain an API key from https://platform.openai.com/account/api-keys."
)


def _answer(exchange: Exchange) -> Reply:
    try:
        reply = _route(exchange)
    except ApiError as error:
        reply = json_reply(error.body, error.status)
    return replace(reply, headers={**_headers(exchange), **reply.headers})


def _error(name: str, exchange: Exchange) -> NamedError | None:
    error = by_name(name, exchange)
    return None if error is None else replace(error, headers={**_headers(exchange), **error.headers})


MOUNT = Mount("/v1/", _answer, _error)


def _route(exchange: Exchange) -> Reply:
    received = exchange.received
    path = received.path.partition("?")[0].rstrip("/")
    known = _MODELS if path.startswith(f"{_MODELS}/") else path
    if known not in _METHODS:
        raise ApiError(f"Invalid URL ({received.method} {path})", status=404)
    if received.method != _METHODS[known]:
        raise ApiError(
            f"Not allowed to {received.method} on {path}. (HINT: Perhaps you meant to use a different HTTP "
            "method?)",
            code="method_not_supported",
            status=405,
        )
    _authenticate(received.headers)
    if known == _CHAT:
        return _chat(exchange)
    if known == _RESPONSES:
        return create_response(exchange)
    if known == _EMBEDDINGS:
        return _embeddings(exchange)
    return json_reply(_list() if path == _MODELS else _model(path.removeprefix(f"{_MODELS}/")))


def _authenticate(headers: Mapping[str, str]) -> None:
    given = re.fullmatch(r"Bearer +(\S+)", headers.get("authorization", ""))
    if given is None:
        raise ApiError(_NO_KEY, status=401)
    key = given[1]
    if key == _REFUSED_KEY:
        raise ApiError(
            f"Incorrect API key provided: {key[:7]}***{key[-3:]}. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            code="invalid_api_key",
            status=401,
        )


def _chat(exchange: Exchange) -> Reply:
    received = exchange.received
    completion = complete(received.body, received.script.tokens)
    unique = f"chatcmpl-{seeds.name(20, received.raw)}{exchange.ordinal:09}"
    reply = ChatReply(completion, unique, exchange.now)
    headers = _tokens_left(completion.prompt_tokens)
    if as_object(received.body).get("stream"):
        return Reply(events=reply.events(), content_type=STREAM_TYPE, headers=headers)
    return json_reply(reply.whole(), headers=headers)


def create_response(exchange: Exchange) -> Reply:
    """The answer of the Responses endpoint, stored for the requests that go on from it."""
    received = exchange.received
    completion = respond(received.body, received.script.tokens, exchange.stored)
    unique = f"resp_{seeds.name(20, received.raw)}{exchange.ordinal:09}"
    reply = ResponsesReply(completion, unique, exchange.now)
    headers = _tokens_left(completion.input_tokens)
    if completion.body.get("store") is not False:
        said = [output.item for output in reply.outputs]
        exchange.stored.keep(unique, [*completion.items, *said])
    if completion.body.get("stream"):
        return Reply(events=events(reply), content_type=STREAM_TYPE, headers=headers, as_error=as_error)
    return json_reply(reply.whole(), headers=headers)


def _embeddings(exchange: Exchange) -> Reply:
    asked = embed(exchange.received.body)
    return json_reply(asked.whole(exchange.received.script), headers=_tokens_left(asked.tokens))


def _tokens_left(used: int) -> dict[str, str]:
    return {"x-ratelimit-remaining-tokens": str(max(0, _TOKEN_LIMIT - used))}


def _list() -> Json:
    return {"object": "list", "data": [_card(name) for name in MODELS]}


def _model(name: str) -> Json:
    if not models.is_known(name):
        text = f"The model '{name}' does not exist"
        raise ApiError(text, "model", "model_not_found", status=404)
    return _card(name)


def _card(name: str) -> Json:
    created = 1_700_000_000 + seeds.number(name) % 50_000_000
    return {"id": name, "object": "model", "created": created, "owned_by": "system"}


def _headers(exchange: Exchange) -> dict[str, str]:
    return {
        "x-request-id": f"req_{seeds.name(32, exchange.received.raw, exchange.ordinal)}",
        "openai-organization": "org-simulator",
        "openai-processing-ms": str(round(exchange.received.took * 1000)),
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": str(_REQUEST_LIMIT),
        "x-ratelimit-limit-tokens": str(_TOKEN_LIMIT),
        "x-ratelimit-remaining-requests": str(_REQUEST_LIMIT - 1),
        "x-ratelimit-remaining-tokens": str(_TOKEN_LIMIT),
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "0s",
    }
