"""The field mapping table's machinery: rows, one for each field of a request, and what becomes of them."""

import functools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor
from pydantic import TypeAdapter
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server import catalog
from tokenwire_server.backend import Backend
from tokenwire_server.call import Call, Target, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http import HttpClient, Reply
from tokenwire_server.providers.http1.request import Request
from tokenwire_server.providers.registry import provider_backend
from tokenwire_server.settings import Defaults, Provider
from tokenwire_server.unsupported import Unsupported

KINDS = ("openai", "openai_compatible", "mistral")
OWN, OTHER = "own", "other"
"""The name of the provider that is called, and of one that is not."""
MODEL = "unlisted-model"
"""One that the catalog does not know."""

Mode: TypeAlias = "common_pb2.UnsupportedParameters.ValueType"
Code: TypeAlias = "common_pb2.WarningCode.ValueType"
REJECT = common_pb2.UNSUPPORTED_PARAMETERS_REJECT
DROP = common_pb2.UNSUPPORTED_PARAMETERS_DROP
DROP_SAMPLING = common_pb2.UNSUPPORTED_PARAMETERS_DROP_SAMPLING
MODES = (REJECT, DROP, DROP_SAMPLING)

PARAMETER_DROPPED = common_pb2.WARNING_CODE_PARAMETER_DROPPED
PART_DROPPED = common_pb2.WARNING_CODE_PART_DROPPED
STATE_DROPPED = common_pb2.WARNING_CODE_PROVIDER_STATE_DROPPED


@dataclass(frozen=True, slots=True)
class Cell:
    """What one kind of provider receives besides BASE, unless the mode refuses the field at `path`."""

    fields: Mapping[str, Any]
    path: str = ""
    code: Code = common_pb2.WARNING_CODE_UNSPECIFIED
    refusing: tuple[Mode, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A request with one field set, and the cells of KINDS."""

    field: str
    request: pb.ChatRequest
    cells: Mapping[str, Cell]
    what: str = ""

    @property
    def name(self) -> str:
        return f"{self.field} {self.what}".strip().replace(" ", "-")


def sent(**fields: Any) -> Cell:
    """These fields are sent; the call has no warning."""
    return Cell(fields)


def lacks(path: str, code: Code = PARAMETER_DROPPED, **fields: Any) -> Cell:
    """The provider has no such thing: refused, or left out under DROP."""
    return Cell(fields, path, code, (REJECT, DROP_SAMPLING))


def sampling(path: str, **fields: Any) -> Cell:
    """The same for a sampling parameter, which DROP_SAMPLING leaves out too."""
    return Cell(fields, path, PARAMETER_DROPPED, (REJECT,))


def foreign(path: str, code: Code, **fields: Any) -> Cell:
    """Something of another provider's: always left out."""
    return Cell(fields, path, code)


def row(field: str, request: pb.ChatRequest, *cells: Cell, what: str = "") -> Row:
    """One cell for all kinds; or two, the second for Mistral alone; or three."""
    columns = cells if len(cells) == len(KINDS) else (cells[0], cells[0], cells[-1])
    return Row(field, request, dict(zip(KINDS, columns, strict=True)), what)


def hi(**fields: Any) -> pb.ChatRequest:
    """The request of BASE, with more fields."""
    return ask("Hi", **{"model": MODEL, **fields})


BASE: Mapping[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


def text_of(body: object) -> str:
    """JSON that is equal for equal values only: 1, 1.0 and true differ."""
    return json.dumps(body, sort_keys=True)


class Sink(HttpClient):
    """Keeps what would be sent, and sends nothing."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    @asynccontextmanager
    async def send(self, request: Request, body: bytes, connect_seconds: float) -> AsyncIterator[Reply]:
        self.sent.append(body)
        raise GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text="Nothing is sent.")
        yield


_PROVIDER: TypeAdapter[Provider] = TypeAdapter(Provider)


def made(kind: str, defaults: Defaults | None = None, **settings: Any) -> tuple[Backend, Sink]:
    """A provider as the server makes it, with nothing behind it."""
    url = "http://127.0.0.1:9" + ("" if kind == "mistral" else "/v1")
    given = {"kind": kind, "api_key": "sk-test", "base_url": url, **settings}
    sink = Sink()
    provider = _PROVIDER.validate_python(given)
    return provider_backend(OWN, provider, defaults or Defaults(), sink, catalog.load()), sink


usual = functools.cache(made)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The body that went out, if one did, and the call's warnings."""

    body: Any
    warnings: list[tuple[str, Code]]
    refusal: GatewayError | None = None


async def outcome(
    request: pb.ChatRequest, mode: Mode, provider: tuple[Backend, Sink], *, stream: bool = False
) -> Outcome:
    """What becomes of a request."""
    backend, sink = provider
    sink.sent.clear()
    call = Call("r-1", "Chat", now(), target=Target(OWN, request.model), unsupported=Unsupported(mode))
    try:
        if stream:
            async with backend.stream(request, call):
                raise AssertionError("a reply without a provider")
        await backend.chat(request, call)
    except GatewayError as error:
        assert all(warning.text for warning in call.unsupported.warnings)
        warnings = [(warning.field, warning.code) for warning in call.unsupported.warnings]
        if sink.sent:
            return Outcome(json.loads(sink.sent[0]), warnings)
        return Outcome(None, warnings, error)
    raise AssertionError("an answer without a provider")


def fields_of(message: Descriptor, seen: set[str] | None = None) -> Iterator[str]:
    """All fields of a message and of the messages in it, as `Message.field`."""
    seen = set() if seen is None else seen
    seen.add(message.full_name)
    for field in message.fields:
        yield f"{message.name}.{field.name}"
        inner = field.message_type
        if inner is None or inner.full_name in seen or inner.GetOptions().map_entry:
            continue
        if inner.file.package == message.file.package:
            yield from fields_of(inner, seen)
