"""Chat completions as JSON objects and as chunks of a stream."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import orjson

from tokenwire_server.simulator import logprobs, seeds
from tokenwire_server.simulator.answer import Answer, Call
from tokenwire_server.simulator.openai_api.chat import Completion
from tokenwire_server.simulator.reply import Event, Kind
from tokenwire_server.simulator.values import Json, as_int, as_object, as_text

SOURCE = "https://example.com/simulated"

_Logprobs = Json | None


@dataclass(frozen=True, slots=True)
class ChatReply:
    """Renders one completion."""

    completion: Completion
    id: str
    created: int

    def whole(self) -> Json:
        """The answer to a request without a stream."""
        choices = [self._choice(index, said) for index, said in enumerate(self.completion.answers)]
        head = {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.completion.model,
        }
        return {**head, "choices": choices, "usage": self._usage(), **self._service()}

    def events(self) -> list[Event]:
        """The answer as a stream, [DONE] included."""
        events = list(self._events())
        if self._option("include_usage"):
            events.append(self._event("usage", [], usage=self._usage()))
        return [*events, Event("done", b"[DONE]")]

    def _choice(self, index: int, said: Answer) -> Json:
        message: Json = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
        if said.refused:
            message |= {"content": None, "refusal": said.text}
        if said.calls:
            message |= {"content": None, "tool_calls": [_call(call) for call in said.calls]}
        if self._cites(said):
            message["annotations"] = [_citation(said)]
        choice: Json = {"index": index, "message": message}
        if not self.completion.family.reasons:
            choice["logprobs"] = self._logprobs(said, said.tokens)
        return {**choice, "finish_reason": said.finish}

    def _events(self) -> Iterator[Event]:
        """Choices take turns, token by token, as they do in real streams."""
        rows = [self._deltas(said) for said in self.completion.answers]
        for turn in zip_longest(*rows):
            for index, step in enumerate(turn):
                if step is not None:
                    kind, delta, token = step
                    said = self.completion.answers[index]
                    finish = said.finish if kind == "finish" else None
                    scored = self._logprobs(said, (token,)) if token else None
                    choice = {"index": index, "delta": delta, "logprobs": scored, "finish_reason": finish}
                    yield self._event(kind, [choice])

    def _deltas(self, said: Answer) -> Iterator[tuple[Kind, Json, str]]:
        """What each chunk adds, with the text token that it adds, if any."""
        if said.calls:
            yield from _call_deltas(said.calls)
        else:
            yield "start", {"role": "assistant", "content": "", "refusal": None}, ""
            name = "refusal" if said.refused else "content"
            for token in said.tokens:
                yield "token", {name: token}, token
        if self._cites(said):
            yield "token", {"annotations": [_citation(said)]}, ""
        yield "finish", {}, ""

    def _event(self, kind: Kind, choices: list[Json], usage: Json | None = None) -> Event:
        chunk: Json = {"id": self.id, "object": "chat.completion.chunk", "created": self.created}
        chunk |= {"model": self.completion.model, **self._service(), "choices": choices}
        if self._option("include_usage"):
            chunk["usage"] = usage
        data = orjson.dumps(chunk)
        if self._option("include_obfuscation", default=True):
            data = orjson.dumps(chunk | {"obfuscation": padding(data)})
        return Event(kind, data)

    def _option(self, name: str, *, default: bool = False) -> bool:
        given = as_object(self.completion.body.get("stream_options")).get(name)
        return given if isinstance(given, bool) else default

    def _service(self) -> Json:
        if self.completion.family.search:  # these models are served apart
            return {"system_fingerprint": ""}
        asked = as_text(self.completion.body.get("service_tier"))
        tier = {"auto": "default", "": "default", "fast": "priority"}.get(asked, asked)
        return {"service_tier": tier, "system_fingerprint": f"fp_{seeds.name(10, self.completion.model)}"}

    def _usage(self) -> Json:
        done = self.completion
        reasoning = sum(said.reasoning for said in done.answers)
        spent = sum(said.spent for said in done.answers) + done.rejected_tokens
        return {
            "prompt_tokens": done.prompt_tokens,
            "completion_tokens": spent,
            "total_tokens": done.prompt_tokens + spent,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": done.rejected_tokens,
            },
        }

    def _cites(self, said: Answer) -> bool:
        asked = self.completion.body.get("web_search_options") is not None
        return asked and bool(said.text) and not said.refused

    def _logprobs(self, said: Answer, tokens: tuple[str, ...]) -> _Logprobs:
        if not self.completion.body.get("logprobs") or said.calls:
            return None
        rows = logprobs.rows(tokens, as_int(self.completion.body.get("top_logprobs")) or 0)
        return {"content": None, "refusal": rows} if said.refused else {"content": rows, "refusal": None}


def _call(call: Call) -> Json:
    text = "".join(call.tokens)
    if call.tool.free_text:
        return {"id": call.id, "type": "custom", "custom": {"name": call.tool.name, "input": text}}
    return {"id": call.id, "type": "function", "function": {"name": call.tool.name, "arguments": text}}


def _call_deltas(calls: tuple[Call, ...]) -> Iterator[tuple[Kind, Json, str]]:
    """A single call begins in the first chunk; several follow a chunk with the role alone."""
    head: Json = {"role": "assistant", "content": None}
    if len(calls) > 1:
        yield "start", head, ""
    for index, call in enumerate(calls):
        kind, text = ("custom", "input") if call.tool.free_text else ("function", "arguments")
        first = {"index": index, "id": call.id, "type": kind, kind: {"name": call.tool.name, text: ""}}
        beginning: Json = {"tool_calls": [first]}
        if len(calls) == 1:
            yield "start", {**head, **beginning, "refusal": None}, ""
        else:
            yield "token", beginning, ""
        for token in call.tokens:
            yield "token", {"tool_calls": [{"index": index, kind: {text: token}}]}, ""


def _citation(said: Answer) -> Json:
    place = {"start_index": 0, "end_index": len(said.text)}
    return {"type": "url_citation", "url_citation": {**place, "title": "A simulated source", "url": SOURCE}}


def padding(data: bytes) -> str:
    """Makes chunks less telling by their size; its length depends on the chunk alone."""
    return seeds.name(1 + seeds.number(data) % 16, "padding", data)
