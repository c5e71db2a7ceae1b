"""Chat completions as compatible servers give them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import orjson

from tokenwire_server.simulator import logprobs, seeds
from tokenwire_server.simulator.answer import Answer, Call
from tokenwire_server.simulator.compatible.habits import Habits
from tokenwire_server.simulator.compatible.request import Shown
from tokenwire_server.simulator.openai_api.chat import Completion
from tokenwire_server.simulator.reply import Event, Kind
from tokenwire_server.simulator.values import Json, as_int, as_object

_Step = tuple[Kind, Json, str]  # what a chunk adds, with the text token that it adds, if any


@dataclass(frozen=True, slots=True)
class ChatReply:
    """Renders one completion by a server's habits."""

    habits: Habits
    completion: Completion
    shown: Shown
    id: str
    created: int

    def whole(self) -> Json:
        """The answer to a request without a stream."""
        choices = [self._choice(index, said) for index, said in enumerate(self.completion.answers)]
        body: Json = {**self._head("chat.completion"), "choices": choices}
        if self.habits.usage != "never":
            body["usage"] = self._usage()
        if self.habits.usage == "x_groq":
            body["x_groq"] = self._x_groq()
        return body

    def events(self) -> list[Event]:
        """The answer as a stream."""
        events = list(self._events())
        usage = self.habits.usage
        if usage in {"finish", "x_groq"}:
            events[-1] = self._with_usage(events[-1])
        elif usage == "choice" or (usage == "asked" and self._asks_usage()):
            events.append(self._usage_event())
        if self.habits.comments is not None:
            comment = Event("comment", self.habits.comments.encode())
            events = [comment, events[0], comment, *events[1:]]
        return [*events, Event("done", b"[DONE]")] if self.habits.done else events

    def _head(self, kind: str) -> Json:
        head: Json = {"id": self.id, "object": kind, "created": self.created}
        return {**head, "model": self.completion.model, **self.habits.top}

    def _choice(self, index: int, said: Answer) -> Json:
        text = self._text(said)
        message: Json = {"role": "assistant", "content": text if text or not said.calls else None}
        if self._apart(said):
            message |= self._reasoning("".join(said.thoughts))
        if said.calls:
            message["tool_calls"] = [self._call(at, call) for at, call in enumerate(said.calls)]
        elif self.habits.empty_calls:
            message["tool_calls"] = []
        choice: Json = {"index": index, "message": message, "logprobs": self._logprobs(said.tokens)}
        return choice | self._finish(said)

    def _events(self) -> Iterator[Event]:
        """Choices take turns, token by token."""
        rows = [self._deltas(said) for said in self.completion.answers]
        for turn in zip_longest(*rows):
            for index, step in enumerate(turn):
                if step is None:
                    continue
                kind, delta, token = step
                last = kind == "finish"
                finish = self._finish(self.completion.answers[index]) if last else self._unfinished()
                scored = self._logprobs((token,)) if token else None
                yield self._event(kind, [{"index": index, "delta": delta, "logprobs": scored, **finish}])

    def _deltas(self, said: Answer) -> Iterator[_Step]:
        field = self.habits.reasoning
        start: Json = {"role": "assistant", "content": ""}
        if self.habits.nulls:
            start = {"role": "assistant", "content": None, field: ""}
        yield "start", start, ""
        if self._apart(said):
            for thought in said.thoughts:
                yield "token", self._delta(self._reasoning(thought)), ""
        for thought in self._inside(said):
            yield "token", self._delta({"content": thought}), ""
        for token in said.tokens:
            yield "token", self._delta({"content": token}), token
        for index, call in enumerate(said.calls):
            for piece in self._call_pieces(index, call):
                yield "token", self._delta({"tool_calls": [piece]}), ""
        yield "finish", self._delta({"content": ""} if self.habits.nulls else {}), ""

    def _delta(self, delta: Json) -> Json:
        if self.habits.nulls:
            delta = {"content": None, self.habits.reasoning: None, **delta}
        if self.habits.role_everywhere:
            delta = {"role": "assistant", "content": "", **delta}
        return delta

    def _call_pieces(self, index: int, call: Call) -> Iterator[Json]:
        if self.habits.whole_arguments:
            yield self._call(index, call)
            return
        first = self._call(index, call)
        yield {**first, "function": {"name": call.tool.name, "arguments": ""}}
        for token in call.tokens:
            rest: Json = {"function": {"arguments": token}}
            yield {"index": index, **rest} if self.habits.call_index else rest

    def _call(self, index: int, call: Call) -> Json:
        text = "".join(call.tokens)
        found: Json = {"type": "function", "function": {"name": call.tool.name, "arguments": text}}
        if self.habits.call_id is not None:
            begin = self.habits.call_id
            found["id"] = f"{begin}{seeds.name(24, call.id)}" if begin else ""
        return {**found, "index": index} if self.habits.call_index else found

    def _apart(self, said: Answer) -> bool:
        return bool(said.thoughts) and self.shown == "apart"

    def _inside(self, said: Answer) -> tuple[str, ...]:
        """The reasoning as a part of the text."""
        if not said.thoughts or self.shown != "inside":
            return ()
        return ("<think>", "\n", *said.thoughts, "\n", "</think>", "\n\n")

    def _text(self, said: Answer) -> str:
        return "".join(self._inside(said)) + said.text

    def _reasoning(self, text: str) -> Json:
        found: Json = {self.habits.reasoning: text}
        if self.habits.details:
            detail = {"type": "reasoning.text", "text": text, "format": None, "index": 0}
            found["reasoning_details"] = [detail]
        return found

    def _finish(self, said: Answer) -> Json:
        reason = self.habits.finish.get(said.finish, said.finish)
        found: Json = {"finish_reason": reason}
        return {**found, "native_finish_reason": said.finish} if self.habits.native_finish else found

    def _unfinished(self) -> Json:
        found: Json = {"finish_reason": self.habits.unfinished}
        return {**found, "native_finish_reason": None} if self.habits.native_finish else found

    def _event(self, kind: Kind, choices: list[Json]) -> Event:
        return Event(kind, orjson.dumps({**self._head("chat.completion.chunk"), "choices": choices}))

    def _usage_event(self) -> Event:
        """A chunk for the usage, with a choice that says nothing where that is the habit."""
        choices: list[Json] = []
        if self.habits.usage == "choice":
            last = self._finish(self.completion.answers[0])
            choices = [{"index": 0, "delta": self._delta({}), "logprobs": None, **last}]
        chunk = {**self._head("chat.completion.chunk"), "choices": choices, "usage": self._usage()}
        return Event("usage", orjson.dumps(chunk))

    def _with_usage(self, event: Event) -> Event:
        chunk: Json = orjson.loads(event.data)
        usage: Json = {"usage": self._usage()}
        if self.habits.usage == "x_groq":
            usage = {"x_groq": {**self._x_groq(), **usage}}
        return Event(event.kind, orjson.dumps(chunk | usage), without_usage=event.data)

    def _x_groq(self) -> Json:
        return {"id": f"req_{seeds.name(26, self.id)}"}

    def _asks_usage(self) -> bool:
        return as_object(self.completion.body.get("stream_options")).get("include_usage") is True

    def _logprobs(self, tokens: tuple[str, ...]) -> Json | None:
        if not self.completion.body.get("logprobs"):
            return None
        return {"content": logprobs.rows(tokens, as_int(self.completion.body.get("top_logprobs")) or 0)}

    def _usage(self) -> Json:
        reasoning = sum(said.reasoning for said in self.completion.answers)
        spent = sum(said.spent for said in self.completion.answers)
        prompt = self.completion.prompt_tokens
        usage: Json = {
            "prompt_tokens": prompt,
            "completion_tokens": spent,
            "total_tokens": prompt + spent,
        }
        return {**usage, "completion_tokens_details": {"reasoning_tokens": reasoning}} if reasoning else usage
