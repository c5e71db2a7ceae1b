"""Sends each call to the provider that its target names."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire_server.backend import Backend
from tokenwire_server.call import Call


class Route:
    """A Backend over the configured providers, by name."""

    def __init__(self, providers: Mapping[str, Backend]) -> None:
        self._providers = providers

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        """The provider's answer."""
        return await self._providers[call.target.provider].chat(request, call)

    def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        """The provider's events."""
        return self._providers[call.target.provider].stream(request, call)

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        """The provider's vectors."""
        return await self._providers[call.target.provider].embed(request, call)
