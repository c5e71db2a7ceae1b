"""POST /v1/chat/completions: from a request's body to the answers."""

from dataclasses import dataclass

from tokenwire_server.simulator import tokens
from tokenwire_server.simulator.answer import Answer, Ask, answer
from tokenwire_server.simulator.openai_api import checks, models
from tokenwire_server.simulator.openai_api.chat_messages import (
    attachments_of,
    check_messages,
    count_tokens,
    text_of,
)
from tokenwire_server.simulator.openai_api.chat_params import (
    check_for_model,
    check_parameters,
    effort_of,
    key_of,
)
from tokenwire_server.simulator.openai_api.chat_tools import choice_of, schema_of
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.values import Json, as_int, as_list, as_object, as_text, compact

REASONING_TOKENS = {
    "none": 0,
    "minimal": 0,
    "low": 64,
    "medium": 128,
    "high": 256,
    "xhigh": 512,
    "max": 1024,
}
SENTENCES = {"low": 1, "medium": 3, "high": 6}


@dataclass(frozen=True, slots=True)
class Completion:
    """A checked request and its answers, one per choice."""

    body: Json
    model: str
    answers: tuple[Answer, ...]
    prompt_tokens: int
    rejected_tokens: int  # of a prediction: the simulator never guesses it
    family: models.Family


def complete(value: object, length: int | None, family: models.Family | None = None) -> Completion:
    """The answers to a request; ApiError if the real API would refuse it.

    `length` is the length of the answers in tokens, None for as long as they come out. With a family, any
    model is taken for one of it, and what the family says of parameters is left to the caller.
    """
    body, messages = _checked(value, family)
    model = as_text(body["model"])
    family = family or models.family(model)
    used = count_tokens(messages) + tokens.count(compact(body["tools"]) if body.get("tools") else "")
    _check_window(used, body, family)
    choices = range(as_int(body.get("n")) or 1)
    asks = [_ask(body, messages, family, choice, length) for choice in choices]
    predicted = text_of(as_object(body.get("prediction")))
    return Completion(body, model, tuple(map(answer, asks)), used, tokens.count(predicted), family)


def _checked(value: object, family: models.Family | None) -> tuple[Json, list[Json]]:
    if not isinstance(value, dict):
        raise ApiError(checks.NOT_JSON)
    if not value.get("model"):
        raise ApiError("you must provide a model parameter")
    if value.get("messages") is None:
        raise checks.missing("messages")
    if family is None:
        check_model(value["model"])
    check_parameters(
        {key: item for key, item in value.items() if key != "messages"} | {"messages": value["messages"]}
    )
    messages = check_messages(value["messages"])
    if family is None:
        check_for_model(value, models.family(as_text(value["model"])))
    return value, messages


def check_model(value: object) -> None:
    """Refuses models that do not exist, and those that have no chat completions."""
    checks.string()("model", value)
    model = as_text(value)
    if not models.is_known(model):
        raise models.not_found(model)
    if model in models.EMBEDDERS:
        text = (
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you "
            "mean to use v1/completions?"
        )
        raise ApiError(text, "model", status=404)
    if models.only_in_responses(model):
        text = "This model is only supported in v1/responses and not in v1/chat/completions."
        raise ApiError(text, "model", status=404)


def _check_window(used: int, body: Json, family: models.Family) -> None:
    wanted = as_int(body.get("max_completion_tokens")) or as_int(body.get("max_tokens")) or 0
    if used + wanted > family.window:
        asked = f" ({used} in the messages, {wanted} in the completion)" if wanted else ""
        raise ApiError(
            f"This model's maximum context length is {family.window} tokens. However, your messages "
            f"resulted in {used + wanted} tokens{asked}. Please reduce the length of the messages.",
            "messages",
            "context_length_exceeded",
        )


def _ask(body: Json, messages: list[Json], family: models.Family, choice: int, length: int | None) -> Ask:
    chosen = choice_of(body)
    last_user = next((message for message in reversed(messages) if message["role"] == "user"), {})
    stop = body.get("stop")
    return Ask(
        key=key_of(body),
        prompt=text_of(last_user),
        attachments=attachments_of(last_user),
        results=_results(messages),
        tools=chosen.tools,
        call=chosen.call,
        parallel=body.get("parallel_tool_calls") is not False,
        schema=schema_of(body),
        limit=as_int(body.get("max_completion_tokens")) or as_int(body.get("max_tokens")),
        stop=(stop,) if isinstance(stop, str) else tuple(map(as_text, as_list(stop))),
        reasoning=REASONING_TOKENS[effort_of(body, family)],
        sentences=SENTENCES.get(as_text(body.get("verbosity")), 3),
        length=length,
        choice=choice,
    )


def _results(messages: list[Json]) -> tuple[str, ...]:
    """The texts of the tool messages at the end."""
    found: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        found.insert(0, text_of(message))
    return tuple(found)
