"""GatewayError → google.rpc.Status, with the details of the contract."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc.code_pb2 import RESOURCE_EXHAUSTED, UNAVAILABLE
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    QuotaFailure,
    RequestInfo,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status

from tokenwire.v1.common_pb2 import Attempt
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call
from tokenwire_server.errors import TABLE, GatewayError, Retry, Row, Violation
from tokenwire_server.rpc.check import MAX_VIOLATIONS

Metadata = tuple[tuple[str, str | bytes], ...]

_DOMAIN: Final = "tokenwire"
_RETRY_SECONDS: Final = 5.0
"""RetryInfo where nobody said when to come back."""
_LONGEST_RETRY: Final = 86_400.0
"""Nobody waits longer, and a Duration does not hold whatever a provider may say."""
_TEXT: Final = 200
"""Bytes of one text in a status. Trailers over 8 KB may be refused by a caller, at random
(grpc#37852), so that message and details together stay below 3 KB."""

_VIOLATION_BYTES: Final = 900

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class RpcStatus(NamedTuple):
    """What `context.abort_with_status` takes (grpc.Status)."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: Metadata


def status_of(error: GatewayError, call: Call, trailers: Metadata) -> RpcStatus:
    """The status that ends the RPC."""
    row = TABLE[error.reason]
    message = f"{Reason.Name(error.reason)}: {_clipped(error.text)}"
    if error.violations:
        message += f" ({_clipped(error.violations[0].field)})"
    message += f" [{call.request_id}]"
    status = Status(code=row.code, message=message)
    for detail in _details(error, row, call):
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    retry = _pushback(error, row)
    return RpcStatus(
        _CODES[row.code],
        message,
        (*trailers, *retry, ("grpc-status-details-bin", status.SerializeToString())),
    )


def _details(error: GatewayError, row: Row, call: Call) -> list[Message]:
    details: list[Message] = [_info(error, row, call), RequestInfo(request_id=call.request_id)]
    if error.violations:
        details.append(_bad_request(error.violations))
    if row.retry in (Retry.AFTER, Retry.INFO):
        info = RetryInfo()
        info.retry_delay.FromMilliseconds(_retry_milliseconds(error))
        details.append(info)
    if row.limited_by:
        failure = QuotaFailure.Violation(subject=row.limited_by, description=_clipped(error.text))
        details.append(QuotaFailure(violations=[failure]))
    if error.resource or error.reason == Reason.MODEL_NOT_FOUND:
        name = error.resource or call.target.model
        details.append(ResourceInfo(resource_type="model", resource_name=_clipped(name)))
    return details


def _bad_request(violations: Sequence[Violation]) -> BadRequest:
    """As many violations as fit: paths may hold callers' texts, in any script."""
    bad = BadRequest()
    for violation in violations[:MAX_VIOLATIONS]:
        bad.field_violations.add(field=_clipped(violation.field), description=_clipped(violation.text))
        if bad.ByteSize() > _VIOLATION_BYTES:
            del bad.field_violations[-1]
            break
    return bad


def _clipped(text: str) -> str:
    """As much of a text as there is room for."""
    return text.encode("utf-8", "replace")[:_TEXT].decode("utf-8", "ignore")


def _info(error: GatewayError, row: Row, call: Call) -> ErrorInfo:
    """The machine-readable cause. Values that nobody has are left out."""
    metadata = {
        "provider": _clipped(call.target.provider),
        "model": _clipped(call.target.model),
        "upstream_status": str(error.upstream.status or ""),
        "upstream_code": _clipped(error.upstream.code),
        "attempts": str(len(call.attempts) or ""),
        "attempted": _clipped("; ".join(map(_told, call.attempts))),
        "output_tokens": str(call.output_pieces or ""),
        "limited_by": row.limited_by,
    }
    return ErrorInfo(
        reason=Reason.Name(error.reason),
        domain=_DOMAIN,
        metadata={key: value for key, value in metadata.items() if value},
    )


def _told(attempt: Attempt) -> str:
    """An attempt in short, such as `openai/gpt-4o PROVIDER_OVERLOADED 503`."""
    reason = Reason.Name(attempt.reason) if attempt.reason else "OK"
    return f"{attempt.provider}/{attempt.model} {reason} {attempt.upstream_status or ''}".rstrip()


def _retry_milliseconds(error: GatewayError) -> int:
    seconds = _RETRY_SECONDS if error.retry_after is None else error.retry_after
    return int(max(0.0, min(seconds, _LONGEST_RETRY)) * 1000)


def _pushback(error: GatewayError, row: Row) -> Metadata:
    if error.spent and row.code in (UNAVAILABLE, RESOURCE_EXHAUSTED):
        return (("grpc-retry-pushback-ms", "-1"),)
    match row.retry:
        case Retry.AFTER:
            return (("grpc-retry-pushback-ms", str(_retry_milliseconds(error))),)
        case Retry.NEVER:
            return (("grpc-retry-pushback-ms", "-1"),)
        case Retry.SILENT | Retry.INFO:
            return ()
