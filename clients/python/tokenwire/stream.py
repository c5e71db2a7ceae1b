"""A stream as callers see it: events or text, the whole answer, and its end."""

from types import TracebackType
from typing import Self

from tokenwire.answer import Answer
from tokenwire.errors import StreamClosed
from tokenwire.events import Event, Reader, TextDelta
from tokenwire.transport import Source, Transport, now
from tokenwire.v1 import chat_pb2 as pb


class AsyncChatStream:
    """`async with client.stream(…) as stream`: iterate it for events, or `stream.text` for the text alone.

    Leaving the block ends the call, and closes the provider's connection. Iterating raises TokenwireError
    for a call that fails, also after some of the answer has come.
    """

    def __init__(self, transport: Transport, request: pb.ChatRequest, timeout: float) -> None:
        self._transport = transport
        self._request = request
        self._timeout = timeout
        self._reader = Reader()
        self._source: Source | None = None
        self._entered = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise StreamClosed("a stream is entered once")
        self._entered = True
        self._source = self._transport.events(self._request, self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._source is None:
                raise StreamClosed("a stream is read inside its with block")
            raw = await self._source.next()
            if raw is None:
                self._reader.final()
                raise StopAsyncIteration
            if event := self._reader.read(raw):
                return event

    @property
    def text(self) -> "AsyncTexts":
        """The pieces of the answer's text, as they come."""
        return AsyncTexts(self)

    async def final(self) -> Answer:
        """The whole answer, once the rest of it has come."""
        if self._reader.answer is None:
            async for _event in self:
                pass
        return self._reader.final()


class AsyncTexts:
    """The text of a stream; of several answers, the first one's."""

    def __init__(self, events: AsyncChatStream) -> None:
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for event in self._events:
            if isinstance(event, TextDelta) and not event.choice:
                return event.text
        raise StopAsyncIteration


class ChatStream:
    """`with client.stream(…) as stream`: as AsyncChatStream, without an event loop."""

    def __init__(self, stream: AsyncChatStream) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        now(self._stream.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now(self._stream.__aexit__(kind, error, trace))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        try:
            return now(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def text(self) -> "Texts":
        """The pieces of the answer's text, as they come."""
        return Texts(self._stream.text)

    def final(self) -> Answer:
        """The whole answer, once the rest of it has come."""
        return now(self._stream.final())


class Texts:
    """The text of a stream."""

    def __init__(self, texts: AsyncTexts) -> None:
        self._texts = texts

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        try:
            return now(self._texts.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None
