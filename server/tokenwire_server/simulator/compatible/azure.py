"""Azure: OpenAI's own dialect behind another door, with the results of content filters around it."""

import re
from collections.abc import Sequence
from dataclasses import replace

import orjson

from tokenwire_server.simulator import openai_api, seeds
from tokenwire_server.simulator.openai_api.chat import complete
from tokenwire_server.simulator.openai_api.chat_reply import ChatReply
from tokenwire_server.simulator.openai_api.embeddings import embed
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.reply import (
    STREAM_TYPE,
    Event,
    Exchange,
    Mount,
    NamedError,
    Reply,
    json_reply,
)
from tokenwire_server.simulator.values import Json, as_list, as_object

_CALL = re.compile(
    r"((/openai)?/v1|/openai/deployments/(?P<name>[^/]+)|/openai(?=/responses))"
    r"/(?P<what>chat/completions|embeddings|responses)"
)
_MODELS = re.compile(r"(/openai)?/v1/models")
_REFUSED_KEY = "sk-invalid"

_SAFE = {"filtered": False, "severity": "safe"}
_FILTERS: Json = {"hate": _SAFE, "self_harm": _SAFE, "sexual": _SAFE, "violence": _SAFE}  # recorded
_PROMPT: Json = {
    "prompt_filter_results": [
        {
            "prompt_index": 0,
            "content_filter_results": {**_FILTERS, "jailbreak": {"filtered": False, "detected": False}},
        }
    ]
}
_CONTENT_FILTERS: Json = {
    "content_filters": [
        {
            "blocked": False,
            "source_type": source,
            "content_filter_raw": [],
            "content_filter_results": _FILTERS,
        }
        for source in ("prompt", "completion")  # recorded
    ]
}

_NO_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
    "for an active subscription and use a correct regional API endpoint for your resource."
)
_NO_DEPLOYMENT: Json = {
    "error": {
        "code": "DeploymentNotFound",
        "message": "The API deployment for this resource does not exist. If you created the deployment "
        "within the last 5 minutes, please wait a moment and try again.",
    }
}


def mount(root: str) -> Mount:
    """The mount under this path; both the paths with a deployment and those of the newer API are there."""

    def answer(exchange: Exchange) -> Reply:
        try:
            reply = _route(exchange, exchange.received.path.removeprefix(root))
        except ApiError as error:
            body = _NO_DEPLOYMENT if error.code == "model_not_found" else error.body
            reply = json_reply(body, error.status)
        return replace(reply, headers={**_headers(exchange), **reply.headers})

    def error(name: str, exchange: Exchange) -> NamedError | None:
        found = openai_api.MOUNT.error(name, exchange)
        if found is None:
            return None
        kept = {name: value for name, value in found.headers.items() if name == "retry-after"}
        return replace(found, headers={**_headers(exchange), **kept})

    return Mount(f"{root}/", answer, error)


def _route(exchange: Exchange, path: str) -> Reply:
    path, _, query = path.partition("?")
    call = _CALL.fullmatch(path)
    if "api-version=" not in query or not (call or _MODELS.fullmatch(path)):
        return json_reply({"error": {"code": "404", "message": "Resource not found"}}, 404)
    headers = exchange.received.headers
    key = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if key in {"", _REFUSED_KEY}:
        return json_reply({"error": {"code": "401", "message": _NO_KEY}}, 401)
    if call is None:
        data = [{"id": name, "object": "model", "status": "succeeded"} for name in openai_api.MODELS]
        return json_reply({"object": "list", "data": data})
    if call["what"] == "responses":
        return _responses(exchange)
    body = exchange.received.body
    if isinstance(body, dict) and call["name"]:
        body = {**body, "model": call["name"]}
    return _chat(body, exchange) if call["what"] != "embeddings" else _embeddings(body, exchange)


def _embeddings(body: object, exchange: Exchange) -> Reply:
    return json_reply(embed(body).whole(exchange.received.script))


def _chat(body: object, exchange: Exchange) -> Reply:
    completion = complete(body, exchange.received.script.tokens)
    unique = f"chatcmpl-{seeds.name(20, exchange.received.raw)}{exchange.ordinal:09}"
    reply = ChatReply(completion, unique, exchange.now)
    if completion.body.get("stream"):
        return Reply(events=_events(reply.events()), content_type=STREAM_TYPE)
    return json_reply({**_filtered(reply.whole()), **_PROMPT})


def _responses(exchange: Exchange) -> Reply:
    reply = openai_api.create_response(exchange)
    if reply.events is None:
        return replace(reply, body=orjson.dumps({**orjson.loads(reply.body), **_CONTENT_FILTERS}))
    last = orjson.loads(reply.events[-1].data)
    last["response"] |= _CONTENT_FILTERS
    return replace(reply, events=[*reply.events[:-1], replace(reply.events[-1], data=orjson.dumps(last))])


def _events(events: Sequence[Event]) -> list[Event]:
    """With the prompt's results first, in a chunk that has nothing else. Reported."""
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "", **_PROMPT}
    return [Event("start", orjson.dumps(first)), *map(_filtered_event, events)]


def _filtered_event(event: Event) -> Event:
    if event.kind == "done":
        return event
    return replace(event, data=orjson.dumps(_filtered(orjson.loads(event.data))))


def _filtered(body: Json) -> Json:
    choices = [
        {**choice, "content_filter_results": _FILTERS} for choice in map(as_object, as_list(body["choices"]))
    ]
    return {**body, "choices": choices}


def _headers(exchange: Exchange) -> dict[str, str]:
    request_id = seeds.name(32, exchange.received.raw, exchange.ordinal)
    return {"apim-request-id": request_id, "x-request-id": request_id, "x-ms-region": "Simulated"}
