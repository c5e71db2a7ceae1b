"""Chat completions as JSON objects and as chunks of a stream.

Shapes are those of recorded answers, apart from the chunk that leads from thinking to text, which is
reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import orjson

from tokenwire_server.simulator import logprobs, seeds
from tokenwire_server.simulator.answer import Answer, Call
from tokenwire_server.simulator.mistral_api.chat import Completion
from tokenwire_server.simulator.reply import Event, Kind
from tokenwire_server.simulator.values import Json, as_int

_Step = tuple[Kind, Json, str]  # what a chunk adds, with the text token that it adds, if any


@dataclass(frozen=True, slots=True)
class ChatReply:
    """Renders one completion."""

    completion: Completion
    id: str
    created: int

    @property
    def total_tokens(self) -> int:
        return self.completion.prompt_tokens + sum(said.spent for said in self.completion.answers)

    def whole(self) -> Json:
        """The answer to a request without a stream."""
        choices = [self._choice(index, said) for index, said in enumerate(self.completion.answers)]
        return {**self._head("chat.completion"), "choices": choices, "usage": self._usage()}

    def events(self) -> list[Event]:
        """The answer as a stream, [DONE] included; the last chunk has the usage."""
        chunks = list(self._chunks())
        events = [Event(kind, orjson.dumps(chunk)) for kind, chunk in chunks]
        kind, last = chunks[-1]
        with_usage = orjson.dumps(last | {"usage": self._usage()})
        events[-1] = Event(kind, with_usage, without_usage=orjson.dumps(last))
        return [*events, Event("done", b"[DONE]")]

    def _head(self, kind: str) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.completion.body["model"],
        }

    def _choice(self, index: int, said: Answer) -> Json:
        content: object = said.text
        if said.thoughts:
            text = [{"type": "text", "text": said.text}] if said.tokens else []
            content = [self._thinking("".join(said.thoughts), closed=_closed(said)), *text]
        calls = [self._call(at, call) for at, call in enumerate(said.calls)] or None
        message: Json = {"role": "assistant", "tool_calls": calls, "content": content}
        choice: Json = {"index": index, "finish_reason": said.finish, "message": message}
        scored = self._logprobs(said.tokens)
        return choice if scored is None else {**choice, "logprobs": scored}

    def _chunks(self) -> Iterator[tuple[Kind, Json]]:
        """Choices take turns, token by token."""
        rows = [self._deltas(said) for said in self.completion.answers]
        for turn in zip_longest(*rows):
            for index, step in enumerate(turn):
                if step is not None:
                    kind, delta, token = step
                    finish = self.completion.answers[index].finish if kind == "finish" else None
                    choice: Json = {"index": index, "delta": delta, "finish_reason": finish}
                    scored = self._logprobs((token,)) if token else None
                    if scored is not None:
                        choice["logprobs"] = scored
                    yield kind, {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _deltas(self, said: Answer) -> Iterator[_Step]:
        yield "start", {"role": "assistant", "content": ""}, ""
        text = list(said.tokens)
        for thought in said.thoughts[:-1]:
            yield "token", {"content": [self._thinking(thought)]}, ""
        if said.thoughts:
            first, text = text[:1], text[1:]
            last = self._thinking(said.thoughts[-1], closed=_closed(said))
            turn = [last, *({"type": "text", "text": token} for token in first)]
            yield "token", {"content": turn}, "".join(first)
        for token in text:
            yield "token", {"content": token}, token
        end: Json = {"content": ""}
        if said.calls:
            end["tool_calls"] = [self._call(at, call) for at, call in enumerate(said.calls)]
        yield "finish", end, ""

    def _thinking(self, text: str, *, closed: bool | None = None) -> Json:
        chunk: Json = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
        if closed is None:
            return chunk
        if "[sim:signed]" in self.completion.prompt:
            chunk["signature"] = seeds.name(40, "signature", text)
        return {**chunk, "closed": closed}

    def _call(self, index: int, call: Call) -> Json:
        arguments: object = "".join(call.tokens)
        if "[sim:object]" in self.completion.prompt:
            arguments = _parsed("".join(call.tokens))
        called: Json = {"name": call.tool.name, "arguments": arguments}
        return {"id": seeds.name(9, call.id), "function": called, "index": index}

    def _usage(self) -> Json:
        prompt = self.completion.prompt_tokens
        usage: Json = {
            "prompt_tokens": prompt,
            "total_tokens": self.total_tokens,
            "completion_tokens": self.total_tokens - prompt,
            "prompt_tokens_details": {"cached_tokens": 0},
        }
        if self.completion.body.get("service_tier"):
            usage["service_tier"] = "standard"
        return usage

    def _logprobs(self, tokens: tuple[str, ...]) -> Json | None:
        if not self.completion.body.get("logprobs"):
            return None
        top = as_int(self.completion.body.get("top_logprobs")) or 0
        return {"content": logprobs.rows(tokens, top)}


def _closed(said: Answer) -> bool:
    """Whether the model got to the end of its thinking."""
    return said.finish != "length" or bool(said.tokens or said.calls)


def _parsed(text: str) -> object:
    """Arguments as an object, if the limit has not cut them."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
