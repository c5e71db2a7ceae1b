"""The official SDK, unmodified, works against the simulator."""

import json

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
    ChatCompletionUserMessageParam,
)
from pydantic import BaseModel

from tokenwire_server.simulator import MODELS, Script, Simulator

ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Explique la photosynthèse"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}


def user(text: str) -> list[ChatCompletionMessageParam]:
    return [ChatCompletionUserMessageParam(role="user", content=text)]


class Person(BaseModel):
    name: str
    age: int
    friends: list[str]


async def test_create_answers_from_the_prompt(client: AsyncOpenAI) -> None:
    done = await client.chat.completions.create(model="gpt-4o", messages=ASKED)
    choice = done.choices[0]
    assert choice.finish_reason == "stop"
    assert "no model was asked" in (choice.message.content or "")
    assert "Explique la photosynthèse" in (choice.message.content or "")
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0
    assert done.usage.completion_tokens_details is not None
    assert done.service_tier == "default"
    assert done._request_id is not None  # noqa: SLF001 (how the SDK publishes it)


async def test_the_stream_says_what_the_whole_answer_says(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="gpt-4o", messages=ASKED, n=2)
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=ASKED, n=2, stream=True, stream_options={"include_usage": True}
    )
    texts, usage = ["", ""], None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in whole.choices]
    assert texts[0] != texts[1]
    assert usage == whole.usage


async def test_chunks_come_in_the_real_order(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk.model_dump(exclude_unset=True) async for chunk in stream]
    first, last, usage = chunks[0]["choices"][0], chunks[-2]["choices"][0], chunks[-1]
    assert first["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert (last["delta"], last["finish_reason"]) == ({}, "stop")
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(chunks) - 3
    assert all(chunk["usage"] is None and chunk["obfuscation"] for chunk in chunks[:-1])


async def test_obfuscation_and_usage_may_be_left_out(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=ASKED, stream=True, stream_options={"include_obfuscation": False}
    )
    chunks = [chunk.model_dump(exclude_unset=True) async for chunk in stream]
    assert not any("obfuscation" in chunk or "usage" in chunk for chunk in chunks)


async def test_stream_helper_gives_the_final_completion(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="gpt-4o", messages=ASKED, logprobs=True) as stream:
        final = await stream.get_final_completion()
    assert "photosynthèse" in (final.choices[0].message.content or "")
    assert final.choices[0].logprobs is not None
    tokens = final.choices[0].logprobs.content or []
    assert "".join(token.token for token in tokens) == final.choices[0].message.content


async def test_parse_gets_a_value_of_the_schema(client: AsyncOpenAI) -> None:
    done = await client.chat.completions.parse(model="gpt-4o", messages=ASKED, response_format=Person)
    assert isinstance(done.choices[0].message.parsed, Person)


async def test_stream_helper_parses(client: AsyncOpenAI) -> None:
    helper = client.chat.completions.stream(model="gpt-4o", messages=ASKED, response_format=Person)
    async with helper as stream:
        final = await stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Person)


async def test_a_tool_turn_goes_round(client: AsyncOpenAI) -> None:
    first = await client.chat.completions.create(model="gpt-4o", messages=ASKED, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    (call,) = first.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    arguments = json.loads(call.function.arguments)
    assert arguments.keys() == {"city", "unit"}
    assert arguments["unit"] in {"C", "F"}
    turn = ChatCompletionAssistantMessageParam(
        role="assistant",
        tool_calls=[
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
        ],
    )
    second = await client.chat.completions.create(
        model="gpt-4o",
        messages=[*ASKED, turn, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 °C"}],
        tools=[WEATHER],
    )
    assert second.choices[0].finish_reason == "stop"
    assert "sunny, 21 °C" in (second.choices[0].message.content or "")


@pytest.mark.parametrize("prompt", ["What weather?", "What weather? [sim:twice]"])
async def test_stream_helper_joins_tool_calls(client: AsyncOpenAI, prompt: str) -> None:
    asked = user(prompt)
    async with client.chat.completions.stream(model="gpt-4o", messages=asked, tools=[WEATHER]) as stream:
        final = await stream.get_final_completion()
    whole = await client.chat.completions.create(model="gpt-4o", messages=asked, tools=[WEATHER])
    streamed = [
        (call.id, call.function.name, call.function.arguments)
        for call in final.choices[0].message.tool_calls or []
    ]
    assert streamed == [
        (call.id, call.function.name, call.function.arguments)
        for call in whole.choices[0].message.tool_calls or []
        if isinstance(call, ChatCompletionMessageFunctionToolCall)
    ]
    assert len(streamed) == 1 + ("[sim:twice]" in prompt)


async def test_refusal(client: AsyncOpenAI) -> None:
    asked = user("[sim:refuse] Tell me.")
    whole = await client.chat.completions.create(model="gpt-4o", messages=asked)
    assert whole.choices[0].message.content is None
    async with client.chat.completions.stream(model="gpt-4o", messages=asked) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.refusal == whole.choices[0].message.refusal != ""


async def test_search_models_cite(client: AsyncOpenAI) -> None:
    done = await client.chat.completions.create(
        model="gpt-4o-search-preview", messages=ASKED, web_search_options={"search_context_size": "low"}
    )
    (citation,) = done.choices[0].message.annotations or []
    assert citation.url_citation.url.startswith("https://")


async def test_models(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    assert listed == list(MODELS)
    assert (await client.models.retrieve("gpt-4o-2024-08-06")).id == "gpt-4o-2024-08-06"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-7-imagined")


@pytest.mark.parametrize(
    ("name", "status", "raised"),
    [
        ("context_length", 400, openai.BadRequestError),
        ("content_policy", 400, openai.BadRequestError),
        ("invalid_api_key", 401, openai.AuthenticationError),
        ("permission", 403, openai.PermissionDeniedError),
        ("model_not_found", 404, openai.NotFoundError),
        ("timeout408", 408, openai.APIStatusError),
        ("conflict409", 409, openai.ConflictError),
        ("too_large413", 413, openai.APIStatusError),
        ("unprocessable422", 422, openai.UnprocessableEntityError),
        ("rate_limit", 429, openai.RateLimitError),
        ("insufficient_quota", 429, openai.RateLimitError),
        ("server_error", 500, openai.InternalServerError),
        ("overloaded", 503, openai.InternalServerError),
    ],
)
async def test_named_errors(
    client: AsyncOpenAI, simulator: Simulator, name: str, status: int, raised: type[openai.APIStatusError]
) -> None:
    simulator.script(Script(error=name, headers={"retry-after": "7"}))
    with pytest.raises(raised) as caught:
        await client.chat.completions.create(model="gpt-4o", messages=ASKED)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.request_id is not None


async def test_the_sdk_retries_what_recovers(simulator: Simulator) -> None:
    simulator.script(Script(error="overloaded", headers={"retry-after-ms": "1"}, times=2))
    async with AsyncOpenAI(api_key="sk-test", base_url=simulator.url, max_retries=2) as sdk:
        await sdk.chat.completions.create(model="gpt-4o", messages=ASKED)
    assert [received.status for received in simulator.received] == [503, 503, 200]
