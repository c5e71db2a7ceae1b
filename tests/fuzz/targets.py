"""What is fuzzed: functions that take any bytes, and raise only where the code under test is wrong."""

import itertools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeAlias, TypeVar

import orjson
from fuzz import http1, lists
from google.protobuf.message import DecodeError
from unit.providers.stream_rules import check_stream

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.providers import mistral, openai_chat, openai_responses
from tokenwire_server.providers.assembler import Assembler, completed
from tokenwire_server.providers.codec import Codec, Defaults, Job
from tokenwire_server.providers.exchange import NOT_THE_PROTOCOL
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.parameters import omissions
from tokenwire_server.providers.retry_after import retry_after
from tokenwire_server.providers.sse import SseReader
from tokenwire_server.rpc.status import status_of
from tokenwire_server.rpc.validate import validate
from tokenwire_server.rpc.validate_embed import validate_embed
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

Target: TypeAlias = Callable[[bytes], None]
T = TypeVar("T")

CODECS: Final = {
    "openai-chat": openai_chat.CODEC,
    "openai-responses": openai_responses.CODEC,
    "mistral": mistral.CODEC,
}
_ANY_SIZE: Final = 2**31
_MAX_EVENT: Final = 64
"""A cap that inputs of a fuzzer's size reach."""
_MAX_STATUS: Final = 3 * 1024
_YEAR: Final = 366 * 86_400.0
_LIMITS: Final = Server()
_REFUSED: Final = (*NOT_THE_PROTOCOL, GatewayError)


def sse(data: bytes) -> None:
    """However a stream is cut, the same events come out; what is pending is bounded. The first byte is the
    size of the pieces."""
    body, size = data[1:], 1 + (data[0] % 32 if data else 0)
    cut = [body[start : start + size] for start in range(0, len(body), size)]
    whole = _events([body], _ANY_SIZE)
    assert _events(cut, _ANY_SIZE) == whole
    blocks = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")
    capped = _outcome(lambda: _events(cut, _MAX_EVENT))
    if isinstance(capped, GatewayError):
        assert capped.reason == Reason.RESPONSE_TOO_LARGE
        assert max(map(len, blocks)) > _MAX_EVENT - 2  # the blank line may count
    else:
        assert capped == whole
        assert len(blocks[-1]) <= _MAX_EVENT + 2


def _outcome(act: Callable[[], T]) -> T | GatewayError:
    try:
        return act()
    except GatewayError as error:
        return error


def _events(reads: Iterable[bytes], max_event: int) -> list[bytes]:
    reader = SseReader(max_event, _ANY_SIZE)
    return list(itertools.chain.from_iterable(map(reader.feed, reads)))


def stream(codec: Codec, data: bytes) -> None:
    """A stream's body is refused, or gives events in the contract's order that say what the response says."""
    assembler = Assembler("p")
    decoder = codec.stream_decoder(assembler)
    events: list[pb.ChatStreamResponse] = []
    try:
        for event in SseReader(_ANY_SIZE, _ANY_SIZE).feed(data):
            pieces = assembler.pieces
            decoder.feed(event)
            assert assembler.pieces >= pieces
            events += assembler.take()
        if not assembler.finished():
            return
        events += assembler.start()
        response = assembler.whole()
    except _REFUSED:
        return
    check_stream([*events, completed(response, pb.StreamOptions())])


def reply(codec: Codec, data: bytes) -> None:
    """A body is refused, or gives a response that can be sent."""
    response = pb.ChatResponse(provider="p")
    try:
        codec.decode(loads(data), response)
    except _REFUSED:
        return
    response.SerializeToString()


def error(data: bytes) -> None:
    """Whatever a provider refuses with becomes an error of the table that fits into trailers. Two bytes are
    the status, the rest of the line is Retry-After."""
    status = 100 + int.from_bytes(data[:2], "big") % 500
    line, _, body = data[2:].partition(b"\n")
    headers = {"retry-after": line.decode("latin-1")}
    for codec in CODECS.values():
        found = codec.error(status, headers, body)
        assert found.reason in TABLE
        sent = status_of(found, Call("request", "Chat", 0.0), ())
        assert sum(len(key) + len(value) for key, value in sent.trailing_metadata) < _MAX_STATUS


def wait(data: bytes) -> None:
    """Each line is the value of a header that may say when to come back."""
    names = ("retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
    values = data.decode("latin-1").split("\n")
    headers = {name: value for name, value in zip(names, values, strict=False) if value}
    for status in (429, 503):
        seconds = retry_after(status, headers)
        assert seconds is None or 0 <= seconds <= _YEAR


def chat_request(data: bytes) -> None:
    """A request is refused with a path, or every codec writes it as JSON."""
    try:
        request = pb.ChatRequest.FromString(data)
    except DecodeError:
        return
    given = Unsupported(request.unsupported_parameters or common_pb2.UNSUPPORTED_PARAMETERS_DROP)
    if refusal := _outcome(lambda: validate(request, _LIMITS, given)):
        check_refusal(refusal)
        return
    for codec in CODECS.values():
        encoded = _outcome(partial(encode, codec, request, given.kept()))
        if isinstance(encoded, GatewayError):
            check_refusal(encoded)


def encode(codec: Codec, request: pb.ChatRequest, unsupported: Unsupported) -> bytes:
    """What the codec sends of a valid request."""
    omitted = omissions(request, codec.lacks, None, unsupported)
    return orjson.dumps(codec.encode(Job(request, "p", "m", Defaults(), unsupported, omitted)))


def check_refusal(refusal: GatewayError) -> None:
    """It says which fields are wrong."""
    assert refusal.reason in {Reason.INVALID_REQUEST, Reason.UNSUPPORTED_PARAMETER}
    assert refusal.violations
    assert all(violation.field for violation in refusal.violations)


def embed_request(data: bytes) -> None:
    """A request is taken, or refused with a path."""
    try:
        request = embed_pb2.EmbedRequest.FromString(data)
    except DecodeError:
        return
    if refusal := _outcome(lambda: validate_embed(request, _LIMITS, Unsupported())):
        check_refusal(refusal)


TARGETS: Final[dict[str, Target]] = {
    "sse": sse,
    **{f"{name}-stream": partial(stream, codec) for name, codec in CODECS.items()},
    **{f"{name}-reply": partial(reply, codec) for name, codec in CODECS.items()},
    "error": error,
    "retry-after": wait,
    "chat-request": chat_request,
    "embed-request": embed_request,
    "http1": http1.reply,
    "packed-body": http1.packed,
    "embeddings": lists.embeddings,
    "models": lists.models,
}
"""By the names of their folders in `corpus`."""
