"""What the simulated model says: the part that all dialects share.

An answer depends on nothing but its Ask. The texts in MARKERS, in the last message of the user, steer it.
"""

from dataclasses import dataclass, replace
from typing import Literal

from tokenwire_server.simulator import seeds, tokens
from tokenwire_server.simulator.schema import example
from tokenwire_server.simulator.values import Json, compact

MARKERS = {
    "[sim:refuse]": "refuses",
    "[sim:filter]": "stops half way with the finish reason content_filter, which Mistral has not",
    "[sim:twice]": "calls two tools where it would call one, unless parallel calls are off",
    "[sim:text]": "answers in text although tools are offered, unless a call is required",
    "[sim:narrate]": "Responses: says what it does before it calls a tool",
    "[sim:echo]": "says what follows the marker, and nothing else",
    "[sim:error]": "fails half way: Mistral with the finish reason error, Responses with response.failed",
    "[sim:window]": "Mistral: stops half way with the finish reason model_length",
    "[sim:signed]": "Mistral: signs its thinking",
    "[sim:object]": "Mistral: gives the arguments of a tool call as an object, not as a string",
}

REFUSAL = "I'm sorry, but I can't assist with that request."
NARRATION = "I will look that up."

Finish = Literal["stop", "length", "tool_calls", "content_filter", "error", "model_length"]

_HALF_WAY: dict[str, Finish] = {
    "[sim:filter]": "content_filter",
    "[sim:error]": "error",
    "[sim:window]": "model_length",
}
_TEXT_MARKERS = ("[sim:text]", "[sim:echo]", *_HALF_WAY)  # these ask for a text

_QUOTED = 280  # characters of the prompt that an answer quotes

_SENTENCES = (
    "These sentences stand where a model's answer would stand.",
    "The same request gives the same words every time, so tests can compare them.",
    "Length limits, stop texts, tools and schemas are honoured as far as a simulator can.",
    "Nothing here was looked up, and nothing here should be believed.",
    "With a provider key configured, the very same call reaches a real model.",
    "Each token of this text was counted with a tokenizer that has no vocabulary.",
    "The words are plain on purpose: what matters is how they travel.",
    "A slow network, a broken stream or an overloaded provider can be scripted too.",
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that may be called."""

    name: str
    schema: Json | None = None  # None: it takes free text

    @property
    def free_text(self) -> bool:
        return self.schema is None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, reduced to what the answer depends on."""

    key: str  # equal requests have equal keys
    prompt: str = ""  # the last message of the user
    attachments: str = ""  # such as "1 image, 2 files"
    results: tuple[str, ...] = ()  # of the tools called last, if they are the last messages
    tools: tuple[Tool, ...] = ()  # that may be called
    call: Literal["none", "auto", "required"] = "none"
    parallel: bool = True
    schema: Json | None = None  # the answer is a JSON value of this schema
    limit: int | None = None  # tokens, reasoning included
    stop: tuple[str, ...] = ()
    reasoning: int = 0  # tokens that it thinks before it answers
    finishes: tuple[Finish, ...] = ("content_filter",)  # that the dialect has for half an answer
    narrates: bool = False  # the dialect has a text before a call
    sentences: int = 3
    length: int | None = None  # the answer's length in tokens, whatever the rest says
    choice: int = 0

    def marked(self, marker: str) -> bool:
        return marker in self.prompt


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call; `tokens` joined are its JSON arguments, or its free text."""

    id: str
    tool: Tool
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says. `tokens` joined are its text, or its refusal."""

    finish: Finish
    tokens: tuple[str, ...] = ()
    refused: bool = False
    calls: tuple[Call, ...] = ()
    thoughts: tuple[str, ...] = ()  # tokens of the reasoning, whether or not the dialect shows them

    @property
    def reasoning(self) -> int:
        return len(self.thoughts)

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def spent(self) -> int:
        """Completion tokens: reasoning, text, and each call's name and arguments."""
        calls = sum(tokens.count(call.tool.name) + len(call.tokens) for call in self.calls)
        return self.reasoning + len(self.tokens) + calls


def answer(ask: Ask) -> Answer:
    """The answer; equal asks have equal answers."""
    reasoning = ask.reasoning if ask.limit is None else min(ask.reasoning, ask.limit)
    if ask.limit is not None and reasoning == ask.limit and reasoning > 0:
        return Answer("length", thoughts=_thoughts(ask, reasoning))
    left = None if ask.limit is None else ask.limit - reasoning
    said = _refusal() if ask.marked("[sim:refuse]") else _calls(ask) or _spoken(ask)
    return _limited(replace(said, thoughts=_thoughts(ask, reasoning)), left)


def _thoughts(ask: Ask, length: int) -> tuple[str, ...]:
    if not length:
        return ()
    return tuple(_stretched(tokens.split(f"The user wrote “{_quote(ask.prompt)}”. Let me think."), length))


def _refusal() -> Answer:
    return Answer("stop", tuple(tokens.split(REFUSAL)), refused=True)


def _calls(ask: Ask) -> Answer | None:
    """Tool calls, if this is the moment for one."""
    wanted = bool(ask.prompt) and not ask.results and not any(map(ask.marked, _TEXT_MARKERS))
    if not ask.tools or ask.call == "none" or (ask.call == "auto" and not wanted):
        return None
    called = 2 if ask.parallel and ask.marked("[sim:twice]") else 1
    calls = tuple(_call(ask, ask.tools[index % len(ask.tools)], index) for index in range(called))
    narrated = ask.narrates and ask.marked("[sim:narrate]")
    return Answer("tool_calls", tuple(tokens.split(NARRATION)) if narrated else (), calls=calls)


def _call(ask: Ask, tool: Tool, index: int) -> Call:
    again = index // max(1, len(ask.tools))  # the same tool called again gets other arguments
    said = f"example input for {tool.name}" if tool.schema is None else compact(example(tool.schema, again))
    return Call(
        id=f"call_{seeds.name(24, ask.key, ask.choice, index)}",
        tool=tool,
        tokens=tuple(tokens.split(said)),
    )


def _spoken(ask: Ask) -> Answer:
    said = tokens.split(_cut(_text(ask), ask.stop))
    if ask.length is not None:
        said = _stretched(said, ask.length)
    for marker, finish in _HALF_WAY.items():
        if ask.marked(marker) and finish in ask.finishes:
            return Answer(finish, tuple(said[: max(1, len(said) // 2)]))
    return Answer("stop", tuple(said))


def _text(ask: Ask) -> str:
    if ask.schema is not None:
        return compact(example(ask.schema, ask.choice))
    if ask.marked("[sim:echo]"):
        return ask.prompt.split("[sim:echo]", 1)[1].strip()
    parts = ["This is the Tokenwire simulator: no model was asked."]
    if ask.choice:
        parts.append(f"This is alternative {ask.choice + 1}.")
    if ask.prompt:
        parts.append(f"You wrote: “{_quote(ask.prompt)}”.")
    if ask.attachments:
        parts.append(f"You attached {ask.attachments}.")
    parts += [f"The tool answered: “{_quote(result)}”." for result in ask.results]
    first = seeds.number(ask.key, ask.choice) % len(_SENTENCES)
    parts += [_SENTENCES[(first + index) % len(_SENTENCES)] for index in range(ask.sentences)]
    return " ".join(parts)


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else line[:_QUOTED].rstrip() + "…"


def _cut(text: str, stops: tuple[str, ...]) -> str:
    """The text up to the first stop text."""
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(found)] if found else text


def _stretched(said: list[str], wanted: int) -> list[str]:
    """The same beginning, exactly as many tokens as wanted."""
    filler = tokens.split(" " + " ".join(_SENTENCES))
    while len(said) < wanted:
        said = said + filler
    return said[:wanted]


def _limited(said: Answer, left: int | None) -> Answer:
    """What fits into the tokens left; the last call may lose the end of its arguments."""
    if left is None or said.spent - said.reasoning <= left:
        return said
    calls: list[Call] = []
    room = left - len(said.tokens)
    for call in said.calls:
        room -= tokens.count(call.tool.name)
        if room < 0:
            break
        calls.append(replace(call, tokens=call.tokens[:room]))
        room -= len(calls[-1].tokens)
    return replace(said, finish="length", tokens=said.tokens[:left], calls=tuple(calls))
