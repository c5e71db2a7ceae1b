"""Errors in the forms of compatible servers."""

from collections.abc import Mapping
from dataclasses import replace

import orjson

from tokenwire_server.simulator import openai_api, seeds
from tokenwire_server.simulator.compatible.habits import Habits
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.reply import Event, Exchange, NamedError
from tokenwire_server.simulator.values import Json, as_object, as_text

_FLAT_TYPES: Mapping[int, str] = {400: "BadRequestError", 401: "Unauthorized", 404: "NotFoundError"}


def body_of(habits: Habits, error: ApiError) -> Json:
    """The error as this server would say it."""
    if habits.form == "flat":
        kind = _FLAT_TYPES.get(error.status, "InternalServerError")
        shared: Json = {"message": error.message, "type": kind, "param": error.param, "code": error.status}
        return {"object": "error", **shared}
    if habits.form == "text":
        return {"error": error.message}
    if habits.form == "detail":
        return {"detail": error.message}
    if habits.form == "coded":
        return {"error": {"code": error.status, "message": error.message, "type": error.type}}
    inner: Json = {"message": error.message, "type": error.type}
    if error.code is not None:
        inner["code"] = error.code
    return {"error": inner}


def by_name(habits: Habits, name: str, exchange: Exchange) -> NamedError | None:
    """OpenAI's error with this name or status, as this server would say it."""
    found = openai_api.MOUNT.error(name, exchange)
    if found is None:
        return None
    inner = as_object(found.body["error"])
    code, param = inner["code"], inner["param"]
    error = ApiError(
        as_text(inner["message"]),
        param if isinstance(param, str) else None,
        code if isinstance(code, str) else None,
        found.status,
        as_text(inner["type"]),
    )
    body = body_of(habits, error)
    headers = {name: value for name, value in found.headers.items() if name == "retry-after"}
    ended = replace(found, body=body, headers=headers)
    if exchange.received.path.partition("?")[0].endswith("/responses"):
        return replace(ended, events=found.ending())
    return replace(ended, events=_ending(habits, ended, exchange))


def _ending(habits: Habits, error: NamedError, exchange: Exchange) -> tuple[Event, ...]:
    """How a stream that has begun ends with the error."""
    body = error.body
    if habits.error_event is not None:
        body = {"error": {**as_object(body["error"]), "status_code": error.status}}
    if habits.native_finish:
        body = _as_chunk(error, exchange)
    last = (Event("done", b"[DONE]"),) if habits.done_after_error else ()
    return (Event("token", orjson.dumps(body), habits.error_event), *last)


def _as_chunk(error: NamedError, exchange: Exchange) -> Json:
    """The error in a chunk of its own, with the finish reason "error"."""
    delta = {"role": "assistant", "content": ""}
    choice = {"index": 0, "delta": delta, "finish_reason": "error", "native_finish_reason": None}
    inner = as_object(error.body["error"])
    return {
        "id": f"gen-{seeds.name(20, exchange.received.raw, exchange.ordinal)}",
        "object": "chat.completion.chunk",
        "created": exchange.now,
        "model": exchange.received.model,
        "provider": "Simulated",
        "error": {"code": inner["code"], "message": inner["message"]},
        "choices": [choice],
    }
