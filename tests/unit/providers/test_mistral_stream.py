"""Chunks of a Mistral stream, as documented and otherwise."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from unit.providers.mistral_pieces import CALL, REFERENCE, decoded, text, thinking, thought
from unit.providers.stream_rules import check_stream
from unit.providers.upstream import NOT_THE_PROTOCOL, USAGE, Played, chunk, reply
from unit.providers.upstream import played as played_by

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.mistral import CODEC

DONE = b"[DONE]"
ROLE = chunk({"role": "assistant", "content": ""})


def new() -> Played:
    return Played(CODEC, "mistral")


def played(chunks: Iterable[Any]) -> Played:
    stream = played_by(chunks, CODEC, "mistral")
    check_stream(stream.events)
    return stream


def parts(*deltas: Any, finish: str = "stop") -> list[pb.ContentPart]:
    """The parts that come of these deltas."""
    stream = played([ROLE, *(chunk(delta) for delta in deltas), chunk({"content": ""}, finish)])
    return list(check_stream(stream.events).values())


def whole(stream: Played) -> pb.ChatResponse:
    return stream.events[-1].completed.response


def content(*chunks: Any) -> dict[str, Any]:
    return {"content": [*chunks]}


def test_a_stream_comes_to_the_same_as_the_unary_reply() -> None:
    stream = played(
        [
            ROLE,
            chunk(content(thinking("H"))),
            chunk(content(thinking("m."))),
            chunk(content(thinking(signature="s", closed=True), text("Yes"))),
            chunk({"content": "!"}),
            chunk({"content": "", "tool_calls": [CALL]}, "tool_calls", usage=USAGE),
            DONE,
        ]
    )
    assert stream.decoder.done
    message = {"content": [thinking("Hm.", signature="s"), text("Yes!")], "tool_calls": [CALL]}
    assert whole(stream) == decoded(reply(message, choice_finish_reason="tool_calls", usage=USAGE))


def test_the_role_alone_starts_nothing() -> None:
    stream = new()
    assert stream.read(ROLE) == []
    assert not stream.assembler.started


def test_strings_and_chunks_may_take_turns() -> None:
    found = parts({"content": "a"}, content(text("b")), content(thinking("1")), {"content": "c"}, {})
    assert found == [pb.ContentPart(text="ab"), thought("1"), pb.ContentPart(text="c")]


def test_a_list_that_goes_from_thought_to_text_and_back() -> None:
    found = parts(content(thinking("1"), text("a"), thinking("2"), text("b")))
    assert found == [thought("1"), pb.ContentPart(text="a"), thought("2"), pb.ContentPart(text="b")]


@pytest.mark.parametrize(
    "deltas",
    [
        [content(thinking("Hm.", signature="s"))],
        [content(thinking("Hm.")), content(thinking(signature="s"))],
        [content(thinking("H")), content(thinking("m.", signature="s", closed=True))],
        [content(thinking("H"), thinking("m."), thinking(signature="s"))],
    ],
    ids=["beside the text", "on its own", "beside the last text", "in one list"],
)
def test_a_signature_seals_the_thought_before_it(deltas: list[Any]) -> None:
    assert parts(*deltas, {"content": "Yes."}) == [
        thought("Hm.", signature="s"),
        pb.ContentPart(text="Yes."),
    ]


def test_a_signature_with_no_thought_to_seal_is_kept() -> None:
    assert parts({"content": "a"}, content(thinking(signature="s"))) == [
        pb.ContentPart(text="a"),
        thought("", signature="s"),
    ]


def test_after_its_signature_another_thought_begins() -> None:
    deltas = [content(thinking("1", signature="s")), content(thinking("2")), content(thinking(signature="t"))]
    assert parts(*deltas) == [thought("1", signature="s"), thought("2", signature="t")]


def test_an_empty_thought_starts_nothing() -> None:
    stream = new()
    assert stream.read(ROLE, chunk(content(thinking())), chunk(content(thinking("")))) == []


def test_a_chunk_of_any_other_type_is_an_item_between_texts() -> None:
    first, item, second = parts({"content": "a"}, content(REFERENCE, text("b")))
    assert (first.text, second.text) == ("a", "b")
    assert item.provider_item == pb.ProviderItem(
        provider="mistral", type="reference", item_json='{"type":"reference","reference_ids":[1,2]}'
    )


@pytest.mark.parametrize("index", [{}, {"index": None}, {"index": 0}], ids=["none", "null", "same"])
@pytest.mark.parametrize("together", [True, False], ids=["one chunk", "two chunks"])
def test_calls_are_never_merged(index: dict[str, Any], *, together: bool) -> None:
    bare = {"function": {"name": "f", "arguments": '{"a": 1}'}, **index}
    calls = [{**bare, "id": "aaaaaaaaa"}, {**bare, "id": "bbbbbbbbb"}]
    deltas = [{"tool_calls": calls}] if together else [{"tool_calls": [call]} for call in calls]
    assert [part.tool_call for part in parts(*deltas, finish="tool_calls")] == [
        pb.ToolCall(id=found, name="f", arguments_json='{"a": 1}') for found in ("aaaaaaaaa", "bbbbbbbbb")
    ]


def test_arguments_may_be_an_object_and_ids_may_be_missing() -> None:
    calls = [{"id": "null", "function": {"name": "f", "arguments": {"b": 1, "a": 2}}}] * 2
    one, other = (part.tool_call for part in parts({"tool_calls": calls}, finish="tool_calls"))
    assert one.arguments_json == other.arguments_json == '{"b":1,"a":2}'
    assert one.id != other.id
    assert re.fullmatch(r"[A-Za-z0-9]{9}", one.id)


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("model_length", pb.FINISH_REASON_LENGTH),
        ("error", pb.FINISH_REASON_ERROR),
        ("tomorrow", pb.FINISH_REASON_OTHER),
    ],
)
def test_finish_reasons(native: str, reason: "pb.FinishReason.ValueType") -> None:
    (choice,) = whole(played([chunk({"content": "Hi"}), chunk(finish=native)])).choices
    assert (choice.finish_reason, choice.native_finish_reason) == (reason, native)


def test_usage_of_the_last_chunk_with_its_cached_tokens() -> None:
    stream = played([chunk({"content": "Hi"}), chunk(finish="stop", usage={**USAGE, "num_cached_tokens": 2})])
    assert (whole(stream).usage.total_tokens, whole(stream).usage.cached_input_tokens) == (8, 2)


def test_choices_that_take_turns_have_thoughts_of_their_own() -> None:
    stream = new()
    for index in (1, 0, 1, 0):
        stream.read(chunk(content(thinking(f"{index}.")), index=index))
    for index in (0, 1):
        stream.read(chunk({"content": "!"}, "stop", index=index))
    choices = stream.end().choices
    check_stream(stream.events)
    assert [choice.message.parts[0].reasoning.text for choice in choices] == ["0.0.", "1.1."]


def test_nothing_after_the_finish_reason_is_fine_and_content_is_not() -> None:
    stream = new()
    stream.read(chunk({"content": "Hi"}), chunk(finish="stop"), chunk({"content": ""}), b"", DONE)
    assert stream.decoder.done
    with pytest.raises(NOT_THE_PROTOCOL):
        stream.read(chunk({"content": "more"}))


@pytest.mark.parametrize(
    ("value", "reason", "status"),
    [
        ({"object": "error", "message": "slow", "type": "rate_limited", "code": "1300",
          "raw_status_code": 429}, Reason.PROVIDER_RATE_LIMITED, 429),
        ({"object": "error", "message": "full", "type": "service_tier_capacity_exceeded", "code": "3505"},
         Reason.PROVIDER_OVERLOADED, 500),
        ({"error": {"message": "gone", "type": "internal_server_error"}}, Reason.PROVIDER_UNAVAILABLE, 500),
        ({"error": {"message": "bad", "raw_status_code": 400}}, Reason.INVALID_REQUEST, 400),
        ({"message": "Service unavailable", "raw_status_code": 503}, Reason.PROVIDER_OVERLOADED, 503),
        ({"detail": "Unauthorized"}, Reason.PROVIDER_UNAVAILABLE, 500),
        ({"message": "odd", "raw_status_code": "429"}, Reason.PROVIDER_UNAVAILABLE, 500),
        ({"message": "odd", "raw_status_code": True}, Reason.PROVIDER_UNAVAILABLE, 500),
        ({"message": "odd", "raw_status_code": 200}, Reason.PROVIDER_UNAVAILABLE, 500),
    ],
    ids=str,
)  # fmt: skip
def test_an_object_without_choices_is_an_error(value: Any, reason: "Reason.ValueType", status: int) -> None:
    stream = new()
    stream.read(chunk({"content": "Hi"}))
    with pytest.raises(GatewayError) as raised:
        stream.read(value)
    assert (raised.value.reason, raised.value.upstream.status) == (reason, status)


@pytest.mark.parametrize(
    "value",
    [
        b"not JSON",
        [],
        None,
        {},
        {"id": "c-1"},
        {"error": None},
        {"error": "failed"},
        {"choices": None},
        {"choices": [{"index": 0}]},
        {"choices": [{"delta": {"content": "a"}}]},
        chunk({"content": 7}),
        chunk({"content": {"type": "text", "text": "a"}}),
        chunk({"content": ["a"]}),
        chunk({"content": [{"type": "text"}]}),
        chunk({"content": [{"type": "thinking"}]}),
        chunk({"content": [{"type": "thinking", "thinking": [7]}]}),
        chunk(content(thinking("a", signature=7))),
        chunk({"tool_calls": [{"id": "aaaaaaaaa"}]}),
        chunk({"content": "a"}, index="0"),
        chunk({"content": "a"}, usage=[1]),
    ],
    ids=str,
)
def test_a_chunk_of_another_shape_is_refused(value: object) -> None:
    stream = new()
    with pytest.raises(NOT_THE_PROTOCOL):
        stream.read(value)
