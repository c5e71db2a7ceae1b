"""Conversations: the same turns with each provider, and from one provider to another."""

from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import pytest
from conformance.lab import Answer, Lab
from conformance.subjects import DEEPSEEK, MISTRAL, OPENAI, RESPONSES, SUBJECTS, VLLM, Subject
from conformance.toolbox import TOOLS, check_arguments, results
from support.ask import ask, user

from tokenwire.v1 import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION, MORE = "[sim:twice] Weather, and is $100 at Amazon fine?", "[sim:text] Thank you. And tomorrow?"


@dataclass
class Conversation:
    """Turns with one or several providers; each answer is kept as it came."""

    lab: Lab
    messages: list[pb.ChatMessage] = field(default_factory=list)

    async def turn(self, subject: Subject, *said: pb.ChatMessage, model: str = "") -> Answer:
        """One more turn."""
        self.messages += said
        answer = await self.lab.ask(subject, ask(*self.messages, tools=TOOLS), model=model)
        self.messages.append(answer.message)
        check_ids(answer.body, nine=subject is MISTRAL)
        return answer


def check_ids(body: Any, *, nine: bool) -> None:
    """Every result that the provider received answers a call of the message before."""
    called: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            called.remove(message["tool_call_id"])
        else:
            assert called == []
            called = [call["id"] for call in message.get("tool_calls", ())]
            assert all(called)
            assert not nine or {len(identifier) for identifier in called} <= {9}
    assert called == []


@pytest.mark.parametrize("thinks", [False, True], ids=["plain", "reasoning"])
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
async def test_three_turns_with_parallel_tools(lab: Lab, subject: Subject, *, thinks: bool) -> None:
    model = subject.thinker if thinks else subject.model
    conversation = Conversation(lab)
    first = await conversation.turn(subject, user(QUESTION), model=model)
    assert [call.name for call in first.calls] == ["weather", "validate_transaction"]
    assert all(check_arguments(call) for call in first.calls)
    second = await conversation.turn(subject, results(first.calls), model=model)
    assert second.text.count("The tool answered: “sunny”.") == 2
    third = await conversation.turn(subject, user(MORE), model=model)
    assert "And tomorrow?”." in third.text
    assert first.warnings == second.warnings == third.warnings == []
    kept = subject.keeps_thoughts and thinks
    assert [len(answer.thoughts) for answer in (first, second, third)] == [kept] * 3
    roles = [message["role"] for message in third.body["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user"]


def dropped(subject: Subject, *places: str) -> list[tuple[str, str]]:
    """The warnings for thoughts of other providers."""
    if subject is OPENAI:
        return [("PART_DROPPED", f"{place}.reasoning") for place in places]
    return [("PROVIDER_STATE_DROPPED", f"{place}.provider_state") for place in places]


PAIRS = list(permutations((OPENAI, RESPONSES, MISTRAL, VLLM, DEEPSEEK), 2))
FIRST = "messages[1].parts[0]"


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=[f"{one}-to-{other}" for one, other in PAIRS])
async def test_the_provider_may_change_between_turns(lab: Lab, one: Subject, other: Subject) -> None:
    """Tool calls of one are answered to the other, and the first goes on with the second's answer."""
    conversation = Conversation(lab)
    first = await conversation.turn(one, user(QUESTION), model=one.thinker)
    second = await conversation.turn(other, results(first.calls), model=other.thinker)
    assert second.text.count("The tool answered: “sunny”.") == 2
    assert second.warnings == dropped(other, *([FIRST] if one.keeps_thoughts else []))
    third = await conversation.turn(one, user(MORE), model=one.thinker)
    assert "And tomorrow?”." in third.text
    place = f"messages[{len(conversation.messages) - 3}].parts[0]"
    assert third.warnings == dropped(one, *([place] if other.keeps_thoughts else []))
    assert {received.status for received in lab.simulator.received} == {200}
    assert len(lab.simulator.received) == 6
