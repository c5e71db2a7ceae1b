"""Assembler: what stream decoders report becomes the events of the contract and the whole response.

It owns the order of events and the indexes of parts, whatever a provider sends. What one network read
brought is merged: `take` gives one delta per part, cut by size and where another part or an annotation
comes between.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.message import assistant_message, without_text
from tokenwire_server.providers.state import pack

_MAX_DELTA: Final = 16 * 1024
"""Code points in one delta: at most 64 KiB in UTF-8."""


class _Part:
    """A part that is being received. `whole` holds all but the text, which is joined once at the end."""

    __slots__ = ("choice", "delta", "grow", "index", "logprobs", "pending", "pieces", "whole")

    def __init__(self, choice: int, index: int, whole: pb.ContentPart, kind: "_Kind") -> None:
        self.choice = choice
        self.index = index
        self.whole = whole
        self.delta, self.grow = kind
        self.pieces: list[str] = []
        self.pending: list[str] = []
        self.logprobs: list[pb.TokenLogprob] = []


_Kind = tuple[Callable[[pb.ChatStreamResponse, str], None], Callable[[pb.ContentPart, str], None]]
"""How a part's text goes into an event, and into the whole part."""


def _text_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.text_delta.text = text


def _text(part: pb.ContentPart, text: str) -> None:
    part.text = text


def _refusal_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.refusal_delta.text = text


def _refusal(part: pb.ContentPart, text: str) -> None:
    part.refusal = text


def _arguments_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.tool_call_delta.arguments_json = text


def _arguments(part: pb.ContentPart, text: str) -> None:
    part.tool_call.arguments_json = text


def _reasoning_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.reasoning_delta.text = text


def _reasoning(part: pb.ContentPart, text: str) -> None:
    part.reasoning.text = text


_REASONING: Final[_Kind] = (_reasoning_delta, _reasoning)
_TEXT: Final[_Kind] = (_text_delta, _text)
_REFUSAL: Final[_Kind] = (_refusal_delta, _refusal)
_TOOL_CALL: Final[_Kind] = (_arguments_delta, _arguments)


class _Choice:
    __slots__ = ("finish", "index", "logprobs", "native", "open", "parts")

    def __init__(self, index: int) -> None:
        self.index = index
        self.parts: list[pb.ContentPart] = []
        self.open: dict[Hashable, _Part] = {}
        self.logprobs: list[pb.TokenLogprob] = []
        self.finish: pb.FinishReason.ValueType = pb.FINISH_REASON_UNSPECIFIED
        self.native = ""


class Assembler:
    """One answer of one provider. Not reusable.

    Decoders fill the head of `response` (id, model, create_time, usage, …) and report content as it
    comes. `started` is the first event, sent with the first content and never before.
    """

    def __init__(self, provider: str) -> None:
        self.response: Final = pb.ChatResponse(provider=provider)
        self.started = False
        """Whether content has come: the point after which nothing may be tried again."""
        self.pieces = 0
        """Pieces of content so far: about as many as tokens, while the provider has not said."""
        self._choices: dict[int, _Choice] = {}
        self._events: list[pb.ChatStreamResponse] = []
        self._dirty: list[_Part] = []

    def text(self, choice: int, text: str) -> None:
        """More text of the choice's text part. Content after `finish` is a ValueError, of every kind."""
        part = self._text_part(choice)
        self._append(part, text)

    def refusal(self, choice: int, text: str) -> None:
        """More of the choice's refusal."""
        part = self._choice(choice).open.get("refusal") or self._open(
            choice, "refusal", pb.ContentPart(refusal=""), _REFUSAL
        )
        self._append(part, text)

    def reasoning(self, choice: int, text: str, **state: str) -> None:
        """More of what the model thinks; `state` is what a replay needs (state.KEYS), said by the first."""
        part = self._choice(choice).open.get("reasoning")
        if part is None:
            packed = pack(self.response.provider, **state)
            whole = pb.ContentPart(reasoning=pb.Reasoning(), provider_state=packed)
            part = self._open(choice, "reasoning", whole, _REASONING)
        self._append(part, text)

    def close(self, choice: int, key: Hashable, **state: str) -> None:
        """The choice's part `key` (text, refusal, reasoning) is complete, if it is open; the next of its
        kind is another part. `state` replaces what a replay needs."""
        part = self._choice(choice).open.pop(key, None)
        if part is not None:
            if state:
                part.whole.provider_state = pack(self.response.provider, **state)
            self._done(part)

    def logprobs(self, choice: int, logprobs: Iterable[pb.TokenLogprob]) -> None:
        """Log probabilities of the tokens just reported; they ride on the text part's next delta."""
        owner = self._choice(choice)
        new = list(logprobs)
        owner.logprobs += new
        if part := owner.open.get("text"):
            part.logprobs += new

    def tool_call(self, choice: int, key: Hashable, call: pb.ToolCall) -> None:
        """A tool call begins, with id and name; the provider tells its calls apart by `key`."""
        whole = pb.ContentPart(tool_call=pb.ToolCall(id=call.id, name=call.name))
        part = self._open(choice, key, whole, _TOOL_CALL)
        if call.arguments_json:
            self._append(part, call.arguments_json)

    def has_tool_call(self, choice: int, key: Hashable) -> bool:
        """Whether `tool_call` was reported for this key."""
        return key in self._choice(choice).open

    def arguments(self, choice: int, key: Hashable, text: str) -> None:
        """More arguments of the tool call `key`."""
        self._append(self._choice(choice).open[key], text)

    def item(self, choice: int, whole: pb.ContentPart) -> None:
        """A part that comes whole."""
        key = object()
        self._done(self._open(choice, key, whole, _TEXT))
        del self._choice(choice).open[key]

    def annotation(self, choice: int, annotation: pb.Annotation) -> None:
        """A source of the choice's text part."""
        part = self._text_part(choice)
        part.whole.annotations.append(annotation)
        self._flush()
        self._events.append(
            pb.ChatStreamResponse(annotation=annotation, choice_index=choice, part_index=part.index)
        )

    def finish(self, choice: int, reason: "pb.FinishReason.ValueType", native: str) -> None:
        """The choice is complete, and all its parts with it."""
        owner = self._choice(choice)
        owner.finish, owner.native = reason, native
        for part in tuple(owner.open.values()):
            self._done(part)
        owner.open.clear()

    def finished(self) -> bool:
        """Whether there is a choice, and each has a finish reason."""
        return bool(self._choices) and all(choice.native for choice in self._choices.values())

    def start(self) -> list[pb.ChatStreamResponse]:
        """`started`, where an empty answer has not brought it."""
        self._start()
        return self.take()

    def take(self) -> list[pb.ChatStreamResponse]:
        """The events since the last call."""
        self._flush()
        events, self._events = self._events, []
        return events

    def whole(self) -> pb.ChatResponse:
        """The response. Call it once, when `finished`."""
        for index in sorted(self._choices):
            choice = self._choices[index]
            self.response.choices.add(
                index=index,
                message=assistant_message(choice.parts),
                finish_reason=choice.finish,
                native_finish_reason=choice.native,
                logprobs=choice.logprobs,
            )
        return self.response

    def _text_part(self, choice: int) -> _Part:
        part = self._choice(choice).open.get("text")
        return part or self._open(choice, "text", pb.ContentPart(text=""), _TEXT)

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        return choice

    def _start(self) -> None:
        if not self.started:
            self.started = True
            head = self.response
            started = pb.ChatStarted(id=head.id, model=head.model, provider=head.provider)
            if head.HasField("create_time"):
                started.create_time.CopyFrom(head.create_time)
            self._events.append(pb.ChatStreamResponse(started=started))

    def _open(self, choice: int, key: Hashable, whole: pb.ContentPart, kind: _Kind) -> _Part:
        self._start()
        self._flush()
        owner = self._choice(choice)
        if owner.native:
            raise ValueError("content after the finish reason")
        part = _Part(choice, len(owner.parts), whole, kind)
        owner.parts.append(whole)
        owner.open[key] = part
        event = pb.ChatStreamResponse(choice_index=choice, part_index=part.index)
        event.part_started.part.CopyFrom(whole)
        self._events.append(event)
        return part

    def _append(self, part: _Part, text: str) -> None:
        self.pieces += 1
        if not part.pending:
            self._dirty.append(part)
        part.pending.append(text)

    def _done(self, part: _Part) -> None:
        self._flush()
        if part.pieces:
            part.grow(part.whole, "".join(part.pieces))
        event = pb.ChatStreamResponse(choice_index=part.choice, part_index=part.index)
        event.part_done.part.CopyFrom(part.whole)
        self._events.append(event)

    def _flush(self) -> None:
        if self._dirty:
            for part in self._dirty:
                self._events.extend(_deltas(part))
            self._dirty.clear()


def _deltas(part: _Part) -> Iterator[pb.ChatStreamResponse]:
    """What is pending of a part as events, which count as sent from then on."""
    text = "".join(part.pending)
    part.pending.clear()
    part.pieces.append(text)
    for start in range(0, len(text), _MAX_DELTA):
        event = pb.ChatStreamResponse(choice_index=part.choice, part_index=part.index)
        part.delta(event, text[start : start + _MAX_DELTA])
        if part.logprobs:
            event.text_delta.logprobs.extend(part.logprobs)
            part.logprobs.clear()
        yield event


def completed(response: pb.ChatResponse, options: pb.StreamOptions) -> pb.ChatStreamResponse:
    """The last event of a stream."""
    event = pb.ChatStreamResponse()
    event.completed.response.CopyFrom(response)
    if options.deltas_only:
        for choice in event.completed.response.choices:
            choice.message.CopyFrom(without_text(choice.message))
    return event
