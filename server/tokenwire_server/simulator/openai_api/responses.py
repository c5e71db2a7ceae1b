"""POST /v1/responses: from a request's body to the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenwire_server.simulator import tokens
from tokenwire_server.simulator.answer import Answer, Ask, answer
from tokenwire_server.simulator.conversations import Conversations
from tokenwire_server.simulator.openai_api import checks, models
from tokenwire_server.simulator.openai_api.chat import REASONING_TOKENS, SENTENCES
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.openai_api.responses_input import (
    attachments_of,
    check_input,
    count_tokens,
    results_of,
    text_of,
)
from tokenwire_server.simulator.openai_api.responses_params import (
    check_for_model,
    check_model,
    check_parameters,
    check_says_json,
    effort_of,
)
from tokenwire_server.simulator.openai_api.responses_tools import choice_of, schema_of, searches
from tokenwire_server.simulator.openai_api.responses_turns import check_calls, check_items, earlier, resolved
from tokenwire_server.simulator.values import Json, as_int, as_object, as_text, canonical, compact

_DELIVERY = {"stream", "stream_options", "store", "previous_response_id", "input"}


@dataclass(frozen=True, slots=True)
class Completion:
    """A checked request and its answer."""

    body: Json
    items: Sequence[Json]  # the conversation up to the answer
    answer: Answer
    input_tokens: int
    family: models.Family
    query: str | None  # what it searches the web for before it answers


def respond(
    value: object, length: int | None, conversations: Conversations, family: models.Family | None = None
) -> Completion:
    """The answer to a request; ApiError if the real API would refuse it.

    `length` is the length of a text answer in tokens, None for as long as it comes out. With a family, any
    model is taken for one of it, and what the family says of parameters and items is left to the caller.
    """
    body = _checked(value)
    own = family or _family(body)
    given = resolved(check_input(body.get("input") or []), conversations)
    if family is None:
        check_items(given, conversations)
    before = as_text(body.get("previous_response_id"))
    items = [*(earlier(before, conversations) if before else ()), *given]
    check_calls(items)
    check_says_json(body, given)
    ask = _ask(body, items, own, length)
    said = answer(ask)
    spoken = said.finish != "tool_calls" and not said.refused and bool(said.tokens)
    query = ask.prompt if spoken and searches(body) else None
    return Completion(body, items, said, _count(body, items, own), own, query)


def _checked(value: object) -> Json:
    if not isinstance(value, dict):
        raise ApiError(checks.NOT_JSON)
    if value.get("model") is None:
        raise checks.missing("model")
    check_parameters(value)
    if not value.get("input") and not value.get("previous_response_id"):
        raise checks.missing("input")
    return value


def _family(body: Json) -> models.Family:
    model = as_text(body["model"])
    check_model(model)
    family = models.family(model)
    check_for_model(body, family)
    return family


def _count(body: Json, items: Sequence[Json], family: models.Family) -> int:
    """The tokens of the input; ApiError if they are too many, unless the request has them cut."""
    texts = (as_text(body.get("instructions")), compact(body["tools"]) if body.get("tools") else "")
    used = count_tokens(items) + sum(map(tokens.count, texts))
    if used > family.window and body.get("truncation") != "auto":
        raise ApiError(
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "input",
            "context_length_exceeded",
        )
    return min(used, family.window)


def _ask(body: Json, items: Sequence[Json], family: models.Family, length: int | None) -> Ask:
    chosen = choice_of(body)
    nobody: Json = {"type": "message"}
    last_user = next((item for item in reversed(items) if item.get("role") == "user"), nobody)
    kept = {key: value for key, value in body.items() if key not in _DELIVERY}
    return Ask(
        key=canonical([kept, [_unnamed(item) for item in items]]).decode(),
        prompt=text_of(last_user),
        attachments=attachments_of(last_user),
        results=results_of(items),
        tools=chosen.tools,
        call=chosen.call,
        parallel=body.get("parallel_tool_calls") is not False,
        schema=schema_of(body),
        limit=as_int(body.get("max_output_tokens")),
        reasoning=REASONING_TOKENS[effort_of(body, family)],
        finishes=("content_filter", "error"),
        narrates=True,
        sentences=SENTENCES.get(as_text(as_object(body.get("text")).get("verbosity")), 3),
        length=length,
    )


def _unnamed(item: Json) -> Json:
    """An item without what differs between equal conversations."""
    return {key: value for key, value in item.items() if key not in {"id", "encrypted_content"}}
