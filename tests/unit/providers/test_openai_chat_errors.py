"""Which error of the provider is which of ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.providers.openai_chat.errors import error, stream_error

SECRET = "sk-canary and the prompt"


def body(code: object = None, kind: object = None, param: object = None) -> bytes:
    return json.dumps({"error": {"message": SECRET, "code": code, "type": kind, "param": param}}).encode()


def reason_of(found: GatewayError) -> str:
    return Reason.Name(found.reason)


INVALID = "invalid_request_error"

ROWS: list[tuple[int, object, object, str]] = [
    # By status alone
    (300, None, None, "PROVIDER_BAD_RESPONSE"),
    (302, None, None, "PROVIDER_BAD_RESPONSE"),
    (204, None, None, "PROVIDER_BAD_RESPONSE"),
    (400, None, None, "INVALID_REQUEST"),
    (401, None, None, "PROVIDER_CREDENTIALS_INVALID"),
    (402, None, None, "INSUFFICIENT_QUOTA"),
    (403, None, None, "PROVIDER_PERMISSION_DENIED"),
    (404, None, None, "MODEL_NOT_FOUND"),
    (405, None, None, "INVALID_REQUEST"),
    (408, None, None, "UPSTREAM_TIMEOUT"),
    (409, None, None, "CONFLICT"),
    (413, None, None, "REQUEST_TOO_LARGE"),
    (418, None, None, "INVALID_REQUEST"),
    (422, None, None, "INVALID_REQUEST"),
    (429, None, None, "PROVIDER_RATE_LIMITED"),
    (499, None, None, "INVALID_REQUEST"),
    (500, None, None, "PROVIDER_UNAVAILABLE"),
    (502, None, None, "PROVIDER_UNAVAILABLE"),
    (503, None, None, "PROVIDER_OVERLOADED"),
    (504, None, None, "PROVIDER_UNAVAILABLE"),
    (520, None, None, "PROVIDER_UNAVAILABLE"),
    (529, None, None, "PROVIDER_OVERLOADED"),
    # By code
    (400, "context_length_exceeded", INVALID, "CONTEXT_LENGTH_EXCEEDED"),
    (400, "unsupported_parameter", INVALID, "UNSUPPORTED_PARAMETER"),
    (400, "unsupported_value", INVALID, "UNSUPPORTED_PARAMETER"),
    (400, "content_policy_violation", INVALID, "CONTENT_BLOCKED"),
    (400, "content_filter", None, "CONTENT_BLOCKED"),
    (400, "invalid_prompt", INVALID, "CONTENT_BLOCKED"),
    (400, "bio_policy", INVALID, "CONTENT_BLOCKED"),
    (400, "model_not_found", INVALID, "MODEL_NOT_FOUND"),
    (404, "model_not_found", INVALID, "MODEL_NOT_FOUND"),
    (401, "invalid_api_key", INVALID, "PROVIDER_CREDENTIALS_INVALID"),
    (403, "account_deactivated", INVALID, "PROVIDER_CREDENTIALS_INVALID"),
    (403, "unsupported_country_region_territory", "request_forbidden", "PROVIDER_PERMISSION_DENIED"),
    (429, "insufficient_quota", "insufficient_quota", "INSUFFICIENT_QUOTA"),
    (429, "billing_hard_limit_reached", INVALID, "INSUFFICIENT_QUOTA"),
    (429, "billing_not_active", "billing_not_active", "INSUFFICIENT_QUOTA"),
    (429, "rate_limit_exceeded", "tokens", "PROVIDER_RATE_LIMITED"),
    (429, "engine_overloaded", None, "PROVIDER_OVERLOADED"),
    (429, "slow_down", None, "PROVIDER_OVERLOADED"),
    (500, "server_is_overloaded", "service_unavailable_error", "PROVIDER_OVERLOADED"),
    (503, "server_error", None, "PROVIDER_UNAVAILABLE"),
    # By type, where the code says nothing
    (429, None, "insufficient_quota", "INSUFFICIENT_QUOTA"),
    (400, "unheard_of", "tokens", "PROVIDER_RATE_LIMITED"),
    (400, None, "requests", "PROVIDER_RATE_LIMITED"),
    (400, None, "rate_limit_error", "PROVIDER_RATE_LIMITED"),
    (500, None, "overloaded_error", "PROVIDER_OVERLOADED"),
    (400, None, "authentication_error", "PROVIDER_CREDENTIALS_INVALID"),
    (400, None, "permission_error", "PROVIDER_PERMISSION_DENIED"),
    (400, None, INVALID, "INVALID_REQUEST"),
    (500, None, "server_error", "PROVIDER_UNAVAILABLE"),
    # Neither says anything
    (429, 7, {"a": 1}, "PROVIDER_RATE_LIMITED"),
    (500, ["context_length_exceeded"], 1.5, "PROVIDER_UNAVAILABLE"),
    (400, "Context length exceeded!", SECRET, "INVALID_REQUEST"),
]


@pytest.mark.parametrize(("status", "code", "kind", "reason"), ROWS)
def test_code_then_type_then_status_decide(status: int, code: object, kind: object, reason: str) -> None:
    found = error(status, {}, body(code, kind))
    assert reason_of(found) == reason
    assert found.upstream.status == status
    assert found.retry_after is None
    assert found.violations == []


def test_the_providers_code_is_kept_or_else_its_type() -> None:
    assert error(400, {}, body("a_code", "a_type")).upstream.code == "a_code"
    assert error(400, {}, body(None, "a_type")).upstream.code == "a_type"
    assert error(429, {}, body(1300, "a_type")).upstream.code == "1300"
    assert error(400, {}, body("has spaces", "has\nlines")).upstream.code == ""
    assert error(400, {}, body("x" * 101)).upstream.code == ""


@pytest.mark.parametrize(
    ("param", "path"),
    [
        ("temperature", "config.temperature"),
        ("top_p", "config.top_p"),
        ("max_completion_tokens", "config.max_output_tokens"),
        ("max_tokens", "config.max_output_tokens"),
        ("n", "config.candidate_count"),
        ("stop", "config.stop"),
        ("seed", "config.seed"),
        ("frequency_penalty", "config.frequency_penalty"),
        ("presence_penalty", "config.presence_penalty"),
        ("logprobs", "config.logprobs"),
        ("top_logprobs", "config.top_logprobs"),
        ("verbosity", "config.verbosity"),
        ("logit_bias.50256", "config.logit_bias.50256"),
        ("stop[3]", "config.stop[3]"),
        ("reasoning_effort", "reasoning.effort"),
        ("safety_identifier", "end_user_id"),
        ("messages", "messages"),
        ("messages[3].role", "messages[3].role"),
        ("messages.[0].content", "messages.[0].content"),
        ("tools[0].function.parameters", "tools[0].function.parameters"),
        ("response_format", "response_format"),
        ("tool_choice", "tool_choice"),
        ("service_tier", "service_tier"),
        ("nn", "nn"),
        ("stopping", "stopping"),
    ],
)
def test_the_parameter_at_fault_becomes_a_path_of_the_request(param: str, path: str) -> None:
    found = error(400, {}, body("unsupported_parameter", INVALID, param))
    assert [violation.field for violation in found.violations] == [path]
    assert found.upstream.param == param


@pytest.mark.parametrize("param", [None, "", "two words", "é", "a" * 101, ["n"], {}, "n\n", SECRET])
def test_what_is_no_parameters_name_is_dropped(param: object) -> None:
    found = error(400, {}, body("unsupported_parameter", INVALID, param))
    assert found.violations == []
    assert found.upstream.param == ""


def test_when_to_come_back_is_kept() -> None:
    assert error(429, {"retry-after": "7"}, body()).retry_after == 7
    assert error(503, {"retry-after-ms": "70"}, b"").retry_after == 0.07
    assert error(429, {"retry-after": "soon"}, body()).retry_after is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"null",
        b"[]",
        b"[1, 2]",
        b'"text"',
        b"17",
        b"{}",
        b'{"error": null}',
        b'{"error": "text"}',
        b'{"error": []}',
        b'{"error": {}}',
        b'{"error": {"code": null',
        b'{"detail": "Unauthorized"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_body_of_any_other_form_leaves_the_status(data: bytes) -> None:
    assert reason_of(error(502, {}, data)) == "PROVIDER_UNAVAILABLE"
    assert reason_of(error(401, {}, data)) == "PROVIDER_CREDENTIALS_INVALID"


def test_an_error_without_its_wrapping_is_read_too() -> None:
    flat = json.dumps({"object": "error", "message": SECRET, "code": "model_not_found"}).encode()
    assert reason_of(error(400, {}, flat)) == "MODEL_NOT_FOUND"


@pytest.mark.parametrize(
    ("details", "reason", "status"),
    [
        ({"message": SECRET, "code": 429}, "PROVIDER_RATE_LIMITED", 429),
        ({"message": SECRET, "code": 503}, "PROVIDER_OVERLOADED", 503),
        ({"message": SECRET, "code": 502, "type": "overloaded_error"}, "PROVIDER_OVERLOADED", 502),
        ({"message": SECRET, "code": "tool_use_failed", "status_code": 400}, "INVALID_REQUEST", 400),
        (
            {"message": SECRET, "code": "rate_limit_exceeded", "status_code": 429},
            "PROVIDER_RATE_LIMITED",
            429,
        ),
        ({"message": SECRET, "code": 503, "status_code": "400"}, "PROVIDER_OVERLOADED", 503),
        ({"message": SECRET, "code": 0, "status_code": 200}, "PROVIDER_UNAVAILABLE", 500),
        ({"message": SECRET, "code": True}, "PROVIDER_UNAVAILABLE", 500),
        ({"message": SECRET, "code": "rate_limit_exceeded"}, "PROVIDER_RATE_LIMITED", 500),
        ({"message": SECRET, "type": "server_error", "code": None}, "PROVIDER_UNAVAILABLE", 500),
        ({"message": SECRET, "type": "tokens"}, "PROVIDER_RATE_LIMITED", 500),
        ({"message": SECRET}, "PROVIDER_UNAVAILABLE", 500),
        (SECRET, "PROVIDER_UNAVAILABLE", 500),
        ([1], "PROVIDER_UNAVAILABLE", 500),
        (True, "PROVIDER_UNAVAILABLE", 500),
    ],
)
def test_an_error_within_a_stream(details: object, reason: str, status: int) -> None:
    found = stream_error(details)
    assert reason_of(found) == reason
    assert found.upstream.status == status
    assert SECRET not in repr(found)


known_codes = [row[1] for row in ROWS if isinstance(row[1], str)]
PUBLIC = {found.text for found in (error(status, {}, body(code, kind)) for status, code, kind, _ in ROWS)}
"""Every text of ours: the table above reaches each reason."""

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(known_codes)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
details = st.dictionaries(st.sampled_from(["code", "type", "param", "message", "error"]), values, max_size=5)
bodies = st.one_of(
    st.binary(max_size=80),
    details.map(lambda value: json.dumps(value).encode()),
    details.map(lambda value: json.dumps({"error": value}).encode()),
    values.map(lambda value: json.dumps({"error": value}).encode()),
)


def check_public(found: GatewayError) -> None:
    assert found.reason in TABLE
    assert found.text in PUBLIC
    for violation in found.violations:
        assert violation.text in PUBLIC
        assert violation.field.isascii()
        assert " " not in violation.field
    for word in (found.upstream.code, found.upstream.param):
        assert word == "" or (word.isascii() and not set(word) & set(" \n\t'\"<>{}") and len(word) <= 100)


@given(status=st.integers(100, 999), data=bodies, after=st.text(max_size=20))
def test_any_status_and_body_give_an_error_in_our_words(status: int, data: bytes, after: str) -> None:
    check_public(error(status, {"retry-after": after}, data))


@given(values | details)
def test_anything_within_a_stream_gives_an_error_in_our_words(value: Any) -> None:
    check_public(stream_error(value))


@given(status=st.integers(400, 599), message=st.text(min_size=12), code=st.sampled_from(known_codes))
def test_no_text_of_the_provider_leaves(status: int, message: str, code: str) -> None:
    marked = f"canary {message}"
    data = json.dumps({"error": {"message": marked, "code": code, "type": marked, "param": marked}}).encode()
    found = error(status, {}, data)
    assert "canary" not in repr(found)
    assert "canary" not in str(found)
