"""Which error of Mistral is which of ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import TABLE, GatewayError
from tokenwire_server.providers.error_form import TEXTS
from tokenwire_server.providers.mistral.errors import error, stream_error

SECRET = "sk-canary and the prompt"


def usual(kind: object = None, code: object = None, message: object = SECRET, **more: Any) -> dict[str, Any]:
    """The body of most refusals."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code, **more}


def refused(status: int, body: object) -> GatewayError:
    return error(status, {}, json.dumps(body).encode())


def detail(*loc: object) -> dict[str, Any]:
    return {"type": "extra_forbidden", "loc": [*loc], "msg": SECRET, "input": SECRET, "ctx": {"error": {}}}


UNAVAILABLE = "PROVIDER_UNAVAILABLE"
LIMITED = "PROVIDER_RATE_LIMITED"
TOO_LONG = (
    "Prompt contains 140002 tokens and 0 draft tokens, too large for model with 131072 maximum context length"
)
CREDENTIALS = "PROVIDER_CREDENTIALS_INVALID"

ROWS: list[tuple[int, object, str, str]] = [
    # The code decides
    (429, usual("rate_limited", "1300", raw_status_code=429), LIMITED, "1300"),
    (429, usual("rate_limited", 1300), LIMITED, "1300"),
    (400, usual("invalid_model", "1500"), "MODEL_NOT_FOUND", "1500"),
    (404, usual("invalid_model", "1500"), "MODEL_NOT_FOUND", "1500"),
    (429, usual("service_tier_capacity_exceeded", "3505"), "PROVIDER_OVERLOADED", "3505"),
    # A conversation that is too long has the code of any wrong argument
    (400, usual("invalid_request_invalid_args", "3051"), "INVALID_REQUEST", "3051"),
    (400, usual("invalid_request_invalid_args", "3051", TOO_LONG), "CONTEXT_LENGTH_EXCEEDED", "3051"),
    (500, usual(None, None, TOO_LONG), UNAVAILABLE, ""),
    # The type decides where the code says nothing
    (400, usual("rate_limited"), LIMITED, "rate_limited"),
    (400, usual("invalid_model", "9999"), "MODEL_NOT_FOUND", "9999"),
    (500, usual("service_tier_capacity_exceeded"), "PROVIDER_OVERLOADED", "service_tier_capacity_exceeded"),
    (400, usual("context_length_exceeded"), "CONTEXT_LENGTH_EXCEEDED", "context_length_exceeded"),
    # The status decides
    (400, usual("invalid_request_error", "3000"), "INVALID_REQUEST", "3000"),
    (400, usual("invalid_request_message_order", "3230"), "INVALID_REQUEST", "3230"),
    (500, usual("internal_server_error", "1000"), UNAVAILABLE, "1000"),
    (503, usual("unreachable_backend", "1100"), "PROVIDER_OVERLOADED", "1100"),
    (402, usual(), "INSUFFICIENT_QUOTA", ""),
    (403, usual("forbidden"), "PROVIDER_PERMISSION_DENIED", "forbidden"),
    (413, usual(), "REQUEST_TOO_LARGE", ""),
    (408, usual(), "UPSTREAM_TIMEOUT", ""),
    (302, usual(), "PROVIDER_BAD_RESPONSE", ""),
    # What stands before the API: Kong and the edge
    (401, {"detail": "Unauthorized"}, CREDENTIALS, ""),
    (401, {"message": "Unauthorized", "request_id": "a1b2c3"}, CREDENTIALS, ""),
    (401, {"message": "No API key found in request", "request_id": "a1b2c3"}, CREDENTIALS, ""),
    (429, {"message": "Requests rate limit exceeded"}, LIMITED, ""),
    (429, {"message": "API rate limit exceeded", "request_id": "a1b2c3"}, LIMITED, ""),
    (404, {"message": "no Route matched with those values", "request_id": "a1"}, "MODEL_NOT_FOUND", ""),
    (502, {"message": "An invalid response was received from the upstream server"}, UNAVAILABLE, ""),
    (503, {"message": "name resolution failed"}, "PROVIDER_OVERLOADED", ""),
    (504, {"message": "The upstream server is timing out"}, UNAVAILABLE, ""),
    (413, {"message": "Request size limit exceeded"}, "REQUEST_TOO_LARGE", ""),
    # Neither has a form
    (429, usual(["rate_limited"], {"a": 1}), LIMITED, ""),
    (400, usual("Rate limited!", SECRET), "INVALID_REQUEST", ""),
]


@pytest.mark.parametrize(("status", "body", "reason", "code"), ROWS, ids=str)
def test_code_then_type_then_status_decide(status: int, body: object, reason: str, code: str) -> None:
    found = refused(status, body)
    assert Reason.Name(found.reason) == reason
    assert (found.upstream.status, found.upstream.code) == (status, code)
    assert found.text == TEXTS[found.reason]
    assert found.violations == []
    assert SECRET not in repr(found)


LOCATIONS: list[tuple[list[object], str, str]] = [
    (["body", "max_completion_tokens"], "max_completion_tokens", "max_completion_tokens"),
    (["body", "max_tokens"], "max_tokens", "config.max_output_tokens"),
    (["body", "random_seed"], "random_seed", "config.seed"),
    (["body", "n"], "n", "config.candidate_count"),
    (["body", "reasoning_effort"], "reasoning_effort", "reasoning.effort"),
    (["body", "temperature"], "temperature", "config.temperature"),
    (["body", "top_p"], "top_p", "config.top_p"),
    (["body", "top_k"], "top_k", "config.top_k"),
    (["body", "stop", 0], "stop[0]", "config.stop[0]"),
    (["body", "frequency_penalty"], "frequency_penalty", "config.frequency_penalty"),
    (["body", "presence_penalty"], "presence_penalty", "config.presence_penalty"),
    (["body", "messages", 2, "user", "content"], "messages[2].user.content", "messages[2].user.content"),
    (["body", "tools", 0, "function", "name"], "tools[0].function.name", "tools[0].function.name"),
    (["temperature"], "temperature", "config.temperature"),
    (["body"], "", ""),
    ([], "", ""),
    (["body", SECRET], "", ""),
    (["body", None, 1.5], "", ""),
]


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "as the message"])
@pytest.mark.parametrize(("loc", "param", "path"), LOCATIONS, ids=str)
def test_the_place_at_fault_becomes_a_path_of_the_request(
    loc: list[object], param: str, path: str, *, wrapped: bool
) -> None:
    body: dict[str, Any] = {"detail": [detail(*loc)]}
    found = refused(422, usual("invalid_request_error", message=body) if wrapped else body)
    if loc[1:] != [None, 1.5]:
        assert found.upstream.param == param
        assert [violation.field for violation in found.violations] == ([path] if path else [])
    assert found.reason == Reason.INVALID_REQUEST
    assert SECRET not in repr(found)


def test_each_place_has_its_violation() -> None:
    found = refused(422, {"detail": [detail("body", "n"), detail("body"), detail("body", "top_p")]})
    fields = [violation.field for violation in found.violations]
    assert fields == ["config.candidate_count", "config.top_p"]
    assert found.upstream.param == "n"


@pytest.mark.parametrize(
    "details", [None, "Unauthorized", {}, [None], ["text"], [{}], [{"loc": None}], [{"loc": "body"}], [[]]]
)
def test_details_of_any_other_form_name_no_place(details: object) -> None:
    for body in ({"detail": details}, usual(message={"detail": details})):
        found = refused(422, body)
        assert (found.reason, found.violations, found.upstream.param) == (Reason.INVALID_REQUEST, [], "")


def test_when_to_come_back_is_kept() -> None:
    assert (
        error(429, {"retry-after": "7"}, json.dumps(usual("rate_limited", "1300")).encode()).retry_after == 7
    )
    assert error(503, {"retry-after": "7"}, b"").retry_after == 7


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>Bad gateway</html>", b"null", b"[]", b'"text"', b"17", b"{}", b'{"message": ', b"\xff",
     b"[" * 100_000],
)  # fmt: skip
def test_a_body_of_any_other_form_leaves_the_status(data: bytes) -> None:
    assert Reason.Name(error(502, {}, data).reason) == UNAVAILABLE
    assert Reason.Name(error(401, {}, data).reason) == CREDENTIALS


@pytest.mark.parametrize("chunk", [{}, {"id": "c-1", "model": "m"}, {"error": None}, {"error": "failed"}])
def test_what_is_no_error_in_a_stream_is_not_taken_for_one(chunk: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        raise stream_error(chunk)


words = [str(row[1].get(key)) for row in ROWS if isinstance(row[1], dict) for key in ("type", "code")]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(words)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
locations = st.fixed_dictionaries({"loc": st.lists(scalars, max_size=4) | values})
fields = st.dictionaries(
    st.sampled_from(["object", "message", "type", "code", "detail", "error", "raw_status_code"]),
    values | st.lists(locations, max_size=3) | st.fixed_dictionaries({"detail": st.lists(locations)}),
    max_size=5,
)
bodies = st.binary(max_size=80) | (fields | values).map(lambda value: json.dumps(value).encode())


def check_public(found: GatewayError) -> None:
    assert found.reason in TABLE
    assert found.text == TEXTS[found.reason]
    for violation in found.violations:
        assert violation.text == found.text
        assert violation.field.isascii()
        assert " " not in violation.field
    for word in (found.upstream.code, found.upstream.param):
        assert word == "" or (word.isascii() and not set(word) & set(" \n\t'\"<>{}") and len(word) <= 100)


@given(status=st.integers(100, 999), data=bodies, after=st.text(max_size=20))
def test_any_status_and_body_give_an_error_in_our_words(status: int, data: bytes, after: str) -> None:
    check_public(error(status, {"retry-after": after}, data))


@given(fields)
def test_any_object_in_a_stream_is_an_error_in_our_words_or_none(chunk: dict[str, Any]) -> None:
    try:
        found = stream_error(chunk)
    except KeyError:
        return
    check_public(found)
    assert 400 <= found.upstream.status < 600


@given(status=st.integers(400, 599), text=st.text(), code=st.sampled_from(words))
def test_no_text_of_mistral_leaves(status: int, text: str, code: str) -> None:
    marked = f"canary {text}"
    for body in (
        usual(marked, code, marked),
        usual(code, marked, {"detail": [{"loc": ["body", marked], "msg": marked, "type": marked}]}),
        {"detail": [{"loc": [marked, 0], "msg": marked, "input": marked}]},
        {"detail": marked},
        {"message": marked, "request_id": marked},
    ):
        assert "canary" not in repr(refused(status, body))
        assert "canary" not in str(refused(status, body))
