"""Unary replies of Mistral, as documented and otherwise."""

import re
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from unit.providers.mistral_pieces import CALL, REFERENCE, decoded, text, thinking, thought
from unit.providers.stream_rules import check_message
from unit.providers.upstream import NOT_THE_PROTOCOL, USAGE, reply

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2


def parts_of(message: Any) -> list[pb.ContentPart]:
    (choice,) = decoded(reply(message)).choices
    parts = list(choice.message.parts)
    check_message(choice.message, parts or [pb.ContentPart(text=choice.message.text)])
    return parts


def test_a_full_reply() -> None:
    message = {
        "role": "assistant",
        "content": [thinking("H", "m.", signature="c2ln", closed=True), text("Hi"), REFERENCE, text("!")],
        "tool_calls": [CALL],
        "prefix": False,
    }
    usage = {**USAGE, "num_cached_tokens": 2, "prompt_audio_seconds": None}
    response = decoded(reply(message, choice_finish_reason="tool_calls", usage=usage, object="x", extra=[1]))
    (choice,) = response.choices
    thoughts, first, item, second, call = choice.message.parts
    assert thoughts == thought("Hm.", signature="c2ln")
    assert (first.text, second.text) == ("Hi", "!")
    assert item.provider_item == pb.ProviderItem(
        provider="mistral", type="reference", item_json='{"type":"reference","reference_ids":[1,2]}'
    )
    assert call.tool_call == pb.ToolCall(id="D681PevKs", name="f", arguments_json='{"b": 1,"a": 2}')
    check_message(choice.message, list(choice.message.parts))
    assert choice.finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert response.usage == common_pb2.Usage(
        input_tokens=3,
        output_tokens=5,
        total_tokens=8,
        cached_input_tokens=2,
        source=common_pb2.TOKEN_SOURCE_PROVIDER,
    )
    assert (response.id, response.model, response.create_time.seconds) == ("c-1", "m-1", 5)
    assert json_format.MessageToDict(response.provider_fields) == {"extra": [1]}


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", pb.FINISH_REASON_STOP),
        ("length", pb.FINISH_REASON_LENGTH),
        ("model_length", pb.FINISH_REASON_LENGTH),
        ("tool_calls", pb.FINISH_REASON_TOOL_CALLS),
        ("error", pb.FINISH_REASON_ERROR),
        ("content_filter", pb.FINISH_REASON_OTHER),
        ("eos", pb.FINISH_REASON_OTHER),
    ],
)
def test_finish_reasons(native: str, reason: "pb.FinishReason.ValueType") -> None:
    (choice,) = decoded(reply(choice_finish_reason=native)).choices
    assert (choice.finish_reason, choice.native_finish_reason) == (reason, native)


def test_several_choices_keep_their_order_and_index() -> None:
    value = reply()
    value["choices"] = [{**value["choices"][0], "index": index} for index in (1, 0)]
    assert [choice.index for choice in decoded(value).choices] == [1, 0]


@pytest.mark.parametrize("content", ["", None, []])
def test_an_empty_answer_has_no_parts(content: object) -> None:
    (choice,) = decoded(reply({"content": content})).choices
    assert choice.message == pb.ChatMessage(role=pb.ROLE_ASSISTANT)


def test_neighbouring_texts_are_one_and_thoughts_stay_apart() -> None:
    content = [text("a"), text("b"), thinking("1"), thinking("2", signature="s"), text("c"), text("")]
    assert parts_of({"content": content}) == [
        pb.ContentPart(text="ab"),
        thought("1"),
        thought("2", signature="s"),
        pb.ContentPart(text="c"),
    ]


def test_one_text_in_a_list_is_a_plain_answer() -> None:
    assert parts_of({"content": [text("Hi")]}) == []


def test_a_thought_without_text_keeps_its_signature() -> None:
    assert parts_of({"content": [thinking(signature="s")]}) == [thought("", signature="s")]


def test_references_within_a_thought_have_no_text() -> None:
    content = [{"type": "thinking", "thinking": [text("a"), {**REFERENCE}, text("b")], "signature": None}]
    assert parts_of({"content": content}) == [thought("ab")]


@pytest.mark.parametrize("kind", ["reference", "document_url", "audio", "tomorrows_chunk"])
def test_a_chunk_of_any_other_type_is_an_item_of_its_provider(kind: str) -> None:
    (part,) = parts_of({"content": [{"x": [1, {"é": None}], "type": kind}]})
    assert part.provider_item == pb.ProviderItem(
        provider="mistral", type=kind, item_json=f'{{"x":[1,{{"é":null}}],"type":"{kind}"}}'
    )


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ('{"b": 1,"a": 2}', '{"b": 1,"a": 2}'),
        ({"b": 1, "a": {"é": [1.5]}}, '{"b":1,"a":{"é":[1.5]}}'),
        ({}, "{}"),
        ("", ""),
        (None, ""),
    ],
)
def test_arguments_are_a_text_or_an_object(given: object, found: str) -> None:
    (part,) = parts_of({"tool_calls": [{**CALL, "function": {"name": "f", "arguments": given}}]})
    assert part.tool_call.arguments_json == found


@pytest.mark.parametrize("given", [None, "", "null"])
def test_a_call_without_an_id_gets_one_of_its_own(given: str | None) -> None:
    parts = parts_of({"tool_calls": [{**CALL, "id": given}, {**CALL, "id": given}]})
    one, other = (part.tool_call.id for part in parts)
    assert one != other
    assert all(re.fullmatch(r"[A-Za-z0-9]{9}", found) for found in (one, other))


def test_calls_with_the_same_index_or_none_are_not_merged() -> None:
    bare = {key: value for key, value in CALL.items() if key != "index"}
    calls = [{**CALL, "id": "aaaaaaaaa"}, {**CALL, "id": "bbbbbbbbb"}, {**bare, "id": "ccccccccc"}]
    parts = parts_of({"tool_calls": calls})
    assert [part.tool_call.id for part in parts] == ["aaaaaaaaa", "bbbbbbbbb", "ccccccccc"]
    assert {part.tool_call.arguments_json for part in parts} == {'{"b": 1,"a": 2}'}


@pytest.mark.parametrize(
    ("more", "cached"),
    [
        ({"num_cached_tokens": 7}, 7),
        ({"num_cached_tokens": 0}, 0),
        ({"num_cached_tokens": None}, 0),
        ({"prompt_tokens_details": {"cached_tokens": 6}}, 6),
        ({"num_cached_tokens": 0, "prompt_tokens_details": {"cached_tokens": 6}}, 6),
        ({"num_cached_tokens": 7, "prompt_tokens_details": None}, 7),
        ({}, 0),
    ],
)
def test_cached_tokens_stand_in_either_place(more: dict[str, Any], cached: int) -> None:
    assert decoded(reply(usage={**USAGE, **more})).usage.cached_input_tokens == cached


def test_a_reply_without_usage_has_none() -> None:
    assert not decoded(reply()).HasField("usage")


@pytest.mark.parametrize(
    "value",
    [
        [],
        None,
        "text",
        {},
        reply() | {"choices": []},
        reply() | {"choices": None},
        reply({"content": 7}),
        reply({"content": {"type": "text"}}),
        reply({"content": [None]}),
        reply({"content": ["text"]}),
        reply({"content": [{}]}),
        reply({"content": [{"type": 7}]}),
        reply({"content": [{"type": "text"}]}),
        reply({"content": [{"type": "text", "text": 7}]}),
        reply({"content": [{"type": "thinking"}]}),
        reply({"content": [{"type": "thinking", "thinking": ["a"]}]}),
        reply({"content": [{"type": "thinking", "thinking": [{"text": 7}]}]}),
        reply({"tool_calls": 7}),
        reply({"tool_calls": [None]}),
        reply({"tool_calls": [{"id": "aaaaaaaaa"}]}),
        reply({"tool_calls": [{**CALL, "id": 7}]}),
        reply({"tool_calls": [{**CALL, "function": {"name": "f", "arguments": ["a"]}}]}),
        reply(choice_finish_reason=7),
        reply(choice_index="0"),
        reply(usage=[1]),
        reply(usage={**USAGE, "num_cached_tokens": "7"}),
        reply(id=7),
        {"object": "error", "message": "no", "code": "1300"},
    ],
    ids=str,
)
def test_a_reply_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(NOT_THE_PROTOCOL):
        decoded(value)


odd = st.sampled_from(
    [None, 0, -1, 2**40, 10**30, 0.5, True, "", "a", [], [None], ["a"], [7], {}, {"type": "text"}]
)
places = st.sampled_from(
    [
        ("id",), ("usage",), ("usage", "prompt_tokens_details"), ("usage", "num_cached_tokens"),
        ("choices", 0, "message", "content"), ("choices", 0, "message", "content", 0),
        ("choices", 0, "message", "content", 0, "thinking"),
        ("choices", 0, "message", "content", 0, "signature"),
        ("choices", 0, "message", "content", 1, "text"), ("choices", 0, "message", "content", 1, "type"),
        ("choices", 0, "message", "tool_calls", 0), ("choices", 0, "message", "tool_calls", 0, "id"),
        ("choices", 0, "message", "tool_calls", 0, "function"), ("choices", 0, "finish_reason"),
    ]
)  # fmt: skip


@given(st.dictionaries(places, odd, max_size=2))
def test_any_odd_value_is_read_or_refused_as_what_it_is(changes: dict[tuple[Any, ...], Any]) -> None:
    message = {"content": [thinking("a", signature="s"), text("b")], "tool_calls": [{**CALL}]}
    whole = reply(message, usage={**USAGE})
    for place, value in sorted(changes.items(), key=lambda change: -len(change[0])):
        target: Any = whole
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = value
    try:
        response = decoded(whole)
    except (*NOT_THE_PROTOCOL, json_format.Error, OverflowError):
        return
    assert response.SerializeToString()
