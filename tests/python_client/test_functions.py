"""Functions become tools: their schemas, and one call of each kind."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, Field

from tokenwire import ToolCall, ToolError, ToolRegistry, errors
from tokenwire.checking import mistakes
from tokenwire.tool_metrics import ToolMetrics


class Level(Enum):
    LOW = "low"
    HIGH = "high"


@dataclass
class Place:
    city: str
    country: str | None = None


def schema_of(registry: ToolRegistry) -> Any:
    import json

    (tool,) = registry.tools
    return json.loads(tool.function.parameters_json)


def test_a_function_describes_itself() -> None:
    registry = ToolRegistry()

    @registry.tool
    def weather(place: Place, day: Literal["today", "tomorrow"] = "today", level: Level = Level.LOW) -> str:
        """Tells the weather.

        Of any place.

        Args:
            place: Where.
            day (str): When.

        Returns:
            A sentence.
        """
        return f"sunny in {place.city}, {day}, {level}"

    (tool,) = registry.tools
    assert (tool.function.name, tool.function.strict) == ("weather", True)
    assert tool.function.description == "Tells the weather.\n\nOf any place."
    schema = schema_of(registry)
    assert schema["required"] == ["place", "day", "level"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["day"] == {
        "description": "When.", "enum": ["today", "tomorrow"], "type": "string",
    }  # fmt: skip
    assert schema["$defs"]["Place"]["required"] == ["city", "country"]
    assert weather(Place("Paris")).startswith("sunny in Paris")


def test_what_can_be_said_otherwise_is() -> None:
    registry = ToolRegistry()
    parameters = {"type": "object", "properties": {"q": {"type": "string"}}}
    registry.tool(name="find", description="Finds.", parameters=parameters)(lambda q="": q)
    (tool,) = registry.tools
    assert (tool.function.name, tool.function.description) == ("find", "Finds.")
    assert not tool.function.HasField("strict")
    assert schema_of(registry) == parameters


def no_hint(a) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001 (what is tested)
def many(*a: int) -> None: ...
def unknown_hint(a: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821 (what is tested)
def no_schema(a: Callable[[], int]) -> None: ...
def no_type(a: threading.Thread) -> None: ...


WRONG = {
    no_hint: "no type hint",
    many: "by name",
    unknown_hint: "not known",
    no_schema: "JsonSchema",
    no_type: "schema",
}


@pytest.mark.parametrize("function", WRONG, ids=lambda function: function.__name__)
def test_what_no_schema_can_say_is_refused_at_registration(function: Callable[..., Any]) -> None:
    with pytest.raises(errors.ToolSchemaError, match=WRONG[function]):
        ToolRegistry().tool(function)


def test_a_registration_that_is_wrong_says_why() -> None:
    registry = ToolRegistry()
    registry.tool(name="a")(lambda: 1)
    with pytest.raises(errors.ToolSchemaError, match="already"):
        registry.tool(name="a")(lambda: 1)
    with pytest.raises(errors.ToolSchemaError, match="letters"):
        registry.tool(name="é")(lambda: 1)
    with pytest.raises(errors.ToolSchemaError, match="object"):
        registry.tool(name="b", parameters={"type": "array"})(lambda: 1)
    with pytest.raises(errors.ToolSchemaError, match="JSON values"):
        registry.tool(name="b", parameters={"properties": {"a": object()}})(lambda: 1)


class Point(BaseModel):
    x: int


RESULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (lambda: "sunny", "sunny"),
    "nothing": (lambda: None, "null"),
    "JSON": (lambda: {"a": [1, 2.5, "é"]}, '{"a": [1, 2.5, "é"]}'),
    "a model": (lambda: Point(x=1), '{"x": 1}'),
    "a dataclass": (lambda: Place("Paris"), '{"city": "Paris", "country": null}'),
    "what pydantic knows": (lambda: [date(2026, 1, 2), Decimal("1.5")], '["2026-01-02", "1.5"]'),
    "half a character": (lambda: "a\ud800", "a?"),
}


@pytest.mark.parametrize("name", RESULTS)
async def test_a_result_is_text_or_json(name: str) -> None:
    function, text = RESULTS[name]
    registry = ToolRegistry()
    registry.tool(name="go")(function)
    outcome = await registry.call(ToolCall("c1", "go", ""))
    assert (outcome.status, outcome.text) == ("ok", text)


async def test_a_long_result_is_cut() -> None:
    registry = ToolRegistry(max_result_bytes=5)
    registry.tool(name="go")(lambda: "é" * 100)
    assert (await registry.call(ToolCall("c1", "go", "{}"))).text == "éé… [cut: 200 bytes in all]"


def raising(error: Exception) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


async def waiting() -> None:
    await asyncio.Event().wait()


async def timing_out() -> None:
    raise TimeoutError


circle: list[Any] = []
circle.append(circle)
FAILING: dict[str, tuple[Callable[[], Any], str, str]] = {
    "raises": (raising(KeyError("sk-secret")), "failed", "the tool failed with KeyError"),
    "raises for the model": (raising(ToolError("no such city")), "failed", "no such city"),
    "hangs": (waiting, "timeout", "no result within 0.05 s"),
    "hangs in its thread": (partial(threading.Event().wait, 1.0), "timeout", "no result within 0.05 s"),
    "a timeout of its own": (timing_out, "failed", "the tool failed with TimeoutError"),
    "StopIteration": (raising(StopIteration()), "failed", "the tool failed with RuntimeError"),
    "no JSON": (object, "unserializable", "the tool's result cannot be written as JSON"),
    "not a number": (lambda: float("nan"), "unserializable", "the tool's result cannot be written as JSON"),
    "a circle": (lambda: circle, "unserializable", "the tool's result cannot be written as JSON"),
}


@pytest.mark.parametrize("name", FAILING)
async def test_a_failure_is_an_outcome(name: str) -> None:
    function, status, text = FAILING[name]
    registry = ToolRegistry()
    registry.tool(name="go", timeout=0.05, parameters={})(function)
    outcome = await registry.call(ToolCall("c1", "go", "{}"))
    assert (outcome.status, outcome.text) == (status, f'{{"error": "{text}"}}')
    assert outcome.seconds > 0 or status != "timeout"


def add(a: int, b: Annotated[int, Field(ge=0)] = 1) -> int:
    return a + b


ARGUMENTS = {
    '{"a": 1, "b": 2}': ("ok", "3"),
    '{"a": 1}': ("ok", "2"),
    '{"a": "1"}': ("ok", "2"),
    "{}": ("bad_arguments", "a: Field required"),
    "": ("bad_arguments", "a: Field required"),
    '{"a": 1, "b": -1}': ("bad_arguments", "b: Input should be greater than or equal to 0"),
    '{"a": 1, "c": 1}': ("bad_arguments", "c: Extra inputs are not permitted"),
    '{"a": "one"}': ("bad_arguments", "a: Input should be a valid integer"),
    '{"a": 1': ("bad_arguments", "no JSON object"),
    "[1]": ("bad_arguments", "no JSON object"),
}


@pytest.mark.parametrize("text", ARGUMENTS)
async def test_arguments_are_checked_before_the_call(text: str) -> None:
    registry = ToolRegistry()
    registry.tool(add)
    outcome = await registry.call(ToolCall("c1", "add", text))
    status, said = ARGUMENTS[text]
    assert outcome.status == status
    assert said in outcome.text


GIVEN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0},
        "merchant": {"type": "string", "minLength": 1, "maxLength": 3},
        "category": {"enum": ["food", "other"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
        "count": {"type": ["integer", "null"]},
        "either": {"anyOf": [{"type": "boolean"}, {"const": "maybe"}]},
    },
    "required": ["amount"],
    "additionalProperties": {"type": "string"},
}
CHECKED: dict[str, tuple[object, list[str]]] = {
    "right": ({"amount": 1, "merchant": "abc", "tags": ["a"], "count": None, "either": "maybe"}, []),
    "a whole float": ({"amount": 1, "count": 2.0}, []),
    "missing": ({}, ["amount: is required"]),
    "no object": ([], ["must be of type object"]),
    "of another type": ({"amount": "1"}, ["amount: must be of type number"]),
    "true is no number": ({"amount": True}, ["amount: must be of type number"]),
    "too small": ({"amount": -1}, ["amount: must be at least 0"]),
    "too long": ({"amount": 1, "merchant": "abcd"}, ["merchant: must be no longer than 3"]),
    "none of them": ({"amount": 1, "category": "x"}, ["category: must be one of ['food', 'other']"]),
    "an item": ({"amount": 1, "tags": [1]}, ["tags[0]: must be of type string"]),
    "too many": ({"amount": 1, "tags": ["a", "b"]}, ["tags: must be no longer than 1"]),
    "neither": ({"amount": 1, "either": "no"}, ["either: fits none of the allowed forms"]),
    "another": ({"amount": 1, "more": 1}, ["more: must be of type string"]),
}


@pytest.mark.parametrize("name", CHECKED)
def test_a_given_schema_is_checked_here(name: str) -> None:
    value, expected = CHECKED[name]
    assert list(mistakes(GIVEN, value)) == expected


async def test_a_given_schema_refuses_arguments() -> None:
    registry = ToolRegistry()
    registry.tool(name="pay", parameters={**GIVEN, "additionalProperties": False})(lambda amount: amount)
    assert (await registry.call(ToolCall("c1", "pay", '{"amount": 5}'))).text == "5"
    refused = await registry.call(ToolCall("c1", "pay", '{"amount": 5, "other": 1}'))
    assert (refused.status, "other: is not allowed" in refused.text) == ("bad_arguments", True)


async def test_a_tool_that_is_not_there_is_said_to_the_model() -> None:
    registry = ToolRegistry()
    registry.tool(add)
    outcome = await registry.call(ToolCall("c1", "subtract", "{}"))
    assert (outcome.status, outcome.text) == ("unknown", '{"error": "there is no such tool; there are: add"}')


async def test_metrics_count_calls_and_their_time() -> None:
    collected = CollectorRegistry()
    metrics = ToolMetrics(collected)
    registry = ToolRegistry()
    registry.tool(add)
    for call in (
        ToolCall("1", "add", '{"a": 1}'),
        ToolCall("2", "add", "{}"),
        ToolCall("3", "made_up", "{}"),
    ):
        metrics(await registry.call(call))

    def value(name: str, **labels: str) -> float | None:
        return collected.get_sample_value(name, labels)

    assert value("tokenwire_tool_calls_total", tool="add", status="ok") == 1
    assert value("tokenwire_tool_calls_total", tool="add", status="bad_arguments") == 1
    assert value("tokenwire_tool_calls_total", tool="unknown", status="unknown") == 1
    assert value("tokenwire_tool_seconds_count", tool="add") == 1
