"""A configured provider as a Backend: encode, send, decode, under the limits of its settings.

SDK-configured, wire-sent: the identity is the official SDK's, the bytes are ours
(docs/decisions/0002-sdk-configured-wire-sent.md).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlencode

import orjson
from google.protobuf import json_format

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import UNBOUNDED, Call, now
from tokenwire_server.catalog import Catalog
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.providers.assembler import Assembler, completed
from tokenwire_server.providers.codec import Codec, Defaults, Dialect, Job
from tokenwire_server.providers.estimate import estimate
from tokenwire_server.providers.http import HttpClient, Reply
from tokenwire_server.providers.jsontext import JsonObject, loads
from tokenwire_server.providers.parameters import omissions
from tokenwire_server.providers.sse import SseReader
from tokenwire_server.providers.watch import Watch
from tokenwire_server.settings import Provider

_EVENT_STREAM: Final = "text/event-stream"
_ERROR_BODY: Final = 64 * 1024
_ERROR_BODY_SECONDS: Final = 5.0
_NOT_THE_PROTOCOL: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    json_format.Error,
)


class Identity(Protocol):
    """Where a provider is, and who we are there."""

    @property
    def base_url(self) -> str:
        """Without a slash at its end."""
        ...

    @property
    def query(self) -> Mapping[str, str]:
        """What every request's URL ends with."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Those of every request, credentials included; names in lower case."""
        ...


class Wire(NamedTuple):
    """How a provider is spoken to."""

    identity: Identity
    codec: Codec
    dialect: Dialect


class _Exchange:
    """One attempt under way."""

    def __init__(self, call: Call, provider: str, watch: Watch) -> None:
        self.watch = watch
        self.reply: Reply
        self.attempt = common_pb2.Attempt(provider=provider, model=call.target.model)
        self._call = call
        self._began = now()
        call.attempts.append(self.attempt)

    def settle(self, reason: "Reason.ValueType" = Reason.ERROR_REASON_UNSPECIFIED) -> None:
        """Writes down the outcome; the first one counts."""
        if not self.attempt.HasField("duration"):
            seconds = now() - self._began
            self._call.upstream_seconds += seconds
            self.attempt.duration.FromNanoseconds(int(seconds * 1e9))
            if reason:
                self.attempt.reason, self.attempt.code = reason, TABLE[reason].code


class ProviderBackend:
    """One provider. Makes one attempt per call and writes it down in `call.attempts`."""

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
        self._identity, self._codec, self._dialect = wire
        self._catalog = catalog
        self._http = http
        query = urlencode(self._identity.query)
        self._url = self._identity.base_url + self._codec.path + (f"?{query}" if query else "")

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        """The whole answer."""
        body = self._codec.encode(self._job(request, call))
        async with self._exchange(body, call, first_token=UNBOUNDED) as exchange:
            raw = await exchange.reply.body(self._settings.max_response_bytes)
            response = pb.ChatResponse(provider=self._name)
            try:
                self._codec.decode(loads(raw), response)
            except _NOT_THE_PROTOCOL as error:
                raise _bad_response() from error
        estimate(request, response)
        return response

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[list[pb.ChatStreamResponse]]]:
        """The answer as events."""
        body = self._codec.encode(self._job(request, call)) | self._codec.stream_fields
        async with self._exchange(body, call, self._settings.timeouts.first_token) as exchange:
            if not exchange.reply.headers.get("content-type", _EVENT_STREAM).startswith(_EVENT_STREAM):
                raise _bad_response()
            async with aclosing(self._events(request, exchange, call)) as events:
                yield events

    def _job(self, request: pb.ChatRequest, call: Call) -> Job:
        """Raises UNSUPPORTED_PARAMETER. A default that the model cannot take is left out in silence."""
        row = self._catalog.find(self._settings.kind, call.target.model)
        omitted = omissions(request, self._codec.lacks, row, call.unsupported)
        defaults = self._defaults
        if defaults.temperature is not None and row and not row.takes_sampling(request.reasoning.effort):
            defaults = replace(defaults, temperature=None)
        return Job(request, self._name, call.target.model, defaults, call.unsupported, omitted, self._dialect)

    @asynccontextmanager
    async def _exchange(self, body: JsonObject, call: Call, first_token: float) -> AsyncIterator[_Exchange]:
        """Sends a request and gives the attempt once its reply has status 200; anything else is raised."""
        timeouts = self._settings.timeouts
        headers = self._identity.headers()
        if call.provider_key:
            headers = {**headers, "authorization": f"Bearer {call.provider_key.reveal()}"}
        data = orjson.dumps(body)
        watch = Watch(call.deadline, timeouts.total)
        exchange = _Exchange(call, self._name, watch)
        try:
            async with watch:
                watch.expect(first_token, Reason.FIRST_TOKEN_TIMEOUT)
                async with self._http.post(self._url, headers, data, timeouts.connect) as reply:
                    exchange.reply = reply
                    exchange.attempt.upstream_status = reply.status
                    call.upstream_request_id = _request_id(reply.headers)
                    if reply.status != 200:
                        refusal = await reply.start_of_body(_ERROR_BODY, _ERROR_BODY_SECONDS)
                        raise self._codec.error(reply.status, reply.headers, refusal)
                    yield exchange
                    exchange.settle()
        except GatewayError as error:
            if call.provider_key and error.reason == Reason.PROVIDER_CREDENTIALS_INVALID:
                error.reason = Reason.PROVIDER_KEY_INVALID
                error.text = "The provider refused the key that the caller gave."
            exchange.settle(error.reason)
            raise
        except asyncio.CancelledError:
            exchange.settle(Reason.CANCELLED)
            raise

    async def _events(
        self, request: pb.ChatRequest, exchange: _Exchange, call: Call
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
            except _NOT_THE_PROTOCOL as error:
                raise _bad_response() from error
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
        except _NOT_THE_PROTOCOL as error:
            raise _bad_response() from error
        estimate(request, response)
        reply.complete = True
        watch.relax()
        exchange.settle()
        yield [*events, completed(response, options)]


def _request_id(headers: Mapping[str, str]) -> str:
    """The provider's id of the request, by OpenAI's name for it or by Mistral's."""
    return headers.get("x-request-id") or headers.get("mistral-correlation-id") or ""


def _bad_response() -> GatewayError:
    return GatewayError(
        reason=Reason.PROVIDER_BAD_RESPONSE, text="The provider answered something that is not its protocol."
    )
