"""What is asked and answered in every run: the same bytes for the gateway and its reference."""

from array import array
from typing import Final, NamedTuple

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2

OPENAI: Final = "openai"
MISTRAL: Final = "mistral"
RESPONSES: Final = "responses"
"""Providers. They speak to one upstream, which tells them apart by their keys."""
KEYS: Final = {OPENAI: "sk-bench", MISTRAL: "mk-bench", RESPONSES: "rk-bench"}

CHAT: Final = "bench-chat"
CHAT_TOOLS: Final = "bench-tools"
CHAT_20: Final = "bench-20-chat"
CHAT_20_TOOLS: Final = "bench-20-tools"
SLOW: Final = "bench-slow"
BURST: Final = "bench-burst"
PACED: Final = "bench-paced"
EMBED: Final = "bench-embed-floats"
EMBED_PACKED: Final = "bench-embed-packed"
EMBED_ONE: Final = "bench-embed-one"
"""Models; each is answered in its own way."""
HEALTH: Final = "health"
"""No model: the service's own Health."""

MIXED: Final = "mixed"
OVERLOAD: Final = "overload"
MIXES: Final = {
    MIXED: (
        *(CHAT, BURST, CHAT, EMBED, CHAT, CHAT, BURST, CHAT, PACED, CHAT),
        *(CHAT, BURST, CHAT, EMBED, CHAT, CHAT, BURST, CHAT, EMBED, CHAT),
    ),
    OVERLOAD: (*[SLOW] * 39, HEALTH),
}
"""Loads of several kinds, whose calls take turns in this order. A sixth to a third of the first one's CPU
goes to each of its kinds."""

SLOW_SECONDS: Final = 0.5
"""What a reply of SLOW takes."""

TOKENS: Final = 64
PACE: Final = 0.020
"""Seconds between two tokens of PACED."""
CYCLE: Final = (TOKENS + 1) * PACE
"""Seconds that a stream of PACED takes."""
LENGTHS: Final = {PACED: CYCLE, SLOW: SLOW_SECONDS}
"""Seconds of the calls that take long, whoever answers them."""
PIECES: Final = tuple(f" w{index:03}" for index in range(TOKENS))
WIDTH: Final = len(PIECES[0])
STREAMED: Final = "".join(PIECES)

SYSTEM: Final = "You are a careful assistant. Answer in plain words and keep to the facts you were given."
QUESTION: Final = (
    "A kettle holds 1.7 litres and loses 3 % an hour by steam. How much is left after 4 hours? " * 2
)
ANSWER: Final = "After four hours about eighty-nine per cent is left, which is one and a half litres. " * 10
"""With the rest of its JSON, 1.4 KB."""
USAGE: Final = (57, 190)
"""Tokens of the request and of the answer."""


class ChatCase(NamedTuple):
    """What one of the models for unary chats is asked."""

    turns: int
    tools: bool
    """Whether a tool is offered, and called in the reply instead of its text."""


CHATS: Final = {
    CHAT: ChatCase(2, tools=False),
    CHAT_TOOLS: ChatCase(2, tools=True),
    CHAT_20: ChatCase(20, tools=False),
    CHAT_20_TOOLS: ChatCase(20, tools=True),
    SLOW: ChatCase(2, tools=False),
}
TOOL: Final = "calculate"
TOOL_TEXT: Final = "Calculates an arithmetic expression, exactly, and says in which unit the result is."
TOOL_SCHEMA: Final = (
    '{"type":"object","properties":{"expression":{"type":"string","description":"The expression, with '
    '+ - * / ^ and brackets."},"unit":{"type":"string","enum":["litre","hour","percent"]},"digits":{"type":'
    '"integer","minimum":0,"maximum":12}},"required":["expression","unit"],"additionalProperties":false}'
)
CALL_ID: Final = "call_0123456789abcdef01234567"
ARGUMENTS: Final = '{"expression":"1.7 * 0.97^4","unit":"litre","digits":3}'


def _turns(model: str) -> list[tuple["pb.Role.ValueType", str]]:
    """The system's message, then the user's and the assistant's in turn; the user has the last word."""
    answered = [(pb.ROLE_USER, QUESTION), (pb.ROLE_ASSISTANT, ANSWER[:170])] * 10
    count = CHATS[model].turns if model in CHATS else 2
    return [(pb.ROLE_SYSTEM, SYSTEM), *answered[: count - 1]]


def request(provider: str, model: str) -> pb.ChatRequest:
    """The chat of a model; of two messages without tools for those that have none of their own."""
    asked = pb.ChatRequest(
        model=f"{provider}/{model}",
        messages=[pb.ChatMessage(role=role, text=text) for role, text in _turns(model)],
    )
    if tools(model):
        function = pb.FunctionTool(name=TOOL, description=TOOL_TEXT, parameters_json=TOOL_SCHEMA)
        asked.tools.add(function=function)
    return asked


def messages(model: str = CHAT) -> list[dict[str, str]]:
    """The same chat as the provider must see it."""
    names = {pb.ROLE_SYSTEM: "system", pb.ROLE_USER: "user", pb.ROLE_ASSISTANT: "assistant"}
    return [{"role": names[role], "content": text} for role, text in _turns(model)]


def tools(model: str) -> list[dict[str, object]]:
    """The chat's tools as the provider must see them."""
    if model not in CHATS or not CHATS[model].tools:
        return []
    function = {"name": TOOL, "description": TOOL_TEXT, "parameters": orjson.loads(TOOL_SCHEMA)}
    return [{"type": "function", "function": function}]


def answer(model: str) -> pb.ChatMessage:
    """The message that the caller must get."""
    if not CHATS[model].tools:
        return pb.ChatMessage(role=pb.ROLE_ASSISTANT, text=ANSWER)
    call = pb.ToolCall(id=CALL_ID, name=TOOL, arguments_json=ARGUMENTS)
    return pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[pb.ContentPart(tool_call=call)])


class EmbedCase(NamedTuple):
    """What one of the models for embeddings is asked for."""

    texts: list[str]
    encoding: "embed_pb2.VectorEncoding.ValueType"

    @property
    def embeddings(self) -> list[embed_pb2.Embedding]:
        """The vectors as the caller must get them."""
        numbered = enumerate(VECTORS[: len(self.texts)])
        if self.encoding == embed_pb2.VECTOR_ENCODING_PACKED:
            return [embed_pb2.Embedding(index=index, packed=vector.tobytes()) for index, vector in numbered]
        return [embed_pb2.Embedding(index=index, values=vector) for index, vector in numbered]


DIMENSIONS: Final = 1536
VECTORS: Final = [array("f", (1 / (text + place + 1) for place in range(DIMENSIONS))) for text in range(100)]
_TEXTS: Final = [f"Sentence {number} of a page about kettles, steam and patience." for number in range(100)]
EMBEDDINGS: Final = {
    EMBED: EmbedCase(_TEXTS, embed_pb2.VECTOR_ENCODING_FLOATS),
    EMBED_PACKED: EmbedCase(_TEXTS, embed_pb2.VECTOR_ENCODING_PACKED),
    EMBED_ONE: EmbedCase(_TEXTS[:1], embed_pb2.VECTOR_ENCODING_FLOATS),
}


def embed_request(provider: str, model: str) -> embed_pb2.EmbedRequest:
    """The texts of a model for embeddings."""
    texts, encoding = EMBEDDINGS[model]
    return embed_pb2.EmbedRequest(model=f"{provider}/{model}", input=texts, encoding=encoding)
