"""Chunks of a Chat Completions stream, as documented and otherwise."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.providers.stream_rules import check_stream
from unit.providers.upstream import NOT_THE_PROTOCOL, USAGE, Played, chunk, decoded, played, reply

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError

DONE = b"[DONE]"
ROLE = chunk({"role": "assistant", "content": "", "refusal": None})
TAIL = {"id": "c-1", "created": 5, "model": "m-1", "choices": [], "usage": USAGE}


def kinds(events: list[pb.ChatStreamResponse]) -> list[str | None]:
    return [event.WhichOneof("event") for event in events]


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **fields}]}


def test_a_stream_comes_to_the_same_as_the_unary_reply() -> None:
    stream = played(
        [ROLE, chunk({"content": "H"}), chunk({"content": "i"}), chunk(finish="stop"), TAIL, DONE]
    )
    check_stream(stream.events)
    assert stream.decoder.done
    assert stream.events[-1].completed.response == decoded(reply(usage=USAGE))


def test_the_role_alone_starts_nothing() -> None:
    stream = Played()
    assert stream.read(ROLE) == []
    assert not stream.assembler.started
    assert kinds(stream.read(chunk({"content": "Hi"}))) == ["started", "part_started", "text_delta"]
    assert stream.events[0].started.id == "c-1"


def test_head_fields_are_taken_from_whichever_chunk_has_them() -> None:
    stream = played(
        [
            chunk({"content": "Hi"}, service_tier="flex"),
            chunk({"content": "!"}),
            chunk(finish="stop", system_fingerprint="fp_9"),
            {**TAIL, "extra": [1]},
            DONE,
        ]
    )
    response = stream.events[-1].completed.response
    assert (response.service_tier, response.system_fingerprint) == ("flex", "fp_9")
    assert response.usage.total_tokens == 8
    assert list(response.provider_fields.fields["extra"].list_value) == [1]


def test_padding_is_no_provider_field() -> None:
    stream = played([chunk({"content": "Hi"}, obfuscation="xxx", object="chunk"), chunk(finish="stop")])
    assert not stream.events[-1].completed.response.HasField("provider_fields")


def test_null_usage_until_the_last_chunk() -> None:
    stream = played([chunk({"content": "Hi"}, usage=None), chunk(finish="stop", usage=None), TAIL])
    assert stream.events[-1].completed.response.usage.input_tokens == 3
    assert not played([chunk(finish="stop", usage=None)]).events[-1].completed.response.HasField("usage")


def test_the_last_usage_counts() -> None:
    first = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    stream = played([chunk({"content": "Hi"}, usage=first), chunk(finish="stop", usage=USAGE)])
    assert stream.events[-1].completed.response.usage.output_tokens == 5


def test_content_beside_the_role_and_finish_in_one_chunk() -> None:
    stream = played([chunk({"role": "assistant", "content": "Hi"}, "length")])
    (choice,) = stream.events[-1].completed.response.choices
    assert (choice.message.text, choice.finish_reason) == ("Hi", pb.FINISH_REASON_LENGTH)


def test_a_finish_reason_without_a_name_is_other() -> None:
    (choice,) = played([chunk({"content": "Hi"}, "eos")]).events[-1].completed.response.choices
    assert (choice.finish_reason, choice.native_finish_reason) == (pb.FINISH_REASON_OTHER, "eos")


def test_a_refusal() -> None:
    stream = played([ROLE, chunk({"refusal": "No"}), chunk({"refusal": "."}), chunk(finish="stop")])
    check_stream(stream.events)
    (choice,) = stream.events[-1].completed.response.choices
    assert choice.finish_reason == pb.FINISH_REASON_REFUSAL
    assert list(choice.message.parts) == [pb.ContentPart(refusal="No.")]


def test_interleaved_tool_calls_beside_text() -> None:
    stream = played(
        [
            chunk({"content": "Let me see."}),
            chunk(call(0, id="call_a", type="function", function={"name": "f", "arguments": ""})),
            chunk(call(1, id="call_b", type="function", function={"name": "g"})),
            chunk(call(0, function={"arguments": '{"a"'})),
            chunk(call(1, function={"arguments": "{}"})),
            chunk(call(0, function={"arguments": ":1}"})),
            chunk(call(0, function={"arguments": None})),
            chunk(call(0, function=None)),
            chunk(finish="tool_calls"),
        ]
    )
    parts = check_stream(stream.events)
    assert list(parts.values()) == [
        pb.ContentPart(text="Let me see."),
        pb.ContentPart(tool_call=pb.ToolCall(id="call_a", name="f", arguments_json='{"a":1}')),
        pb.ContentPart(tool_call=pb.ToolCall(id="call_b", name="g", arguments_json="{}")),
    ]


def test_several_calls_in_one_chunk_with_whole_arguments() -> None:
    calls = [{"index": n, "id": f"call_{n}", "function": {"name": "f", "arguments": "{}"}} for n in range(3)]
    stream = played([chunk({"tool_calls": calls}, "tool_calls")])
    assert [part.tool_call.id for part in check_stream(stream.events).values()] == [
        "call_0",
        "call_1",
        "call_2",
    ]


def test_calls_of_custom_tools_come_out_whole_as_provider_items() -> None:
    stream = Played()
    stream.read(
        chunk(call(0, id="call_a", type="custom", custom={"name": "sql", "input": ""})),
        chunk(call(1, id="call_b", type="function", function={"name": "f", "arguments": "{}"})),
        chunk(call(0, custom={"input": "SELECT"})),
        chunk(call(0, custom={"input": " 1"})),
        chunk(finish="tool_calls"),
    )
    stream.end()
    items = [part.provider_item for part in check_stream(stream.events).values()]
    (item,) = [item for item in items if item.type]
    assert (item.provider, item.type) == ("openai", "custom")
    assert json.loads(item.item_json) == {
        "id": "call_a",
        "type": "custom",
        "custom": {"name": "sql", "input": "SELECT 1"},
    }


def test_annotations_and_logprobs() -> None:
    source = {"type": "url_citation", "url_citation": {"url": "https://example.com", "start_index": 0}}
    first, second = chunk({"content": "é"}), chunk({"content": "!", "annotations": [source]}, "stop")
    first["choices"][0]["logprobs"] = {"content": [{"token": "é", "logprob": -1, "bytes": [195, 169]}]}
    second["choices"][0]["logprobs"] = {"content": [{"token": "!", "logprob": -2, "bytes": None}]}
    stream = played([first, second])
    check_stream(stream.events)
    deltas = [event.text_delta for event in stream.events if event.HasField("text_delta")]
    assert [entry.token for delta in deltas for entry in delta.logprobs] == ["é", "!"]
    (choice,) = stream.events[-1].completed.response.choices
    assert choice.logprobs[0].bytes == "é".encode()
    assert choice.message.parts[0].annotations[0].url == "https://example.com"
    assert choice.message.parts[0].annotations[0].HasField("start_index")


def test_choices_that_take_turns() -> None:
    stream = Played()
    for index in (1, 0, 1, 0):
        stream.read(chunk({"content": f"{index}."}, index=index))
    stream.read(chunk(finish="stop", index=0))
    assert not stream.assembler.finished()
    stream.read(chunk(finish="length", index=1))
    choices = stream.end().choices
    check_stream(stream.events)
    assert [(choice.index, choice.message.text) for choice in choices] == [(0, "0.0."), (1, "1.1.")]


def test_the_marker_ends_the_stream_and_empty_data_does_not() -> None:
    stream = Played()
    stream.read(b"", chunk({"content": "Hi"}))
    assert not stream.decoder.done
    stream.read(b"[DONE]")
    assert stream.decoder.done
    stream.read(b"")
    assert stream.decoder.done


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": 429, "message": "slow"}, Reason.PROVIDER_RATE_LIMITED),
        ({"code": "rate_limit_exceeded"}, Reason.PROVIDER_RATE_LIMITED),
        (
            {"code": "context_length_exceeded", "type": "invalid_request_error"},
            Reason.CONTEXT_LENGTH_EXCEEDED,
        ),
        ({"type": "server_error", "code": None}, Reason.PROVIDER_UNAVAILABLE),
        ("failed", Reason.PROVIDER_UNAVAILABLE),
    ],
)
def test_an_error_object_is_raised_as_what_it_means(error: object, reason: "Reason.ValueType") -> None:
    stream = Played()
    stream.read(chunk({"content": "Hi"}))
    with pytest.raises(GatewayError) as raised:
        stream.read({"error": error})
    assert raised.value.reason == reason


def test_a_null_error_is_none() -> None:
    assert stream_text([chunk({"content": "Hi"}, error=None), chunk(finish="stop")]) == "Hi"


def stream_text(chunks: list[Any]) -> str:
    (choice,) = played(chunks).events[-1].completed.response.choices
    return choice.message.text


@pytest.mark.parametrize(
    "value",
    [
        b"not JSON",
        b"[DONE",
        b"NaN",
        [],
        [chunk({"content": "a"})],
        None,
        "text",
        {},
        {"choices": None},
        {"choices": 7},
        {"choices": [None]},
        {"choices": [{"index": 0}]},
        {"choices": [{"delta": {"content": "a"}}]},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0, "delta": ["content"]}]},
        chunk({"content": ["a"]}),
        chunk({"content": [{"type": "text", "text": "a"}]}),
        chunk({"content": {"a": 1}}),
        chunk({"content": 7}),
        chunk({"refusal": 7}),
        chunk({"tool_calls": 7}),
        chunk({"tool_calls": {"index": 0}}),
        chunk({"tool_calls": [None]}),
        chunk(call(0, id="call_a", function={"arguments": "{}"})),
        chunk(call(0, id="call_a", function={"name": "f", "arguments": ["a"]})),
        chunk(call(0, id="call_a", type="custom", custom={"name": 7})),
        chunk({"tool_calls": [{"index": [0], "id": "call_a", "function": {"name": "f"}}]}),
        chunk({"annotations": [{}]}),
        chunk({"content": "a"}, index="0"),
        chunk({"content": "a"}, index=2**31),
        chunk({"content": "a"}, usage={"completion_tokens": 1}),
        chunk({"content": "a"}, usage=[1]),
        chunk({"content": "a"}, id=7),
        chunk({"content": "a"}, finish=["stop"]),
    ],
    ids=str,
)
def test_a_chunk_of_another_shape_is_refused(value: object) -> None:
    stream = Played()
    with pytest.raises(NOT_THE_PROTOCOL):
        stream.read(value)


@pytest.mark.parametrize(
    "late",
    [
        {"content": "more"},
        {"refusal": "no"},
        call(0, id="call_b", function={"name": "f", "arguments": ""}),
        call(0, function={"arguments": "more"}),
    ],
    ids=str,
)
def test_content_after_the_finish_reason_is_refused(late: dict[str, Any]) -> None:
    stream = Played()
    stream.read(
        chunk(call(0, id="call_a", function={"name": "f", "arguments": "{}"})), chunk(finish="tool_calls")
    )
    with pytest.raises(NOT_THE_PROTOCOL):
        stream.read(chunk(late))


def test_nothing_after_the_finish_reason_is_fine() -> None:
    late = [chunk({"content": ""}), chunk({"role": "assistant"}), chunk({"content": None}), TAIL]
    assert stream_text([chunk({"content": "Hi"}), chunk(finish="stop"), *late]) == "Hi"


@given(
    text=st.text(min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=6),
    ascii_only=st.booleans(),
)
def test_any_text_in_any_pieces_arrives_whole(text: str, cuts: list[int], *, ascii_only: bool) -> None:
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    stream = Played()
    for piece in pieces:
        stream.read(json.dumps(chunk({"content": piece}), ensure_ascii=ascii_only).encode())
    stream.read(chunk(finish="stop"))
    (choice,) = stream.end().choices
    check_stream(stream.events)
    assert choice.message.text == text
