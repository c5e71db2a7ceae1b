"""What both clients do, written once over a transport."""

from collections.abc import Iterable
from typing import Final, cast

from tokenwire.answer import Answer, Embeddings, Health, ModelList, TokenCount, embeddings
from tokenwire.arguments import Fields, chat_request, embed_request
from tokenwire.messages import Turn
from tokenwire.stream import AsyncChatStream
from tokenwire.transport import Transport
from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2, health_pb2, models_pb2, tokens_pb2


class Calls:
    """The calls of one client. `timeout` of None is the client's."""

    def __init__(self, transport: Transport, timeout: float) -> None:
        if not timeout > 0:
            raise ValueError("a timeout is a number of seconds above 0")
        self.transport: Final = transport
        self._timeout = timeout
        self.without_json_schema: Final[set[str]] = set()
        """Models that refused a schema for their answers, and are offered a function instead."""

    async def chat(self, turns: Iterable[Turn], fields: Fields, timeout: float | None) -> Answer:
        """The whole answer."""
        return await self.answer(chat_request(turns, fields), timeout)

    async def answer(self, request: pb.ChatRequest, timeout: float | None) -> Answer:
        """The answer to a request that is made already."""
        response = await self.transport.unary("Chat", request, self.seconds(timeout))
        return Answer(cast("pb.ChatResponse", response))

    def stream(self, turns: Iterable[Turn], fields: Fields, timeout: float | None) -> AsyncChatStream:
        """The answer as it comes."""
        return AsyncChatStream(self.transport, chat_request(turns, fields), self.seconds(timeout))

    async def embed(self, texts: str | Iterable[str], fields: Fields, timeout: float | None) -> Embeddings:
        """A vector for each text."""
        request = embed_request(texts, fields)
        response = await self.transport.unary("Embed", request, self.seconds(timeout))
        return embeddings(cast("embed_pb2.EmbedResponse", response))

    async def count_tokens(self, turns: Iterable[Turn], fields: Fields, timeout: float | None) -> TokenCount:
        """The input tokens of a chat."""
        request = tokens_pb2.CountTokensRequest(chat=chat_request(turns, fields))
        response = await self.transport.unary("CountTokens", request, self.seconds(timeout))
        return TokenCount(cast("tokens_pb2.CountTokensResponse", response))

    async def models(self, provider: str, timeout: float | None) -> ModelList:
        """All pages as one."""
        found = ModelList()
        request = models_pb2.ListModelsRequest(provider=provider, page_size=1000)
        while True:
            page = await self.transport.unary("ListModels", request, self.seconds(timeout))
            found.add(page)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def health(self, timeout: float | None) -> Health:
        """The gateway's state."""
        response = await self.transport.unary("Health", health_pb2.HealthRequest(), self.seconds(timeout))
        return Health(cast("health_pb2.HealthResponse", response))

    def seconds(self, timeout: float | None) -> float:
        """The deadline of a call. Raises ValueError for one that has passed already."""
        if timeout is None:
            return self._timeout
        if not timeout > 0:
            raise ValueError("a timeout is a number of seconds above 0")
        return timeout
