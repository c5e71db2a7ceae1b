"""Assembler: what decoders report becomes the contract's events and the whole response."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.providers.stream_rules import check_parts, check_stream, merged

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.assembler import Assembler, completed

SOURCE = pb.Annotation(type="url_citation", url="https://example.com", start_index=0)
ITEM = pb.ContentPart(provider_item=pb.ProviderItem(provider="p", type="custom", item_json="{}"))
STOP = pb.FINISH_REASON_STOP
CALLS = pb.FINISH_REASON_TOOL_CALLS


def kinds(events: list[pb.ChatStreamResponse]) -> list[str | None]:
    return [event.WhichOneof("event") for event in events]


def call(identifier: str, name: str = "f", arguments: str = "") -> pb.ToolCall:
    return pb.ToolCall(id=identifier, name=name, arguments_json=arguments)


def logprob(token: str) -> pb.TokenLogprob:
    return pb.TokenLogprob(token=token, logprob=-0.5)


def end(assembler: Assembler, events: list[pb.ChatStreamResponse]) -> list[pb.ChatStreamResponse]:
    """All events of a stream whose last read has been taken in."""
    assert assembler.finished()
    events += [*assembler.take(), *assembler.start()]
    return [*events, completed(assembler.whole(), pb.StreamOptions())]


def test_a_text_is_started_grows_is_done_and_completed() -> None:
    assembler = Assembler("p")
    assembler.response.id, assembler.response.model = "id-1", "m-1"
    assembler.response.create_time.seconds = 5
    assembler.text(0, "Hel")
    assembler.text(0, "lo")
    first = assembler.take()
    assert kinds(first) == ["started", "part_started", "text_delta"]
    started = pb.ChatStarted(id="id-1", model="m-1", provider="p")
    started.create_time.seconds = 5
    assert first[0] == pb.ChatStreamResponse(started=started)
    assert first[1].part_started.part == pb.ContentPart(text="")
    assert first[1].part_started.part.WhichOneof("content") == "text"
    assert first[2].text_delta.text == "Hello"
    assert assembler.take() == []
    assembler.text(0, "!")
    assembler.finish(0, STOP, "stop")
    events = end(assembler, first)
    assert kinds(events)[3:] == ["text_delta", "part_done", "completed"]
    assert events[4].part_done.part == pb.ContentPart(text="Hello!")
    check_stream(events)
    assert events[-1].completed.response == pb.ChatResponse(
        id="id-1",
        model="m-1",
        provider="p",
        create_time=started.create_time,
        choices=[
            pb.Choice(
                message=pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="Hello!"),
                finish_reason=STOP,
                native_finish_reason="stop",
            )
        ],
    )


def test_nothing_starts_before_content() -> None:
    assembler = Assembler("p")
    assembler.response.id = "id-1"
    assembler.logprobs(0, [])
    assert not assembler.has_tool_call(0, 0)
    assert assembler.take() == []
    assert not assembler.started
    assembler.text(0, "a")
    assert assembler.started


def test_an_empty_answer_is_started_and_completed() -> None:
    assembler = Assembler("p")
    assembler.finish(0, STOP, "stop")
    assert assembler.take() == []
    events = end(assembler, [])
    assert kinds(events) == ["started", "completed"]
    check_stream(events)


def test_it_is_finished_when_each_choice_is() -> None:
    assembler = Assembler("p")
    assert not assembler.finished()
    assembler.text(0, "a")
    assembler.text(1, "b")
    assembler.finish(1, STOP, "stop")
    assert not assembler.finished()
    assembler.finish(0, STOP, "stop")
    assert assembler.finished()


def test_interleaved_tool_calls_keep_their_parts() -> None:
    assembler = Assembler("p")
    assembler.tool_call(0, 0, call("call_a", "f"))
    assembler.tool_call(0, 1, call("call_b", "g", "["))
    assembler.arguments(0, 0, "{")
    assembler.arguments(0, 1, "]")
    assembler.arguments(0, 0, "}")
    first = assembler.take()
    assert kinds(first) == ["started", *["part_started"] * 2, *["tool_call_delta"] * 2]
    opened = [event.part_started.part.tool_call for event in first[1:3]]
    assert opened == [call("call_a", "f"), call("call_b", "g")]
    assert {(event.part_index, event.tool_call_delta.arguments_json) for event in first[3:]} == {
        (0, "{}"),
        (1, "[]"),
    }
    assembler.finish(0, CALLS, "tool_calls")
    parts = check_stream(end(assembler, first))
    assert [part.tool_call for part in parts.values()] == [
        call("call_a", "f", "{}"),
        call("call_b", "g", "[]"),
    ]


def test_choices_have_parts_and_indexes_of_their_own() -> None:
    assembler = Assembler("p")
    for index in (2, 0, 1):
        assembler.text(index, f"text {index}")
        assembler.refusal(index, f"no {index}")
    events = assembler.take()
    for index in (1, 0, 2):
        assembler.finish(index, STOP, "stop")
    events = end(assembler, events)
    parts = check_stream(events)
    assert sorted(parts) == [(choice, part) for choice in range(3) for part in range(2)]
    choices = events[-1].completed.response.choices
    assert [choice.index for choice in choices] == [0, 1, 2]
    assert [choice.message.text for choice in choices] == ["text 0", "text 1", "text 2"]


def test_a_whole_item_is_started_and_done_at_once() -> None:
    assembler = Assembler("p")
    assembler.text(0, "a")
    assembler.item(0, ITEM)
    assembler.item(0, ITEM)
    events = assembler.take()
    assert kinds(events) == ["started", "part_started", "text_delta", *["part_started", "part_done"] * 2]
    assembler.finish(0, STOP, "stop")
    parts = check_stream(end(assembler, events))
    assert list(parts.values()).count(ITEM) == 2


def test_an_annotation_comes_behind_the_text_it_is_about() -> None:
    assembler = Assembler("p")
    assembler.text(0, "a")
    assembler.annotation(0, SOURCE)
    assembler.text(0, "b")
    events = assembler.take()
    assert kinds(events) == ["started", "part_started", "text_delta", "annotation", "text_delta"]
    assert events[3].annotation == SOURCE
    assembler.finish(0, STOP, "stop")
    parts = check_stream(end(assembler, events))
    assert parts[0, 0] == pb.ContentPart(text="ab", annotations=[SOURCE])


def test_an_annotation_without_text_has_a_part_too() -> None:
    assembler = Assembler("p")
    assembler.annotation(0, SOURCE)
    events = assembler.take()
    assembler.finish(0, STOP, "stop")
    assert check_stream(end(assembler, events))[0, 0] == pb.ContentPart(text="", annotations=[SOURCE])


def test_log_probabilities_ride_on_their_delta_and_are_all_in_the_choice() -> None:
    assembler = Assembler("p")
    assembler.text(0, "a")
    assembler.logprobs(0, [logprob("a")])
    assembler.text(0, "b")
    assembler.logprobs(0, iter([logprob("b")]))
    first = assembler.take()
    assert list(first[-1].text_delta.logprobs) == [logprob("a"), logprob("b")]
    assembler.text(0, "c")
    assembler.logprobs(0, [logprob("c")])
    second = assembler.take()
    assert list(second[-1].text_delta.logprobs) == [logprob("c")]
    assembler.finish(0, STOP, "stop")
    (choice,) = end(assembler, first + second)[-1].completed.response.choices
    assert [entry.token for entry in choice.logprobs] == ["a", "b", "c"]


def test_one_take_gives_one_delta_per_part() -> None:
    assembler = Assembler("p")
    assembler.text(0, "_")
    assembler.text(1, "_")
    assembler.take()
    for piece in "abc":
        assembler.text(0, piece)
        assembler.text(1, piece)
    deltas = [event.text_delta.text for event in assembler.take() if event.HasField("text_delta")]
    assert deltas == ["abc", "abc"]
    assert assembler.pieces == 8


@pytest.mark.parametrize("character", ["a", "é", "€", "\U0010ffff"])
@pytest.mark.parametrize("length", [16 * 1024, 16 * 1024 + 1, 100_000])
def test_deltas_are_cut_at_64_kib(character: str, length: int) -> None:
    assembler = Assembler("p")
    assembler.text(0, character * length)
    assembler.logprobs(0, [logprob("a")])
    assembler.tool_call(0, 0, call("call_1", "f", character * length))
    assembler.refusal(0, character * length)
    events = assembler.take()
    assembler.finish(0, STOP, "stop")
    events = end(assembler, events)
    parts = check_stream(events)  # which bounds each
    assert parts[0, 0].text == parts[0, 2].refusal == parts[0, 1].tool_call.arguments_json
    assert parts[0, 0].text == character * length
    with_logprobs = [event for event in events if event.text_delta.logprobs]
    assert len(with_logprobs) == 1


@pytest.mark.parametrize(
    "report",
    [
        lambda assembler: assembler.text(0, "b"),
        lambda assembler: assembler.refusal(0, "b"),
        lambda assembler: assembler.annotation(0, SOURCE),
        lambda assembler: assembler.tool_call(0, 7, call("call_1")),
        lambda assembler: assembler.item(0, ITEM),
    ],
    ids=["text", "refusal", "annotation", "tool call", "item"],
)
@pytest.mark.parametrize("empty", [False, True], ids=["after content", "after nothing"])
def test_content_after_the_finish_reason_is_refused(
    report: Callable[[Assembler], None], *, empty: bool
) -> None:
    assembler = Assembler("p")
    if not empty:
        assembler.text(0, "a")
    assembler.finish(0, STOP, "stop")
    with pytest.raises(ValueError, match="after the finish reason"):
        report(assembler)


def test_deltas_only_leaves_texts_out_of_completed_and_not_out_of_the_response() -> None:
    assembler = Assembler("p")
    assembler.text(0, "a")
    assembler.refusal(0, "no")
    assembler.tool_call(0, 0, call("call_1", "f", "{}"))
    assembler.finish(0, CALLS, "tool_calls")
    response = assembler.whole()
    response.reasoning.CopyFrom(pb.ReasoningTrace(effort="low", summary="Hm."))
    event = completed(response, pb.StreamOptions(deltas_only=True))
    (choice,) = event.completed.response.choices
    kept = pb.ContentPart(tool_call=call("call_1", "f", "{}"))
    assert choice.message == pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[kept])
    assert choice.finish_reason == CALLS
    assert event.completed.response.reasoning == pb.ReasoningTrace(effort="low")
    assert (response.choices[0].message.text, response.reasoning.summary) == ("a", "Hm.")


def test_what_deltas_left_out_is_added_at_the_end() -> None:
    assembler = Assembler("p")
    part = pb.ContentPart(text="abc", annotations=[SOURCE, SOURCE], provider_state=b"s")
    assembler.text(0, "ab", key=1)
    assembler.annotation(0, SOURCE, key=1)
    assembler.conclude(0, 1, part)
    assembler.conclude(0, 2, part)
    assembler.finish(0, STOP, "stop")
    first, second = end(assembler, [])[-1].completed.response.choices[0].message.parts
    assert (first.text, second.text) == ("ab", "abc")
    assert list(first.annotations) == list(second.annotations) == [SOURCE, SOURCE]
    assert first.provider_state == second.provider_state == b"s"


def test_a_part_that_was_begun_keeps_its_beginning() -> None:
    assembler = Assembler("p")
    assembler.begin(0, 1, pb.ContentPart(tool_call=call("call_1", "f", "{")))
    assembler.begin(0, 2, pb.ContentPart(reasoning=pb.Reasoning(summary="H")))
    assembler.conclude(0, 2, pb.ContentPart(reasoning=pb.Reasoning(summary="Hm.", text="Well.")))
    assembler.conclude(0, 1, pb.ContentPart(tool_call=call("call_other", "g", "{}")))
    assembler.finish(0, CALLS, "tool_calls")
    events = end(assembler, [])
    check_stream(events)
    called, thought = events[-1].completed.response.choices[0].message.parts
    assert called.tool_call == call("call_1", "f", "{}")
    assert thought.reasoning == pb.Reasoning(summary="Hm.", text="Well.")


texts = st.text(min_size=1, max_size=5) | st.integers(15_000, 40_000).map(lambda length: "€" * length)
choices = st.integers(0, 2)
keys = st.integers(0, 2)
reports = st.one_of(
    st.tuples(st.just("text"), choices, texts),
    st.tuples(st.just("refusal"), choices, texts),
    st.tuples(st.just("arguments"), choices, keys, texts),
    st.tuples(st.just("reasoning"), choices, texts),
    st.tuples(st.just("summary"), choices, texts),
    st.tuples(st.just("conclude"), choices, st.sampled_from(["text", "refusal", "reasoning"])),
    st.tuples(st.just("annotation"), choices),
    st.tuples(st.just("item"), choices),
    st.tuples(st.just("logprobs"), choices),
    st.tuples(st.just("take")),
)


WHOLE = {
    "text": pb.ContentPart(text="All.", provider_state=b"s"),
    "refusal": pb.ContentPart(refusal="No."),
    "reasoning": pb.ContentPart(reasoning=pb.Reasoning(summary="Hm.", text="Well.")),
}


def report(assembler: Assembler, kind: str, choice: int = 0, *rest: object) -> None:
    """Makes one report as a decoder would."""
    match kind, rest:
        case "text" | "refusal" | "reasoning" | "summary", [str(text)]:
            getattr(assembler, kind)(choice, text)
        case "arguments", [key, str(text)]:
            if assembler.has_tool_call(choice, key):
                assembler.arguments(choice, key, text)
            else:
                assembler.tool_call(choice, key, call(f"call_{key}", "f", text))
        case "conclude", [str(key)]:
            assembler.conclude(choice, key, WHOLE[key])
        case "annotation", []:
            assembler.annotation(choice, SOURCE)
        case "item", []:
            assembler.item(choice, ITEM)
        case "logprobs", []:
            assembler.logprobs(choice, [logprob("a")])


def play(script: list[tuple[Any, ...]], *, takes: bool) -> list[pb.ChatStreamResponse]:
    assembler = Assembler("p")
    events: list[pb.ChatStreamResponse] = []
    for step in script:
        report(assembler, *step)
        if takes and step[0] == "take":
            events += assembler.take()
    for choice in range(3):
        assembler.finish(choice, STOP, "stop")
    return end(assembler, events)


@given(st.lists(reports, max_size=15))
def test_whatever_is_reported_deltas_parts_and_messages_say_the_same(script: list[tuple[Any, ...]]) -> None:
    events = play(script, takes=True)
    check_stream(events)
    check_parts(events[1:-1])
    once = play(script, takes=False)
    check_stream(once)
    assert events[-1] == once[-1]
    without_logprobs = [step for step in script if step[0] != "logprobs"]
    assert merged(play(without_logprobs, takes=True)) == merged(play(without_logprobs, takes=False))
    assert len([event for event in events if event.HasField("annotation")]) == sum(
        step[0] == "annotation" for step in script
    )
