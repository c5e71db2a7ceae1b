"""GatewayError and the one table from reason to gRPC status.

    GatewayError(reason, text, field=, retry_after=, upstream=)   raised anywhere below rpc/
        └─ rpc/status.py turns it into google.rpc.Status, trailers and the access line

`text` is ours and public: it never holds exception text, keys, prompts or upstream bodies. What went
wrong inside is the exception's `__cause__` and stays in the log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from google.rpc.code_pb2 import (
    ABORTED,
    CANCELLED,
    DEADLINE_EXCEEDED,
    FAILED_PRECONDITION,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Code,
)

from tokenwire.v1.errors_pb2 import ErrorReason as Reason


class Retry(Enum):
    """What a caller is told about trying again."""

    SILENT = auto()
    """Nothing: the status says it all."""
    AFTER = auto()
    """RetryInfo, and the same as `grpc-retry-pushback-ms`."""
    INFO = auto()
    """RetryInfo alone: the caller's own retry policy decides."""
    NEVER = auto()
    """`grpc-retry-pushback-ms: -1`: trying again cannot help."""


@dataclass(frozen=True, slots=True)
class Row:
    """How a reason reaches the caller."""

    code: "Code.ValueType"
    retry: Retry = Retry.SILENT
    limited_by: str = ""
    """ErrorInfo.metadata `limited_by`: whose limit it was, with RESOURCE_EXHAUSTED."""


TABLE: Final[Mapping["Reason.ValueType", Row]] = {
    Reason.INVALID_REQUEST: Row(INVALID_ARGUMENT),
    Reason.UNSUPPORTED_PARAMETER: Row(INVALID_ARGUMENT),
    Reason.CONTEXT_LENGTH_EXCEEDED: Row(INVALID_ARGUMENT),
    Reason.REQUEST_TOO_LARGE: Row(INVALID_ARGUMENT),
    Reason.CONTENT_BLOCKED: Row(INVALID_ARGUMENT),
    Reason.UNAUTHENTICATED: Row(UNAUTHENTICATED),
    Reason.PROVIDER_KEY_INVALID: Row(UNAUTHENTICATED),
    Reason.PERMISSION_DENIED: Row(PERMISSION_DENIED),
    Reason.PROVIDER_PERMISSION_DENIED: Row(PERMISSION_DENIED),
    Reason.PROVIDER_CREDENTIALS_INVALID: Row(FAILED_PRECONDITION),
    Reason.PROVIDER_NOT_CONFIGURED: Row(FAILED_PRECONDITION),
    Reason.MODEL_NOT_FOUND: Row(NOT_FOUND),
    Reason.CONFLICT: Row(ABORTED),
    Reason.UNSUPPORTED_BY_PROVIDER: Row(UNIMPLEMENTED),
    Reason.METHOD_NOT_IMPLEMENTED: Row(UNIMPLEMENTED),
    Reason.RATE_LIMITED: Row(RESOURCE_EXHAUSTED, Retry.AFTER, "gateway"),
    Reason.INSUFFICIENT_QUOTA: Row(RESOURCE_EXHAUSTED, Retry.NEVER, "provider"),
    Reason.BUDGET_EXCEEDED: Row(RESOURCE_EXHAUSTED, Retry.NEVER, "gateway"),
    Reason.OVERLOADED: Row(RESOURCE_EXHAUSTED, Retry.AFTER, "gateway"),
    Reason.PROVIDER_RATE_LIMITED: Row(RESOURCE_EXHAUSTED, Retry.INFO, "provider"),
    Reason.RESPONSE_TOO_LARGE: Row(RESOURCE_EXHAUSTED, Retry.NEVER, "gateway"),
    Reason.SLOW_READER: Row(RESOURCE_EXHAUSTED, Retry.NEVER, "gateway"),
    Reason.PROVIDER_OVERLOADED: Row(UNAVAILABLE),
    Reason.PROVIDER_UNAVAILABLE: Row(UNAVAILABLE),
    Reason.CONNECT_TIMEOUT: Row(UNAVAILABLE),
    Reason.FIRST_TOKEN_TIMEOUT: Row(UNAVAILABLE),
    Reason.STREAM_IDLE_TIMEOUT: Row(UNAVAILABLE),
    Reason.UPSTREAM_TIMEOUT: Row(UNAVAILABLE),
    Reason.STREAM_TRUNCATED: Row(UNAVAILABLE),
    Reason.CIRCUIT_OPEN: Row(UNAVAILABLE, Retry.INFO),
    Reason.LIMITS_UNAVAILABLE: Row(UNAVAILABLE),
    Reason.SHUTTING_DOWN: Row(UNAVAILABLE),
    Reason.DEADLINE_EXCEEDED: Row(DEADLINE_EXCEEDED),
    Reason.DEADLINE_TOO_SHORT: Row(DEADLINE_EXCEEDED),
    Reason.CANCELLED: Row(CANCELLED),
    Reason.PROVIDER_BAD_RESPONSE: Row(INTERNAL),
    Reason.INTERNAL: Row(INTERNAL),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of the request and what is wrong with it."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """What the provider said, in its own words: never its texts, only its identifiers."""

    status: int = 0
    code: str = ""
    param: str = ""


@dataclass(slots=True, kw_only=True)
class GatewayError(Exception):
    """A call failed; `TABLE[reason]` says with which status."""

    reason: "Reason.ValueType"
    text: str
    violations: Sequence[Violation] = ()
    retry_after: float | None = None
    """Seconds after which trying again may help, where somebody said so."""
    upstream: Upstream = field(default_factory=Upstream)
    spent: bool = False
    """Whether the gateway has already tried as often as makes sense: the caller is told not to."""
    other_key: bool = False
    """Whether another key of the same provider may answer."""
    resource: str = ""
    """Name of what was not found."""

    def __str__(self) -> str:
        return f"{Reason.Name(self.reason)}: {self.text}"


def invalid(path: str, text: str) -> GatewayError:
    """INVALID_REQUEST for one field."""
    return GatewayError(reason=Reason.INVALID_REQUEST, text=text, violations=[Violation(path, text)])


def unsupported(path: str, text: str) -> GatewayError:
    """UNSUPPORTED_PARAMETER for one field."""
    return GatewayError(reason=Reason.UNSUPPORTED_PARAMETER, text=text, violations=[Violation(path, text)])
