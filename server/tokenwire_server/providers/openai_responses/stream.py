"""Events of a Responses stream → Assembler."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.assembler import Assembler
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.openai_chat.decode import Upstream, logprobs
from tokenwire_server.providers.openai_responses.decode import (
    FUNCTION_CALLS,
    annotation,
    details,
    finish_reason,
    head,
    native_reason,
    parts,
)
from tokenwire_server.providers.openai_responses.errors import stream_error


class ResponsesStreamDecoder:
    """Reports the events of one stream. `done` is set by the answer's end, `response.completed` or
    `response.incomplete`; these streams have no other marker.

    Parts are told apart by the index of their item, and theirs within it.
    """

    def __init__(self, assembler: Assembler) -> None:
        self.done = False
        self._assembler = assembler
        self._pending: tuple[int, Upstream] | None = None
        """An item that was announced, and has no content yet."""
        self._pieces: dict[tuple[str, int], int] = {}
        """The last piece of a thought or its summary, by type of event and item."""
        self._found: dict[int, list[pb.ContentPart]] = {}
        """What complete items came to, by index."""

    def feed(self, data: bytes) -> None:
        """One event's data."""
        if not data or data.startswith(b"[DONE]"):
            return
        event = loads(data)
        if not isinstance(event, dict):
            raise TypeError("not an object")
        kind = event.get("type")
        if kind == "response.output_text.delta":
            self._text(event)
        elif handle := self.HANDLERS.get(kind or "error"):
            handle(self, event)
        elif str(kind).endswith(".delta"):
            self._assembler.pieces += 1  # of an item that comes out whole

    def _text(self, event: Upstream) -> None:
        key = event["output_index"], event["content_index"]
        self._assembler.text(0, event["delta"], key)
        if event.get("logprobs"):
            self._assembler.logprobs(0, logprobs({"content": event["logprobs"]}), key)

    def _refusal(self, event: Upstream) -> None:
        self._assembler.refusal(0, event["delta"], (event["output_index"], event["content_index"]))

    def _annotation(self, event: Upstream) -> None:
        key = event["output_index"], event["content_index"]
        self._assembler.annotation(0, annotation(event["annotation"]), key)

    def _arguments(self, event: Upstream) -> None:
        key = event["output_index"], 0
        if self._assembler.has_tool_call(0, key):
            self._assembler.arguments(0, key, event["delta"])

    def _summary(self, event: Upstream) -> None:
        text = self._on_its_line(event, event["summary_index"])
        self._assembler.summary(0, text, (event["output_index"], 0))

    def _reasoning(self, event: Upstream) -> None:
        text = self._on_its_line(event, event["content_index"])
        self._assembler.reasoning(0, text, (event["output_index"], 0))

    def _on_its_line(self, event: Upstream, piece: int) -> str:
        """The delta; several summaries or thoughts of one item are lines of one text."""
        place = event["type"], event["output_index"]
        before = self._pieces.get(place, piece)
        self._pieces[place] = piece
        text: str = event["delta"]
        return text if before == piece else f"\n{text}"

    def _created(self, event: Upstream) -> None:
        head(event["response"], self._assembler.response)

    def _item_added(self, event: Upstream) -> None:
        """A call begins by being announced; what else an item holds, when it comes: a model that was only
        started can still be asked again. The next item's coming fixes the order, however."""
        index, item = event["output_index"], event["item"]
        if self._pending:
            self._begin(*self._pending)
        self._pending = None
        if item["type"] in FUNCTION_CALLS:
            self._begin(index, item)
        else:
            self._pending = index, item

    def _begin(self, index: int, item: Upstream) -> None:
        for position, part in parts(item, self._assembler.response.provider):
            self._assembler.begin(0, (index, position), part)

    def _item_done(self, event: Upstream) -> None:
        self._conclude(event["output_index"], event["item"])

    def _conclude(self, index: int, item: Upstream) -> None:
        if self._pending and self._pending[0] <= index:
            if self._pending[0] < index:
                self._begin(*self._pending)
            self._pending = None
        found = self._found[index] = []
        for position, part in parts(item, self._assembler.response.provider):
            self._assembler.conclude(0, (index, position), part)
            found.append(part)

    def _completed(self, event: Upstream) -> None:
        """The answer as a whole: items that no event has completed are in it too."""
        answer = event["response"]
        if answer.get("error"):
            raise stream_error(answer["error"])
        head(answer, self._assembler.response)
        details(answer, self._assembler.response)
        for index, item in enumerate(answer.get("output") or ()):
            if index not in self._found:
                self._conclude(index, item)
        found = [part for item in self._found.values() for part in item]
        self._assembler.finish(0, finish_reason(answer, found), native_reason(answer))
        self.done = True

    def _failed(self, event: Upstream) -> None:
        raise stream_error(event["response"].get("error"))

    def _error(self, event: Upstream) -> None:
        """Nested in practice, flat in the documents."""
        if not event.keys() & {"error", "code", "message"}:
            raise KeyError("type")
        raise stream_error(event.get("error") or event)

    HANDLERS: ClassVar[Mapping[str, Callable[["ResponsesStreamDecoder", Upstream], None]]] = {
        "response.output_text.delta": _text,
        "response.output_text.annotation.added": _annotation,
        "response.refusal.delta": _refusal,
        "response.function_call_arguments.delta": _arguments,
        "response.reasoning_summary_text.delta": _summary,
        "response.reasoning_text.delta": _reasoning,
        "response.created": _created,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.completed": _completed,
        "response.incomplete": _completed,
        "response.failed": _failed,
        "error": _error,
    }
    """Events with content, by type."""


IGNORED: Final = frozenset(
    # Progress of the answer, and ends of pieces that their item ends too
    {"response.queued", "response.in_progress", "response.reasoning_summary_part.added"}
    | {"response.content_part.added", "response.content_part.done", "response.output_text.done"}
    | {"response.refusal.done", "response.function_call_arguments.done", "response.reasoning_text.done"}
    | {"response.reasoning_summary_part.done", "response.reasoning_summary_text.done"}
    # Pieces of items that have no typed form, which come whole with response.output_item.done
    | {"response.audio.delta", "response.audio.done"}
    | {"response.audio.transcript.delta", "response.audio.transcript.done"}
    | {"response.code_interpreter_call_code.delta", "response.code_interpreter_call_code.done"}
    | {"response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"}
    | {"response.mcp_call_arguments.delta", "response.mcp_call_arguments.done"}
    | {"response.shell_call_command.added", "response.shell_call_command.delta"}
    | {"response.shell_call_command.done"}
    | {"response.shell_call_output_content.delta", "response.shell_call_output_content.done"}
    | {"response.image_generation_call.partial_image"}
    # Progress of tools that the provider runs
    | {"response.code_interpreter_call.in_progress", "response.code_interpreter_call.interpreting"}
    | {"response.code_interpreter_call.completed", "response.compaction.compacting"}
    | {"response.file_search_call.in_progress", "response.file_search_call.searching"}
    | {"response.file_search_call.completed"}
    | {"response.image_generation_call.in_progress", "response.image_generation_call.generating"}
    | {"response.image_generation_call.completed"}
    | {"response.mcp_call.in_progress", "response.mcp_call.completed", "response.mcp_call.failed"}
    | {"response.mcp_list_tools.in_progress", "response.mcp_list_tools.completed"}
    | {"response.mcp_list_tools.failed"}
    | {"response.web_search_call.in_progress", "response.web_search_call.searching"}
    | {"response.web_search_call.completed"}
)
"""Events without. What is in neither of the two is ignored as well: there will be more."""
