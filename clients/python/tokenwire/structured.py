"""Answers as typed values: by a JSON schema where the model takes one, else by a function it must call."""

import re
from collections.abc import Iterable
from typing import Final, TypeVar

from tokenwire.answer import Answer
from tokenwire.arguments import Fields, function_tool
from tokenwire.calls import Calls
from tokenwire.errors import InvalidRequest, OutputIncomplete, OutputInvalid, OutputRefused
from tokenwire.messages import Turn, message
from tokenwire.schema import Shape, is_strict

T = TypeVar("T")

_OWNED: Final = {"response_format", "tools", "tool_choice"}
_CUT: Final = {"length", "content_filter", "error"}


async def parsed(
    calls: Calls, kind: type[T], turns: Iterable[Turn], fields: Fields, timeout: float | None, repairs: int
) -> T:
    """A value of this type, as AsyncClient.parse has it."""
    if owned := _OWNED & fields.keys():
        raise TypeError(f"{owned.pop()!r} is given by the type")
    shape = Shape(kind)
    conversation = list(turns)
    while True:
        text = _written(await _asked(calls, shape, conversation, fields, timeout))
        try:
            return shape.read(text)
        except OutputInvalid as error:
            if not repairs:
                raise
            wrong = f"This does not satisfy the schema: {error}. Answer again, whole and corrected."
        repairs -= 1
        conversation += [message("assistant", text), message("user", wrong)]


async def _asked(
    calls: Calls, shape: Shape[T], turns: Iterable[Turn], fields: Fields, timeout: float | None
) -> Answer:
    model = str(fields.get("model", ""))
    if model not in calls.without_json_schema:
        try:
            return await calls.chat(turns, {**fields, **_by_schema(shape)}, timeout)
        except InvalidRequest as error:
            if not any(violation.field.startswith("response_format") for violation in error.violations):
                raise
            calls.without_json_schema.add(model)
    return await calls.chat(turns, {**fields, **_by_function(shape)}, timeout)


def _by_schema(shape: Shape[T]) -> Fields:
    schema = {
        "name": _name(shape),
        "description": shape.description,
        "schema_json": shape.schema,
        "strict": is_strict(shape.schema) or None,
    }
    return {"response_format": {"json_schema": schema}}


def _by_function(shape: Shape[T]) -> Fields:
    name = _name(shape)
    tool = function_tool(name, shape.description, shape.schema, strict=is_strict(shape.schema) or None)
    return {"tools": [tool], "tool_choice": [name]}


def _name(shape: Shape[T]) -> str:
    """A name that the contract takes: generic models have brackets in theirs."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", shape.name)[:64]


def _written(answer: Answer) -> str:
    """The JSON of an answer. Raises OutputIncomplete, OutputRefused."""
    if answer.refusal or answer.finish_reason == "refusal":
        raise OutputRefused("the model declined to answer", answer.refusal or answer.text)
    text = next((call.arguments_json for call in answer.tool_calls), answer.text)
    if answer.finish_reason in _CUT:
        raise OutputIncomplete(f"the answer ended early: {answer.finish_reason}", text)
    return text
