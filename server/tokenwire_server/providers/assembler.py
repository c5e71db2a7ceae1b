"""Assembler: what stream decoders report becomes the events of the contract and the whole response.

It owns the order of events and the indexes of parts, whatever a provider sends. What one network read
brought is merged: `take` gives one delta per part, cut by size and where another part or an annotation
comes between.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Final, NamedTuple

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.message import fill_answer, without_text
from tokenwire_server.providers.state import pack

_MAX_DELTA: Final = 16 * 1024
"""Code points in one delta: at most 64 KiB in UTF-8."""


class _Part:
    """A part that is being received. `whole` holds all but the text, which is joined once at the end."""

    __slots__ = ("choice", "index", "kind", "logprobs", "pending", "pieces", "whole")

    def __init__(self, choice: int, index: int, whole: pb.ContentPart, kind: "_Kind") -> None:
        self.choice = choice
        self.index = index
        self.whole = whole
        self.kind = kind
        self.pieces: list[str] = []
        self.pending: list[str] = []
        self.logprobs: list[pb.TokenLogprob] = []


class _Kind(NamedTuple):
    """A kind of text that a part grows by."""

    delta: Callable[[pb.ChatStreamResponse, str], None]
    """Puts a piece into an event."""
    grow: Callable[[pb.ContentPart, str], None]
    """Appends all that came to the whole part."""
    read: Callable[[pb.ContentPart], str]
    """What a whole part has of it."""


def _text_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.text_delta.text = text


def _text(part: pb.ContentPart, text: str) -> None:
    part.text += text


def _refusal_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.refusal_delta.text = text


def _refusal(part: pb.ContentPart, text: str) -> None:
    part.refusal += text


def _arguments_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.tool_call_delta.arguments_json = text


def _arguments(part: pb.ContentPart, text: str) -> None:
    part.tool_call.arguments_json += text


def _reasoning_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.reasoning_delta.text = text


def _reasoning(part: pb.ContentPart, text: str) -> None:
    part.reasoning.text += text


def _summary_delta(event: pb.ChatStreamResponse, text: str) -> None:
    event.reasoning_delta.summary = text


def _summary(part: pb.ContentPart, text: str) -> None:
    part.reasoning.summary += text


_TEXT: Final = _Kind(_text_delta, _text, lambda part: part.text)
_REFUSAL: Final = _Kind(_refusal_delta, _refusal, lambda part: part.refusal)
_TOOL_CALL: Final = _Kind(_arguments_delta, _arguments, lambda part: part.tool_call.arguments_json)
_REASONING: Final = _Kind(_reasoning_delta, _reasoning, lambda part: part.reasoning.text)
_WHOLE: Final = _Kind(_text_delta, _text, lambda _: "")
"""Of what comes whole, and never grows."""
_SUMMARY: Final = _Kind(_summary_delta, _summary, lambda part: part.reasoning.summary)

_KINDS: Final[Mapping[str | None, tuple[_Kind, ...]]] = {
    "text": (_TEXT,),
    "refusal": (_REFUSAL,),
    "tool_call": (_TOOL_CALL,),
    "reasoning": (_SUMMARY, _REASONING),
}
"""By the kind of content; what has none comes whole."""


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

    def text(self, choice: int, text: str, key: Hashable = "text") -> None:
        """More text of the choice's text part. Content after `finish` is a ValueError, of every kind.

        A provider with several parts of a kind tells them apart by `key`, here and below.
        """
        owner = self._choices.get(choice)
        part = owner.open.get(key) if owner else None
        if part is None or part.kind is not _TEXT:
            part = self._text_part(choice, key)
        self._append(part, text)

    def refusal(self, choice: int, text: str, key: Hashable = "refusal") -> None:
        """More of the choice's refusal."""
        part = self._found(choice, key, _REFUSAL) or self._open(
            choice, key, pb.ContentPart(refusal=""), _REFUSAL
        )
        self._append(part, text)

    def reasoning(self, choice: int, text: str, key: Hashable = "reasoning", **state: str) -> None:
        """More of what the model thinks; `state` is what a replay needs (state.KEYS), said by the first."""
        self._append(self._reasoning_part(choice, key, _REASONING, **state), text)

    def summary(self, choice: int, text: str, key: Hashable = "reasoning") -> None:
        """More of the summary of what the model thinks; belongs to the same part."""
        self._append(self._reasoning_part(choice, key, _SUMMARY), text)

    def close(self, choice: int, key: Hashable, **state: str) -> None:
        """The choice's part `key` (text, refusal, reasoning) is complete, if it is open; the next of its
        kind is another part. `state` replaces what a replay needs."""
        part = self._choice(choice).open.pop(key, None)
        if part is not None:
            if state:
                part.whole.provider_state = pack(self.response.provider, **state)
            self._done(part)

    def begin(self, choice: int, key: Hashable, whole: pb.ContentPart) -> None:
        """The part `key` begins, unless it is open; of `whole` its kind counts, and id and name of a call."""
        if key not in self._choice(choice).open:
            kinds = _KINDS.get(whole.WhichOneof("content"), (_WHOLE,))
            self._open(choice, key, _beginning(whole), kinds[0])

    def conclude(self, choice: int, key: Hashable, whole: pb.ContentPart) -> None:
        """The part `key` is complete. What deltas have said of it stands; what `whole` has besides is added,
        which is all of it where there were none. A part of another kind is a ValueError."""
        self.begin(choice, key, whole)
        part = self._choice(choice).open[key]
        if part.whole.WhichOneof("content") != whole.WhichOneof("content"):
            raise ValueError("the part is of another kind")
        self._settle(part)
        for kind in _KINDS.get(whole.WhichOneof("content"), ()):
            if (text := kind.read(whole)) and not kind.read(part.whole):
                self._turn(part, kind)
                self._append(part, text)
        for source in whole.annotations[len(part.whole.annotations) :]:
            self.annotation(choice, source, key)
        if whole.HasField("provider_item"):
            part.whole.provider_item.CopyFrom(whole.provider_item)
        part.whole.provider_state = whole.provider_state
        self.close(choice, key)

    def logprobs(self, choice: int, logprobs: Iterable[pb.TokenLogprob], key: Hashable = "text") -> None:
        """Log probabilities of the tokens just reported; they ride on the text part's next delta."""
        owner = self._choice(choice)
        new = list(logprobs)
        owner.logprobs += new
        if part := owner.open.get(key):
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
        """More arguments of the tool call `key`; KeyError where there is none."""
        part = self._found(choice, key, _TOOL_CALL)
        if part is None:
            raise KeyError(key)
        self._append(part, text)

    def item(self, choice: int, whole: pb.ContentPart) -> None:
        """A part that comes whole."""
        key = object()
        self._done(self._open(choice, key, whole, _WHOLE))
        del self._choice(choice).open[key]

    def annotation(self, choice: int, annotation: pb.Annotation, key: Hashable = "text") -> None:
        """A source of the choice's text part."""
        part = self._text_part(choice, key)
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
            found = self._choices[index]
            choice = self.response.choices.add(
                index=index,
                finish_reason=found.finish,
                native_finish_reason=found.native,
                logprobs=found.logprobs,
            )
            fill_answer(choice.message, found.parts)
        return self.response

    def _text_part(self, choice: int, key: Hashable) -> _Part:
        part = self._found(choice, key, _TEXT)
        return part or self._open(choice, key, pb.ContentPart(text=""), _TEXT)

    def _reasoning_part(self, choice: int, key: Hashable, kind: _Kind, **state: str) -> _Part:
        part = self._found(choice, key, _REASONING, _SUMMARY)
        if part is None:
            packed = pack(self.response.provider, **state)
            whole = pb.ContentPart(reasoning=pb.Reasoning(), provider_state=packed)
            return self._open(choice, key, whole, kind)
        self._turn(part, kind)
        return part

    def _found(self, choice: int, key: Hashable, *kinds: _Kind) -> _Part | None:
        """The open part, if there is one; another kind than these is a ValueError."""
        part = self._choice(choice).open.get(key)
        if part is not None and part.kind not in kinds:
            raise ValueError("the part is of another kind")
        return part

    def _turn(self, part: _Part, kind: _Kind) -> None:
        """What comes next of the part is of this kind."""
        if part.kind is not kind:
            self._settle(part)
            part.kind = kind

    def _settle(self, part: _Part) -> None:
        """What has come of the part is sent, and in the whole part."""
        self._flush()
        if part.pieces:
            part.kind.grow(part.whole, "".join(part.pieces))
            part.pieces.clear()

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
        self._settle(part)
        event = pb.ChatStreamResponse(choice_index=part.choice, part_index=part.index)
        event.part_done.part.CopyFrom(part.whole)
        self._events.append(event)

    def _flush(self) -> None:
        if self._dirty:
            for part in self._dirty:
                self._send(part)
            self._dirty.clear()

    def _send(self, part: _Part) -> None:
        """What is pending of a part becomes events, and counts as sent from then on."""
        text = "".join(part.pending)
        part.pending.clear()
        part.pieces.append(text)
        for start in range(0, len(text), _MAX_DELTA):
            event = pb.ChatStreamResponse()
            part.kind.delta(event, text[start : start + _MAX_DELTA])
            if part.choice:
                event.choice_index = part.choice
            if part.index:
                event.part_index = part.index
            if part.logprobs:
                event.text_delta.logprobs.extend(part.logprobs)
                part.logprobs.clear()
            self._events.append(event)


def _beginning(whole: pb.ContentPart) -> pb.ContentPart:
    """The part without what comes later."""
    part = pb.ContentPart()
    match whole.WhichOneof("content"):
        case "text":
            part.text = ""
        case "refusal":
            part.refusal = ""
        case "reasoning":
            part.reasoning.SetInParent()
        case "tool_call":
            part.tool_call.id, part.tool_call.name = whole.tool_call.id, whole.tool_call.name
        case "provider_item":
            part.provider_item.provider = whole.provider_item.provider
            part.provider_item.type = whole.provider_item.type
        case _:
            part.CopyFrom(whole)
    return part


def completed(response: pb.ChatResponse, options: pb.StreamOptions) -> pb.ChatStreamResponse:
    """The last event of a stream."""
    event = pb.ChatStreamResponse()
    event.completed.response.CopyFrom(response)
    if options.deltas_only:
        for choice in event.completed.response.choices:
            choice.message.CopyFrom(without_text(choice.message))
        if response.reasoning.summary:
            event.completed.response.reasoning.ClearField("summary")
    return event
