"""What calls return. The protobuf message is underneath each of them, as `proto`."""

import json
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tokenwire.errors import IncompleteToolCall
from tokenwire.messages import Message
from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2, health_pb2, models_pb2, tokens_pb2

Usage = common_pb2.Usage
CallWarning = common_pb2.CallWarning
Attempt = common_pb2.Attempt
Model = models_pb2.Model


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model calls a function."""

    id: str
    name: str
    arguments_json: str
    """As the model wrote them, complete or not."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments. Raises IncompleteToolCall where they are no JSON object."""
        try:
            found = json.loads(self.arguments_json or "{}")
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        raise IncompleteToolCall(f"the arguments of {self.name} are no JSON object")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. With `candidate_count` above one, this is the first; `proto.choices` has the others."""

    proto: pb.ChatResponse

    def __str__(self) -> str:
        return self.text

    @property
    def message(self) -> Message:
        """What to append to the conversation, as it came."""
        return self._choice.message

    @property
    def text(self) -> str:
        """Empty when the model only called tools, or declined."""
        return self.message.text

    @property
    def tool_calls(self) -> list[ToolCall]:
        """In the order in which the model made them."""
        calls = (part.tool_call for part in self.message.parts if part.HasField("tool_call"))
        return [ToolCall(call.id, call.name, call.arguments_json) for call in calls]

    @property
    def reasoning(self) -> str:
        """The model's thoughts, or their summary, as far as its provider shows them."""
        thoughts = (part.reasoning for part in self.message.parts if part.HasField("reasoning"))
        return "\n".join(thought.text or thought.summary for thought in thoughts)

    @property
    def refusal(self) -> str:
        """What the model said when it declined."""
        return "".join(part.refusal for part in self.message.parts)

    @property
    def finish_reason(self) -> str:
        """`stop`, `length`, `tool_calls`, `content_filter`, `refusal`, `error`, `other`; or empty."""
        return _short(pb.FinishReason.DESCRIPTOR, self._choice.finish_reason)

    @property
    def model(self) -> str:
        """The model that answered, as its provider names it."""
        return self.proto.model

    @property
    def provider(self) -> str:
        """Who answered."""
        return self.proto.provider

    @property
    def usage(self) -> Usage:
        """Tokens and cost."""
        return self.proto.usage

    @property
    def warnings(self) -> Sequence[CallWarning]:
        """What was not honoured."""
        return self.proto.warnings

    @property
    def attempts(self) -> Sequence[Attempt]:
        """The requests that the gateway made to providers."""
        return self.proto.attempts

    @property
    def _choice(self) -> pb.Choice:
        return self.proto.choices[0] if self.proto.choices else pb.Choice()


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors, one for each text, in the order of the texts."""

    vectors: Any
    """A float32 array of texts by dimensions where NumPy is installed, else a list of lists of floats."""
    proto: embed_pb2.EmbedResponse

    def __len__(self) -> int:
        return len(self.proto.embeddings)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.vectors)

    def __getitem__(self, index: int) -> Any:  # noqa: ANN401 (an array or a list)
        return self.vectors[index]

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        return self.proto.dimensions

    @property
    def usage(self) -> Usage:
        """Tokens and cost."""
        return self.proto.usage


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a request has."""

    proto: tokens_pb2.CountTokensResponse

    def __int__(self) -> int:
        return self.tokens

    @property
    def tokens(self) -> int:
        """All of the request."""
        return self.proto.input_tokens

    @property
    def exact(self) -> bool:
        """Whether all of it was counted with the model's own tokenizer; else it is an estimate."""
        return self.proto.source == common_pb2.TOKEN_SOURCE_TOKENIZER

    @property
    def per_message(self) -> Sequence[int]:
        """Of each message. What the conversation has besides is in `tokens` alone."""
        return self.proto.item_tokens

    @property
    def context_window(self) -> int | None:
        """What the model takes, input and output together, where it is known."""
        return self.proto.context_window if self.proto.HasField("context_window") else None


@dataclass(frozen=True, slots=True)
class Health:
    """The gateway's state. Without a token, where the server asks for one, `status` is all it tells."""

    proto: health_pb2.HealthResponse

    @property
    def status(self) -> str:
        """`serving`, `degraded` (some provider fails) or `not_serving`."""
        return _short(health_pb2.HealthStatus.DESCRIPTOR, self.proto.status)

    @property
    def serving(self) -> bool:
        """Whether calls are answered."""
        return self.status in ("serving", "degraded")

    @property
    def providers(self) -> dict[str, str]:
        """What recent calls saw of each: `ok`, `failing`, `circuit_open`, `credentials_invalid`, or empty."""
        states = health_pb2.ProviderState.DESCRIPTOR
        return {found.name: _short(states, found.state) for found in self.proto.providers}


class ModelList(list[Model]):
    """Models by name; `unreachable` are the providers that could not be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.unreachable: list[str] = []

    def add(self, page: models_pb2.ListModelsResponse) -> None:
        """Appends a page."""
        self.extend(page.models)
        self.unreachable = list(page.unreachable)


def embeddings(response: embed_pb2.EmbedResponse) -> Embeddings:
    """Unpacks the vectors."""
    packed = [embedding.packed for embedding in response.embeddings]
    try:
        import numpy as np  # noqa: PLC0415 (it is optional, and slow to load)
    except ImportError:
        return Embeddings([_floats(vector) for vector in packed], response)
    numbers = np.frombuffer(b"".join(packed), dtype="<f4").astype(np.float32, copy=False)
    return Embeddings(numbers.reshape(len(packed), response.dimensions), response)


def _floats(packed: bytes) -> list[float]:
    numbers = array("f", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _short(enum: Any, number: int) -> str:  # noqa: ANN401 (of any enum)
    """A value's name without the enum's; empty for what is unspecified or newer than this client."""
    if not number or number not in enum.values_by_number:
        return ""
    prefix: str = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    name: str = enum.values_by_number[number].name
    return name.removeprefix(prefix).lower()
