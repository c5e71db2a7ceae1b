"""Which error of the Responses API is which of ours; what it shares with Chat Completions is tested there."""

import json
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseError

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.providers.openai_responses.errors import error, stream_error

INVALID = "invalid_request_error"


def body(code: object = None, param: object = None, kind: object = INVALID) -> bytes:
    return json.dumps({"error": {"message": "secret", "code": code, "type": kind, "param": param}}).encode()


@pytest.mark.parametrize(
    ("status", "code", "param", "reason"),
    [
        (400, None, None, "INVALID_REQUEST"),
        (400, "unsupported_value", "reasoning.effort", "UNSUPPORTED_PARAMETER"),
        (400, "unsupported_parameter", "temperature", "UNSUPPORTED_PARAMETER"),
        (400, "context_length_exceeded", "input", "CONTEXT_LENGTH_EXCEEDED"),
        (400, "previous_response_not_found", "previous_response_id", "INVALID_REQUEST"),
        (404, "model_not_found", None, "MODEL_NOT_FOUND"),
        (404, "model_not_found", "model", "MODEL_NOT_FOUND"),
        (404, None, None, "MODEL_NOT_FOUND"),
        (404, None, "model", "MODEL_NOT_FOUND"),
        (404, None, "input", "INVALID_REQUEST"),  # an item that was not kept
        (404, None, "previous_response_id", "INVALID_REQUEST"),
        (401, "invalid_api_key", None, "PROVIDER_CREDENTIALS_INVALID"),
        (429, "insufficient_quota", None, "INSUFFICIENT_QUOTA"),
        (429, None, "input", "PROVIDER_RATE_LIMITED"),
        (503, None, None, "PROVIDER_OVERLOADED"),
    ],
)
def test_code_status_and_what_was_not_found_decide(
    status: int, code: object, param: object, reason: str
) -> None:
    found = error(status, {}, body(code, param, kind=None if status == 429 else INVALID))
    assert Reason.Name(found.reason) == reason
    assert found.upstream.status == status
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("param", "path"),
    [
        ("input", "messages"),
        ("input[3].content[0].file_data", "messages"),
        ("instructions", "messages"),
        ("max_output_tokens", "config.max_output_tokens"),
        ("top_logprobs", "config.top_logprobs"),
        ("text.verbosity", "config.verbosity"),
        ("text.format", "response_format"),
        ("text.format.schema", "response_format"),
        ("reasoning.effort", "reasoning.effort"),
        ("reasoning.summary", "reasoning.summary"),
        ("tools[0].parameters", "tools[0].parameters"),
        ("safety_identifier", "end_user_id"),
        ("previous_response_id", "previous_response_id"),
    ],
)
def test_the_parameter_at_fault_becomes_a_path_of_the_request(param: str, path: str) -> None:
    assert [violation.field for violation in error(400, {}, body(None, param)).violations] == [path]


def test_when_to_come_back_is_kept() -> None:
    assert error(429, {"retry-after": "9"}, body()).retry_after == 9


def test_no_failure_that_the_sdk_names_is_taken_for_an_outage_but_one() -> None:
    codes = get_args(ResponseError.model_fields["code"].annotation)
    assert len(codes) > 20
    outages = {code for code in codes if stream_error({"code": code}).reason == Reason.PROVIDER_UNAVAILABLE}
    assert outages == {"server_error"}


@pytest.mark.parametrize("details", [None, "text", [], {}, {"code": {"a": 1}}], ids=str)
def test_an_error_that_says_nothing_is_the_providers(details: Any) -> None:
    assert stream_error(details).reason == Reason.PROVIDER_UNAVAILABLE
