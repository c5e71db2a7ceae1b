"""What a stream must look like, whatever it says."""

from collections import defaultdict
from collections.abc import Sequence

from tokenwire.v1 import chat_pb2 as pb

Key = tuple[int, int]
DELTAS = frozenset({"text_delta", "reasoning_delta", "refusal_delta", "tool_call_delta"})


def kinds(events: Sequence[pb.ChatStreamResponse]) -> list[str]:
    """The events' kinds in order, runs of one kind as one."""
    found: list[str] = []
    for event in events:
        kind = str(event.WhichOneof("event"))
        if not found or found[-1] != kind:
            found.append(kind)
    return found


def texts(events: Sequence[pb.ChatStreamResponse]) -> dict[Key, str]:
    """What the deltas of each part say together, by choice and part."""
    found: dict[Key, str] = defaultdict(str)
    for event in events:
        text, thought = event.text_delta.text, event.reasoning_delta.summary + event.reasoning_delta.text
        delta = text or thought or event.refusal_delta.text or event.tool_call_delta.arguments_json
        if event.WhichOneof("event") in DELTAS:
            found[event.choice_index, event.part_index] += delta
    return found


def whole(events: Sequence[pb.ChatStreamResponse]) -> pb.ChatResponse:
    """The response of a stream that keeps the order of the contract; fails where it does not."""
    assert events[0].HasField("started")
    assert [event.WhichOneof("event") for event in events].count("started") == 1
    assert events[-1].HasField("completed")
    assert [event.WhichOneof("event") for event in events].count("completed") == 1
    state: dict[Key, str] = {}
    for event in events[1:-1]:
        key = (event.choice_index, event.part_index)
        match event.WhichOneof("event"):
            case "part_started":
                assert key not in state
                state[key] = "open"
            case "part_done":
                assert state[key] == "open"
                assert _said(event.part_done.part) == texts(events).get(key, "")
                state[key] = "done"
            case "heartbeat":
                assert key == (0, 0)
            case kind:
                assert kind in DELTAS | {"annotation"}
                assert state[key] == "open"
    assert set(state.values()) <= {"done"}
    return events[-1].completed.response


def _said(part: pb.ContentPart) -> str:
    thought = part.reasoning.summary + part.reasoning.text
    return part.text or thought or part.refusal or part.tool_call.arguments_json


def comparable(response: pb.ChatResponse) -> pb.ChatResponse:
    """A response without what differs between any two calls: ids, times."""
    copy = pb.ChatResponse()
    copy.CopyFrom(response)
    for field in ("id", "create_time", "timing", "attempts"):
        copy.ClearField(field)
    return copy
