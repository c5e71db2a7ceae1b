"""grpc.RpcError → TokenwireError."""

from collections.abc import Iterable
from typing import Any, Final, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from tokenwire import errors
from tokenwire.errors import Details, TokenwireError, Violation

_DETAILS: Final = "grpc-status-details-bin"

_BY_REASON: Final[dict[str, type[TokenwireError]]] = {
    "UNSUPPORTED_PARAMETER": errors.UnsupportedParameter,
    "CONTEXT_LENGTH_EXCEEDED": errors.ContextLengthExceeded,
    "REQUEST_TOO_LARGE": errors.RequestTooLarge,
    "CONTENT_BLOCKED": errors.ContentBlocked,
    "RATE_LIMITED": errors.RateLimited,
    "OVERLOADED": errors.RateLimited,
    "PROVIDER_RATE_LIMITED": errors.RateLimited,
    "INSUFFICIENT_QUOTA": errors.QuotaExceeded,
    "BUDGET_EXCEEDED": errors.QuotaExceeded,
    "LIMITS_UNAVAILABLE": errors.Unavailable,
    "SHUTTING_DOWN": errors.Unavailable,
    "PROVIDER_BAD_RESPONSE": errors.ProviderBadResponse,
}
"""Reasons whose class is not the one of their status."""

_BY_CODE: Final[dict[str, type[TokenwireError]]] = {
    "INVALID_ARGUMENT": errors.InvalidRequest,
    "UNAUTHENTICATED": errors.Unauthenticated,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "FAILED_PRECONDITION": errors.ProviderMisconfigured,
    "NOT_FOUND": errors.NotFound,
    "ABORTED": errors.Conflict,
    "UNIMPLEMENTED": errors.Unsupported,
    "RESOURCE_EXHAUSTED": errors.ResourceExhausted,
    "UNAVAILABLE": errors.ProviderUnavailable,
    "DEADLINE_EXCEEDED": errors.DeadlineExceeded,
    "CANCELLED": errors.Cancelled,
}


def failure(error: grpc.RpcError) -> TokenwireError:
    """What a failed call means. Nothing in the trailers can make this fail."""
    call = cast("Any", error)  # a call and an error in one: the types say so for neither flavour of gRPC
    code = call.code().name
    text = call.details() or code
    details = _details(code, dict(cast("Iterable[tuple[str, str | bytes]]", call.trailing_metadata() or ())))
    return _family(details)(text, details)


def _family(details: Details) -> type[TokenwireError]:
    """An UNAVAILABLE without a reason comes from gRPC itself: the gateway was not reached."""
    if details.code == "UNAVAILABLE" and not details.reason:
        return errors.Unavailable
    return _BY_REASON.get(details.reason) or _BY_CODE.get(details.code, errors.InternalError)


def _details(code: str, trailers: dict[str, str | bytes]) -> Details:
    info, bad, request, retry = ErrorInfo(), BadRequest(), RequestInfo(), RetryInfo()
    _unpack(trailers.get(_DETAILS, b""), info, bad, request, retry)
    delay = retry.retry_delay
    attempts = info.metadata.get("attempts", "")
    return Details(
        code=code,
        reason=info.reason,
        violations=tuple(Violation(field.field, field.description) for field in bad.field_violations),
        retry_after=delay.seconds + delay.nanos / 1e9 if retry.HasField("retry_delay") else None,
        request_id=request.request_id or str(trailers.get("x-request-id", "")),
        provider=info.metadata.get("provider", ""),
        model=info.metadata.get("model", ""),
        attempts=int(attempts) if attempts.isdecimal() else 0,
        attempted=info.metadata.get("attempted", ""),
    )


def _unpack(packed: str | bytes, *messages: Message) -> None:
    """Fills the messages from the details of the same types."""
    try:
        status = Status.FromString(packed if isinstance(packed, bytes) else b"")
        for detail in status.details:
            for message in messages:
                detail.Unpack(message)
    except DecodeError:  # something between broke it: the status itself still stands
        return
