"""Whatever is done to a conversation, in whatever order, the server takes it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from support.ask import called

from tokenwire import Answer, Client, Conversation, TokenCount, message
from tokenwire.transport import now
from tokenwire.turns import INSTRUCTIONS, turns
from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import tokens_pb2
from tokenwire_server.rpc.validate import validate
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Server()


@dataclass
class Calls:
    """A server that counts characters, and summarises in one word."""

    async def count_tokens(self, said: tuple[Conversation], *_rest: object) -> TokenCount:
        sizes = [one.ByteSize() for one in said[0]]
        return TokenCount(tokens_pb2.CountTokensResponse(input_tokens=sum(sizes) + 3, item_tokens=sizes))

    async def chat(self, *_given: object) -> Answer:
        said = pb.Choice(message=message("assistant", "Talk."), finish_reason=pb.FINISH_REASON_STOP)
        return Answer(pb.ChatResponse(choices=[said]))


@dataclass
class Standin:
    calls: Calls = field(default_factory=Calls)

    def finish(self, work: Any) -> Any:
        return now(work)


CLIENT = cast("Client", Standin())


@dataclass
class Talk:
    """A conversation, and what it takes to go on with it."""

    conversation: Conversation = field(default_factory=Conversation)
    made: int = 0
    clock: datetime = START

    def calls(self) -> list[str]:
        """The calls that a result may still answer."""
        parts = (part for one in self.conversation for part in one.parts)
        return [part.tool_call.id for part in parts if part.HasField("tool_call")]

    def step(self, kind: str, number: int) -> None:
        """One thing that may happen to it."""
        self.clock += timedelta(minutes=1)
        talk = self.conversation
        match kind:
            case "system" | "user" | "assistant":
                talk.add(message(kind, "x" * number), time=self.clock)
            case "call":
                ids = [f"call_{self.made + index}" for index in range(1 + number % 3)]
                self.made += len(ids)
                thought = pb.ContentPart(reasoning=pb.Reasoning(text="Hm."), provider_state=b"\x00" * number)
                parts = [thought, *map(called, ids)]
                talk.add(pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=parts), time=self.clock)
            case "result" if open_calls := self.calls():
                talk.add_tool_result(open_calls[number % len(open_calls)], "sunny")
            case "trim":
                talk.trim(CLIENT, max_tokens=number * 8)
            case "drop":
                talk.drop_before(START + timedelta(minutes=number))
            case "compress":
                talk.compress(CLIENT, keep=number % 4)
            case "save":
                self.conversation = Conversation.from_json(talk.to_json())
                assert self.conversation.messages == talk.messages
            case "clear" if number > 30:
                talk.clear()
            case _:
                pass


KINDS = ["system", "user", "assistant", "call", "result", "trim", "drop", "compress", "save", "clear"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40)), max_size=40)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_is_done_the_server_takes_it(steps: list[tuple[str, int]]) -> None:
    talk = Talk()
    for kind, number in steps:
        before = talk.conversation.messages
        talk.step(kind, number)
        after = talk.conversation.messages
        if after:
            validate(pb.ChatRequest(messages=after), LIMITS, Unsupported())
        instructions = [one for one in before if one.role in INSTRUCTIONS]
        assert [one for one in after if one.role in INSTRUCTIONS][: len(instructions)] == instructions
        if kind == "trim" and (found := turns(before)):
            assert after[-1] == before[-1] or before[-1].role in INSTRUCTIONS
            assert [before[index] for index in found[-1]] == [after[index] for index in turns(after)[-1]]
        talk.conversation = Conversation.from_json(talk.conversation.to_json())
