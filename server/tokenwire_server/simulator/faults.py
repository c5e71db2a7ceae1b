"""Turns a reply into the steps in which it is sent, as the script says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

from tokenwire_server.simulator.reply import Event, Kind, Reply
from tokenwire_server.simulator.script import Script

LINE_ENDS = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}

WRONG_SHAPES = {
    "list": b"[1,2]",
    "null_choices": b'{"id":"chatcmpl-x","object":"chat.completion.chunk","choices":null}',
    "empty_choices": b'{"id":"chatcmpl-x","object":"chat.completion.chunk","choices":[]}',
    "no_delta": b'{"id":"chatcmpl-x","object":"chat.completion.chunk","choices":[{"index":0}]}',
}

_BAD_JSON = b'{"x": nope}'
_BAD_UTF8 = b'{"x": "\xff\xfe"}'
_COMMENT = b": ping"


@dataclass(frozen=True, slots=True)
class Step:
    """Bytes of the body, and how long to wait before they go out."""

    data: bytes
    wait: float = 0.0


def steps(reply: Reply, script: Script, ending: Sequence[Event]) -> Iterator[Step]:
    """The body's bytes in order; without end if the script asks for comments for ever.

    `ending` is what `error_event` stands for.
    """
    if reply.events is None:
        yield Step(_spoiled_body(reply.body, script), script.first_token_delay)
        return
    end = reply.line_end if script.framing == "lf" else LINE_ENDS[script.framing]
    waits = _waits(script)
    for lines, wait in _lines(reply, script, ending):
        data = end.join(lines) + end + end
        yield Step(data, next(waits) if wait is None else wait)


def _waits(script: Script) -> Iterator[float]:
    yield script.first_token_delay
    yield from repeat(script.gap)


def _lines(
    reply: Reply, script: Script, ending: Sequence[Event]
) -> Iterator[tuple[list[bytes], float | None]]:
    """Each event's lines, with a wait of its own or None for the usual pace."""
    tokens = sent = 0
    fault = ending or _fault(script)
    for event in _kept(reply.events or (), script):
        if fault and (tokens >= script.after or event.kind in {"finish", "usage", "done"}):
            for wrong in fault:
                said = reply.as_error(wrong, sent) if ending and reply.as_error else wrong
                yield said.lines(), None
            if ending:
                return
            fault = ()
        if script.comments is not None and (tokens >= script.after or event.kind == "finish"):
            yield from repeat(([_COMMENT], script.comments))
        yield event.lines(), None
        tokens += event.kind == "token"
        sent += event.kind != "comment"


def _kept(events: Sequence[Event], script: Script) -> Iterator[Event]:
    dropped: set[Kind] = {"finish", "usage", "done"} if script.no_finish else set()
    if script.no_usage:
        dropped.add("usage")
    if script.no_done:
        dropped.add("done")
    for event in events:
        if event.kind in dropped:
            continue
        if script.no_usage and event.without_usage is not None:
            yield replace(event, data=event.without_usage)
        else:
            yield event


def _fault(script: Script) -> Sequence[Event]:
    """The event that the script puts among the others, if any."""
    if script.bad_json_event:
        return (Event("token", _BAD_JSON),)
    if script.bad_utf8:
        return (Event("token", _BAD_UTF8),)
    if script.wrong_shape is not None:
        return (Event("token", WRONG_SHAPES[script.wrong_shape]),)
    return ()


def _spoiled_body(body: bytes, script: Script) -> bytes:
    """Without a stream, a fault of one event becomes the whole body."""
    fault = _fault(script)
    return fault[0].data if fault else body
