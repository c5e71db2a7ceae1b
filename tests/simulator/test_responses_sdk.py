"""The official SDK, unmodified, works against the simulated Responses API."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import (
    FunctionToolParam,
    Response,
    ResponseFunctionToolCall,
    ResponseInputParam,
)
from pydantic import BaseModel

from tokenwire_server.simulator import Script, Simulator, serving

ASKED = "Explique la photosynthèse"
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}


class Person(BaseModel):
    name: str
    age: int
    friends: list[str]


class GetWeather(BaseModel):
    """The weather of a city."""

    city: str
    days: int


async def test_create_answers_from_the_prompt(client: AsyncOpenAI) -> None:
    done = await client.responses.create(model="gpt-4o", input=ASKED)
    assert ASKED in done.output_text
    assert done.status == "completed"
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > 0
    Response.model_validate(done.to_dict(), strict=True)


async def test_the_stream_says_what_the_whole_answer_says(client: AsyncOpenAI) -> None:
    whole = await client.responses.create(model="gpt-5.5", input=ASKED, reasoning={"summary": "auto"})
    stream = await client.responses.create(
        model="gpt-5.5", input=ASKED, reasoning={"summary": "auto"}, stream=True
    )
    events = [event async for event in stream]
    told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert told == whole.output_text
    (last,) = [event for event in events if event.type == "response.completed"]
    assert last.response.usage == whole.usage


@pytest.mark.parametrize(
    "prompt",
    ["", "[sim:twice]", "[sim:narrate]", "[sim:text]", "[sim:refuse]", "[sim:filter]", "[sim:error]"],
)
async def test_every_event_is_one_that_the_sdk_knows(client: AsyncOpenAI, prompt: str) -> None:
    """With all the fields that its types want."""
    stream = await client.responses.create(
        model="gpt-5.5",
        input=f"{prompt} Hi.",
        reasoning={"effort": "low", "summary": "detailed"},
        tools=[WEATHER, {"type": "custom", "name": "run_code"}, {"type": "web_search"}],
        stream=True,
    )
    async for event in stream:
        type(event).model_validate(event.to_dict(), strict=True)


async def test_stream_helper_gives_the_final_response(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="gpt-5", input=ASKED, reasoning={"summary": "auto"}) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert ASKED in final.output_text


async def test_parse_gets_a_value_of_the_schema(client: AsyncOpenAI) -> None:
    done = await client.responses.parse(model="gpt-5.5", input=ASKED, text_format=Person)
    assert isinstance(done.output_parsed, Person)
    async with client.responses.stream(model="gpt-4o", input=ASKED, text_format=Person) as stream:
        final = await stream.get_final_response()
    assert isinstance(final.output_parsed, Person)


async def test_parse_gets_arguments_of_the_schema(client: AsyncOpenAI) -> None:
    offered = [openai.pydantic_function_tool(GetWeather)]
    done = await client.responses.parse(model="gpt-4o", input=ASKED, tools=offered)
    (call,) = done.output
    assert call.type == "function_call"
    assert isinstance(call.parsed_arguments, GetWeather)
    async with client.responses.stream(model="gpt-4o", input=ASKED, tools=offered) as stream:
        final = await stream.get_final_response()
    (streamed,) = final.output
    assert streamed.type == "function_call"
    assert (streamed.call_id, streamed.parsed_arguments) == (call.call_id, call.parsed_arguments)


async def test_three_turns_with_reasoning_and_two_calls(client: AsyncOpenAI) -> None:
    """Nothing is stored: each turn sends back all items as they came, reasoning included."""
    said: ResponseInputParam = [{"role": "user", "content": "What weather? [sim:twice]"}]

    async def turn() -> Response:
        async with client.responses.stream(
            model="gpt-5.5",
            input=said,
            tools=[WEATHER],
            store=False,
            include=["reasoning.encrypted_content"],
            reasoning={"effort": "high", "summary": "auto"},
        ) as stream:
            return await stream.get_final_response()

    def send_back(done: Response) -> None:
        said.extend(done.output)  # type: ignore[arg-type]  # answers may be sent as they came; the types say less

    first = await turn()
    calls = [item for item in first.output if isinstance(item, ResponseFunctionToolCall)]
    assert [json.loads(call.arguments).keys() for call in calls] == [{"city", "unit"}] * 2
    send_back(first)
    for call in calls:
        said.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 21 °C"})
    second = await turn()
    assert second.output_text.count("sunny, 21 °C") == 2
    send_back(second)
    said.append({"role": "user", "content": "Thank you. [sim:text]"})
    third = await turn()
    assert "Thank you." in third.output_text
    assert [item.type for item in third.output] == ["reasoning", "message"]


async def test_the_provider_keeps_the_conversation(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="gpt-5", input=ASKED, tools=[WEATHER])
    (call,) = [item for item in first.output if item.type == "function_call"]
    second = await client.responses.create(
        model="gpt-5",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
    )
    assert "“sunny”" in second.output_text


@pytest.fixture
async def sync_client(simulator: Simulator) -> AsyncIterator[OpenAI]:
    with OpenAI(api_key="sk-test", base_url=simulator.url, max_retries=0) as sdk:
        yield sdk


async def test_the_sync_client(sync_client: OpenAI) -> None:
    def calls() -> Iterator[str]:
        yield sync_client.responses.create(model="gpt-4o", input=ASKED).output_text
        yield "".join(
            event.delta
            for event in sync_client.responses.create(model="gpt-4o", input=ASKED, stream=True)
            if event.type == "response.output_text.delta"
        )
        with sync_client.responses.stream(model="gpt-4o", input=ASKED) as stream:
            yield stream.get_final_response().output_text
        parsed = sync_client.responses.parse(model="gpt-4o", input=ASKED, text_format=Person)
        assert isinstance(parsed.output_parsed, Person)

    texts = await asyncio.to_thread(lambda: list(calls()))
    assert len(set(texts)) == 1
    assert ASKED in texts[0]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("context_length", openai.BadRequestError),
        ("invalid_api_key", openai.AuthenticationError),
        ("rate_limit", openai.RateLimitError),
        ("overloaded", openai.InternalServerError),
    ],
)
async def test_named_errors(
    client: AsyncOpenAI, simulator: Simulator, error: str, raised: type[openai.APIStatusError]
) -> None:
    simulator.script(Script(error=error, path="/responses"))
    with pytest.raises(raised) as caught:
        await client.responses.create(model="gpt-4o", input=ASKED, stream=True)
    assert caught.value.request_id is not None


async def test_an_error_in_a_stream_is_raised(client: AsyncOpenAI, simulator: Simulator) -> None:
    simulator.script(Script(error_event="rate_limit", after=2))
    stream = await client.responses.create(model="gpt-4o", input=ASKED, stream=True)
    with pytest.raises(openai.APIError) as caught:
        [event async for event in stream]
    assert caught.value.code == "rate_limit_exceeded"


async def test_no_simulator_is_shared() -> None:
    """A response that one simulator stored is unknown to the next."""
    names: list[str] = []
    for _ in range(2):
        async with serving() as simulator, AsyncOpenAI(api_key="k", base_url=simulator.url) as sdk:
            if names:
                with pytest.raises(openai.BadRequestError):
                    await sdk.responses.create(model="gpt-4o", input="Hi", previous_response_id=names[0])
            names.append((await sdk.responses.create(model="gpt-4o", input="Hi")).id)
