"""Responses as compatible servers give them: OpenAI's form, with the reasoning itself in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tokenwire_server.simulator import seeds
from tokenwire_server.simulator.compatible.habits import Habits
from tokenwire_server.simulator.compatible.request import FUNCTION, family_of
from tokenwire_server.simulator.conversations import Conversations
from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.openai_api.models import Family
from tokenwire_server.simulator.openai_api.responses import respond
from tokenwire_server.simulator.openai_api.responses_params import PARAMETERS
from tokenwire_server.simulator.openai_api.responses_reply import ResponsesReply
from tokenwire_server.simulator.openai_api.responses_stream import as_error, events
from tokenwire_server.simulator.reply import STREAM_TYPE, Event, Exchange, Reply, json_reply
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text

_DROPPED = {"reasoning", "service_tier"}  # read from the request itself, or without a meaning here


@dataclass(frozen=True, slots=True)
class Request:
    """A request in OpenAI's own dialect."""

    body: Json
    family: Family


def read(value: object, habits: Habits) -> Request:
    """The request; ApiError if this server would refuse it."""
    if not isinstance(value, dict):
        raise ApiError("the body is not a JSON object")
    given = {"model": habits.models[0], **value} if habits.any_model and "model" not in value else value
    body = {key: item for key, item in given.items() if key in PARAMETERS and key not in _DROPPED}
    if given.get("tools"):
        body["tools"] = [_tool(as_object(tool)) for tool in as_list(given["tools"])]
    if habits.settled_calls:
        _check_settled(map(as_object, as_list(given.get("input"))))
    text = as_object(given.get("text"))
    if form := as_object(text.get("format")):
        body["text"] = {**text, "format": _format(form)}
    return Request(body | {"store": False}, family_of(given))


def _check_settled(items: Iterable[Json]) -> None:
    waiting: list[str] = []
    for item in items:
        name = as_text(item.get("call_id"))
        if item.get("type") == "function_call":
            waiting.append(name)
        elif item.get("type") == "function_call_output":
            waiting = [other for other in waiting if other != name]
        elif waiting:
            text = f"No tool output found for tool call {waiting[0]}."
            raise ApiError(text, None, "invalid_request_error")


def _tool(tool: Json) -> Json:
    """The tool without "strict": none of these servers is as strict as OpenAI about schemas."""
    if tool.get("type") != "function":
        raise checks.not_simulated("tools", "hosted tools")
    return {"type": "function", **{key: tool[key] for key in FUNCTION if key in tool}}


def _format(form: Json) -> Json:
    """Any object is a schema like others, without OpenAI's rule that somebody must speak of JSON."""
    if form.get("type") == "json_object":
        return {"type": "json_schema", "name": "json", "schema": {"type": "object"}}
    return {key: item for key, item in form.items() if key != "strict"}


def answer(request: Request, exchange: Exchange, habits: Habits) -> Reply:
    """The answer; these servers store nothing."""
    received = exchange.received
    completion = respond(request.body, received.script.tokens, Conversations(), request.family)
    unique = f"{habits.responses}{seeds.name(32, received.raw, exchange.ordinal)}"
    reply = ResponsesReply(completion, unique, exchange.now, open_weights=True)
    if not completion.body.get("stream"):
        return json_reply(reply.whole())
    told = events(reply)
    if not habits.bare_events:
        return Reply(events=told, content_type=STREAM_TYPE, as_error=as_error)
    return Reply(events=_bare(told, habits), content_type=STREAM_TYPE, as_error=_bare_error)


def _bare(told: Sequence[Event], habits: Habits) -> list[Event]:
    comments = [] if habits.comments is None else [Event("comment", habits.comments.encode())]
    return [*comments, *(replace(event, name=None) for event in told), Event("done", b"[DONE]")]


def _bare_error(error: Event, before: int) -> Event:
    return replace(as_error(error, before), name=None)
