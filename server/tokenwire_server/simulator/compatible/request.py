"""Requests to compatible servers, reduced to what OpenAI's own dialect takes."""

import re
from dataclasses import dataclass
from typing import Literal

from tokenwire_server.simulator.compatible.habits import Habits
from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.chat_params import PARAMETERS
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.openai_api.models import Family
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text

_REASONING_MODEL = re.compile(
    r"reason|thinking|-r1|gpt-oss|qwen3|magistral|compound|deepseek-v4", re.IGNORECASE
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

# Accepted everywhere and without a meaning here, or with one that is read from the request itself.
_DROPPED = {"reasoning_effort", "service_tier", "prediction", "verbosity", "web_search_options"}
_MESSAGE = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal")
FUNCTION = ("name", "description", "parameters")

Shown = Literal["apart", "inside", "hidden"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request in OpenAI's own dialect, and what stood beside it."""

    body: Json
    family: Family
    shown: Shown  # where the reasoning goes: a field of its own, <think> in the content, or nowhere


def read(value: object, habits: Habits) -> Request:
    """The request; ApiError if this server would refuse it."""
    if not isinstance(value, dict):
        raise ApiError("the body is not a JSON object")
    given = {"model": habits.models[0], **value} if habits.any_model and "model" not in value else value
    _check_known(given, habits)
    body = {key: item for key, item in given.items() if key in PARAMETERS and key not in _DROPPED}
    body |= {"messages": [_message(item) for item in as_list(given.get("messages"))]}
    if given.get("tools"):
        body["tools"] = [_tool(item) for item in as_list(given["tools"])]
    if choice := as_object(given.get("tool_choice")):
        body["tool_choice"] = {"type": "function", **choice}
    if form := as_object(given.get("response_format")):
        body["response_format"] = _response_format(form)
    return Request(_together(body), family_of(given), _shown(given))


def family_of(body: Json) -> Family:
    """What these servers take of any model, and how much this one reasons for this request."""
    return Family(10_000_000, 10_000_000, _EFFORTS, _effort(body), stop=True)


def _check_known(body: Json, habits: Habits) -> None:
    if habits.known is None:
        return
    if unknown := [name for name in body if name not in habits.known]:
        raise ApiError(f"property '{unknown[0]}' is unsupported")
    for index, message in enumerate(map(as_object, as_list(body.get("messages")))):
        if unknown := [name for name in message if name not in (*_MESSAGE, "reasoning")]:
            where = f"'messages.{index}'"
            raise ApiError(
                f"{where} : for 'role:{message.get('role')}' the following must be satisfied[({where} : "
                f"property '{unknown[0]}' is unsupported)]"
            )


def _together(body: Json) -> Json:
    """Without what OpenAI refuses beside or without another parameter, and these servers do not."""
    gone = {"tool_choice", "parallel_tool_calls"} if not body.get("tools") else set()
    if not body.get("stream"):
        gone.add("stream_options")
    if not body.get("logprobs"):
        gone.add("top_logprobs")
    if body.get("max_completion_tokens") is not None:
        gone.add("max_tokens")
    return {key: item for key, item in body.items() if key not in gone}


def _message(value: object) -> Json:
    message = {key: item for key, item in as_object(value).items() if key in _MESSAGE}
    content = message.get("content")
    if isinstance(content, list):
        message["content"] = [_part(as_object(part)) for part in content]
    if message.get("tool_calls"):
        message["tool_calls"] = [_call(as_object(call)) for call in as_list(message["tool_calls"])]
    else:
        message.pop("tool_calls", None)
    if message.get("role") == "assistant" and content is None and "tool_calls" not in message:
        message["content"] = ""
    if message.get("role") == "tool":
        message["tool_call_id"] = as_text(message.get("tool_call_id"))
    return message


def _part(part: Json) -> Json:
    kind = as_text(part.get("type"))
    if kind == "video_url":
        raise checks.not_simulated("messages", "video input")
    return {"type": kind, kind: part.get(kind)}


def _call(call: Json) -> Json:
    return {"id": as_text(call.get("id")), "type": "function", "function": call.get("function")}


def _tool(value: object) -> Json:
    tool = as_object(value)
    if tool.get("type") != "function":
        raise checks.not_simulated("tools", "hosted tools")
    function = as_object(tool.get("function"))
    return {"type": "function", "function": {key: function[key] for key in FUNCTION if key in function}}


def _response_format(form: Json) -> Json:
    """A schema without "strict": none of these servers is as strict as OpenAI about schemas."""
    schema: Json = {"name": "json", "schema": {"type": "object"}}
    if form.get("type") == "json_schema":
        schema |= {"schema": as_object(as_object(form.get("json_schema")).get("schema"))}
    elif form.get("type") != "json_object":
        return {"type": "text"}
    return {"type": "json_schema", "json_schema": schema}


def _effort(body: Json) -> str:
    """How much the model is to reason: what the request says in any server's way, or what the model does."""
    usual = "medium" if _REASONING_MODEL.search(as_text(body.get("model"))) else "none"
    asked = as_object(body.get("reasoning"))  # OpenRouter
    if asked.get("enabled") is False:
        return "none"
    thinking = as_text(as_object(body.get("thinking")).get("type"))  # DeepSeek
    if thinking in {"enabled", "disabled"}:
        usual = "medium" if thinking == "enabled" else "none"
    template = as_object(body.get("chat_template_kwargs")).get("enable_thinking")  # vLLM, llama.cpp
    if isinstance(template, bool):
        usual = "medium" if template else "none"
    given = as_text(asked.get("effort")) or as_text(body.get("reasoning_effort"))
    if asked and not given:
        return "medium"
    return given if given in _EFFORTS else usual


def _shown(body: Json) -> Shown:
    if body.get("reasoning_format") == "raw":  # Groq, recorded
        return "inside"
    hidden = body.get("reasoning_format") == "hidden" or body.get("include_reasoning") is False
    return "hidden" if hidden else "apart"
