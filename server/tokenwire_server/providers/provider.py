"""A configured provider as a Backend: encode, send, decode, under the limits of its settings.

SDK-configured, wire-sent: the identity is the official SDK's, the bytes are ours
(docs/decisions/0002-sdk-configured-wire-sent.md).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import lru_cache, partial
from typing import Final, Literal, NamedTuple, TypeAlias

from google.protobuf.duration_pb2 import Duration

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2, models_pb2, tokens_pb2
from tokenwire.v1.errors_pb2 import STREAM_IDLE_TIMEOUT
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call, now
from tokenwire_server.catalog import REMEMBERED, Catalog, Facts, Row
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.assembler import Assembler, completed
from tokenwire_server.providers.codec import Codec, Defaults, Dialect, Job, StreamDecoder
from tokenwire_server.providers.cost import charge
from tokenwire_server.providers.embed_limits import knowing_too_long
from tokenwire_server.providers.embeddings import Embedder, EmbedFormat
from tokenwire_server.providers.ended import warn_if_ended
from tokenwire_server.providers.estimate import estimate, estimate_partial
from tokenwire_server.providers.exchange import (
    NOT_THE_PROTOCOL,
    Exchange,
    Exchanger,
    Identity,
    bad_response,
)
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.load import Load
from tokenwire_server.providers.models import ModelLister
from tokenwire_server.providers.parameters import omissions
from tokenwire_server.providers.patience import Patience, at_once, patience_for
from tokenwire_server.providers.sse import SseReader
from tokenwire_server.providers.tokens import count_chat, count_embed
from tokenwire_server.providers.trace import trace
from tokenwire_server.settings import Provider
from tokenwire_server.unsupported import MODES
from tokenwire_server.watch import Watch

_EVENT_STREAM: Final = "text/event-stream"

Endpoint: TypeAlias = Literal["chat", "responses"]


class Wire(NamedTuple):
    """How a provider is spoken to."""

    identity: Identity
    codecs: Mapping[Endpoint, Codec]
    """`chat` is among them."""
    dialect: Dialect
    embeddings: EmbedFormat
    endpoint: Endpoint = "chat"
    """Of models for which the catalog names none of them."""


class _Way(NamedTuple):
    """How calls of one model are answered, whatever they ask."""

    row: Row | None
    facts: Facts | None
    codec: Codec
    exchanger: Exchanger
    patience: Patience
    patience_reasoning: Patience
    instructions: bool
    reasons: bool
    """Whether the model is known to reason."""


class _Plan(NamedTuple):
    """How one call is answered."""

    way: _Way
    job: Job
    effort: str
    """What the model reasons with, as far as is known before it answers."""
    patience: Patience


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
        self._wire = wire
        self._catalog = catalog
        self._exchangers = {
            endpoint: Exchanger(name, settings, wire.identity, http, codec.error)
            for endpoint, codec in wire.codecs.items()
        }
        exchanger = self._exchangers["chat"]
        error = knowing_too_long(wire.codecs["chat"].error)
        embeds = Exchanger(name, settings, wire.identity, http, error)
        self._embedder = Embedder(name, settings, wire.embeddings, catalog, embeds)
        self._load = Load()
        self._lister = ModelLister(name, settings.kind, exchanger, catalog, settings.max_response_bytes)
        self._way = lru_cache(REMEMBERED)(self._find_way)

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        """The whole answer."""
        plan = self._plan(request, call)
        codec = plan.way.codec
        body, patience = codec.encode(plan.job), at_once(plan.patience)
        decode = partial(_decoded, codec, self._name)
        response = await plan.way.exchanger.answer(codec.path, body, call, patience, decode)
        estimate(request, response)
        trace(response, plan.effort)
        self._charge(response, call, response.service_tier)
        return response

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[list[pb.ChatStreamResponse]]]:
        """The answer as events."""
        plan = self._plan(request, call)
        codec = plan.way.codec
        body = codec.encode(plan.job) | codec.stream_fields
        async with plan.way.exchanger.exchange(codec.path, body, call, plan.patience) as exchange:
            if not exchange.reply.headers.get("content-type", _EVENT_STREAM).startswith(_EVENT_STREAM):
                raise bad_response()
            assembler = Assembler(self._name)
            try:
                async with aclosing(self._events(plan, exchange, call, assembler)) as events:
                    yield events
            finally:  # what came was paid for, whoever broke it off
                if assembler.pieces and not exchange.reply.complete:
                    estimate_partial(request, assembler.response, assembler.pieces)
                    self._charge(assembler.response, call, assembler.response.service_tier)

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        """One vector for each input, in order."""
        warn_if_ended(self._way(call.target.model).facts, call.unsupported)
        response = await self._embedder.embed(request, call)
        self._charge(response, call)
        return response

    async def count_tokens(
        self, request: tokens_pb2.CountTokensRequest, call: Call
    ) -> tokens_pb2.CountTokensResponse:
        """Counted here, with the tokenizer that the catalog names."""
        way = self._way(call.target.model)
        tokenizer = (way.row and way.row.tokenizer) or ""
        with Watch(call.deadline, self._settings.timeouts.total):
            if request.HasField("chat"):
                plan = self._plan(request.chat, call)
                body = plan.way.codec.encode(plan.job)
                warnings = call.unsupported.warnings
                response = await count_chat(request.chat, body, call.target.model, tokenizer, warnings)
            else:
                warn_if_ended(way.facts, call.unsupported)
                response = await count_embed(request.embed, tokenizer)
        response.model, response.provider = call.target.model, self._name
        if way.facts and way.facts.context_window:
            response.context_window = way.facts.context_window
        return response

    async def models(self) -> list[models_pb2.Model]:
        """The provider's models, one for each id, by name; ends within ten seconds."""
        return await self._lister.models()

    def _plan(self, request: pb.ChatRequest, call: Call) -> _Plan:
        """Raises UNSUPPORTED_PARAMETER."""
        own = self._settings.unsupported_parameters
        if own and not request.unsupported_parameters:
            call.unsupported.mode = MODES[own]
        way = self._way(call.target.model)
        row = way.row
        warn_if_ended(way.facts, call.unsupported)
        omitted = omissions(request, way.codec.lacks, row, call.unsupported)
        effort = request.reasoning.effort
        job = Job(
            request,
            self._name,
            call.target.model,
            self._defaults_for(row, effort),
            call.unsupported,
            omitted,
            self._wire.dialect,
            way.instructions,
            way.reasons,
        )
        used = "" if "reasoning.effort" in omitted else effort
        used = used or (row and row.default_effort) or ""
        reasons = bool(row and row.efforts) and used != "none"
        return _Plan(way, job, used, way.patience_reasoning if reasons else way.patience)

    def _find_way(self, model: str) -> _Way:
        row = self._catalog.find(self._settings.kind, model)
        wanted = (row and row.endpoint) or self._wire.endpoint
        endpoint = wanted if wanted in self._wire.codecs else self._wire.endpoint
        return _Way(
            row,
            self._catalog.facts(self._settings.kind, model),
            self._wire.codecs[endpoint],
            self._exchangers[endpoint],
            patience_for(self._settings, model, reasons=False),
            patience_for(self._settings, model, reasons=True),
            instructions=bool(row and row.instructions),
            reasons=bool(row and (row.efforts or row.sampling == "effort_none")),
        )

    def _defaults_for(self, row: Row | None, effort: str) -> Defaults:
        """A default that the model cannot take is left out in silence."""
        limit, temperature = self._defaults.max_output_tokens, self._defaults.temperature
        if row is None or (row.default_max_output_tokens is None and temperature is None):
            return self._defaults
        if limit is None:
            limit = row.default_max_output_tokens
        return Defaults(limit, temperature if row.takes_sampling(effort) else None)

    def _charge(
        self, response: pb.ChatResponse | embed_pb2.EmbedResponse, call: Call, service_tier: str = ""
    ) -> None:
        """Prices the usage, which is the call's from here on, whatever becomes of it."""
        if facts := self._way(call.target.model).facts:
            charge(response.usage, facts.prices, service_tier)
        call.usage = response.usage

    async def _events(
        self, plan: _Plan, exchange: Exchange, call: Call, assembler: Assembler
    ) -> AsyncGenerator[list[pb.ChatStreamResponse], None]:
        request = plan.job.request
        reply, watch, options = exchange.reply, exchange.watch, request.stream_options
        decoder = plan.way.codec.stream_decoder(assembler)
        reader = SseReader(self._settings.max_event_bytes, self._settings.max_response_bytes)
        silence = _seconds(options.heartbeat_interval)
        interval = _seconds(options.flush_interval) if options.HasField("flush_interval") else None
        heard = now()  # when the caller last heard something; comments of the provider do not reach it
        while not decoder.done:
            waiting = silence and assembler.started
            read = await (reply.read_within(heard + silence - now()) if waiting else reply.read())
            if read is None:
                yield []
                heard = now()
                continue
            if not read:
                break
            try:
                failure = _fed(decoder, reader.feed(read), assembler)
                events = assembler.take()
            except NOT_THE_PROTOCOL as error:
                raise bad_response() from error
            if events:
                call.content_came(assembler.pieces)
                watch.relax()
                yield events
                pause = self._load.hold(self._defaults.busy_flush) if interval is None else interval
                heard = watch.expect(pause + plan.patience.idle, STREAM_IDLE_TIMEOUT)
                if pause and not (failure or decoder.done):
                    reply.hold(heard + pause)
            elif assembler.pieces > call.output_pieces:  # of a part that is passed on whole
                call.output_pieces = assembler.pieces
                watch.expect(plan.patience.idle, STREAM_IDLE_TIMEOUT)
            if failure:
                raise failure
        events, response = _ended(assembler)
        estimate(request, response)
        trace(response, plan.effort)
        self._charge(response, call, response.service_tier)
        reply.complete = True
        watch.relax()
        exchange.settle()
        yield [*events, completed(response, options)]


def _decoded(codec: Codec, provider: str, raw: bytes) -> pb.ChatResponse:
    response = pb.ChatResponse(provider=provider)
    try:
        codec.decode(loads(raw), response)
    except NOT_THE_PROTOCOL as error:
        raise bad_response() from error
    return response


def _fed(decoder: StreamDecoder, events: list[bytes], assembler: Assembler) -> GatewayError | None:
    """Why the stream ends here, if it does: once content was told, what came before the end is as well."""
    begun = assembler.started
    try:
        for data in events:
            decoder.feed(data)
    except (GatewayError, *NOT_THE_PROTOCOL) as error:
        if not begun:
            raise
        return error if isinstance(error, GatewayError) else bad_response()
    return None


def _ended(assembler: Assembler) -> tuple[list[pb.ChatStreamResponse], pb.ChatResponse]:
    """The events that are left, and the whole answer."""
    if not assembler.finished():
        raise GatewayError(
            reason=Reason.STREAM_TRUNCATED, text="The provider's stream ended before its answer did."
        )
    try:
        return assembler.start(), assembler.whole()
    except NOT_THE_PROTOCOL as error:
        raise bad_response() from error


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
