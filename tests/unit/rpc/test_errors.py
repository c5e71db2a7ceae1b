"""The one table from reason to status, against the contract's, and what each row tells the caller."""

from typing import Final

import pytest
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from support.status import Failure

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call, Target
from tokenwire_server.errors import TABLE, GatewayError, Upstream, Violation
from tokenwire_server.rpc.status import status_of

CONTRACT: Final = {
    "INVALID_ARGUMENT": (
        "INVALID_REQUEST UNSUPPORTED_PARAMETER CONTEXT_LENGTH_EXCEEDED REQUEST_TOO_LARGE CONTENT_BLOCKED"
    ),
    "UNAUTHENTICATED": "UNAUTHENTICATED PROVIDER_KEY_INVALID",
    "PERMISSION_DENIED": "PERMISSION_DENIED PROVIDER_PERMISSION_DENIED",
    "FAILED_PRECONDITION": "PROVIDER_CREDENTIALS_INVALID PROVIDER_NOT_CONFIGURED",
    "NOT_FOUND": "MODEL_NOT_FOUND",
    "ABORTED": "CONFLICT",
    "UNIMPLEMENTED": "UNSUPPORTED_BY_PROVIDER METHOD_NOT_IMPLEMENTED",
    "RESOURCE_EXHAUSTED": (
        "RATE_LIMITED INSUFFICIENT_QUOTA BUDGET_EXCEEDED OVERLOADED PROVIDER_RATE_LIMITED RESPONSE_TOO_LARGE "
        "SLOW_READER"
    ),
    "UNAVAILABLE": (
        "PROVIDER_OVERLOADED PROVIDER_UNAVAILABLE CONNECT_TIMEOUT FIRST_TOKEN_TIMEOUT STREAM_IDLE_TIMEOUT "
        "UPSTREAM_TIMEOUT STREAM_TRUNCATED CIRCUIT_OPEN LIMITS_UNAVAILABLE SHUTTING_DOWN"
    ),
    "DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED DEADLINE_TOO_SHORT",
    "CANCELLED": "CANCELLED",
    "INTERNAL": "PROVIDER_BAD_RESPONSE INTERNAL",
}
CODES: Final = {reason: code for code, reasons in CONTRACT.items() for reason in reasons.split()}

PUSHBACK: Final = {
    "RATE_LIMITED": "5000",
    "OVERLOADED": "5000",
    "INSUFFICIENT_QUOTA": "-1",
    "BUDGET_EXCEEDED": "-1",
    "RESPONSE_TOO_LARGE": "-1",
    "SLOW_READER": "-1",
}
RETRY_INFO: Final = {"RATE_LIMITED", "OVERLOADED", "PROVIDER_RATE_LIMITED", "CIRCUIT_OPEN"}
LIMITED_BY_PROVIDER: Final = {"INSUFFICIENT_QUOTA", "PROVIDER_RATE_LIMITED"}

REASONS: Final = [name for name in Reason.DESCRIPTOR.values_by_name if name != "ERROR_REASON_UNSPECIFIED"]
TRAILERS: Final = (("x-request-id", "r-1"),)


def _call(model: str = "gpt-x") -> Call:
    return Call("r-1", "Chat", arrived=0.0, target=Target("openai", model))


def _failure(error: GatewayError, model: str = "gpt-x") -> Failure:
    """What a caller makes of an error."""
    code, message, trailers = status_of(error, _call(model), TRAILERS)
    metadata = dict(trailers)
    raw = metadata["grpc-status-details-bin"]
    assert isinstance(raw, bytes)
    status = Status.FromString(raw)
    assert (status.code, status.message) == (code.value[0], message)
    return Failure(code.name, message, metadata, status)


def test_each_reason_has_one_row_and_nothing_else_has() -> None:
    assert set(TABLE) == {Reason.Value(name) for name in REASONS}
    assert set(CODES) == set(REASONS)


@pytest.mark.parametrize("name", REASONS)
def test_a_reasons_code_is_the_contracts(name: str) -> None:
    assert Code.Name(TABLE[Reason.Value(name)].code) == CODES[name]


@pytest.mark.parametrize("name", REASONS)
def test_each_reason_reaches_the_caller_with_its_details(name: str) -> None:
    failed = _failure(GatewayError(reason=Reason.Value(name), text="A sentence."))
    assert failed.code == CODES[name]
    assert failed.message == f"{name}: A sentence. [r-1]"
    assert (failed.info.reason, failed.info.domain) == (name, "tokenwire")
    assert failed.request_id == "r-1"
    assert failed.info.metadata["provider"] == "openai"
    assert failed.info.metadata["model"] == "gpt-x"
    assert failed.fields == []


@pytest.mark.parametrize("name", REASONS)
def test_each_reason_says_whether_to_try_again(name: str) -> None:
    failed = _failure(GatewayError(reason=Reason.Value(name), text="A sentence."))
    assert failed.trailers.get("grpc-retry-pushback-ms") == PUSHBACK.get(name)
    assert failed.retry_after == (5.0 if name in RETRY_INFO else None)


@pytest.mark.parametrize("name", REASONS)
def test_a_limit_says_whose_it_is(name: str) -> None:
    failed = _failure(GatewayError(reason=Reason.Value(name), text="A sentence."))
    if CODES[name] != "RESOURCE_EXHAUSTED":
        assert failed.quota is None
        assert "limited_by" not in failed.info.metadata
        return
    whose = "provider" if name in LIMITED_BY_PROVIDER else "gateway"
    assert failed.info.metadata["limited_by"] == whose
    assert failed.quota is not None
    assert [violation.subject for violation in failed.quota.violations] == [whose]


@pytest.mark.parametrize("name", REASONS)
def test_only_what_was_not_found_names_a_resource(name: str) -> None:
    failed = _failure(GatewayError(reason=Reason.Value(name), text="A sentence."))
    assert (failed.resource is not None) == (name == "MODEL_NOT_FOUND")


def test_what_was_not_found_is_named() -> None:
    failed = _failure(GatewayError(reason=Reason.MODEL_NOT_FOUND, text="No.", resource="gpt-none"))
    assert failed.resource is not None
    assert (failed.resource.resource_type, failed.resource.resource_name) == ("model", "gpt-none")


@pytest.mark.parametrize("name", sorted(RETRY_INFO & PUSHBACK.keys()))
def test_retry_info_and_pushback_say_the_same(name: str) -> None:
    failed = _failure(GatewayError(reason=Reason.Value(name), text="No.", retry_after=1.5))
    assert failed.retry_after == 1.5
    assert failed.trailers["grpc-retry-pushback-ms"] == "1500"


@pytest.mark.parametrize(
    ("given", "told"),
    [(0.0, 0.0), (0.25, 0.25), (-3.0, 0.0), (1e30, 86_400.0), (float("inf"), 86_400.0), (float("nan"), 0.0)],
)
def test_whatever_a_provider_says_about_retrying_can_be_told(given: float, told: float) -> None:
    error = GatewayError(reason=Reason.PROVIDER_RATE_LIMITED, text="No.", retry_after=given)
    assert _failure(error).retry_after == told


def test_upstream_identifiers_are_told() -> None:
    upstream = Upstream(status=404, code="model_not_found")
    failed = _failure(GatewayError(reason=Reason.MODEL_NOT_FOUND, text="No.", upstream=upstream))
    assert failed.info.metadata["upstream_status"] == "404"
    assert failed.info.metadata["upstream_code"] == "model_not_found"


def test_the_first_field_stands_in_the_message() -> None:
    violations = [Violation("config.seed", "Bad."), Violation("messages[3].57", "Worse.")]
    failed = _failure(GatewayError(reason=Reason.INVALID_REQUEST, text="Bad.", violations=violations))
    assert failed.message == "INVALID_REQUEST: Bad. (config.seed) [r-1]"
    assert failed.fields == ["config.seed", "messages[3].57"]


_TEXTS = st.one_of(
    st.text(st.characters(), max_size=400),
    st.sampled_from(["x" * 5000, "é" * 2000, "🦉" * 1500, "\ud800" * 300, "\n\x00" * 500]),
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    reason=st.sampled_from(sorted(TABLE)),
    text=_TEXTS,
    fields=st.lists(st.tuples(_TEXTS, _TEXTS), max_size=12),
    code=_TEXTS,
    resource=_TEXTS,
    model=_TEXTS,
    retry_after=st.one_of(st.none(), st.floats()),
)
def test_message_and_details_stay_below_3_kb(
    reason: int,
    text: str,
    fields: list[tuple[str, str]],
    code: str,
    resource: str,
    model: str,
    retry_after: float | None,
) -> None:
    error = GatewayError(
        reason=Reason.Value(Reason.Name(reason)),  # type: ignore[arg-type]  # a number of the table
        text=text,
        violations=[Violation(field, said) for field, said in fields],
        upstream=Upstream(status=599, code=code),
        resource=resource,
        retry_after=retry_after,
    )
    failed = _failure(error, model)
    details = failed.trailers["grpc-status-details-bin"]
    assert len(failed.message.encode()) + len(details) < 3 * 1024
    if fields:
        assert failed.fields, "not even one field is named"
