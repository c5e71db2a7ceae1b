"""Codec: one provider wire format, as the functions that each of its packages offers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.assembler import Assembler
from tokenwire_server.providers.jsontext import JsonObject
from tokenwire_server.unsupported import Unsupported


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where the request is silent; None = nothing is sent."""

    max_output_tokens: int | None = None
    """0 = nothing either, whatever the catalog says."""
    temperature: float | None = None
    busy_flush: float = 0.0
    """Seconds for which content of a stream may wait for more while the process is busy."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where servers that speak one wire format differ: OpenAI's own ways, unless told otherwise."""

    tokens_field: str = "max_completion_tokens"
    user_field: str = "safety_identifier"
    media_urls: bool = True
    """Whether the server may be sent URLs to fetch: one inside the operator's network should not be."""
    reasoning: bool = False
    """Whether the server takes back what its model thought."""


class Job(NamedTuple):
    """A request and what encoding it needs to know besides. A tuple, as each call makes one."""

    request: pb.ChatRequest
    provider: str
    model: str
    defaults: Defaults
    unsupported: Unsupported
    omitted: frozenset[str] = frozenset()
    """Paths of parameters that the model cannot take and the caller agreed to leave out."""
    dialect: Dialect = Dialect()
    instructions: bool = False
    """Whether the model has a place of its own for the leading system and developer messages."""
    reasons: bool = False
    """Whether the model is known to reason."""


class StreamDecoder(Protocol):
    """Reports a stream's events to an Assembler.

    Raises GatewayError for an error event, and ValueError, TypeError, KeyError or AttributeError for
    what is not the provider's protocol.
    """

    done: bool
    """Whether the terminal marker has come."""

    def feed(self, data: bytes) -> None:
        """One event's data."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """A wire format."""

    path: str
    """Below the provider's base URL."""
    encode: Callable[[Job], JsonObject]
    """The body of a unary request; raises UNSUPPORTED_PARAMETER."""
    stream_fields: JsonObject
    """What a streaming request has besides."""
    decode: Callable[[object, pb.ChatResponse], None]
    """Fills a response from a reply's JSON; raises as StreamDecoder does."""
    stream_decoder: Callable[[Assembler], StreamDecoder]
    lacks: Mapping[str, str]
    """Paths of parameters that the format has no place for, each with a sentence for the caller."""
    error: Callable[[int, Mapping[str, str], bytes], GatewayError]
    """What a reply with an error status means."""
