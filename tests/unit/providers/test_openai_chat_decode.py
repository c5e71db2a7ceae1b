"""Unary replies of Chat Completions, as documented and otherwise."""

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from unit.providers.stream_rules import check_message
from unit.providers.upstream import NOT_THE_PROTOCOL, USAGE, decoded, reply

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2

CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"b": 1,"a": 2}'}}


def test_a_full_reply() -> None:
    citation = {"url": "https://example.com", "title": "T", "start_index": 0, "end_index": 2}
    entry = {
        "token": "é",
        "logprob": -0.1,
        "bytes": [195, 169],
        "top_logprobs": [{"token": "e", "logprob": -2}],
    }
    message = {
        "content": "Hi",
        "refusal": "but no",
        "tool_calls": [CALL, CUSTOM],
        "annotations": [{"type": "url_citation", "url_citation": citation}],
    }
    response = decoded(
        reply(
            message,
            choice_logprobs={"content": [entry], "refusal": None},
            choice_finish_reason="tool_calls",
            usage={
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            service_tier="default",
            system_fingerprint="fp_1",
            object="chat.completion",
            moderation={"flagged": False, "scores": [1, 0.5, None, "x"]},
        )
    )
    (choice,) = response.choices
    text, refusal, call, item = choice.message.parts
    source = pb.Annotation(
        type="url_citation", url="https://example.com", title="T", start_index=0, end_index=2
    )
    assert text == pb.ContentPart(text="Hi", annotations=[source])
    assert refusal.refusal == "but no"
    assert call.tool_call == pb.ToolCall(id="call_1", name="f", arguments_json='{"b": 1,"a": 2}')
    assert item.provider_item == pb.ProviderItem(
        provider="openai",
        type="custom",
        item_json='{"id":"call_2","type":"custom","custom":{"name":"sql","input":"SELECT 1"}}',
    )
    check_message(choice.message, [text, refusal, call, item])
    assert choice.finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert list(choice.logprobs) == [
        pb.TokenLogprob(
            token="é", logprob=-0.1, bytes="é".encode(), top=[pb.TokenLogprob(token="e", logprob=-2)]
        )
    ]
    assert response.usage == common_pb2.Usage(
        input_tokens=3,
        output_tokens=5,
        total_tokens=8,
        cached_input_tokens=1,
        cache_write_input_tokens=2,
        reasoning_tokens=4,
        source=common_pb2.TOKEN_SOURCE_PROVIDER,
    )
    assert (response.id, response.model, response.create_time.seconds) == ("c-1", "m-1", 5)
    assert (response.service_tier, response.system_fingerprint) == ("default", "fp_1")
    assert json_format.MessageToDict(response.provider_fields) == {
        "moderation": {"flagged": False, "scores": [1, 0.5, None, "x"]}
    }


@pytest.mark.parametrize(
    ("native", "refusal", "reason"),
    [
        ("stop", None, pb.FINISH_REASON_STOP),
        ("stop", "No.", pb.FINISH_REASON_REFUSAL),
        ("length", "No.", pb.FINISH_REASON_LENGTH),
        ("length", None, pb.FINISH_REASON_LENGTH),
        ("tool_calls", None, pb.FINISH_REASON_TOOL_CALLS),
        ("function_call", None, pb.FINISH_REASON_TOOL_CALLS),
        ("content_filter", None, pb.FINISH_REASON_CONTENT_FILTER),
        ("model_context_window_exceeded", None, pb.FINISH_REASON_OTHER),
        ("STOP", None, pb.FINISH_REASON_OTHER),
    ],
)
def test_finish_reasons(native: str, refusal: str | None, reason: "pb.FinishReason.ValueType") -> None:
    message = {"content": None if refusal else "Hi", "refusal": refusal}
    (choice,) = decoded(reply(message, choice_finish_reason=native)).choices
    assert (choice.finish_reason, choice.native_finish_reason) == (reason, native)


def test_an_empty_answer_is_an_empty_message() -> None:
    for message in ({"content": None}, {"content": ""}, {"role": "assistant"}):
        (choice,) = decoded(reply(message)).choices
        assert choice.message == pb.ChatMessage(role=pb.ROLE_ASSISTANT)


def test_absent_and_null_usage_are_no_usage() -> None:
    for more in ({}, {"usage": None}):
        response = decoded(reply(**more))
        assert not response.HasField("usage")


def test_usage_without_details_and_total() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "prompt_tokens_details": None}
    response = decoded(reply(usage=usage))
    assert response.usage.total_tokens == 8
    assert response.usage.cached_input_tokens == 0


def test_choices_keep_their_indexes() -> None:
    whole = reply()
    whole["choices"] = [{**whole["choices"][0], "index": index} for index in range(3)]
    assert [choice.index for choice in decoded(whole).choices] == [0, 1, 2]


def test_log_probabilities_of_a_refusal() -> None:
    logprobs = {"content": None, "refusal": [{"token": "No", "logprob": -1, "bytes": None}]}
    (choice,) = decoded(reply({"refusal": "No"}, choice_logprobs=logprobs)).choices
    assert list(choice.logprobs) == [pb.TokenLogprob(token="No", logprob=-1)]


def without(key: str) -> dict[str, Any]:
    whole = reply()
    del whole["choices"][0][key]
    return whole


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [reply()],
        "text",
        7,
        {},
        {**reply(), "choices": None},
        {**reply(), "choices": []},
        {**reply(), "choices": {}},
        {**reply(), "choices": [None]},
        {**reply(), "choices": ["a"]},
        {**reply(), "choices": [[]]},
        without("index"),
        without("message"),
        without("finish_reason"),
        reply({"content": ["a"]}),
        reply({"content": [{"type": "text", "text": "a"}]}),
        reply({"content": {"a": 1}}),
        reply({"content": 7}),
        reply({"content": True}),
        reply({"refusal": 7}),
        reply(["content"]),
        reply("Hi"),
        reply({"tool_calls": {"id": 1}}),
        reply({"tool_calls": [None]}),
        reply({"tool_calls": [{**CALL, "function": None}]}),
        reply({"tool_calls": [{**CALL, "function": {"name": "f", "arguments": ["a"]}}]}),
        reply({"tool_calls": [{**CALL, "id": 7}]}),
        reply({"tool_calls": [{"id": "call_1"}]}),
        reply({"content": "Hi", "annotations": [{}]}),
        reply({"content": "Hi", "annotations": [{"type": "u", "u": {"start_index": "0"}}]}),
        reply(choice_finish_reason=7),
        reply(choice_finish_reason=["stop"]),
        reply(choice_index="0"),
        reply(choice_index=2**31),
        reply(choice_logprobs={"content": [{}]}),
        reply(choice_logprobs={"content": [{"token": "a", "logprob": "high"}]}),
        reply(choice_logprobs={"content": [{"token": "a", "logprob": 0, "bytes": [256]}]}),
        reply(choice_logprobs={"content": [{"token": "a", "logprob": 0, "bytes": 10**12}]}),
        reply(choice_logprobs=["a"]),
        reply(usage={"completion_tokens": 5}),
        reply(usage={**USAGE, "prompt_tokens": "3"}),
        reply(usage={**USAGE, "prompt_tokens": 2**31}),
        reply(usage={**USAGE, "completion_tokens_details": [1]}),
        reply(usage=[1]),
        reply(id=7),
        reply(model=["m"]),
        reply(created="soon"),
        reply(created=10**300),
        reply(system_fingerprint={}, service_tier=5),
    ],
    ids=str,
)
def test_a_reply_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(NOT_THE_PROTOCOL):
        decoded(value)


odd = st.sampled_from(
    [None, 0, 1, -1, 2**40, 10**30, 0.5, float("inf"), True, "", "a", [], [None], ["a"], [7], {}, {"a": None}]
)
places = st.sampled_from(
    [
        ("id",), ("model",), ("created",), ("choices",), ("usage",), ("service_tier",), ("new_field",),
        ("usage", "prompt_tokens"), ("usage", "prompt_tokens_details"), ("choices", 0),
        ("choices", 0, "index"),
        ("choices", 0, "message"), ("choices", 0, "message", "content"), ("choices", 0, "message", "refusal"),
        ("choices", 0, "message", "tool_calls"), ("choices", 0, "message", "tool_calls", 0),
        ("choices", 0, "message", "tool_calls", 0, "function"), ("choices", 0, "message", "annotations"),
        ("choices", 0, "finish_reason"), ("choices", 0, "logprobs"), ("choices", 0, "logprobs", "content"),
    ]
)  # fmt: skip


@given(st.dictionaries(places, odd, max_size=2))
def test_any_odd_value_is_read_or_refused_as_what_it_is(changes: dict[tuple[Any, ...], Any]) -> None:
    whole = reply({"content": "Hi", "tool_calls": [{**CALL}]}, usage={**USAGE}, choice_logprobs={})
    for place, value in sorted(changes.items(), key=lambda item: -len(item[0])):
        target: Any = whole
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = value
    try:
        response = decoded(whole)
    except (*NOT_THE_PROTOCOL, json_format.Error, OverflowError):
        return
    assert response.SerializeToString()
