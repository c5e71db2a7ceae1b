"""Servers that are compatible with OpenAI's dialect, each with its own habits."""

from dataclasses import replace
from urllib.parse import unquote

from tokenwire_server.simulator import seeds
from tokenwire_server.simulator.compatible import azure, embeddings, responses
from tokenwire_server.simulator.compatible.chat_reply import ChatReply
from tokenwire_server.simulator.compatible.errors import body_of, by_name
from tokenwire_server.simulator.compatible.habits import HABITS, Habits
from tokenwire_server.simulator.compatible.request import read
from tokenwire_server.simulator.openai_api.chat import complete
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.reply import (
    STREAM_TYPE,
    Exchange,
    Mount,
    NamedError,
    Reply,
    json_reply,
)
from tokenwire_server.simulator.values import Json, as_text

__all__ = ["COMPATIBLE", "MOUNTS", "NOT_SIMULATED", "root"]

COMPATIBLE = (*HABITS, "azure")
"""The names of the servers."""

NOT_SIMULATED = {
    "video input": "a compatible server's message parts of type video_url",
    "hosted tools": "tools that a provider runs itself: other types than function",
}
"""What some server accepts and the simulator refuses."""

_CHAT, _EMBEDDINGS, _MODELS = "/v1/chat/completions", "/v1/embeddings", "/v1/models"
_RESPONSES = "/v1/responses"
_REFUSED_KEY = "sk-invalid"


def root(name: str) -> str:
    """The path under which the server with this name is; ValueError if there is none."""
    if name not in COMPATIBLE:
        raise ValueError(f"no compatible server {name!r}; there are {', '.join(COMPATIBLE)}")
    return f"/compatible/{name}"


def _mount(name: str, habits: Habits) -> Mount:
    def answer(exchange: Exchange) -> Reply:
        path = exchange.received.path.partition("?")[0].removeprefix(root(name))
        try:
            reply = _route(exchange, path, habits)
        except ApiError as error:
            reply = json_reply(body_of(habits, error), error.status)
        return replace(reply, headers={**_headers(exchange, habits), **reply.headers})

    def error(named: str, exchange: Exchange) -> NamedError | None:
        found = by_name(habits, named, exchange)
        return found and replace(found, headers={**_headers(exchange, habits), **found.headers})

    return Mount(f"{root(name)}/", answer, error)


MOUNTS = (*(_mount(name, habits) for name, habits in HABITS.items()), azure.mount(root("azure")))


def _route(exchange: Exchange, path: str, habits: Habits) -> Reply:
    received = exchange.received
    methods = {_CHAT: "POST", _MODELS: "GET"} | ({_EMBEDDINGS: "POST"} if habits.embedder else {})
    methods |= {_RESPONSES: "POST"} if habits.responses is not None else {}
    known = _MODELS if path.startswith(f"{_MODELS}/") else path
    if known not in methods:
        raise ApiError("Not Found", status=404)
    if received.method != methods[known]:
        raise ApiError("Method Not Allowed", status=405)
    if habits.no_key is not None:
        _authenticate(received.headers.get("authorization", ""), habits.no_key)
    if known == _CHAT:
        return _chat(exchange, habits)
    if known == _RESPONSES:
        request = responses.read(received.body, habits)
        _check_model(as_text(request.body.get("model")), habits)
        return responses.answer(request, exchange, habits)
    if habits.embedder and known == _EMBEDDINGS:
        model = received.model or habits.models[0]
        asked = embeddings.embed(received.body, model, habits.embedder)
        return json_reply(embeddings.whole(asked, habits.embedder, exchange))
    if path == _MODELS:
        return json_reply({"object": "list", "data": [_card(name, habits) for name in habits.models]})
    name = unquote(path.removeprefix(f"{_MODELS}/"))
    _check_model(name, habits)
    return json_reply(_card(name, habits))


def _authenticate(given: str, no_key: str) -> None:
    scheme, _, key = given.partition(" ")
    if scheme != "Bearer" or key.strip() in {"", _REFUSED_KEY}:
        raise ApiError(no_key, code="invalid_api_key", status=401)


def _check_model(name: str, habits: Habits) -> None:
    if habits.any_model or name in habits.models:
        return
    status, text = habits.no_model
    raise ApiError(text.replace("{model}", name), None, "model_not_found", status)


def _chat(exchange: Exchange, habits: Habits) -> Reply:
    received = exchange.received
    request = read(received.body, habits)
    _check_model(as_text(request.body.get("model")), habits)
    completion = complete(request.body, received.script.tokens, request.family)
    unique = f"{habits.id}{seeds.name(32, received.raw, exchange.ordinal)}"
    reply = ChatReply(habits, completion, request.shown, unique, exchange.now)
    if completion.body.get("stream"):
        return Reply(events=reply.events(), content_type=STREAM_TYPE, line_end=habits.line_end)
    return json_reply(reply.whole())


def _card(name: str, habits: Habits) -> Json:
    created = 1_700_000_000 + seeds.number(name) % 50_000_000
    return {"id": name, "object": "model", "created": created, "owned_by": habits.created_by, **habits.card}


def _headers(exchange: Exchange, habits: Habits) -> dict[str, str]:
    if habits.request_id is None:
        return {}
    return {habits.request_id: f"req_{seeds.name(26, exchange.received.raw, exchange.ordinal)}"}
