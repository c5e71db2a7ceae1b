"""A conversation: what was said, when, and how to keep it short enough."""

import json
from collections.abc import Coroutine, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, Unpack, overload

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from tokenwire.answer import Answer, TokenCount, ToolCall
from tokenwire.arguments import ChatFields, Fields
from tokenwire.calls import Calls
from tokenwire.errors import CompressionFailed
from tokenwire.messages import Content, Message, Turn, message, messages, tool_result
from tokenwire.transcript import SUMMARIZE, summary_of, transcript
from tokenwire.turns import INSTRUCTIONS, calls_of, results_of, turns

if TYPE_CHECKING:
    from tokenwire.client import AsyncClient, Client

_VERSION: Final = 1


class _Entry(NamedTuple):
    message: Message
    time: datetime


class Conversation:
    """Messages, oldest first, that `chat` and `stream` take as they are.

    What trims it goes by turns: from a user's message to before the next one. Calls and their results are
    never separated, and instructions (system, developer) are kept. Methods that ask a server take the
    client; with an AsyncClient they are awaited. A conversation belongs to one task at a time.
    """

    def __init__(self, *said: Turn, system: str = "") -> None:
        self._entries: list[_Entry] = []
        if system:
            self.add_system(system)
        self.add(*said)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Oldest first."""
        return tuple(entry.message for entry in self._entries)

    # What was said

    def add(self, *said: Turn, time: datetime | None = None) -> None:
        """Adds messages; what is no message is content of the user's. `time` is when, by default now.

        Raises ValueError for a result without its call and a call without an id, IncompleteToolCall for a
        call whose arguments were cut off: no server would take them back.
        """
        when = time or datetime.now(UTC)
        self._extend([_Entry(one, when) for one in messages(said)])

    def add_system(self, text: str) -> None:
        """Instructions."""
        self.add(message("system", text))

    def add_user(self, *content: Content) -> None:
        """Texts, images and documents of the user's."""
        self.add(message("user", *content))

    def add_assistant(self, text: str) -> None:
        """What a model said, where there is no answer to `append`."""
        self.add(message("assistant", text))

    def add_tool_result(self, call_id: str, text: str) -> None:
        """What a call returned."""
        self.add(tool_result(call_id, text))

    def append(self, answer: Answer) -> None:
        """An answer, as it came."""
        self.add(answer.message)

    # How long it is

    @overload
    def token_count(
        self, client: "AsyncClient", *, timeout: float | None = None, **fields: Unpack[ChatFields]
    ) -> Coroutine[Any, Any, TokenCount]: ...
    @overload
    def token_count(
        self, client: "Client", *, timeout: float | None = None, **fields: Unpack[ChatFields]
    ) -> TokenCount: ...
    def token_count(
        self,
        client: "AsyncClient | Client",
        *,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Coroutine[Any, Any, TokenCount] | TokenCount:
        """Its tokens, as the server counts them for this model and these tools: exact or marked estimated."""
        return client.finish(client.calls.count_tokens((self,), fields, timeout))

    @overload
    def trim(
        self,
        client: "AsyncClient",
        *,
        max_tokens: int,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Coroutine[Any, Any, TokenCount]: ...
    @overload
    def trim(
        self, client: "Client", *, max_tokens: int, timeout: float | None = None, **fields: Unpack[ChatFields]
    ) -> TokenCount: ...
    def trim(
        self,
        client: "AsyncClient | Client",
        *,
        max_tokens: int,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Coroutine[Any, Any, TokenCount] | TokenCount:
        """Drops the oldest turns until the rest has no more tokens; gives the count of the rest.

        The last turn stays, so that the count may still be above `max_tokens`.
        """
        return client.finish(self._trim(client.calls, max_tokens, fields, timeout))

    def drop_before(self, time: datetime) -> None:
        """Drops the turns that ended before this time."""
        if time.tzinfo is None:
            raise ValueError("a time has a time zone")
        for turn in reversed(turns(self.messages)):
            if self._entries[turn[-1]].time < time:
                self._drop(turn)

    @overload
    def compress(
        self,
        client: "AsyncClient",
        *,
        keep: int = 2,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Coroutine[Any, Any, None]: ...
    @overload
    def compress(
        self,
        client: "Client",
        *,
        keep: int = 2,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> None: ...
    def compress(
        self,
        client: "AsyncClient | Client",
        *,
        keep: int = 2,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Coroutine[Any, Any, None] | None:
        """Puts a summary, made by a model call with these fields, in the place of all turns but the last
        `keep`. Raises CompressionFailed for a summary that is cut or empty; nothing is lost then."""
        if keep < 0:
            raise ValueError("keep is at least 0")
        return client.finish(self._compress(client.calls, keep, fields, timeout))

    def clear(self) -> None:
        """Drops everything but the instructions."""
        self._entries = [entry for entry in self._entries if entry.message.role in INSTRUCTIONS]

    # How it is kept

    def to_json(self) -> str:
        """All of it, as text. Every byte that a provider needs back comes back."""
        entries = [
            {
                "time": entry.time.isoformat(),
                "message": MessageToDict(entry.message, preserving_proto_field_name=True),
            }
            for entry in self._entries
        ]
        return json.dumps({"version": _VERSION, "messages": entries}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` made. Raises ValueError for anything else, and for a newer version."""
        found = json.loads(text)
        version = found.get("version") if isinstance(found, dict) else None
        if version != _VERSION:
            raise ValueError(f"a conversation of version {_VERSION} is wanted, not {version!r}")
        conversation = cls()
        try:
            entries = [
                _Entry(ParseDict(entry["message"], Message()), datetime.fromisoformat(entry["time"]))
                for entry in found["messages"]
            ]
        except (ParseError, KeyError, TypeError) as error:
            raise ValueError(f"this is no conversation: {error}") from None
        conversation._extend(entries)
        return conversation

    def save(self, path: Path) -> None:
        """Writes `to_json` to a file, which is never half written: it has the old text or the new one."""
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(self.to_json(), encoding="utf-8")
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote."""
        return cls.from_json(path.read_text(encoding="utf-8"))

    async def _trim(self, calls: Calls, max_tokens: int, fields: Fields, timeout: float | None) -> TokenCount:
        while True:
            count = await calls.count_tokens((self,), fields, timeout)
            excess = count.tokens - max_tokens
            droppable = turns(self.messages)[:-1]
            if excess <= 0 or not droppable:
                return count
            mine = count.per_message[-len(self) :]  # `fields` may hold messages of their own
            dropped: list[int] = []
            for turn in droppable:
                dropped += turn
                excess -= sum(mine[index] for index in turn)
                if excess <= 0:
                    break
            self._drop(dropped)

    async def _compress(self, calls: Calls, keep: int, fields: Fields, timeout: float | None) -> None:
        found = turns(self.messages)
        old = [index for turn in found[: max(0, len(found) - keep)] for index in turn]
        if not old:
            return
        said = transcript(self._entries[index].message for index in old)
        answer = await calls.chat((message("system", SUMMARIZE), message("user", said)), fields, timeout)
        if not answer.text.strip() or answer.finish_reason not in ("stop", "other", ""):
            raise CompressionFailed(f"the summary ended with {answer.finish_reason or 'nothing'}")
        summary = _Entry(summary_of(answer.text), self._entries[old[-1]].time)
        self._drop(old[1:])
        self._entries[old[0]] = summary

    def _extend(self, entries: list[_Entry]) -> None:
        if any(entry.time.tzinfo is None for entry in entries):
            raise ValueError("a time has a time zone")
        _check((*self.messages, *(entry.message for entry in entries)))
        self._entries += entries

    def _drop(self, indices: Iterable[int]) -> None:
        gone = set(indices)
        self._entries = [entry for index, entry in enumerate(self._entries) if index not in gone]


def _check(said: Iterable[Message]) -> None:
    """That a server would take the calls and results."""
    called: set[str] = set()
    for one in said:
        answered = list(results_of(one))
        if unknown := set(answered) - called:
            raise ValueError(f"no earlier call has the id {unknown.pop()!r}")
        if len(set(answered)) < len(answered):
            raise ValueError("a message answers each call once")
        for part in one.parts:
            if part.HasField("tool_call"):
                call = part.tool_call
                if not call.id:
                    raise ValueError(f"the call of {call.name} has no id")
                _ = ToolCall(call.id, call.name, call.arguments_json).arguments
        called.update(calls_of(one))
