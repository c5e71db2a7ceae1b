"""The seam: what answers calls. Policies and providers implement it alike, so that any of them can be
put before any other."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2, models_pb2, tokens_pb2
from tokenwire_server.call import Call


class Backend(Protocol):
    """Answers calls.

    Requests are read-only. Every failure is a GatewayError; only cancellation passes through as it is.
    Each await ends by `call.deadline`.
    """

    def chat(self, request: pb.ChatRequest, call: Call) -> Awaitable[pb.ChatResponse]:
        """The whole answer; `timing`, `attempts` and `warnings` are filled in by rpc/."""
        ...

    def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        """The answer as events, in the order of the contract, ending with `completed`.

        One iteration gives what one network read brought, merged; it is empty when nothing happened for
        the heartbeat interval that the request asks for. Leaving the context closes the upstream
        connection unless the answer was complete. Whoever opens it leaves it, in the same task.
        """
        ...

    def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> Awaitable[embed_pb2.EmbedResponse]:
        """One vector for each input, in order; `timing`, `attempts` and `warnings` are filled in by rpc/."""
        ...


class TokenCounter(Protocol):
    """Counts the tokens of requests."""

    async def count_tokens(
        self, request: tokens_pb2.CountTokensRequest, call: Call
    ) -> tokens_pb2.CountTokensResponse:
        """Tokens of what would be sent; nothing is. Raises what Chat or Embed would raise before sending.

        Paths are those of the request inside, without `chat.` and `embed.`; `warnings` has only what is not
        exact, and rpc/ adds what would not be sent.
        """
        ...


class Provider(Backend, TokenCounter, Protocol):
    """A configured provider with one of its keys."""


class ModelSource(Protocol):
    """Tells the models of one provider."""

    async def models(self) -> Sequence[models_pb2.Model]:
        """All of them, one for each id, in the order of their names. Raises GatewayError; ends by itself
        within seconds."""
        ...


class ModelList(Protocol):
    """Tells the models of all providers."""

    async def list_models(
        self, request: models_pb2.ListModelsRequest, call: Call
    ) -> models_pb2.ListModelsResponse:
        """A page of them; raises GatewayError."""
        ...
