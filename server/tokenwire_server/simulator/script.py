"""What a test wants of one answer: its latency, its pace, its faults.

Every key has a default that means "as usual"; a key that is unknown or of a wrong type is an error that
names it, because a misspelt fault would make a test pass that tests nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from tokenwire_server.simulator.values import Json

How = Literal["fin", "rst", "stall"]
Framing = Literal["lf", "crlf", "cr"]
Shape = Literal["list", "null_choices", "empty_choices", "no_delta"]
_Word = TypeVar("_Word", How, Framing, Shape)


class ScriptError(ValueError):
    """The text names the key that is wrong."""


@dataclass(frozen=True, slots=True)
class Script:
    """How to answer the requests that it serves. Seconds are seconds of real time."""

    # Which requests
    times: int = 1  # how many requests it serves; 0 is all that follow
    match: str | None = None  # only requests for this model
    path: str | None = None  # only requests whose path ends so, such as "/chat/completions"
    # Latency and pace
    hang: bool = False  # no answer at all; the connection stays open
    headers_delay: float = 0.0  # before the status line
    first_token_delay: float = 0.0  # between the headers and the body's first byte
    gap: float = 0.0  # between two events of a stream
    linger: float = 0.0  # between the last byte and the end of the body
    tokens: int | None = None  # the answer's length, whatever the request asks for
    drop_last: int = 0  # how many embeddings it leaves out at the end
    # Another answer
    status: int | None = None
    error: str | Json | None = None  # the name of a real error, or an error object
    headers: Mapping[str, str | None] = field(default_factory=dict)  # set; null takes one away
    raw: str | None = None  # the whole body
    content_type: str | None = None
    # A connection that breaks
    cut_at_byte: int | None = None  # after so many bytes of the body
    how: How = "fin"  # clean close, reset, or silence with the connection open
    # A stream that is wrong
    no_finish: bool = False  # no event with a finish reason, no usage, no [DONE]
    no_usage: bool = False
    no_done: bool = False
    framing: Framing = "lf"  # the line ends of a stream
    split_bytes: int | None = None  # the body goes out in pieces of so many bytes
    after: int = 1  # how many tokens come before what follows here
    comments: float | None = None  # no more events: a comment line every so many seconds, for ever
    error_event: str | Json | None = None  # an error object as the last event, by name or as it is
    bad_json_event: bool = False
    bad_utf8: bool = False
    wrong_shape: Shape | None = None  # an event of valid JSON that is no chunk


def parse_script(value: object) -> Script:
    """A script from JSON; ScriptError names the key that is unknown or wrong."""
    if not isinstance(value, dict):
        raise ScriptError("a script is a JSON object")
    read = _Reader(value)
    script = Script(
        times=read.whole("times", 1),
        match=read.text("match"),
        path=read.text("path"),
        hang=read.flag("hang"),
        headers_delay=read.seconds("headers_delay") or 0.0,
        first_token_delay=read.seconds("first_token_delay") or 0.0,
        gap=read.seconds("gap") or 0.0,
        linger=read.seconds("linger") or 0.0,
        tokens=read.size("tokens"),
        drop_last=read.whole("drop_last", 0),
        status=read.status(),
        error=read.error("error"),
        headers=read.headers(),
        raw=read.text("raw"),
        content_type=read.text("content_type"),
        cut_at_byte=read.size("cut_at_byte"),
        how=read.word("how", ("fin", "rst", "stall")) or "fin",
        no_finish=read.flag("no_finish"),
        no_usage=read.flag("no_usage"),
        no_done=read.flag("no_done"),
        framing=read.word("framing", ("lf", "crlf", "cr")) or "lf",
        split_bytes=read.size("split_bytes", least=1),
        after=read.whole("after", 1),
        comments=read.seconds("comments"),
        error_event=read.error("error_event"),
        bad_json_event=read.flag("bad_json_event"),
        bad_utf8=read.flag("bad_utf8"),
        wrong_shape=read.word("wrong_shape", ("list", "null_choices", "empty_choices", "no_delta")),
    )
    read.finish()
    return script


class _Reader:
    """Takes keys out of an object; what is left at the end is unknown."""

    def __init__(self, value: Json) -> None:
        self._left = dict(value)

    def finish(self) -> None:
        if self._left:
            raise ScriptError(f"unknown script key {min(self._left)!r}")

    def flag(self, key: str) -> bool:
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            raise ScriptError(f"script key {key!r} is true or false")
        return value

    def text(self, key: str) -> str | None:
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, str):
            raise ScriptError(f"script key {key!r} is a string")
        return value

    def word(self, key: str, words: tuple[_Word, ...]) -> _Word | None:
        value = self._left.pop(key, None)
        found = next((word for word in words if word == value), None)
        if value is not None and found is None:
            raise ScriptError(f"script key {key!r} is one of {', '.join(words)}")
        return found

    def size(self, key: str, least: int = 0) -> int | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ScriptError(f"script key {key!r} is a whole number from {least}")
        return value

    def whole(self, key: str, default: int) -> int:
        value = self.size(key)
        return default if value is None else value

    def seconds(self, key: str) -> float | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise ScriptError(f"script key {key!r} is a number of seconds")
        return float(value)

    def status(self) -> int | None:
        value = self.size("status")
        if value is not None and not 200 <= value <= 599:
            raise ScriptError("script key 'status' is a final HTTP status")
        return value

    def error(self, key: str) -> str | Json | None:
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, str | dict):
            raise ScriptError(f"script key {key!r} is the name of an error or an object")
        return value

    def headers(self) -> dict[str, str | None]:
        value = self._left.pop("headers", None) or {}
        if not isinstance(value, dict):
            raise ScriptError("script key 'headers' is an object")
        if bad := [key for key, text in value.items() if not isinstance(text, str | None)]:
            raise ScriptError(f"script key 'headers': {bad[0]!r} is a string or null")
        return {key.lower(): text for key, text in value.items()}
