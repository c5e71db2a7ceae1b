"""Events of a Responses stream, as documented and otherwise."""

from itertools import permutations
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from unit.providers.responses_pieces import (
    CITED,
    CREATED,
    USAGE,
    added,
    answer,
    call,
    completed,
    delta,
    done,
    event,
    kinds,
    message,
    read,
    stream,
    streamed,
    summary,
    text,
    thought,
)
from unit.providers.stream_rules import check_stream
from unit.providers.upstream import NOT_THE_PROTOCOL, Played

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.openai_responses.stream import IGNORED, ResponsesStreamDecoder

SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
REFUSAL = {"type": "refusal", "refusal": "No."}


def whole(played: Played) -> pb.ChatResponse:
    """The answer of a stream, whose events are in order."""
    check_stream(played.events)
    assert played.decoder.done
    return played.events[-1].completed.response


def annotated(source: Any) -> dict[str, Any]:
    place = {"output_index": 0, "content_index": 0, "annotation_index": 0}
    return event("output_text.annotation.added", annotation=source, **place)


def arguments(said: str, index: int = 0) -> dict[str, Any]:
    return event("function_call_arguments.delta", output_index=index, delta=said)


def test_every_event_of_the_sdk_is_known() -> None:
    union, *_ = get_args(ResponseStreamEvent)
    named = [get_args(model.model_fields["type"].annotation) for model in get_args(union)]
    types = {name for names in named for name in names}
    assert len(types) > 50
    assert types == ResponsesStreamDecoder.HANDLERS.keys() | IGNORED
    assert not ResponsesStreamDecoder.HANDLERS.keys() & IGNORED


ITEMS = [
    (thought("Ab", "C"), [summary("A"), summary("b"), summary("C", 1)]),
    (
        message(text("Hi", CITED), REFUSAL, phase="commentary"),
        [
            delta("H", 1),
            delta("i", 1),
            {**annotated(CITED), "output_index": 1},
            event("refusal.delta", output_index=1, content_index=1, delta="No."),
        ],
    ),
    (SEARCH, [event("web_search_call.searching", output_index=2)]),
    (call(), [arguments('{"a"', 3), arguments(":1}", 3)]),
]


EMPTY: dict[str, Any] = {
    "content": [],
    "summary": [],
    "arguments": "",
    "encrypted_content": "g",
    "action": None,
}
"""What items have when they are announced."""


def test_a_stream_comes_to_the_same_as_the_unary_reply() -> None:
    events = []
    for index, (item, deltas) in enumerate(ITEMS):
        events += [added(index, {**item, **{key: EMPTY[key] for key in EMPTY if key in item}})]
        events += [*deltas, done(index, item)]
    reply = answer(*[item for item, _ in ITEMS], usage=USAGE, service_tier="flex")
    response = whole(streamed(*events, event("completed", response=reply)))
    assert response == read(reply)


def test_a_stream_without_deltas_comes_to_the_same_too() -> None:
    items = [item for item, _ in ITEMS]
    expected = read(answer(*items))
    assert whole(streamed(completed(*items))) == expected
    assert whole(streamed(*[done(*pair) for pair in enumerate(items)], completed())) == expected
    played = streamed(done(0, message(text("Hi"))), completed())
    assert kinds(played.events) == ["started", "part_started", "text_delta", "part_done", "completed"]


def test_nothing_starts_before_there_is_content() -> None:
    played = stream()
    silent = [CREATED, event("in_progress"), event("queued"), added(0, thought()), event("anything.new")]
    assert played.read(*silent, b"") == []
    assert not played.assembler.started
    assert kinds(played.read(summary("Hm."))) == ["started", "part_started", "reasoning_delta"]
    assert (played.events[0].started.id, played.events[0].started.create_time.seconds) == ("resp_1", 5)


def test_a_call_is_announced_by_its_name() -> None:
    played = stream()
    events = played.read(CREATED, added(0, call(arguments="")))
    assert kinds(events) == ["started", "part_started"]
    assert events[1].part_started.part.tool_call == pb.ToolCall(id="call_1", name="f")


def test_a_sealed_thought_takes_its_seal_from_the_complete_item() -> None:
    response = whole(
        streamed(
            added(0, thought(encrypted_content="g")),
            done(0, thought(encrypted_content="gA")),
            completed(thought(encrypted_content="other")),
        )
    )
    assert response == read(answer(thought(encrypted_content="gA")))


def test_deltas_win_over_the_complete_text() -> None:
    other = message(text("Other"))
    response = whole(streamed(added(0, message()), delta("Hi"), delta("!"), done(0, other), completed(other)))
    assert response.choices[0].message.text == "Hi!"
    unconfirmed = whole(streamed(delta("Hi"), delta("!"), completed()))
    assert unconfirmed.choices[0].message == pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="Hi!")


def test_sources_that_only_the_complete_text_has() -> None:
    second = {**CITED, "url": "https://b.example"}
    item = message(text("Hi", CITED, second))
    played = streamed(delta("Hi"), annotated(CITED), done(0, item), completed(item))
    (part,) = whole(played).choices[0].message.parts
    assert [source.url for source in part.annotations] == ["https://a.example", "https://b.example"]
    assert kinds(played.events).count("annotation") == 2


def test_items_that_no_event_completes_keep_their_place() -> None:
    tools = [{"type": "mcp_list_tools", "id": f"mcpl_{index}", "tools": [index]} for index in range(3)]
    empty = [added(index, {**item, "tools": []}) for index, item in enumerate(tools)]
    items = [*tools, message(text("Hi"))]
    response = whole(
        streamed(
            *empty,
            done(2, tools[2]),
            added(3, message()),
            delta("Hi", 3),
            done(3, items[3]),
            completed(*items),
        )
    )
    assert response == read(answer(*items))


def test_items_that_overlap_keep_their_order() -> None:
    items = [thought("Hm."), message(text("Hi")), call()]
    opening = [added(0, thought()), added(1, message()), added(2, call(arguments=""))]
    for deltas in permutations([summary("Hm."), delta("Hi", 1), arguments('{"a":1}', 2)]):
        for order in permutations(range(3)):
            ends = [done(index, items[index]) for index in order]
            response = whole(
                streamed(*opening[:2], delta("", 1), opening[2], *deltas, *ends, completed(*items))
            )
            assert response.choices[0].message == read(answer(*items)).choices[0].message


def test_summaries_and_thoughts_of_one_item_are_one_part() -> None:
    def line(said: str, piece: int) -> dict[str, Any]:
        return event("reasoning_text.delta", output_index=0, content_index=piece, delta=said)

    content = [{"type": "reasoning_text", "text": said} for said in ("ab", "c")]
    item = thought("S", "T", content=content)
    played = streamed(
        line("a", 0),
        summary("S"),
        line("b", 0),
        line("c", 1),
        summary("T", 1),
        done(0, item),
        completed(item),
    )
    response = whole(played)
    assert response == read(answer(item))
    (part,) = response.choices[0].message.parts
    assert part.reasoning == pb.Reasoning(summary="S\nT", text="ab\nc")


def test_log_probabilities_ride_on_their_delta() -> None:
    entry = {"token": "Hi", "logprob": -1, "bytes": [72, 105], "top_logprobs": []}
    played = streamed(delta("Hi", logprobs=[entry]), completed(message(text("Hi"))))
    expected = pb.TokenLogprob(token="Hi", logprob=-1, bytes=b"Hi")
    assert list(played.events[2].text_delta.logprobs) == [expected]
    assert list(whole(played).choices[0].logprobs) == [expected]


def test_pieces_of_items_without_a_typed_form_count_and_come_out_whole() -> None:
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "sql", "input": "SELECT 1"}
    played = stream()
    pieces = [event("custom_tool_call_input.delta", output_index=0, delta=said) for said in ("SEL", "ECT 1")]
    assert played.read(CREATED, added(0, {**item, "input": ""}), *pieces) == []
    assert played.assembler.pieces == 2
    assert kinds(played.read(done(0, item))) == ["started", "part_started", "part_done"]
    played.read(completed(item))
    (choice,) = played.end().choices
    assert choice == read(answer(item)).choices[0]
    assert choice.finish_reason == pb.FINISH_REASON_TOOL_CALLS


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("max_output_tokens", pb.FINISH_REASON_LENGTH),
        ("content_filter", pb.FINISH_REASON_CONTENT_FILTER),
        ("steered", pb.FINISH_REASON_OTHER),
    ],
)
def test_an_incomplete_answer_is_an_answer(why: str, reason: "pb.FinishReason.ValueType") -> None:
    reply = answer(message(text("H")), status="incomplete", incomplete_details={"reason": why})
    response = whole(streamed(delta("H"), event("incomplete", response=reply)))
    (choice,) = response.choices
    assert (choice.message.text, choice.finish_reason, choice.native_finish_reason) == ("H", reason, why)


def test_an_empty_answer_is_started_and_completed() -> None:
    assert kinds(streamed(completed()).events) == ["started", "completed"]


def test_arguments_of_a_call_that_nobody_announced_wait_for_it() -> None:
    response = whole(streamed(arguments('{"a":1}'), done(0, call()), completed(call())))
    assert response == read(answer(call()))


@pytest.mark.parametrize("end", [[], [b"[DONE]"], [done(0, message(text("Hi")))]], ids=["", "marker", "item"])
def test_a_stream_without_its_last_event_is_not_complete(end: list[Any]) -> None:
    played = stream()
    played.read(CREATED, delta("Hi"), *end)
    assert not played.decoder.done
    assert not played.assembler.finished()


ERROR = {"type": "tokens", "code": "rate_limit_exceeded", "message": "secret", "param": None}


@pytest.mark.parametrize(
    "last",
    [
        {"type": "error", "sequence_number": 3, "error": ERROR},
        {"sequence_number": 3, **ERROR, "type": "error"},
        {"error": ERROR},
        event("failed", response=answer(status="failed", error=ERROR)),
    ],
    ids=["nested", "flat", "bare", "failed"],
)
def test_an_error_ends_the_stream(last: Any) -> None:
    played = stream()
    played.read(CREATED, delta("Hi"))
    with pytest.raises(GatewayError) as raised:
        played.read(last)
    assert raised.value.reason == Reason.PROVIDER_RATE_LIMITED
    assert "secret" not in repr(raised.value)
    assert not played.decoder.done


def test_a_failure_without_an_error_is_the_providers() -> None:
    with pytest.raises(GatewayError) as raised:
        stream().read(event("failed", response=answer(status="failed")))
    assert raised.value.reason == Reason.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize(
    "value",
    [
        [],
        "text",
        {},
        {"sequence_number": 0},
        {"type": ["response.created"]},
        {**delta("Hi"), "output_index": [0]},
        {**delta(""), "delta": 7},
        {"type": "response.output_text.delta", "delta": "Hi"},
        event("created"),
        event("output_item.added", output_index=0),
        done(0, {}),
        done(0, message(content=None)),
        event("completed", response=None),
        completed("text"),
        b"{",
    ],
    ids=str,
)
def test_another_shape_is_not_the_protocol(value: Any) -> None:
    with pytest.raises(NOT_THE_PROTOCOL):
        stream().read(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("output_index", "content_index", "summary_index", "delta", "item", "response", "annotation", "error")
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(ResponsesStreamDecoder.HANDLERS))},
    optional=dict.fromkeys(NAMES, JSON),
)


@given(st.lists(EVENTS, max_size=5))
def test_any_event_is_read_or_refused(events: list[Any]) -> None:
    try:
        stream().read(CREATED, *events)
    except (*NOT_THE_PROTOCOL, IndexError, GatewayError):
        pass
