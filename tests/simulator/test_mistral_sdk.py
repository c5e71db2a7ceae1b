"""Mistral's official SDK, unmodified, works against the simulator."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from mistralai.client import Mistral, models
from mistralai.client.errors import HTTPValidationError, SDKError
from pydantic import BaseModel
from simulator.mistral import FUNCTION

from tokenwire_server.simulator import MISTRAL_MODELS, Script, Simulator

SMALL = "mistral-small-latest"
ASKED = [models.UserMessage(content="Explique la photosynthèse")]
TOOLS = [models.Tool.model_validate(FUNCTION)]


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
async def mistral(simulator: Simulator) -> AsyncIterator[Mistral]:
    async with Mistral(api_key="test", server_url=simulator.mistral_url) as sdk:
        yield sdk


def texts(content: object) -> tuple[str, str]:
    """The thinking and the text in a message's content, or in a delta's."""
    if isinstance(content, str):
        return "", content
    assert isinstance(content, list)
    thinking = "".join(
        part.text
        for chunk in content
        if isinstance(chunk, models.ThinkChunk)
        for part in chunk.thinking
        if isinstance(part, models.TextChunk)
    )
    return thinking, "".join(chunk.text for chunk in content if isinstance(chunk, models.TextChunk))


async def test_complete(mistral: Mistral) -> None:
    done = await mistral.chat.complete_async(model=SMALL, messages=ASKED, safe_prompt=True)
    (choice,) = done.choices
    assert choice.finish_reason == "stop"
    assert choice.message is not None
    assert "Explique la photosynthèse" in str(choice.message.content)
    used = done.usage
    assert used.total_tokens == (used.prompt_tokens or 0) + (used.completion_tokens or 0)


async def test_complete_and_stream_without_async(simulator: Simulator) -> None:
    def run() -> tuple[str, str]:
        with Mistral(api_key="test", server_url=simulator.mistral_url) as sdk:
            whole = sdk.chat.complete(model=SMALL, messages=ASKED)
            with sdk.chat.stream(model=SMALL, messages=ASKED) as stream:
                deltas = [event.data.choices[0].delta.content for event in stream]
            assert whole.choices[0].message is not None
            return str(whole.choices[0].message.content), "".join(map(str, deltas))

    whole, streamed = await asyncio.to_thread(run)
    assert whole == streamed


@pytest.mark.parametrize("effort", ["none", "high"])
async def test_the_stream_says_what_the_whole_answer_says(
    mistral: Mistral, effort: Literal["none", "high"]
) -> None:
    whole = await mistral.chat.complete_async(
        model=SMALL, messages=ASKED, n=2, reasoning_effort=effort, logprobs=True
    )
    stream = await mistral.chat.stream_async(
        model=SMALL, messages=ASKED, n=2, reasoning_effort=effort, logprobs=True
    )
    said, usage = [["", ""], ["", ""]], None
    async with stream:
        async for event in stream:
            usage = event.data.usage or usage
            for choice in event.data.choices:
                for at, text in enumerate(texts(choice.delta.content)):
                    said[choice.index][at] += text
    expected = [list(texts(choice.message.content)) for choice in whole.choices if choice.message]
    assert said == expected
    assert bool(said[0][0]) == (effort == "high")
    assert said[0][1] != said[1][1]
    assert usage == whole.usage


async def test_parse_gets_a_value_of_the_schema(mistral: Mistral) -> None:
    done = await mistral.chat.parse_async(model=SMALL, messages=ASKED, response_format=Person)
    assert done.choices is not None
    assert done.choices[0].message is not None
    assert isinstance(done.choices[0].message.parsed, Person)


@pytest.mark.parametrize("prompt", ["Look it up.", "Look it up. [sim:twice] [sim:object]"])
async def test_a_tool_turn_goes_round(mistral: Mistral, prompt: str) -> None:
    asked: list[models.ChatCompletionRequestMessage] = [models.UserMessage(content=prompt)]
    first = await mistral.chat.complete_async(model=SMALL, messages=asked, tools=TOOLS)
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    assert message is not None
    calls = message.tool_calls or []
    assert len(calls) == 1 + ("[sim:twice]" in prompt)
    for call in calls:
        assert len(call.id or "") == 9
        given = call.function.arguments
        assert isinstance(given, dict) == ("[sim:object]" in prompt)
        assert (given if isinstance(given, dict) else json.loads(given)).keys() == {"a"}
    results = [models.ToolMessage(content="sunny, 21 °C", tool_call_id=call.id) for call in calls]
    second = await mistral.chat.complete_async(model=SMALL, messages=[*asked, message, *results], tools=TOOLS)
    assert second.choices[0].message is not None
    assert "sunny, 21 °C" in str(second.choices[0].message.content)


async def test_tool_calls_come_whole_in_one_delta(mistral: Mistral) -> None:
    stream = await mistral.chat.stream_async(
        model=SMALL, messages=ASKED, tools=TOOLS, tool_choice="any", parallel_tool_calls=False
    )
    events = [event.data async for event in stream]
    calls = [event.choices[0].delta.tool_calls for event in events if event.choices[0].delta.tool_calls]
    assert len(calls) == 1
    assert events[-1].choices[0].finish_reason == "tool_calls"


async def test_thinking_goes_round(mistral: Mistral) -> None:
    asked: list[models.ChatCompletionRequestMessage] = [models.UserMessage(content="Think. [sim:signed]")]
    first = await mistral.chat.complete_async(
        model=SMALL, messages=asked, reasoning_effort="low", temperature=0, random_seed=7
    )
    message = first.choices[0].message
    assert message is not None
    assert isinstance(message.content, list)
    thought = message.content[0]
    assert isinstance(thought, models.ThinkChunk)
    assert thought.signature
    assert thought.closed
    asked += [message, models.UserMessage(content="Go on.")]
    again = await mistral.chat.complete_async(model=SMALL, messages=asked)
    assert again.choices[0].finish_reason == "stop"


async def test_models(mistral: Mistral) -> None:
    listed = (await mistral.models.list_async()).data or []
    assert [model.id for model in listed if isinstance(model, models.BaseModelCard)] == list(MISTRAL_MODELS)
    card = await mistral.models.retrieve_async(model_id="pixtral-12b-latest")
    assert isinstance(card, models.BaseModelCard)
    assert card.capabilities.vision
    assert card.aliases == ["pixtral-12b", "pixtral-12b-2409"]
    old = await mistral.models.retrieve_async(model_id="mistral-tiny")
    assert isinstance(old, models.BaseModelCard)
    assert old.deprecation is not None
    with pytest.raises(SDKError):
        await mistral.models.retrieve_async(model_id="mistral-imagined")


@pytest.mark.parametrize(
    ("name", "status", "raised"),
    [
        ("invalid_api_key", 401, SDKError),
        ("model_not_found", 400, SDKError),
        ("unprocessable422", 422, HTTPValidationError),
        ("unprocessable422_flat", 422, HTTPValidationError),
        ("rate_limit", 429, SDKError),
        ("capacity", 429, SDKError),
        ("server_error", 500, SDKError),
        ("overloaded", 503, SDKError),
    ],
)
async def test_named_errors(
    mistral: Mistral, simulator: Simulator, name: str, status: int, raised: type[Exception]
) -> None:
    simulator.script(Script(error=name, headers={"retry-after": "7"}))
    with pytest.raises(raised) as caught:
        await mistral.chat.complete_async(model=SMALL, messages=ASKED)
    assert isinstance(caught.value, SDKError | HTTPValidationError)
    assert caught.value.status_code == status
    assert caught.value.headers["retry-after"] == "7"


async def test_a_refused_request_names_the_field(mistral: Mistral) -> None:
    with pytest.raises(HTTPValidationError) as caught:
        await mistral.chat.complete_async(model=SMALL, messages=ASKED, temperature=9)
    assert '"loc":["body","temperature"]' in str(caught.value)
