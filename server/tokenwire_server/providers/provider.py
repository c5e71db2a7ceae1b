"""A configured provider as a Backend: encode, send, decode, under the limits of its settings.

SDK-configured, wire-sent: the identity is the official SDK's, the bytes are ours
(docs/decisions/0002-sdk-configured-wire-sent.md).
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final, NamedTuple

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call, now
from tokenwire_server.catalog import Catalog
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.assembler import Assembler, completed
from tokenwire_server.providers.codec import Codec, Defaults, Dialect, Job
from tokenwire_server.providers.embeddings import Embedder, EmbedFormat
from tokenwire_server.providers.estimate import estimate
from tokenwire_server.providers.exchange import (
    NOT_THE_PROTOCOL,
    Exchange,
    Exchanger,
    Identity,
    bad_response,
)
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.parameters import omissions
from tokenwire_server.providers.sse import SseReader
from tokenwire_server.settings import Provider
from tokenwire_server.unsupported import MODES

_EVENT_STREAM: Final = "text/event-stream"


class Wire(NamedTuple):
    """How a provider is spoken to."""

    identity: Identity
    codec: Codec
    dialect: Dialect
    embeddings: EmbedFormat


class ProviderBackend:
    """One provider. Makes one attempt per call (per batch for Embed), written down in `call.attempts`."""

    def __init__(
        self,
        name: str,
        settings: Provider,
        defaults: Defaults,
        wire: Wire,
        catalog: Catalog,
        http: HttpClient,
    ) -> None:
        self._name = name
        self._settings = settings
        self._defaults = defaults
        self._codec, self._dialect = wire.codec, wire.dialect
        self._catalog = catalog
        self._exchanger = Exchanger(name, settings, wire.identity, http, wire.codec.error)
        self._embedder = Embedder(name, wire.embeddings, self._exchanger, settings.max_response_bytes)

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        """The whole answer."""
        body = self._codec.encode(self._job(request, call))
        async with self._exchanger.exchange(self._codec.path, body, call) as exchange:
            raw = await exchange.reply.body(self._settings.max_response_bytes)
            response = pb.ChatResponse(provider=self._name)
            try:
                self._codec.decode(loads(raw), response)
            except NOT_THE_PROTOCOL as error:
                raise bad_response() from error
        estimate(request, response)
        return response

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[list[pb.ChatStreamResponse]]]:
        """The answer as events."""
        body = self._codec.encode(self._job(request, call)) | self._codec.stream_fields
        first_token = self._settings.timeouts.first_token
        async with self._exchanger.exchange(self._codec.path, body, call, first_token) as exchange:
            if not exchange.reply.headers.get("content-type", _EVENT_STREAM).startswith(_EVENT_STREAM):
                raise bad_response()
            async with aclosing(self._events(request, exchange, call)) as events:
                yield events

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        """One vector for each input, in order."""
        return await self._embedder.embed(request, call)

    def _job(self, request: pb.ChatRequest, call: Call) -> Job:
        """Raises UNSUPPORTED_PARAMETER. A default that the model cannot take is left out in silence."""
        own = self._settings.unsupported_parameters
        if own and not request.unsupported_parameters:
            call.unsupported.mode = MODES[own]
        row = self._catalog.find(self._settings.kind, call.target.model)
        omitted = omissions(request, self._codec.lacks, row, call.unsupported)
        defaults = self._defaults
        if defaults.temperature is not None and row and not row.takes_sampling(request.reasoning.effort):
            defaults = replace(defaults, temperature=None)
        return Job(request, self._name, call.target.model, defaults, call.unsupported, omitted, self._dialect)

    async def _events(
        self, request: pb.ChatRequest, exchange: Exchange, call: Call
    ) -> AsyncGenerator[list[pb.ChatStreamResponse], None]:
        reply, watch, options = exchange.reply, exchange.watch, request.stream_options
        assembler = Assembler(self._name)
        decoder = self._codec.stream_decoder(assembler)
        reader = SseReader(self._settings.max_event_bytes, self._settings.max_response_bytes)
        silence = options.heartbeat_interval.ToTimedelta().total_seconds()
        heard = now()  # when the caller last heard something; comments of the provider do not reach it
        while not decoder.done:
            waiting = silence and assembler.started
            read = await reply.read(max(0.001, heard + silence - now()) if waiting else None)
            if read is None:
                yield []
                heard = now()
                continue
            if not read:
                break
            try:
                for data in reader.feed(read):
                    decoder.feed(data)
                events = assembler.take()
            except NOT_THE_PROTOCOL as error:
                raise bad_response() from error
            if events:
                call.content_came(assembler.pieces)
                watch.relax()
                yield events
                heard = watch.expect(self._settings.timeouts.idle, Reason.STREAM_IDLE_TIMEOUT)
            elif assembler.pieces > call.output_pieces:  # of a part that is passed on whole
                call.output_pieces = assembler.pieces
                watch.expect(self._settings.timeouts.idle, Reason.STREAM_IDLE_TIMEOUT)
        if not assembler.finished():
            raise GatewayError(
                reason=Reason.STREAM_TRUNCATED, text="The provider's stream ended before its answer did."
            )
        try:
            events, response = assembler.start(), assembler.whole()
        except NOT_THE_PROTOCOL as error:
            raise bad_response() from error
        estimate(request, response)
        reply.complete = True
        watch.relax()
        exchange.settle()
        yield [*events, completed(response, options)]
