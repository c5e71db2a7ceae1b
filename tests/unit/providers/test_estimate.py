"""Token counts of replies that came without, or in part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ask import WEATHER, ask, called, said, user

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.providers.estimate import estimate, estimate_partial

Part = pb.ContentPart


def answer(*parts: pb.ContentPart) -> pb.ChatResponse:
    return pb.ChatResponse(choices=[pb.Choice(message=said(parts))])


def estimated(request: pb.ChatRequest, response: pb.ChatResponse) -> common_pb2.Usage:
    estimate(request, response)
    return response.usage


def test_what_the_provider_counted_stays() -> None:
    usage = common_pb2.Usage(input_tokens=1, source=common_pb2.TOKEN_SOURCE_PROVIDER)
    assert estimated(ask("Hi" * 1000), pb.ChatResponse(usage=usage)) == usage


def test_even_a_count_of_nothing_stays() -> None:
    assert estimated(ask("Hi"), pb.ChatResponse(usage=common_pb2.Usage())) == common_pb2.Usage()


def test_about_four_bytes_are_a_token() -> None:
    usage = estimated(ask("a" * 4000), answer(Part(text="b" * 400)))
    assert usage.input_tokens == pytest.approx(1000, rel=0.01)
    assert usage.output_tokens == pytest.approx(100, rel=0.01)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED


def test_a_short_answer_is_a_token_at_least_and_none_is_none() -> None:
    assert estimated(ask("Hi"), answer(Part(text="a"))).output_tokens == 1
    assert estimated(ask("Hi"), answer()).output_tokens == 0
    assert estimated(ask("Hi"), pb.ChatResponse()).output_tokens == 0


def test_tools_count_as_input() -> None:
    bare, armed = (estimated(ask("Hi", tools=tools), answer()) for tools in ([], [WEATHER]))
    assert armed.input_tokens - bare.input_tokens == pytest.approx(WEATHER.ByteSize() / 4, abs=1)


def test_media_count_by_their_bytes() -> None:
    image = Part(image=pb.Media(data=bytes(8000), media_type="image/png"))
    assert estimated(ask(user("", image)), answer()).input_tokens == pytest.approx(2000, rel=0.01)


def test_a_text_that_stands_in_parts_too_counts_once() -> None:
    text = Part(text="b" * 400)
    plain = estimated(ask("Hi"), answer(text)).output_tokens
    both = estimated(ask("Hi"), answer(text, called("call_1", "f", "{}"))).output_tokens
    assert plain < both < plain + 10


def test_calls_and_thoughts_count_and_their_sealed_state_does_not() -> None:
    thought = Part(reasoning=pb.Reasoning(text="c" * 400), provider_state=bytes(10_000))
    usage = estimated(ask("Hi"), answer(thought, called("call_1", "f", "d" * 400)))
    assert usage.output_tokens == pytest.approx(200, abs=10)


def test_every_choice_counts() -> None:
    response = pb.ChatResponse(choices=[*answer(Part(text="a" * 40)).choices] * 3)
    assert estimated(ask("Hi"), response).output_tokens == 30


@given(given_text=st.text(), made=st.text())
def test_more_text_never_counts_for_less(given_text: str, made: str) -> None:
    less = estimated(ask(given_text), answer(Part(text=made)))
    more = estimated(ask(given_text + "abcd"), answer(Part(text=made + "abcd")))
    assert more.input_tokens > less.input_tokens
    assert more.output_tokens > less.output_tokens
    assert 4 * less.output_tokens >= len(made.encode())


def test_of_an_answer_that_broke_off_a_piece_is_a_token() -> None:
    response = pb.ChatResponse()
    estimate_partial(ask("a" * 4000), response, 7)
    assert response.usage.output_tokens == 7
    assert response.usage.input_tokens == pytest.approx(1000, rel=0.01)
    assert response.usage.total_tokens == response.usage.input_tokens + 7
    assert response.usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED


def test_what_the_provider_counted_before_it_broke_off_stays() -> None:
    usage = common_pb2.Usage(input_tokens=1, output_tokens=2, source=common_pb2.TOKEN_SOURCE_PROVIDER)
    response = pb.ChatResponse(usage=usage)
    estimate_partial(ask("Hi" * 1000), response, 7)
    assert response.usage == usage
