"""Every error of a provider, as the caller sees it: our words, our reason, nothing of the body."""

import json
from collections.abc import Mapping
from email.utils import formatdate
from time import time

import pytest
from support.ask import ask
from support.gateway import KEY, SECONDS, Gateway
from support.status import Failure, collect, failure

from tokenwire_server.simulator import Script

CANARY = "canary-of-the-providers-text"

NAMED = {
    "bad_request": ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    "context_length": ("INVALID_ARGUMENT", "CONTEXT_LENGTH_EXCEEDED"),
    "content_policy": ("INVALID_ARGUMENT", "CONTENT_BLOCKED"),
    "invalid_prompt": ("INVALID_ARGUMENT", "CONTENT_BLOCKED"),
    "invalid_api_key": ("FAILED_PRECONDITION", "PROVIDER_CREDENTIALS_INVALID"),
    "permission": ("PERMISSION_DENIED", "PROVIDER_PERMISSION_DENIED"),
    "region": ("PERMISSION_DENIED", "PROVIDER_PERMISSION_DENIED"),
    "model_not_found": ("NOT_FOUND", "MODEL_NOT_FOUND"),
    "timeout408": ("UNAVAILABLE", "UPSTREAM_TIMEOUT"),
    "conflict409": ("ABORTED", "CONFLICT"),
    "too_large413": ("INVALID_ARGUMENT", "REQUEST_TOO_LARGE"),
    "unprocessable422": ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    "rate_limit": ("RESOURCE_EXHAUSTED", "PROVIDER_RATE_LIMITED"),
    "rate_limit_tokens": ("RESOURCE_EXHAUSTED", "PROVIDER_RATE_LIMITED"),
    "insufficient_quota": ("RESOURCE_EXHAUSTED", "INSUFFICIENT_QUOTA"),
    "server_error": ("UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
    "overloaded": ("UNAVAILABLE", "PROVIDER_OVERLOADED"),
}

STATUSES = {
    400: ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    401: ("FAILED_PRECONDITION", "PROVIDER_CREDENTIALS_INVALID"),
    403: ("PERMISSION_DENIED", "PROVIDER_PERMISSION_DENIED"),
    404: ("NOT_FOUND", "MODEL_NOT_FOUND"),
    405: ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    408: ("UNAVAILABLE", "UPSTREAM_TIMEOUT"),
    409: ("ABORTED", "CONFLICT"),
    413: ("INVALID_ARGUMENT", "REQUEST_TOO_LARGE"),
    422: ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    429: ("RESOURCE_EXHAUSTED", "PROVIDER_RATE_LIMITED"),
    500: ("UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
    502: ("UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
    503: ("UNAVAILABLE", "PROVIDER_OVERLOADED"),
    504: ("UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
    599: ("UNAVAILABLE", "PROVIDER_UNAVAILABLE"),
}


async def fails(gateway: Gateway, rpc: str = "Chat") -> Failure:
    if rpc == "Chat":
        return await failure(gateway.stub.Chat(ask(), timeout=SECONDS))
    return await failure(collect(gateway.stub.ChatStream(ask(), timeout=SECONDS)))


@pytest.mark.parametrize("rpc", ["Chat", "ChatStream"])
@pytest.mark.parametrize("name", NAMED)
async def test_a_named_error_has_its_reason(gateway: Gateway, rpc: str, name: str) -> None:
    gateway.simulator.script(Script(error=name))
    failed = await fails(gateway, rpc)
    assert (failed.code, failed.reason) == NAMED[name]
    (received,) = gateway.simulator.received
    metadata = failed.info.metadata
    assert (metadata["provider"], metadata["model"]) == ("openai", "gpt-4o-mini")
    assert metadata["upstream_status"] == str(received.status)
    assert metadata["attempts"] == "1"
    assert failed.trailers["x-tokenwire-upstream-request-id"]
    line = await gateway.lines.wait()
    assert (line["code"], line["reason"]) == NAMED[name]
    await gateway.works()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("body", [f"<html>{CANARY}</html>", "", f'{{"message":"{CANARY}"}}'])
async def test_a_status_with_any_body_has_its_reason(gateway: Gateway, status: int, body: str) -> None:
    gateway.simulator.script(Script(status=status, raw=body))
    failed = await fails(gateway)
    assert (failed.code, failed.reason) == STATUSES[status]
    assert CANARY not in failed.everything


@pytest.mark.parametrize("rpc", ["Chat", "ChatStream"])
@pytest.mark.parametrize("field", ["message", "type", "code", "param"])
async def test_no_text_of_the_provider_gets_out(gateway: Gateway, rpc: str, field: str) -> None:
    text = f"You said: “{CANARY}”, with key {KEY}!"
    gateway.simulator.script(Script(status=400, error={"error": {field: text}}))
    failed = await fails(gateway, rpc)
    assert failed.reason == "INVALID_REQUEST"
    assert CANARY not in failed.everything
    assert KEY not in failed.everything


@pytest.mark.parametrize("name", sorted(set(NAMED) - {"server_error"}))
async def test_an_error_within_a_stream_has_its_reason(gateway: Gateway, name: str) -> None:
    gateway.simulator.script(Script(after=2, error_event=name))
    failed = await fails(gateway, "ChatStream")
    code = {"bad_request", "permission", "timeout408", "conflict409", "too_large413", "unprocessable422"}
    expected = ("UNAVAILABLE", "PROVIDER_UNAVAILABLE") if name in code else NAMED[name]
    assert (failed.code, failed.reason) == expected


async def test_an_error_events_text_does_not_get_out(gateway: Gateway) -> None:
    event: dict[str, object] = {"error": {"message": CANARY, "type": "server_error", "code": 503}}
    gateway.simulator.script(Script(after=1, error_event=event))
    failed = await fails(gateway, "ChatStream")
    assert failed.code == "UNAVAILABLE"
    assert CANARY not in failed.everything


async def test_a_refused_parameter_is_named_by_our_path(gateway: Gateway) -> None:
    error = {"code": "unsupported_value", "param": "max_completion_tokens", "message": CANARY}
    gateway.simulator.script(Script(status=400, error={"error": error}))
    failed = await fails(gateway)
    assert (failed.reason, failed.fields) == ("UNSUPPORTED_PARAMETER", ["config.max_output_tokens"])
    assert failed.info.metadata["upstream_code"] == "unsupported_value"


async def test_what_the_simulated_model_refuses_is_named_too(gateway: Gateway) -> None:
    request = ask(model="openai/o3-mini")
    request.config.logprobs = True
    failed = await failure(gateway.stub.Chat(request))
    assert (failed.reason, failed.fields) == ("UNSUPPORTED_PARAMETER", ["config.logprobs"])


RESETS = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
RETRY: Mapping[str, tuple[Mapping[str, str | None], float]] = {
    "seconds": ({"retry-after": "7"}, 7.0),
    "fraction": ({"retry-after": "0.25"}, 0.25),
    "milliseconds": ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    "nothing": ({"retry-after": None, **dict.fromkeys(RESETS)}, 5.0),
    "the reset of a limit": ({"retry-after": None, "x-ratelimit-reset-tokens": "1m30s"}, 90.0),
    "no number": ({"retry-after": "soon"}, 5.0),
    "nan": ({"retry-after": "nan"}, 5.0),
    "negative": ({"retry-after": "-3"}, 5.0),
    "a past date": ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    "a day": ({"retry-after": "86400"}, 86_400.0),
    "for ever": ({"retry-after": "1e300"}, 5.0),
    "a date far away": ({"retry-after": "Wed, 21 Oct 9999 07:28:00 GMT"}, 5.0),
}


@pytest.mark.parametrize("name", RETRY)
async def test_retry_info_says_what_the_provider_said(gateway: Gateway, name: str) -> None:
    headers, told = RETRY[name]
    gateway.simulator.script(Script(error="rate_limit", headers=headers))
    failed = await fails(gateway)
    assert (failed.reason, failed.retry_after) == ("PROVIDER_RATE_LIMITED", told)
    assert failed.info.metadata["limited_by"] == "provider"
    assert failed.trailers["grpc-retry-pushback-ms"] == "-1"


async def test_retry_info_takes_a_date(gateway: Gateway) -> None:
    date = formatdate(time() + 30, usegmt=True)
    gateway.simulator.script(Script(error="rate_limit", headers={"retry-after": date}))
    failed = await fails(gateway)
    assert failed.retry_after is not None
    assert 20 < failed.retry_after <= 30


async def test_a_quota_that_is_used_up_is_not_tried_again(gateway: Gateway) -> None:
    gateway.simulator.script(Script(error="insufficient_quota"))
    failed = await fails(gateway)
    assert failed.trailers["grpc-retry-pushback-ms"] == "-1"
    assert failed.retry_after is None


async def test_an_error_body_without_end_is_left(gateway: Gateway) -> None:
    body = json.dumps({"error": {"code": "context_length_exceeded", "message": "x" * 5_000_000}})
    gateway.simulator.script(Script(status=400, raw=body))
    failed = await fails(gateway)
    assert failed.reason == "INVALID_REQUEST", "so much of a body is not read"
    await gateway.works()
