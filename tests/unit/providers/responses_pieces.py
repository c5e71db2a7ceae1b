"""Replies and events of the Responses API, for its decoders to read."""

from collections.abc import Iterable
from typing import Any

from unit.providers.upstream import Played, decoded, played

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.openai_responses import CODEC

USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 8,
}
CITED = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}


def answer(*output: Any, **more: Any) -> dict[str, Any]:
    """A reply."""
    head = {"id": "resp_1", "object": "response", "created_at": 5.0, "model": "m-1", "status": "completed"}
    return {**head, "error": None, "incomplete_details": None, "output": [*output], **more}


def text(said: str | None, *annotations: Any, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [*annotations], **more}


def message(*content: Any, **more: Any) -> dict[str, Any]:
    """An item of the assistant's."""
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    return {**item, "content": [*content], **more}


def thought(*summaries: str, **more: Any) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": summary} for summary in summaries]
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gA", **more}


def call(arguments: str = '{"a":1}', **more: Any) -> dict[str, Any]:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "status": "completed"}
    return {**item, "arguments": arguments, **more}


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": 0, **more}


def added(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return event("output_item.added", output_index=index, item=item)


def done(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return event("output_item.done", output_index=index, item=item)


def delta(said: str, index: int = 0, content: int = 0, **more: Any) -> dict[str, Any]:
    return event("output_text.delta", output_index=index, content_index=content, delta=said, **more)


def summary(said: str, piece: int = 0, index: int = 0) -> dict[str, Any]:
    return event("reasoning_summary_text.delta", output_index=index, summary_index=piece, delta=said)


CREATED = event("created", response=answer(status="in_progress"))


def completed(*output: Any, **more: Any) -> dict[str, Any]:
    return event("completed", response=answer(*output, **more))


def read(value: Any) -> pb.ChatResponse:
    """What a unary reply comes to."""
    return decoded(value, CODEC)


def stream() -> Played:
    return Played(CODEC)


def streamed(*events: Any) -> Played:
    """A whole stream, each event a read of its own."""
    return played([CREATED, *events], CODEC)


def kinds(events: Iterable[pb.ChatStreamResponse]) -> list[str | None]:
    return [found.WhichOneof("event") for found in events]
