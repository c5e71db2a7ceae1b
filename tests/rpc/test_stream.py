"""ChatStream: the order of events, and that they add up to what Chat would have answered."""

import asyncio
import json

import pytest
from google.protobuf.duration_pb2 import Duration
from support.ask import SCHEMA, WEATHER, ask, assistant, called, result, tool, user
from support.gateway import SECONDS, Gateway
from support.status import collect
from support.stream import comparable, kinds, texts, whole

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.simulator import Script

_IMAGE = pb.ContentPart(image=pb.Media(url="https://example.com/a.png"))
_SCHEMA = pb.JsonSchemaFormat(name="place", schema_json=SCHEMA)

REQUESTS = {
    "text": ask("Explique la photosynthèse"),
    "tool call": ask("Weather?", tools=[WEATHER]),
    "two tool calls": ask("[sim:twice]", tools=[WEATHER]),
    "tool result": ask("Weather?", assistant("", called()), tool(result()), tools=[WEATHER]),
    "image": ask(user("", _IMAGE, pb.ContentPart(text="What?"))),
    "two choices": ask(config=pb.GenerationConfig(candidate_count=2)),
    "logprobs": ask(config=pb.GenerationConfig(logprobs=True, top_logprobs=3, max_output_tokens=9)),
    "schema": ask(response_format=pb.ResponseFormat(json_schema=_SCHEMA)),
    "refusal": ask("[sim:refuse] Now."),
    "length": ask(config=pb.GenerationConfig(max_output_tokens=3)),
    "filter": ask("[sim:filter] Go on."),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_stream_completes_with_what_chat_answers(gateway: Gateway, name: str) -> None:
    request = REQUESTS[name]
    events = await collect(gateway.stub.ChatStream(request))
    response = whole(events)
    reply = await gateway.stub.Chat(request)
    assert comparable(response) == comparable(reply)
    assert gateway.simulator.received[0].outcome == "completed"


async def test_a_text_comes_in_deltas_of_one_part(gateway: Gateway) -> None:
    gateway.simulator.script(Script(gap=0.005, tokens=12))
    at_once = pb.StreamOptions(flush_interval=Duration())
    events = await collect(gateway.stub.ChatStream(ask(stream_options=at_once)))
    assert kinds(events) == ["started", "part_started", "text_delta", "part_done", "completed"]
    assert len([event for event in events if event.HasField("text_delta")]) > 3, "tokens were held back"
    assert texts(events) == {(0, 0): whole(events).choices[0].message.text}


async def test_a_caller_may_have_fewer_deltas_of_the_same_text(gateway: Gateway) -> None:
    gateway.simulator.script(Script(gap=0.005, tokens=12))
    seldom = pb.StreamOptions(flush_interval=Duration(seconds=1))
    events = await collect(gateway.stub.ChatStream(ask(stream_options=seldom)))
    assert len([event for event in events if event.HasField("text_delta")]) <= 2
    assert texts(events) == {(0, 0): whole(events).choices[0].message.text}


async def test_started_says_who_answers(gateway: Gateway) -> None:
    events = await collect(gateway.stub.ChatStream(ask()))
    started, response = events[0].started, whole(events)
    assert (started.id, started.model, started.provider) == (response.id, response.model, "openai")
    assert started.create_time == response.create_time


async def test_a_tool_call_begins_with_its_name_and_id(gateway: Gateway) -> None:
    events = await collect(gateway.stub.ChatStream(ask("Weather?", tools=[WEATHER])))
    begun = next(event.part_started.part for event in events if event.HasField("part_started"))
    done = next(event.part_done.part for event in events if event.HasField("part_done"))
    assert begun.tool_call.name == "weather"
    assert begun.tool_call.id == done.tool_call.id != ""
    assert begun.tool_call.arguments_json == ""
    assert set(json.loads(done.tool_call.arguments_json)) == {"city"}


async def test_choices_are_streamed_side_by_side(gateway: Gateway) -> None:
    gateway.simulator.script(Script(gap=0.002, tokens=8))
    request = ask(config=pb.GenerationConfig(candidate_count=2))
    events = await collect(gateway.stub.ChatStream(request))
    said = [event.choice_index for event in events if event.HasField("text_delta")]
    assert said != sorted(said)
    assert set(texts(events)) == {(0, 0), (1, 0)}


async def test_log_probabilities_ride_on_the_deltas(gateway: Gateway) -> None:
    events = await collect(gateway.stub.ChatStream(REQUESTS["logprobs"]))
    deltas = [event.text_delta for event in events if event.HasField("text_delta")]
    for delta in deltas:
        assert "".join(entry.token for entry in delta.logprobs) == delta.text
    assert [entry for delta in deltas for entry in delta.logprobs] == whole(events).choices[0].logprobs


async def test_an_empty_answer_is_started_and_completed(gateway: Gateway) -> None:
    gateway.simulator.script(Script(tokens=0))
    events = await collect(gateway.stub.ChatStream(ask()))
    assert kinds(events) == ["started", "completed"]
    (choice,) = whole(events).choices
    assert choice.message == assistant()
    assert choice.finish_reason == pb.FINISH_REASON_STOP


async def test_deltas_only_keeps_texts_out_of_completed(gateway: Gateway) -> None:
    request = ask(stream_options=pb.StreamOptions(deltas_only=True))
    events = await collect(gateway.stub.ChatStream(request))
    response = events[-1].completed.response
    assert response.choices[0].message == assistant()
    assert response.choices[0].finish_reason == pb.FINISH_REASON_STOP
    assert response.usage.output_tokens > 0
    assert texts(events)[0, 0]


async def test_deltas_only_keeps_tool_calls(gateway: Gateway) -> None:
    options = pb.StreamOptions(deltas_only=True)
    events = await collect(gateway.stub.ChatStream(ask("Go.", tools=[WEATHER], stream_options=options)))
    (part,) = events[-1].completed.response.choices[0].message.parts
    assert part.tool_call.name == "weather"


async def test_usage_comes_without_being_asked_for(gateway: Gateway) -> None:
    usage = whole(await collect(gateway.stub.ChatStream(ask()))).usage
    assert usage.source == common_pb2.TOKEN_SOURCE_PROVIDER
    assert usage.input_tokens > 0 < usage.output_tokens


async def test_a_stream_without_usage_says_so(gateway: Gateway) -> None:
    gateway.simulator.script(Script(no_usage=True))
    usage = whole(await collect(gateway.stub.ChatStream(ask()))).usage
    assert usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 0


async def test_a_finish_reason_without_done_is_a_complete_stream(gateway: Gateway) -> None:
    gateway.simulator.script(Script(no_done=True))
    assert whole(await collect(gateway.stub.ChatStream(ask()))).choices[0].message.text


async def test_warnings_come_with_completed(gateway: Gateway) -> None:
    request = ask(
        tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="elsewhere"))],
        unsupported_parameters=common_pb2.UNSUPPORTED_PARAMETERS_DROP,
    )
    response = whole(await collect(gateway.stub.ChatStream(request)))
    assert [warning.field for warning in response.warnings] == ["tools[0].provider_tool"]


async def test_a_silent_provider_is_covered_by_heartbeats_once_started(gateway: Gateway) -> None:
    gateway.simulator.script(Script(after=1, comments=60.0))  # one token, then nothing for long
    options = pb.StreamOptions(heartbeat_interval=Duration(seconds=1))
    call = gateway.stub.ChatStream(ask(stream_options=options), timeout=SECONDS)
    events = [await anext(aiter(call)) for _ in range(4)]
    assert kinds(events) == ["started", "part_started", "text_delta", "heartbeat"]
    call.cancel()


async def test_no_heartbeat_comes_before_the_answer_has_begun(gateway: Gateway) -> None:
    gateway.simulator.script(Script(tokens=2, first_token_delay=1.3))
    options = pb.StreamOptions(heartbeat_interval=Duration(seconds=1))
    events = await collect(gateway.stub.ChatStream(ask(stream_options=options), timeout=SECONDS))
    assert kinds(events) == ["started", "part_started", "text_delta", "part_done", "completed"]


async def test_each_token_is_passed_on_before_the_next_one_comes(gateway: Gateway) -> None:
    gateway.simulator.script(Script(after=1, comments=60.0))  # one token, then nothing for long
    call = gateway.stub.ChatStream(ask(), timeout=SECONDS)
    async with asyncio.timeout(SECONDS / 2):
        events = [await anext(aiter(call)) for _ in range(3)]
    assert kinds(events) == ["started", "part_started", "text_delta"]
    call.cancel()


@pytest.mark.parametrize("name", ["text", "tool call", "two tool calls", "refusal", "image"])
async def test_a_message_of_an_answer_can_be_sent_back_as_it_came(gateway: Gateway, name: str) -> None:
    request = REQUESTS[name]
    events = await collect(gateway.stub.ChatStream(request))
    message = whole(events).choices[0].message
    results = [result(part.tool_call.id) for part in message.parts if part.HasField("tool_call")]
    next_turn = [*request.messages, message, *([tool(*results)] if results else []), user("And now?")]
    reply = await gateway.stub.Chat(ask(*next_turn, tools=request.tools))
    assert reply.choices
    received = gateway.simulator.received[-1].body
    assert isinstance(received, dict)
    assert received["messages"][len(request.messages)]["role"] == "assistant"


async def test_comments_of_the_provider_hold_no_heartbeat_back(gateway: Gateway) -> None:
    gateway.simulator.script(Script(after=2, comments=0.2))
    options = pb.StreamOptions(heartbeat_interval=Duration(seconds=1))
    call = gateway.stub.ChatStream(ask(stream_options=options), timeout=SECONDS)
    async for event in call:
        if event.HasField("heartbeat"):
            call.cancel()
            return
    pytest.fail("no heartbeat came")
