"""How the model reasoned, whatever provider answered."""

import pytest

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.providers.trace import trace


def response(*thoughts: pb.Reasoning, tokens: int = 0, effort: str = "") -> pb.ChatResponse:
    parts = [pb.ContentPart(reasoning=thought) for thought in thoughts]
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[*parts, pb.ContentPart(text="Hi")])
    usage = common_pb2.Usage(reasoning_tokens=tokens)
    said = pb.ReasoningTrace(effort=effort) if effort else None
    return pb.ChatResponse(choices=[pb.Choice(message=message)], usage=usage, reasoning=said)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            response(pb.Reasoning(summary="A"), pb.Reasoning(), pb.Reasoning(summary="B\nC")),
            pb.ReasoningTrace(effort="low", summary="A\nB\nC", items_count=3),
        ),
        (response(pb.Reasoning(text="Hm.")), pb.ReasoningTrace(effort="low", items_count=1)),
        (response(tokens=7), pb.ReasoningTrace(effort="low")),
        (response(tokens=7, effort="high"), pb.ReasoningTrace(effort="high")),
    ],
    ids=["summaries", "text", "tokens alone", "the provider's word"],
)
def test_reasoning_is_traced(found: pb.ChatResponse, expected: pb.ReasoningTrace) -> None:
    trace(found, "low")
    assert found.reasoning == expected


def test_without_reasoning_there_is_no_trace() -> None:
    for found in (response(), response(effort="none")):
        trace(found, "none")
        assert not found.HasField("reasoning")
