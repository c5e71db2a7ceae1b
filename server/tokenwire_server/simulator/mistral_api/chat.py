"""POST /v1/chat/completions: from a request's body to the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tokenwire_server.simulator import tokens
from tokenwire_server.simulator.answer import Answer, Ask, answer
from tokenwire_server.simulator.mistral_api import models
from tokenwire_server.simulator.mistral_api.chat_messages import (
    attachments_of,
    check_order,
    count_tokens,
    has_image,
    text_of,
)
from tokenwire_server.simulator.mistral_api.chat_params import (
    check_for_model,
    check_form,
    effort_of,
    key_of,
    schema_of,
    tools_of,
)
from tokenwire_server.simulator.mistral_api.errors import (
    ApiError,
    ValidationFailed,
    check_json,
    invalid_model,
)
from tokenwire_server.simulator.values import Json, as_int, as_list, as_object, as_text, compact

_REASONING_TOKENS = {
    "none": 0,
    "minimal": 16,
    "low": 64,
    "medium": 128,
    "high": 256,
    "xhigh": 512,
    "max": 1024,
}


@dataclass(frozen=True, slots=True)
class Completion:
    """A checked request and its answers, one per choice."""

    body: Json
    prompt: str
    answers: tuple[Answer, ...]
    prompt_tokens: int


def complete(raw: bytes, value: object, length: int | None) -> Completion:
    """The answers to a request; ApiError or ValidationFailed if the real API would refuse it.

    `length` is the length of the answers in tokens, None for as long as they come out.
    """
    body = _checked(raw, value)
    messages = [as_object(message) for message in as_list(body["messages"])]
    model = _model(as_text(body["model"]))
    check_order(messages)
    check_for_model(body, model, image=has_image(messages))
    used = count_tokens(messages) + tokens.count(compact(body["tools"]) if body.get("tools") else "")
    if used + (as_int(body.get("max_tokens")) or 0) > model.window:
        raise ApiError(
            f"Prompt contains {used} tokens and 0 draft tokens, too large for model with {model.window} "
            "maximum context length",
            code="3051",
        )
    choices = range(_count(body, "n") or 1)
    asks = [_ask(body, messages, model, choice, length) for choice in choices]
    prefix = text_of(messages[-1]) if messages[-1]["role"] == "assistant" else ""
    return Completion(body, asks[0].prompt, tuple(_answered(ask, prefix) for ask in asks), used)


def _checked(raw: bytes, value: object) -> Json:
    check_json(raw, value)
    if wrongs := check_form(value):
        raise ValidationFailed(wrongs)
    return as_object(value)


def _model(name: str) -> models.Model:
    model = models.find(name)
    if model is None or not model.can("completion_chat"):
        raise invalid_model(name)
    return model


def _answered(ask: Ask, prefix: str) -> Answer:
    """The answer, which begins with the prefix that the caller set."""
    said = answer(ask)
    if not prefix or said.calls:
        return said
    return replace(said, tokens=(*tokens.split(prefix), *said.tokens))


def _count(body: Json, name: str) -> int | None:
    """A whole number, which may have been given as 7.0."""
    value = body.get(name)
    return int(value) if isinstance(value, int | float) else None


def _ask(body: Json, messages: Sequence[Json], model: models.Model, choice: int, length: int | None) -> Ask:
    last_user = next((message for message in reversed(messages) if message["role"] == "user"), {})
    stop = body.get("stop")
    return Ask(
        key=key_of(body),
        prompt=text_of(last_user),
        attachments=attachments_of(last_user),
        results=_results(messages),
        tools=tools_of(body),
        call=_call(body),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=schema_of(body),
        limit=_count(body, "max_tokens"),
        stop=(stop,) if isinstance(stop, str) else tuple(map(as_text, as_list(stop))),
        reasoning=_REASONING_TOKENS[effort_of(body, model)],
        finishes=("error", "model_length"),
        length=length,
        choice=choice,
    )


def _call(body: Json) -> Literal["none", "auto", "required"]:
    choice = body.get("tool_choice", "auto")
    if choice == "none" or not body.get("tools"):
        return "none"
    return "auto" if choice == "auto" else "required"


def _results(messages: Sequence[Json]) -> tuple[str, ...]:
    """The texts of the tool messages at the end."""
    found: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        found.insert(0, text_of(message))
    return tuple(found)
