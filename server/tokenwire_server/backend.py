"""The seam: what answers calls. Policies and providers implement it alike, so that any of them can be
put before any other."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire_server.call import Call


class Backend(Protocol):
    """Answers calls.

    Requests are read-only. Every failure is a GatewayError; only cancellation passes through as it is.
    Each await ends by `call.deadline`.
    """

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
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

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        """One vector for each input, in order; `timing`, `attempts` and `warnings` are filled in by rpc/."""
        ...
