"""What is asked and answered in every run: the same bytes for the gateway and its reference."""

from array import array
from typing import Final, NamedTuple

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2

OPENAI: Final = "openai"
MISTRAL: Final = "mistral"
RESPONSES: Final = "responses"
"""Providers. They speak to one upstream, which tells them apart by their keys."""
KEYS: Final = {OPENAI: "sk-bench", MISTRAL: "mk-bench", RESPONSES: "rk-bench"}

CHAT: Final = "bench-chat"
BURST: Final = "bench-burst"
PACED: Final = "bench-paced"
EMBED: Final = "bench-embed-floats"
EMBED_PACKED: Final = "bench-embed-packed"
EMBED_ONE: Final = "bench-embed-one"
"""Models; each is answered in its own way."""

TOKENS: Final = 64
PACE: Final = 0.020
"""Seconds between two tokens of PACED."""
CYCLE: Final = (TOKENS + 1) * PACE
"""Seconds that a stream of PACED takes."""
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


def request(provider: str, model: str) -> pb.ChatRequest:
    """A chat of two messages."""
    return pb.ChatRequest(
        model=f"{provider}/{model}",
        messages=[
            pb.ChatMessage(role=pb.ROLE_SYSTEM, text=SYSTEM),
            pb.ChatMessage(role=pb.ROLE_USER, text=QUESTION),
        ],
    )


def messages() -> list[dict[str, str]]:
    """The same chat as the provider must see it."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


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
