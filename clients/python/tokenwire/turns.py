"""Which messages of a conversation belong together."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from tokenwire.messages import Message
from tokenwire.v1 import chat_pb2 as pb

INSTRUCTIONS: Final = (pb.ROLE_SYSTEM, pb.ROLE_DEVELOPER)


def turns(messages: Sequence[Message]) -> list[list[int]]:
    """The indices of each turn, oldest first: from a user's message to the next one, but never between a
    call and its result. Instructions belong to none."""
    bound = _bound(messages)
    found: list[list[int]] = []
    for index, message in enumerate(messages):
        if message.role in INSTRUCTIONS:
            continue
        if not found or (message.role == pb.ROLE_USER and index not in bound):
            found.append([])
        found[-1].append(index)
    return found


def calls_of(message: Message) -> Iterator[str]:
    """The ids that results may answer: of calls, and of a provider's own items."""
    for part in message.parts:
        match part.WhichOneof("content"):
            case "tool_call":
                yield part.tool_call.id
            case "provider_item":
                item = json.loads(part.provider_item.item_json)
                yield from (str(item[key]) for key in ("id", "call_id") if key in item)
            case _:
                pass


def results_of(message: Message) -> Iterator[str]:
    """The ids of the calls that a message answers."""
    return (part.tool_result.tool_call_id for part in message.parts if part.HasField("tool_result"))


def _bound(messages: Sequence[Message]) -> set[int]:
    """Indices that a call stands before and its result at or behind."""
    called: dict[str, int] = {}
    found: set[int] = set()
    for index, message in enumerate(messages):
        for call in results_of(message):
            found.update(range(called.get(call, index) + 1, index + 1))
        called |= dict.fromkeys(calls_of(message), index)
    return found
