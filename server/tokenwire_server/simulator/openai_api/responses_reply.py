"""Responses as JSON objects: the items of an answer, and the request's echo around them."""

from dataclasses import dataclass
from functools import cached_property

from tokenwire_server.simulator import logprobs, seeds
from tokenwire_server.simulator.answer import Answer, Call
from tokenwire_server.simulator.openai_api.chat_reply import SOURCE
from tokenwire_server.simulator.openai_api.responses import Completion
from tokenwire_server.simulator.openai_api.responses_params import (
    LOGPROBS,
    SOURCES,
    effort_of,
    includes,
    summary_of,
)
from tokenwire_server.simulator.openai_api.responses_turns import sealed
from tokenwire_server.simulator.values import Json, as_int, as_list, as_object, as_text

_SUMMARY = 24  # tokens of each part of a summary
_PARTS = {"detailed": 2}  # of a summary; others have one

_FAILURE: Json = {
    "code": "server_error",
    "message": "The server had an error while processing your request. Sorry about that!",
}
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True, slots=True)
class Output:
    """One item of an answer, and the tokens in which a stream tells it."""

    item: Json
    parts: tuple[tuple[str, ...], ...] = ()  # of a reasoning's summary or text; else one, or none


@dataclass(frozen=True)
class ResponsesReply:
    """Renders one response."""

    completion: Completion
    id: str
    created: int
    open_weights: bool = False  # tells the reasoning itself, where the API has a summary and a sealed content

    @property
    def status(self) -> str:
        """How the response ends."""
        finish = self.completion.answer.finish
        return "failed" if finish == "error" else "incomplete" if finish in _REASONS else "completed"

    def begun(self) -> Json:
        """The response before there is anything in it."""
        tier = as_text(self.completion.body.get("service_tier")) or "auto"
        state: Json = {"status": "in_progress", "output": [], "usage": None, "service_tier": tier}
        return {**self._head(), **self._echo, **state, "completed_at": None}

    def whole(self) -> Json:
        """The final response; a failed one has lost the last of its items."""
        done = self.completion.answer
        items = [output.item for output in self.outputs]
        reason = _REASONS.get(done.finish)
        state: Json = {
            "status": self.status,
            "completed_at": self.created if self.status == "completed" else None,
            "error": _FAILURE if self.status == "failed" else None,
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": items[:-1] if self.status == "failed" else items,
            "usage": None if self.status == "failed" else self._usage(),
        }
        return {**self._head(), **self._echo, **state}

    @cached_property
    def outputs(self) -> list[Output]:
        """The items of the answer in their order."""
        said = self.completion.answer
        found = [self._reasoning(said)] if said.thoughts else []
        if self.completion.query is not None:
            found.append(Output(self._search(len(found), self.completion.query)))
        if said.tokens or (not said.calls and said.finish != "length"):
            found.append(Output(self._message(len(found), said), (said.tokens,)))
        for call in said.calls:
            last = call is said.calls[-1]
            state = "incomplete" if last and said.finish == "length" else "completed"
            found.append(Output({**self._call(len(found), call), "status": state}, (call.tokens,)))
        return found

    def scored(self, tokens: tuple[str, ...]) -> list[Json]:
        """The log probabilities of these tokens; none unless they are asked for."""
        body = self.completion.body
        if not includes(body, LOGPROBS):
            return []
        return logprobs.rows(tokens, as_int(body.get("top_logprobs")) or 0)

    def _name(self, prefix: str, index: int) -> str:
        return f"{prefix}_{seeds.name(40, self.id, index)}"

    def _reasoning(self, said: Answer) -> Output:
        item: Json = {"id": self._name("rs", 0), "type": "reasoning"}
        if self.open_weights:
            content = [{"type": "reasoning_text", "text": "".join(said.thoughts)}]
            return Output(item | {"summary": [], "content": content}, (said.thoughts,))
        asked = summary_of(self.completion.body)
        length = _SUMMARY * (_PARTS.get(asked, 1) if asked else 0)
        told = said.thoughts[:length]
        parts = tuple(told[at : at + _SUMMARY] for at in range(0, len(told), _SUMMARY))
        summary = [{"type": "summary_text", "text": "".join(part)} for part in parts]
        # Documented to be there by default, not only where it is included
        item |= {"summary": summary, "content": [], "encrypted_content": sealed(as_text(item["id"]))}
        return Output(item, parts)

    def _search(self, index: int, query: str) -> Json:
        action: Json = {"type": "search", "query": query, "queries": [query]}
        if includes(self.completion.body, SOURCES):
            action["sources"] = [{"type": "url", "url": SOURCE}]
        done: Json = {"type": "web_search_call", "status": "completed", "action": action}
        return {"id": self._name("ws", index), **done}

    def _message(self, index: int, said: Answer) -> Json:
        part: Json = {"type": "refusal", "refusal": said.text}
        if not said.refused:
            part = {"type": "output_text", "annotations": self._citations(said), "text": said.text}
            part["logprobs"] = self.scored(said.tokens)
        state = "completed" if said.calls or said.finish in {"stop", "tool_calls"} else "incomplete"
        item: Json = {"id": self._name("msg", index), "type": "message", "status": state, "content": [part]}
        if self.completion.family.phases:
            item["phase"] = "commentary" if said.calls else "final_answer"
        return {**item, "role": "assistant"}

    def _citations(self, said: Answer) -> list[Json]:
        if self.completion.query is None:
            return []
        place: Json = {"start_index": 0, "end_index": len(said.text)}
        return [{"type": "url_citation", **place, "title": "A simulated source", "url": SOURCE}]

    def _call(self, index: int, call: Call) -> Json:
        text = "".join(call.tokens)
        if call.tool.free_text:
            item: Json = {"id": self._name("ctc", index), "type": "custom_tool_call", "input": text}
        else:
            item = {"id": self._name("fc", index), "type": "function_call", "arguments": text}
        return {**item, "call_id": call.id, "name": call.tool.name}

    def _head(self) -> Json:
        return {"id": self.id, "object": "response", "created_at": self.created}

    @cached_property
    def _echo(self) -> Json:
        """What the response repeats of the request, with the defaults of what it leaves out."""
        body = self.completion.body
        asked = as_text(body.get("service_tier"))
        given: Json = {name: body.get(name) for name in _ECHOED}
        defaults: Json = {
            name: value if body.get(name) is None else body[name] for name, value in _DEFAULTS.items()
        }
        made: Json = {
            "background": False,
            "error": None,
            "incomplete_details": None,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "moderation": None,
            "reasoning": self._reasoning_echo(),
            "service_tier": {"auto": "default", "": "default", "fast": "priority"}.get(asked, asked),
            "text": _text_echo(as_object(body.get("text"))),
            "tools": [_tool_echo(as_object(tool)) for tool in as_list(body.get("tools"))],
            "top_logprobs": as_int(body.get("top_logprobs")) or 0,
        }
        return {**given, **defaults, **made}

    def _reasoning_echo(self) -> Json:
        body, family = self.completion.body, self.completion.family
        if not family.reasons:
            return {"effort": None, "summary": None}
        asked = as_object(body.get("reasoning"))
        context = as_text(asked.get("context"))
        return {
            "context": "current_turn" if context in {"", "auto"} else context,
            "effort": effort_of(body, family),
            "mode": as_text(asked.get("mode")) or "standard",
            "summary": summary_of(body),
        }

    def _usage(self) -> Json:
        done = self.completion
        return {
            "input_tokens": done.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": done.answer.spent,
            "output_tokens_details": {"reasoning_tokens": done.answer.reasoning},
            "total_tokens": done.input_tokens + done.answer.spent,
        }


_ECHOED = (
    *("instructions", "max_output_tokens", "max_tool_calls", "model", "previous_response_id"),
    *("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"),
)
_DEFAULTS: Json = {
    "metadata": {},
    "parallel_tool_calls": True,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_p": 1.0,
    "truncation": "disabled",
}


def _text_echo(text: Json) -> Json:
    form = as_object(text.get("format")) or {"type": "text"}
    if form["type"] == "json_schema":
        form = {"description": None, "strict": False} | form
    return {"format": form, "verbosity": as_text(text.get("verbosity")) or "medium"}


def _tool_echo(tool: Json) -> Json:
    return {"description": None, "strict": True, **tool} if tool["type"] == "function" else tool
