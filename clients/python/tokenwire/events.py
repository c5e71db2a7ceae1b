"""What a stream tells while it goes on, and the reader that makes it of the wire's events.

Events are not frozen: making one would take twice as long, and there is one for each token.
"""

from dataclasses import dataclass
from typing import TypeAlias

from tokenwire.answer import Answer, ToolCall
from tokenwire.errors import IncompleteStream
from tokenwire.v1 import chat_pb2 as pb


@dataclass(slots=True)
class Started:
    """The answer begins. Nothing is tried again from here on."""

    id: str
    model: str
    provider: str


@dataclass(slots=True)
class TextDelta:
    """More text."""

    text: str
    choice: int
    part: int


@dataclass(slots=True)
class ReasoningDelta:
    """More of the model's thoughts, or of their summary."""

    text: str
    choice: int
    part: int


@dataclass(slots=True)
class RefusalDelta:
    """More of what the model says while it declines."""

    text: str
    choice: int
    part: int


@dataclass(slots=True)
class ToolCallStarted:
    """The model begins to call a function; the arguments follow."""

    id: str
    name: str
    choice: int
    part: int


@dataclass(slots=True)
class ToolCallDelta:
    """More of a call's arguments."""

    arguments_json: str
    choice: int
    part: int


@dataclass(slots=True)
class ToolCallDone:
    """A call is whole."""

    call: ToolCall
    choice: int
    part: int


@dataclass(slots=True)
class Citation:
    """A source of the part's text."""

    annotation: pb.Annotation
    choice: int
    part: int


@dataclass(slots=True)
class PartDone:
    """A part that is no tool call is whole."""

    part: pb.ContentPart
    choice: int


@dataclass(slots=True)
class Heartbeat:
    """Nothing happened for a while."""


@dataclass(slots=True)
class Completed:
    """The last event: the whole answer."""

    answer: Answer


Event: TypeAlias = (
    Started
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallStarted
    | ToolCallDelta
    | ToolCallDone
    | Citation
    | PartDone
    | Heartbeat
    | Completed
)


class Reader:
    """Reads one stream."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        """Known once the stream has completed."""

    def read(self, event: pb.ChatStreamResponse) -> Event | None:
        """None for what this client does not know, and for the beginning of parts that say nothing yet."""
        match kind := event.WhichOneof("event"):
            case "text_delta":  # first, and without a look at the others: most events are
                return TextDelta(event.text_delta.text, event.choice_index, event.part_index)
            case "started":
                return Started(event.started.id, event.started.model, event.started.provider)
            case "heartbeat":
                return Heartbeat()
            case "completed":
                self.answer = Answer(event.completed.response)
                return Completed(self.answer)
            case _:
                return _of_part(event, kind)

    def final(self) -> Answer:
        """The answer, once there are no more events. Raises IncompleteStream."""
        if self.answer is None:
            raise IncompleteStream("the stream ended without its completed event")
        return self.answer


def _of_part(event: pb.ChatStreamResponse, kind: str | None) -> Event | None:
    choice, part = event.choice_index, event.part_index
    match kind:
        case "reasoning_delta":
            thought = event.reasoning_delta
            return ReasoningDelta(thought.text or thought.summary, choice, part)
        case "tool_call_delta":
            return ToolCallDelta(event.tool_call_delta.arguments_json, choice, part)
        case "refusal_delta":
            return RefusalDelta(event.refusal_delta.text, choice, part)
        case "part_started" if event.part_started.part.HasField("tool_call"):
            call = event.part_started.part.tool_call
            return ToolCallStarted(call.id, call.name, choice, part)
        case "part_done":
            return _done(event.part_done.part, choice, part)
        case "annotation":
            return Citation(event.annotation, choice, part)
        case _:
            return None


def _done(part: pb.ContentPart, choice: int, index: int) -> Event:
    if part.HasField("tool_call"):
        call = part.tool_call
        return ToolCallDone(ToolCall(call.id, call.name, call.arguments_json), choice, index)
    return PartDone(part, choice)
