"""What the official SDK and this gateway send upstream for one request, and how the two are compared."""

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web
from mistralai.client import Mistral
from openai import AsyncOpenAI
from pydantic import TypeAdapter

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.backend import Backend
from tokenwire_server.call import Call, Target, now
from tokenwire_server.catalog import Row, load
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.provider import ProviderBackend
from tokenwire_server.providers.registry import provider_backend
from tokenwire_server.settings import Defaults, Provider

MODEL = "unlisted-model"
"""One that the catalog does not know, so that nothing but the codec decides what is sent."""

_PROVIDER: TypeAdapter[Provider] = TypeAdapter(Provider)
_UNARY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
_CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": MODEL,
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "model": MODEL,
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


@dataclass(frozen=True, slots=True)
class Case:
    """One request, said in our contract and as arguments of the SDK's call."""

    name: str
    request: pb.ChatRequest
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Capture:
    """A provider that writes down each request and gives each the same answer."""

    url: str = ""
    sent: list[Sent] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if len(headers) < len(request.headers):
            return web.Response(status=400, text="a header came twice")
        self.sent.append(Sent(request.method, request.path_qs, headers, body))
        responses = request.path.endswith("/responses")
        if not json.loads(body).get("stream"):
            return web.json_response(_RESPONSE if responses else _UNARY)
        text = f"data: {json.dumps(_CHUNK)}\n\ndata: [DONE]\n\n"
        if responses:
            event = {"type": "response.completed", "sequence_number": 0, "response": _RESPONSE}
            text = f"event: response.completed\ndata: {json.dumps(event)}\n\n"
        return web.Response(text=text, content_type="text/event-stream")

    def only(self) -> Sent:
        """The one request that has come since the last call."""
        (sent,) = self.sent
        self.sent.clear()
        return sent


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serves an application on a free port of this machine; gives its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def capturing() -> AsyncIterator[Capture]:
    """A running Capture."""
    capture = Capture()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", capture.answer)
    async with listening(app) as address:
        capture.url = f"{address}/v1"
        yield capture


@asynccontextmanager
async def gateway(
    url: str,
    defaults: Defaults | None = None,
    *,
    kind: str = "openai",
    rows: Iterable[Row] = (),
    **settings: Any,
) -> AsyncIterator[ProviderBackend]:
    """A provider of ours as the server makes it, with its kind as its name and its base URL at `url`; `rows`
    come before the catalog's."""
    given = {"kind": kind, "api_key": "sk-test", "base_url": url, **settings}
    provider: Provider = _PROVIDER.validate_python(given)
    http = HttpClient()
    try:
        yield provider_backend(kind, provider, defaults or Defaults(), http, load(rows))
    finally:
        await http.close()


def new_call(model: str = MODEL) -> Call:
    """A call of ours, resolved to a model of the provider."""
    return Call("request-1", "Chat", now(), target=Target("openai", model))


async def our_stream(
    backend: Backend, request: pb.ChatRequest, call: Call | None = None
) -> list[pb.ChatStreamResponse]:
    """All events of one stream."""
    async with backend.stream(request, call or new_call()) as reads:
        return [event async for read in reads for event in read]


@dataclass(frozen=True, slots=True)
class Senders:
    """This gateway and the official SDK, side by side before one Capture."""

    capture: Capture
    backend: Backend
    ask_sdk: Callable[[Mapping[str, Any], bool], Awaitable[None]]
    """Makes the SDK's call, as a stream or not."""

    async def ours(self, request: pb.ChatRequest, *, stream: bool = False) -> Sent:
        """What this gateway sends."""
        if stream:
            await our_stream(self.backend, request)
        else:
            await self.backend.chat(request, new_call())
        return self.capture.only()

    async def theirs(self, arguments: Mapping[str, Any], *, stream: bool = False) -> Sent:
        """What the official SDK sends."""
        await self.ask_sdk({"model": MODEL, **arguments}, stream)
        return self.capture.only()


@asynccontextmanager
async def sending() -> AsyncIterator[Senders]:
    """Senders to OpenAI, connected."""
    async with (
        capturing() as capture,
        gateway(capture.url) as backend,
        AsyncOpenAI(api_key="sk-test", base_url=capture.url, max_retries=0) as sdk,
    ):

        async def ask(arguments: Mapping[str, Any], stream: bool) -> None:  # noqa: FBT001 (a parameter of the test)
            if stream:
                options = {"include_usage": True, "include_obfuscation": False}
                arguments = {**arguments, "stream": True, "stream_options": options}
            reply = await sdk.chat.completions.create(**arguments)
            if stream:
                await reply.close()

        yield Senders(capture, backend, ask)


@asynccontextmanager
async def sending_responses(**known: Any) -> AsyncIterator[Senders]:
    """Senders to OpenAI's Responses API; `known` is what the catalog knows of the model besides."""
    async with (
        capturing() as capture,
        gateway(capture.url, rows=[responses_row(**known)]) as backend,
        AsyncOpenAI(api_key="sk-test", base_url=capture.url, max_retries=0) as sdk,
    ):

        async def ask(arguments: Mapping[str, Any], stream: bool) -> None:  # noqa: FBT001 (a parameter of the test)
            if stream:
                options = {"include_obfuscation": False}
                arguments = {**arguments, "stream": True, "stream_options": options}
            reply = await sdk.responses.create(**arguments)
            if stream:
                await reply.close()

        yield Senders(capture, backend, ask)


def responses_row(**known: Any) -> Row:
    """What makes MODEL one of the Responses API."""
    return Row.model_validate({"kind": "openai", "match": MODEL, "endpoint": "responses", **known})


@asynccontextmanager
async def sending_to_mistral() -> AsyncIterator[Senders]:
    """Senders to Mistral, connected."""
    async with capturing() as capture:
        root = capture.url.removesuffix("/v1")
        async with (
            gateway(root, kind="mistral") as backend,
            Mistral(api_key="sk-test", server_url=root) as sdk,
        ):

            async def ask(arguments: Mapping[str, Any], stream: bool) -> None:  # noqa: FBT001 (a parameter of the test)
                if stream:
                    async with await sdk.chat.stream_async(**arguments) as events:
                        assert [event async for event in events]
                else:
                    await sdk.chat.complete_async(**arguments)

            yield Senders(capture, backend, ask)


def canonical(body: bytes) -> Any:
    """A JSON text as a value that is equal only to that of an equal text.

    Order of keys and notation of numbers mean nothing in JSON (0 is 0.0); all else does: true is not 1.
    """
    return json.loads(
        body, object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_refuse
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _number(text: str) -> tuple[str, Decimal]:
    return "number", Decimal(text)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def mutations(body: Any) -> Iterator[tuple[str, bytes]]:
    """The body with one small change each, and what was changed."""
    for path in _paths(body):
        for name, changed in _changes(_at(body, path)):
            mutated = copy.deepcopy(body)
            if path:
                _at(mutated, path[:-1])[path[-1]] = changed
            else:
                mutated = changed
            yield f"{name} at {'.'.join(map(str, path))}", json.dumps(mutated).encode()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from _paths(value[key], (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _changes(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            yield "key added", {**value, "added": None}
            for key in value:
                rest = {other: value[other] for other in value if other != key}
                yield f"{key} dropped", rest
                yield f"{key} renamed", {**rest, f"{key}_": value[key]}
        case list():
            yield "item added", [*value, None]
            if value:
                yield "item dropped", value[:-1]
            if value[::-1] != value:
                yield "reordered", value[::-1]
        case bool():
            yield "flipped", not value
            yield "as number", int(value)
        case int() | float():
            yield "other number", value + 1
            yield "as text", str(value)
            yield "as null", None
        case str():
            yield "other text", value + " "
            yield "as list", [value]
        case None:
            yield "as text", ""
