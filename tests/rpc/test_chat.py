"""Chat, from a caller to the simulated provider and back."""

import json
from typing import Any

from support.ask import SCHEMA, WEATHER, ask, assistant, called, result, tool, user
from support.gateway import KEY, Gateway
from support.status import collect

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.simulator import Script

PNG = b"\x89PNG\r\n\x1a\n"


def sent(gateway: Gateway, number: int = -1) -> dict[str, Any]:
    """The body that the provider received."""
    body = gateway.simulator.received[number].body
    assert isinstance(body, dict)
    return body


async def test_a_question_is_answered(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask("[sim:echo] Bonjour, ça va ? 🦉"))
    assert [choice.message for choice in reply.choices] == [assistant("Bonjour, ça va ? 🦉")]
    assert reply.choices[0].finish_reason == pb.FINISH_REASON_STOP
    assert reply.choices[0].native_finish_reason == "stop"
    assert reply.id.startswith("chatcmpl-")
    assert (reply.model, reply.provider) == ("gpt-4o-mini", "openai")
    assert reply.create_time.seconds > 0
    assert reply.service_tier == "default"
    assert reply.system_fingerprint
    assert not reply.warnings


async def test_the_provider_gets_the_request_and_its_key(gateway: Gateway) -> None:
    await gateway.stub.Chat(ask(pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Be brief."), "Hello."))
    received = gateway.simulator.received[0]
    assert (received.method, received.path) == ("POST", "/v1/chat/completions")
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["user-agent"] == "tokenwire"
    assert sent(gateway) == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}],
    }


async def test_usage_timing_and_attempts_are_told(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask())
    usage = reply.usage
    assert usage.source == common_pb2.TOKEN_SOURCE_PROVIDER
    assert usage.input_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    (attempt,) = reply.attempts
    assert (attempt.provider, attempt.model, attempt.code) == ("openai", "gpt-4o-mini", 0)
    assert (attempt.upstream_status, attempt.reason) == (200, 0)
    timing = reply.timing
    assert 0 < timing.upstream.ToNanoseconds() <= timing.total.ToNanoseconds()
    assert attempt.duration.ToNanoseconds() <= timing.upstream.ToNanoseconds()
    assert not timing.HasField("first_token")


async def test_upstream_time_is_the_providers(gateway: Gateway) -> None:
    gateway.simulator.script(Script(headers_delay=0.2))
    reply = await gateway.stub.Chat(ask())
    assert reply.timing.upstream.ToTimedelta().total_seconds() >= 0.2


async def test_the_first_tokens_time_is_told_of_a_stream(gateway: Gateway) -> None:
    gateway.simulator.script(Script(first_token_delay=0.2, tokens=3))
    *_, last = await collect(gateway.stub.ChatStream(ask()))
    timing = last.completed.response.timing
    assert timing.first_token.ToTimedelta().total_seconds() >= 0.2
    assert timing.first_token.ToNanoseconds() <= timing.total.ToNanoseconds()


async def test_generation_settings_reach_the_provider(gateway: Gateway) -> None:
    config = pb.GenerationConfig(max_output_tokens=7, temperature=0, seed=0, stop=["END"], top_p=0.5)
    await gateway.stub.Chat(ask(config=config, end_user_id="u-1", metadata={"a": "b"}, store=False))
    body = sent(gateway)
    del body["messages"]
    assert body == {
        "model": "gpt-4o-mini",
        "max_completion_tokens": 7,
        "temperature": 0,
        "seed": 0,
        "stop": ["END"],
        "top_p": 0.5,
        "safety_identifier": "u-1",
        "metadata": {"a": "b"},
        "store": False,
    }


async def test_an_answer_at_its_token_limit_ends_with_length(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask(config=pb.GenerationConfig(max_output_tokens=5)))
    assert reply.choices[0].finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.usage.output_tokens == 5


async def test_a_filtered_answer_is_an_answer(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask("[sim:filter] What now?"))
    assert reply.choices[0].finish_reason == pb.FINISH_REASON_CONTENT_FILTER
    assert reply.choices[0].message.text


async def test_a_refusal_is_a_part_of_its_own(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask("[sim:refuse] Now."))
    message = reply.choices[0].message
    assert reply.choices[0].finish_reason == pb.FINISH_REASON_REFUSAL
    assert message.text == ""
    assert [part.WhichOneof("content") for part in message.parts] == ["refusal"]
    assert message.parts[0].refusal.startswith("I'm sorry")


async def test_an_offered_tool_is_called(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask("Weather?", tools=[WEATHER]))
    choice = reply.choices[0]
    assert choice.finish_reason == pb.FINISH_REASON_TOOL_CALLS
    (part,) = choice.message.parts
    assert part.tool_call.name == "weather"
    assert part.tool_call.id
    assert set(json.loads(part.tool_call.arguments_json)) == {"city"}
    assert SCHEMA.encode() in gateway.simulator.received[0].raw, "the schema's text was not kept"


async def test_two_calls_in_one_turn_stay_apart(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask("[sim:twice]", tools=[WEATHER]))
    ids = [part.tool_call.id for part in reply.choices[0].message.parts]
    assert len(set(ids)) == len(ids) == 2


async def test_a_tools_result_is_answered(gateway: Gateway) -> None:
    request = ask("Weather?", assistant("", called()), tool(result(text="hail")), tools=[WEATHER])
    reply = await gateway.stub.Chat(request)
    assert "hail" in reply.choices[0].message.text
    assert sent(gateway)["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "hail"},
    ]


async def test_images_go_by_url_and_by_data(gateway: Gateway) -> None:
    url = pb.Media(url="https://example.com/a.png", detail="low")
    data = pb.Media(data=PNG, media_type="image/png")
    turn = user("", *(pb.ContentPart(image=image) for image in (url, data)), pb.ContentPart(text="What?"))
    reply = await gateway.stub.Chat(ask(turn))
    assert "2 images" in reply.choices[0].message.text
    first, second, text = sent(gateway)["messages"][0]["content"]
    assert first == {"type": "image_url", "image_url": {"url": url.url, "detail": "low"}}
    assert second == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    assert text == {"type": "text", "text": "What?"}


async def test_several_answers_come_by_index(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask(config=pb.GenerationConfig(candidate_count=2)))
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert reply.choices[0].message.text != reply.choices[1].message.text


async def test_log_probabilities_come_with_their_alternatives(gateway: Gateway) -> None:
    config = pb.GenerationConfig(logprobs=True, top_logprobs=2, max_output_tokens=4)
    reply = await gateway.stub.Chat(ask(config=config))
    choice = reply.choices[0]
    assert "".join(entry.token for entry in choice.logprobs) == choice.message.text
    for entry in choice.logprobs:
        assert entry.logprob < 0
        assert entry.bytes == entry.token.encode()
        assert entry.top[0].token == entry.token
        assert len(entry.top) == 2


async def test_an_answer_satisfies_a_schema(gateway: Gateway) -> None:
    schema = pb.JsonSchemaFormat(name="place", schema_json=SCHEMA, strict=True)
    reply = await gateway.stub.Chat(ask(response_format=pb.ResponseFormat(json_schema=schema)))
    assert set(json.loads(reply.choices[0].message.text)) == {"city"}
    asked = sent(gateway)["response_format"]["json_schema"]
    assert asked == {"name": "place", "schema": json.loads(SCHEMA), "strict": True}


async def test_provider_options_are_merged_for_their_provider_only(gateway: Gateway) -> None:
    request = ask()
    request.provider_options.update({"openai": {"prediction": None, "web": 3}, "mistral": {"x": 1}})
    gateway.simulator.script(Script(error="bad_request"))  # the real one would not take `web` either
    call = gateway.stub.Chat(request)
    await call.code()
    body = sent(gateway)
    assert body["web"] == 3
    assert isinstance(body["web"], int), "an integral number must stay one"
    assert body["prediction"] is None
    assert "x" not in body
    assert "mistral" not in body


async def test_what_was_left_out_is_told_as_a_warning(gateway: Gateway) -> None:
    foreign = pb.ProviderTool(provider="elsewhere")
    request = ask(tools=[pb.Tool(provider_tool=foreign)])
    request.unsupported_parameters = common_pb2.UNSUPPORTED_PARAMETERS_DROP
    reply = await gateway.stub.Chat(request)
    (warning,) = reply.warnings
    assert warning.code == common_pb2.WARNING_CODE_PARAMETER_DROPPED
    assert warning.field == "tools[0].provider_tool"
    assert warning.text


async def test_an_empty_name_means_the_default_model(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask(model=""))
    assert reply.model == "gpt-4o-mini"


async def test_a_name_without_provider_is_the_default_providers(gateway: Gateway) -> None:
    reply = await gateway.stub.Chat(ask(model="gpt-4.1-nano"))
    assert (reply.provider, reply.model) == ("openai", "gpt-4.1-nano")


async def test_unknown_fields_of_the_provider_are_passed_on(gateway: Gateway) -> None:
    raw = {
        "id": "c-1",
        "model": "m",
        "extra": {"a": [1, None, "x"]},
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "because"}],
    }
    gateway.simulator.script(Script(raw=json.dumps(raw), content_type="application/json"))
    reply = await gateway.stub.Chat(ask())
    assert reply.choices[0].finish_reason == pb.FINISH_REASON_OTHER
    assert reply.choices[0].native_finish_reason == "because"
    extra = reply.provider_fields.fields["extra"].struct_value.fields["a"].list_value
    assert [value.WhichOneof("kind") for value in extra.values] == [
        "number_value",
        "null_value",
        "string_value",
    ]
    assert reply.usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED, "nobody said how many tokens"
