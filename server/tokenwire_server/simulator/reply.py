"""What a dialect answers, before a script spoils it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

from tokenwire_server.simulator.conversations import Conversations
from tokenwire_server.simulator.records import Received
from tokenwire_server.simulator.values import Json

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream; charset=utf-8"

Kind = Literal["start", "frame", "token", "finish", "usage", "done", "comment"]
"""A frame begins or ends a part of the answer, in dialects that tell so."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event, or a comment between events."""

    kind: Kind
    data: bytes
    name: str | None = None  # its "event:" line, where the dialect has one
    without_usage: bytes | None = None  # its data where the usage is to be left out of it

    def lines(self) -> list[bytes]:
        """The event's lines, without their ends."""
        if self.kind == "comment":
            return [b": " + self.data]
        data = b"data: " + self.data
        return [data] if self.name is None else [b"event: " + self.name.encode(), data]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer: a body, or the events of a stream."""

    body: bytes = b""
    events: Sequence[Event] | None = None
    status: int = 200
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    line_end: bytes = b"\n"  # of a stream, where the script asks for no other
    as_error: Callable[[Event, int], Event] | None = None  # a script's error after so many events of a stream


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with all that an answer may depend on."""

    received: Received
    ordinal: int  # the request's number in this simulator, from 1
    now: int  # seconds since 1970
    stored: Conversations = field(default_factory=Conversations)


Dialect = Callable[[Exchange], Reply]
"""Answers any request under its path prefix, refusals included; pure but for what it stores."""


@dataclass(frozen=True, slots=True)
class NamedError:
    """A real error of a provider."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[Event] = ()  # how it ends a stream that has begun; none: its body as an event

    def ending(self) -> Sequence[Event]:
        """The events with which it ends a stream that has begun."""
        return self.events or (Event("token", orjson.dumps(self.body)),)


ErrorByName = Callable[[str, Exchange], NamedError | None]
"""The error with this name, or the usual one of this status ("503"); None for an unknown name."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A dialect under a path prefix."""

    prefix: str
    answer: Dialect
    error: ErrorByName


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON answer, indented as the real ones are."""
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return Reply(body=body, status=status, headers=headers or {})
