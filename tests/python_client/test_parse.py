"""Answers as typed values: by a schema, by a function where that must be, repaired when asked."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from python_client.conftest import InSync
from support.gateway import Gateway
from typing_extensions import TypedDict

from tokenwire import AsyncClient, errors
from tokenwire.schema import Shape, is_strict
from tokenwire_server.simulator import Script


class Verdict(BaseModel):
    """What to do with a payment."""

    risk: Literal["low", "high"]
    reasons: list[str] = Field(default_factory=list, max_length=3)


@dataclass
class Node:
    line: str
    children: list["Node"] = field(default_factory=list)


class City(TypedDict):
    name: str
    people: int


class Counts(BaseModel):
    by_word: dict[str, int]


KINDS: dict[str, type] = {kind.__name__: kind for kind in (Verdict, Node, City, Counts)}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "openai/gpt-5-mini"])
async def test_an_answer_is_of_its_type(
    client: AsyncClient, in_sync: InSync, gateway: Gateway, name: str, model: str
) -> None:
    kind = KINDS[name]
    found: object = await client.parse(kind, "Go.", model=model, max_output_tokens=500)
    assert found == await in_sync(lambda sync: sync.parse(kind, "Go.", model=model, max_output_tokens=500))
    assert isinstance(found, dict if kind is City else kind)
    sent = gateway.simulator.received[0].body
    assert isinstance(sent, dict)
    strict = [key for key in _schemas(sent) if key.get("strict")]
    assert bool(strict) == (kind is not Counts)


def _schemas(sent: dict[str, Any]) -> list[dict[str, Any]]:
    chat, responses = sent.get("response_format", {}), sent.get("text", {})
    return [chat.get("json_schema", {}), responses.get("format", {})]


def test_a_schema_is_as_enforcing_providers_want_it() -> None:
    schema = Shape(Verdict).schema
    assert schema["required"] == ["risk", "reasons"]
    assert schema["additionalProperties"] is False
    assert "default" not in json.dumps(schema)
    assert is_strict(schema)
    assert not is_strict(Shape(Counts).schema)
    assert Shape(Verdict).description == "What to do with a payment."
    assert Shape(Node).description == ""


REFUSED = {"message": "Sorry.", "type": "invalid_request_error", "param": "response_format", "code": None}


async def test_where_no_schema_is_taken_a_function_is_called(client: AsyncClient, gateway: Gateway) -> None:
    gateway.simulator.script(
        Script(status=400, error={"error": {**REFUSED, "code": "unsupported_parameter"}})
    )
    first = await client.parse(City, "Go.")
    assert first == await client.parse(City, "Go.")
    bodies = [received.body for received in gateway.simulator.received]
    assert ["response_format" in body for body in bodies if isinstance(body, dict)] == [True, False, False]
    last = bodies[-1]
    assert isinstance(last, dict)
    assert [tool["function"]["name"] for tool in last["tools"]] == ["City"]
    assert last["tool_choice"]


async def test_another_refusal_is_the_callers(client: AsyncClient) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.parse(City, "Go.", temperature=9)
    assert caught.value.violations[0].field == "config.temperature"


def _reply(text: str) -> Script:
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip
    return Script(raw=json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("text", ['{"name": "Paris"}', "Paris!", '{"name": "Paris", "people": "many"}', "[]"])
async def test_an_answer_that_does_not_fit_is_repaired_when_asked(
    client: AsyncClient, gateway: Gateway, text: str
) -> None:
    gateway.simulator.script(_reply(text), _reply(text))
    with pytest.raises(errors.OutputInvalid) as caught:
        await client.parse(City, "Go.")
    assert caught.value.text == text
    assert (await client.parse(City, "Go.", repairs=1))["name"]
    sent = gateway.simulator.received[-1].body
    assert isinstance(sent, dict)
    said = [message["content"] for message in sent["messages"]]
    assert said[:2] == ["Go.", text]
    assert "does not satisfy the schema" in said[2]
    gateway.simulator.script(_reply(text), _reply(text))
    with pytest.raises(errors.OutputInvalid):
        await client.parse(City, "Go.", repairs=1)


async def test_a_cut_answer_and_a_refusal_are_named(client: AsyncClient) -> None:
    with pytest.raises(errors.OutputIncomplete, match="length"):
        await client.parse(City, "Go.", max_output_tokens=2, repairs=1)
    with pytest.raises(errors.OutputRefused) as caught:
        await client.parse(City, "[sim:refuse] Now.", repairs=1)
    assert caught.value.text


async def test_the_form_is_the_types(client: AsyncClient) -> None:
    with pytest.raises(TypeError, match="'tools' is given by the type"):
        await client.parse(City, "Go.", tools=[])
    with pytest.raises(errors.ToolSchemaError):
        await client.parse(Gateway, "Go.")
