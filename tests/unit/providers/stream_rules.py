"""The contract's rules for the events of a stream, checked on any list of them."""

from collections.abc import Iterable, Sequence

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.state import is_bare

Key = tuple[int, int]
"""Choice and part."""


def check_stream(events: Sequence[pb.ChatStreamResponse]) -> dict[Key, pb.ContentPart]:
    """Asserts the order of a whole stream's events; gives its parts, put together from the deltas."""
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[0] == "started"
    assert kinds[-1] == "completed"
    assert kinds.count("started") == kinds.count("completed") == 1
    parts = check_parts(events[1:-1])
    response = events[-1].completed.response
    assert response.provider == events[0].started.provider
    assert [choice.index for choice in response.choices] == sorted({c.index for c in response.choices})
    for choice in response.choices:
        check_message(choice.message, [part for key, part in sorted_parts(parts) if key[0] == choice.index])
    assert {choice for choice, _ in parts} <= {choice.index for choice in response.choices}
    return parts


def check_parts(events: Iterable[pb.ChatStreamResponse]) -> dict[Key, pb.ContentPart]:
    """Asserts that each part is started, then grows, then is done, and equals what it grew to."""
    grown: dict[Key, pb.ContentPart] = {}
    done: dict[Key, pb.ContentPart] = {}
    for event in events:
        key = (event.choice_index, event.part_index)
        kind = event.WhichOneof("event")
        assert key not in done
        if kind == "part_started":
            assert key not in grown
            assert event.part_index == sum(choice == key[0] for choice, _ in grown)
            grown[key] = pb.ContentPart()
            grown[key].CopyFrom(event.part_started.part)
        elif kind == "part_done":
            done_part = event.part_done.part
            grown[key].provider_state = done_part.provider_state  # final only now
            if done_part.HasField("provider_item"):
                grown[key].provider_item.item_json = done_part.provider_item.item_json  # the same
            assert grown[key] == done_part
            done[key] = grown[key]
        else:
            grow(grown[key], event)
    assert done.keys() == grown.keys()
    return done


def grow(part: pb.ContentPart, event: pb.ChatStreamResponse) -> None:
    """Adds what one event brings; its kind must be the part's."""
    match event.WhichOneof("event"), part.WhichOneof("content"):
        case "text_delta", "text":
            part.text += bounded(event.text_delta.text)
        case "refusal_delta", "refusal":
            part.refusal += bounded(event.refusal_delta.text)
        case "reasoning_delta", "reasoning":
            delta = event.reasoning_delta
            assert bool(delta.text) != bool(delta.summary)
            part.reasoning.text += delta.text and bounded(delta.text)
            part.reasoning.summary += delta.summary and bounded(delta.summary)
        case "tool_call_delta", "tool_call":
            part.tool_call.arguments_json += bounded(event.tool_call_delta.arguments_json)
        case "annotation", "text":
            part.annotations.append(event.annotation)
        case kinds:
            raise AssertionError(kinds)


def bounded(text: str) -> str:
    """The text of a delta: some, and not more than the contract allows."""
    assert 0 < len(text.encode()) <= 64 * 1024
    return text


def sorted_parts(parts: dict[Key, pb.ContentPart]) -> list[tuple[Key, pb.ContentPart]]:
    return sorted(parts.items(), key=lambda item: item[0])


def check_message(message: pb.ChatMessage, parts: Sequence[pb.ContentPart]) -> None:
    """Asserts the rule for `text` and `parts` of an answer."""
    assert message.role == pb.ROLE_ASSISTANT
    assert message.text == "".join(part.text for part in parts)
    plain = len(parts) == 1 and parts[0].WhichOneof("content") == "text" and not parts[0].annotations
    assert list(message.parts) == ([] if plain and is_bare(parts[0]) else list(parts))


def merged(events: Iterable[pb.ChatStreamResponse]) -> object:
    """The events with each part's neighbouring deltas joined: equal for equal streams, however cut.

    Order counts within each part, and among all events that are no deltas.
    """
    whole: list[pb.ChatStreamResponse] = []
    parts: dict[Key, list[pb.ChatStreamResponse]] = {}
    for event in events:
        kind = event.WhichOneof("event")
        of_part = parts.setdefault((event.choice_index, event.part_index), [])
        if kind not in ("text_delta", "refusal_delta", "reasoning_delta", "tool_call_delta"):
            whole.append(event)
        elif of_part and of_part[-1].WhichOneof("event") == kind:
            _join(of_part[-1], event)
            continue
        copy = pb.ChatStreamResponse()
        copy.CopyFrom(event)
        of_part.append(copy)
    return whole, parts


def _join(whole: pb.ChatStreamResponse, event: pb.ChatStreamResponse) -> None:
    match event.WhichOneof("event"):
        case "text_delta":
            whole.text_delta.text += event.text_delta.text
            whole.text_delta.logprobs.extend(event.text_delta.logprobs)
        case "refusal_delta":
            whole.refusal_delta.text += event.refusal_delta.text
        case "reasoning_delta":
            whole.reasoning_delta.text += event.reasoning_delta.text
            whole.reasoning_delta.summary += event.reasoning_delta.summary
        case "tool_call_delta":
            whole.tool_call_delta.arguments_json += event.tool_call_delta.arguments_json
