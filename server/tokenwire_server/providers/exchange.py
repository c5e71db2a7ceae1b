"""One exchange with a provider: the request sent under its limits, the attempt written down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Final, NoReturn, Protocol, Self, TypeVar
from urllib.parse import urlencode

import orjson
from google.protobuf import json_format

from tokenwire.v1 import common_pb2
from tokenwire.v1.errors_pb2 import ERROR_REASON_UNSPECIFIED, FIRST_TOKEN_TIMEOUT
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import UNBOUNDED, Call, fill, now
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.providers.http import HttpClient, Reply
from tokenwire_server.providers.http1.request import Request, request
from tokenwire_server.providers.jsontext import JsonObject
from tokenwire_server.providers.patience import Patience
from tokenwire_server.secret import Secret
from tokenwire_server.settings import Provider
from tokenwire_server.watch import Watch

T = TypeVar("T")

_OK: Final = int(HTTPStatus.OK)
_ERROR_BODY: Final = 64 * 1024
_ERROR_BODY_SECONDS: Final = 5.0

NOT_THE_PROTOCOL: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    json_format.Error,
)
"""What decoding trips over when a provider answers something else than it documents."""


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

    def headers(self, own: Secret | None = None) -> Mapping[str, str]:
        """Those of a request, credentials included: ours, or the caller's `own`. Names are in lower case.
        Ours are the same object until one of them changes."""
        ...


class Exchange:
    """One attempt under way. Leaving its block writes down the outcome."""

    def __init__(self, call: Call, provider: str, patience: Patience) -> None:
        self.watch: Final = Watch(call.deadline, patience.total)
        self.reply: Reply
        self.attempt: Final = common_pb2.Attempt(provider=provider, model=call.target.model)
        self._call = call
        self._began = now()
        call.attempts.append(self.attempt)

    def settle(self, reason: "Reason.ValueType" = ERROR_REASON_UNSPECIFIED) -> None:
        """Writes down the outcome; the first one counts."""
        if not self.attempt.HasField("duration"):
            seconds = now() - self._began
            self._call.upstream_seconds += seconds
            fill(self.attempt.duration, seconds)
            if reason:
                self.attempt.reason, self.attempt.code = reason, TABLE[reason].code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.settle()
        elif isinstance(error, GatewayError):
            if self._call.provider_key and error.reason == Reason.PROVIDER_CREDENTIALS_INVALID:
                error.reason = Reason.PROVIDER_KEY_INVALID
                error.text = "The provider refused the key that the caller gave."
            self.settle(error.reason)
        else:
            self.settle(Reason.CANCELLED if isinstance(error, asyncio.CancelledError) else Reason.INTERNAL)


class Exchanger:
    """Sends the requests of one provider."""

    def __init__(
        self,
        name: str,
        settings: Provider,
        identity: Identity,
        http: HttpClient,
        error: Callable[[int, Mapping[str, str], bytes], GatewayError],
    ) -> None:
        self._name = name
        self._settings = settings
        self._identity = identity
        self._http = http
        self._error = error
        self._query = f"?{urlencode(identity.query)}" if identity.query else ""
        self._posts: dict[str, tuple[Mapping[str, str], Request]] = {}
        """By path, with the headers that they were made from."""

    def _post(self, path: str, own: Secret | None) -> Request:
        """Made anew only when a header has changed. A caller's own key is not kept."""
        headers = self._identity.headers(own)
        made_from, post = self._posts.get(path, (None, None))
        if post is None or made_from is not headers:
            post = request("POST", self._url(path), headers)
            if own is None:
                self._posts[path] = headers, post
        return post

    def _url(self, path: str) -> str:
        return f"{self._identity.base_url}{path}{self._query}"

    async def answer(
        self, path: str, body: JsonObject, call: Call, patience: Patience, decode: Callable[[bytes], T]
    ) -> T:
        """Sends a request and gives what `decode` makes of the body of its reply, which has status 200;
        anything else is raised, and so is what `decode` raises. Not by `exchange`, whose generator alone
        is a twenty-fifth of a call."""
        post, data = self._post(path, call.provider_key), orjson.dumps(body)
        with Exchange(call, self._name, patience) as exchange, exchange.watch:
            exchange.watch.expect(patience.first_token, FIRST_TOKEN_TIMEOUT)
            async with self._http.send(post, data, patience.connect) as reply:
                await self._begun(exchange, reply, call)
                return decode(await reply.body(self._settings.max_response_bytes))

    @asynccontextmanager
    async def exchange(
        self, path: str, body: JsonObject, call: Call, patience: Patience
    ) -> AsyncIterator[Exchange]:
        """The same for a reply that is read as it comes. Its reader bounds by the exchange's watch what comes
        after the first content."""
        post, data = self._post(path, call.provider_key), orjson.dumps(body)
        with Exchange(call, self._name, patience) as exchange, exchange.watch:
            exchange.watch.expect(patience.first_token, FIRST_TOKEN_TIMEOUT)
            async with self._http.send(post, data, patience.connect) as reply:
                await self._begun(exchange, reply, call)
                yield exchange

    async def _begun(self, exchange: Exchange, reply: Reply, call: Call) -> None:
        """The head of the reply has come."""
        exchange.reply = reply
        exchange.attempt.upstream_status = reply.status
        call.upstream_request_id = _request_id(reply.headers)
        if reply.status != _OK:
            await self._refuse(reply)

    async def get(self, path: str, cap: int, seconds: float) -> bytes:
        """The body of a GET with the gateway's key, which is no attempt of any call.

        Takes so many seconds at most; a body of more than `cap` bytes is RESPONSE_TOO_LARGE.
        """
        get = request("GET", self._url(path), self._identity.headers())
        with Watch(UNBOUNDED, seconds):
            async with self._http.send(get, b"", self._settings.timeouts.connect) as reply:
                if reply.status != _OK:
                    await self._refuse(reply)
                return await reply.body(cap)

    async def _refuse(self, reply: Reply) -> NoReturn:
        """Raises what a reply means that is not of status 200."""
        refusal = await reply.start_of_body(_ERROR_BODY, _ERROR_BODY_SECONDS)
        raise self._error(reply.status, reply.headers, refusal)


def _request_id(headers: Mapping[str, str]) -> str:
    """The provider's id of the request, by OpenAI's name for it or by Mistral's."""
    return headers.get("x-request-id") or headers.get("mistral-correlation-id") or ""


@contextmanager
def decoding() -> Iterator[None]:
    """Whatever decoding trips over is the provider's failure."""
    try:
        yield
    except NOT_THE_PROTOCOL as error:
        raise bad_response() from error


def bad_response() -> GatewayError:
    """PROVIDER_BAD_RESPONSE."""
    return GatewayError(
        reason=Reason.PROVIDER_BAD_RESPONSE, text="The provider answered something that is not its protocol."
    )
