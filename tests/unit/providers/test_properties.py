"""What holds for any request and any stream, of each wire format: the checks of the fuzzer, on what is nearly
right, which bytes alone seldom are."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fuzz.targets import CODECS, chat_request, stream
from hypothesis import given
from hypothesis import strategies as st
from support.ask import WEATHER, ask, assistant, called, result, tool, user
from unit.providers.mistral_pieces import thinking
from unit.providers.responses_pieces import added, answer, call, delta, done, event, message, thought
from unit.providers.responses_pieces import text as responses_text
from unit.providers.upstream import USAGE, chunk

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2

TEXTS = st.text(max_size=5)
MEDIA = st.builds(
    lambda url, data, media: (
        pb.ContentPart(image=pb.Media(url=url, media_type=media))
        if url
        else pb.ContentPart(file=pb.Media(data=data, media_type=media))
    ),
    st.sampled_from(["", "https://a.example/x.png", "ftp://a"]),
    st.binary(max_size=4),
    st.sampled_from(["", "image/png", "application/pdf", "text"]),
)
GIVEN = st.builds(lambda text: pb.ContentPart(text=text), TEXTS) | MEDIA
MADE = st.one_of(
    st.builds(lambda text: pb.ContentPart(text=text), TEXTS),
    st.builds(lambda text: pb.ContentPart(refusal=text), TEXTS),
    st.builds(lambda text: pb.ContentPart(reasoning=pb.Reasoning(text=text, summary=text)), TEXTS),
    st.builds(lambda name: called(name=name), st.sampled_from(["weather", "", "a b"])),
)
MESSAGES = st.one_of(
    st.builds(user, TEXTS),
    st.builds(lambda parts: user("", *parts), st.lists(GIVEN, min_size=1, max_size=2)),
    st.builds(lambda parts: assistant("", *parts), st.lists(MADE, min_size=1, max_size=2)),
    st.builds(lambda text, parts: user(text, *parts), TEXTS, st.lists(GIVEN | MADE, max_size=2)),
    st.builds(lambda text: tool(result(text=text)), TEXTS),
    st.builds(
        lambda role, text: pb.ChatMessage(role=role, text=text), st.sampled_from(pb.Role.values()), TEXTS
    ),
)


def config(fields: dict[str, Any]) -> pb.GenerationConfig:
    return pb.GenerationConfig(**fields)


CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), st.floats(-3, 3)),
        **dict.fromkeys(("max_output_tokens", "candidate_count", "top_k", "seed"), st.integers(-1, 20)),
        "stop": st.lists(TEXTS, max_size=2),
        "logit_bias": st.dictionaries(st.integers(0, 9), st.floats(-101, 101), max_size=2),
    },
).map(config)
FIELDS = st.fixed_dictionaries(
    {"unsupported_parameters": st.sampled_from(common_pb2.UnsupportedParameters.values())},
    optional={
        "config": CONFIGS,
        "tools": st.just([WEATHER]),
        "tool_choice": st.builds(
            lambda name: pb.ToolChoice(function_name=name), st.sampled_from(["", "weather"])
        ),
        "reasoning": st.builds(lambda effort: pb.ReasoningConfig(effort=effort), TEXTS),
        "metadata": st.dictionaries(TEXTS, TEXTS, max_size=2),
        "end_user_id": TEXTS,
        "previous_response_id": st.sampled_from(["", "resp_1", "é"]),
        "store": st.booleans(),
    },
)


@given(messages=st.lists(MESSAGES, min_size=1, max_size=4), fields=FIELDS)
def test_any_request_is_encoded_or_refused_by_its_field(messages: list[Any], fields: dict[str, Any]) -> None:
    chat_request(ask(*messages, **fields).SerializeToString())


CALLS = st.builds(
    lambda index, name, said: {"index": index, "id": "c", "function": {"name": name, "arguments": said}},
    st.integers(0, 1),
    st.sampled_from(["f", ""]),
    TEXTS,
)
CHUNKS = st.one_of(
    st.builds(lambda text, index: chunk({"content": text}, index=index), TEXTS, st.integers(0, 1)),
    st.builds(lambda text: chunk({"reasoning_content": text}), TEXTS),
    st.builds(lambda text: chunk({"refusal": text}), TEXTS),
    st.builds(lambda calls: chunk({"tool_calls": calls}), st.lists(CALLS, max_size=2)),
    st.builds(lambda text: chunk({"content": [thinking(text)]}), TEXTS),
    st.builds(
        lambda finish, index: chunk({}, finish, index),
        st.sampled_from(["stop", "length", "tool_calls", "other"]),
        st.integers(0, 1),
    ),
    st.just({**chunk(), "choices": [], "usage": USAGE}),
)
ITEMS = st.one_of(
    st.builds(lambda said: message(responses_text(said)), TEXTS),
    st.builds(lambda said: message({"type": "refusal", "refusal": said}), TEXTS),
    st.builds(call, TEXTS),
    st.builds(thought, TEXTS),
    st.just({"type": "something_else", "id": "x"}),
)
PLACES = st.integers(0, 2)
GROWING = [
    *("refusal.delta", "function_call_arguments.delta"),
    *("reasoning_text.delta", "reasoning_summary_text.delta"),
]
EVENTS = st.one_of(
    st.builds(delta, TEXTS, PLACES, PLACES),
    st.builds(added, PLACES, ITEMS),
    st.builds(done, PLACES, ITEMS),
    st.builds(
        lambda kind, said, place: event(
            kind, delta=said, output_index=place, content_index=0, summary_index=0
        ),
        st.sampled_from(GROWING),
        TEXTS,
        PLACES,
    ),
)
LAST_CHUNKS = [[chunk({}, "stop"), chunk({}, "stop", 1)], [chunk({}, "stop")], []]
STREAMS = {
    "openai-chat": (CHUNKS, LAST_CHUNKS),
    "mistral": (CHUNKS, LAST_CHUNKS),
    "openai-responses": (EVENTS, [[event("completed", response=answer(message(responses_text("a"))))], []]),
}


def body(events: Sequence[Any]) -> bytes:
    return "".join(f"data: {json.dumps(one)}\n\n" for one in events).encode()


@pytest.mark.parametrize("name", STREAMS)
@given(data=st.data())
def test_any_events_are_refused_or_say_what_the_whole_answer_says(name: str, data: st.DataObject) -> None:
    """In the contract's order, with one last event; see `check_stream`."""
    events, ends = STREAMS[name]
    sent = data.draw(st.lists(events, max_size=8)) + data.draw(st.sampled_from(ends))
    stream(CODECS[name], body(sent))
