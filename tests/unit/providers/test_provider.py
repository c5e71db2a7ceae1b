"""A provider's Backend: what its replies and streams come to, and what is written down of the attempt."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from oracle.capture import MODEL, gateway, listening, new_call, our_stream
from unit.providers.upstream import chunk, reply

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.backend import Backend
from tokenwire_server.errors import TABLE, GatewayError

ASK = pb.ChatRequest(messages=[pb.ChatMessage(role=pb.ROLE_USER, text="Hi")])
HI = chunk({"content": "Hi"})
STOP = chunk(finish="stop")
DONE = "data: [DONE]\n\n"
STREAM = "text/event-stream"
LIMITS: dict[str, Any] = {"max_event_bytes": 1000, "max_response_bytes": 3000}


class Upstream:
    """A provider that gives every request the same answer."""

    status = 200
    content_type = STREAM
    body = b""

    async def answer(self, _request: web.Request) -> web.Response:
        headers = {"content-type": self.content_type, "x-request-id": "req-7", "retry-after": "9"}
        return web.Response(status=self.status, body=self.body, headers=headers)

    def events(self, *chunks: Any, end: str = DONE) -> None:
        self.body = ("".join(f"data: {json.dumps(item)}\n\n" for item in chunks) + end).encode()


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def backend(upstream: Upstream) -> AsyncIterator[Backend]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.answer)
    async with listening(app) as address, gateway(f"{address}/v1", **LIMITS) as running:
        yield running


async def failed(backend: Backend, *, stream: bool) -> GatewayError:
    """The error of a call, once it is known to be in the attempt too."""
    call = new_call()
    with pytest.raises(GatewayError) as raised:
        await (our_stream(backend, ASK, call) if stream else backend.chat(ASK, call))
    error = raised.value
    (attempt,) = call.attempts
    assert (attempt.provider, attempt.model) == ("openai", MODEL)
    assert (attempt.reason, attempt.code) == (error.reason, TABLE[error.reason].code)
    assert attempt.HasField("duration")
    assert call.upstream_request_id == "req-7"
    return error


async def test_a_stream_that_succeeds(upstream: Upstream, backend: Backend) -> None:
    upstream.events(HI, STOP)
    call = new_call()
    events = await our_stream(backend, ASK, call)
    assert events[-1].completed.response.choices[0].message.text == "Hi"
    (attempt,) = call.attempts
    assert (attempt.code, attempt.reason, attempt.upstream_status) == (0, 0, 200)
    assert call.output_pieces == 1


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_reasoning_of_any_server_is_traced(
    upstream: Upstream, backend: Backend, *, stream: bool
) -> None:
    thinking = {"reasoning_content": "Hm.", "content": "Hi"}
    request = pb.ChatRequest(messages=ASK.messages, reasoning=pb.ReasoningConfig(effort="low"))
    if stream:
        upstream.events(chunk(thinking), STOP)
        response = (await our_stream(backend, request))[-1].completed.response
    else:
        upstream.body = json.dumps(reply(thinking)).encode()
        response = await backend.chat(request, new_call())
    assert response.reasoning == pb.ReasoningTrace(effort="low", items_count=1)


async def test_a_finish_reason_without_the_marker_is_complete(upstream: Upstream, backend: Backend) -> None:
    upstream.events(HI, STOP, end="")
    events = await our_stream(backend, ASK)
    assert [event.WhichOneof("event") for event in events].count("completed") == 1


async def test_a_stream_without_content_is_complete(upstream: Upstream, backend: Backend) -> None:
    upstream.events(STOP)
    events = await our_stream(backend, ASK)
    assert [event.WhichOneof("event") for event in events] == ["started", "completed"]


@pytest.mark.parametrize(
    ("chunks", "end"),
    [
        ([HI], DONE),
        ([], DONE),
        ([], ""),
        ([HI], ""),
        ([HI], f"data: {json.dumps(STOP)}\n"),
        ([HI, chunk({"content": "b"}, index=1), STOP], DONE),
    ],
    ids=["marker alone", "only marker", "nothing", "no finish", "finish cut off", "one of two"],
)
async def test_a_stream_that_ends_too_soon_is_truncated(
    upstream: Upstream, backend: Backend, chunks: list[Any], end: str
) -> None:
    upstream.events(*chunks, end=end)
    assert (await failed(backend, stream=True)).reason == Reason.STREAM_TRUNCATED


@pytest.mark.parametrize(
    "item",
    [
        [],
        {},
        {"choices": None},
        chunk({"content": ["a"]}),
        chunk({"content": 7}),
        chunk({"content": "a"}, "stop", index=None),
        chunk({"content": "a"}, usage={"prompt_tokens": 2**31}),
    ],
    ids=str,
)
async def test_a_stream_of_another_shape_is_a_bad_response(
    upstream: Upstream, backend: Backend, item: Any
) -> None:
    upstream.events(HI, item, STOP)
    assert (await failed(backend, stream=True)).reason == Reason.PROVIDER_BAD_RESPONSE


@pytest.mark.parametrize("native", [7, True, ["stop"], {"a": 1}], ids=str)
async def test_a_finish_reason_that_is_no_text_is_a_bad_response(
    upstream: Upstream, backend: Backend, native: Any
) -> None:
    upstream.events(HI, chunk(finish=native))
    assert (await failed(backend, stream=True)).reason == Reason.PROVIDER_BAD_RESPONSE


@pytest.mark.parametrize("data", ["{", "1e999", '{"created": 1e999, "choices": []}', "<html>"])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_a_body_that_is_no_reply_is_a_bad_response(
    upstream: Upstream, backend: Backend, data: str, *, stream: bool
) -> None:
    upstream.body = f"data: {data}\n\n".encode() if stream else data.encode()
    assert (await failed(backend, stream=stream)).reason == Reason.PROVIDER_BAD_RESPONSE


async def test_a_stream_that_is_not_one_is_a_bad_response(upstream: Upstream, backend: Backend) -> None:
    upstream.content_type, upstream.body = "text/html", b"<html>"
    assert (await failed(backend, stream=True)).reason == Reason.PROVIDER_BAD_RESPONSE


@pytest.mark.parametrize(
    ("code", "reason"), [(429, "PROVIDER_RATE_LIMITED"), ("server_error", "PROVIDER_UNAVAILABLE")]
)
async def test_an_error_within_a_stream_is_the_calls(
    upstream: Upstream, backend: Backend, code: object, reason: str
) -> None:
    upstream.events(HI, {"error": {"code": code, "message": "secret"}}, STOP)
    error = await failed(backend, stream=True)
    assert Reason.Name(error.reason) == reason
    assert "secret" not in repr(error)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_an_error_status_is_read_with_its_body_and_headers(
    upstream: Upstream, backend: Backend, *, stream: bool
) -> None:
    upstream.status, upstream.content_type = 429, "application/json"
    upstream.body = b'{"error": {"code": "insufficient_quota", "message": "secret", "param": "n"}}'
    error = await failed(backend, stream=stream)
    assert error.reason == Reason.INSUFFICIENT_QUOTA
    assert error.retry_after == 9
    assert [violation.field for violation in error.violations] == ["config.candidate_count"]


async def test_answers_over_their_caps_are_refused(upstream: Upstream, backend: Backend) -> None:
    upstream.body = json.dumps(reply({"content": "x" * 4000})).encode()
    assert (await failed(backend, stream=False)).reason == Reason.RESPONSE_TOO_LARGE
    for chunks in ([chunk({"content": "x" * 1100})], [HI] * 60):
        upstream.events(*chunks, STOP)
        assert (await failed(backend, stream=True)).reason == Reason.RESPONSE_TOO_LARGE
