"""What the outcome of an attempt tells of its provider: for its health, and for its breaker."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason


class Evidence(Enum):
    """What the outcome of one attempt tells of its provider."""

    ANSWERS = auto()
    REFUSES_KEY = auto()
    FAILS = auto()
    NOTHING = auto()


EVIDENCE: Final[Mapping["Reason.ValueType", Evidence]] = {
    Reason.ERROR_REASON_UNSPECIFIED: Evidence.ANSWERS,
    Reason.INVALID_REQUEST: Evidence.ANSWERS,
    Reason.UNSUPPORTED_PARAMETER: Evidence.ANSWERS,
    Reason.CONTEXT_LENGTH_EXCEEDED: Evidence.ANSWERS,
    Reason.REQUEST_TOO_LARGE: Evidence.ANSWERS,
    Reason.CONTENT_BLOCKED: Evidence.ANSWERS,
    Reason.UNAUTHENTICATED: Evidence.NOTHING,
    Reason.PROVIDER_KEY_INVALID: Evidence.NOTHING,
    Reason.PERMISSION_DENIED: Evidence.NOTHING,
    Reason.PROVIDER_PERMISSION_DENIED: Evidence.ANSWERS,
    Reason.PROVIDER_CREDENTIALS_INVALID: Evidence.REFUSES_KEY,
    Reason.PROVIDER_NOT_CONFIGURED: Evidence.NOTHING,
    Reason.MODEL_NOT_FOUND: Evidence.ANSWERS,
    Reason.CONFLICT: Evidence.ANSWERS,
    Reason.UNSUPPORTED_BY_PROVIDER: Evidence.ANSWERS,
    Reason.METHOD_NOT_IMPLEMENTED: Evidence.NOTHING,
    Reason.RATE_LIMITED: Evidence.NOTHING,
    Reason.INSUFFICIENT_QUOTA: Evidence.FAILS,
    Reason.BUDGET_EXCEEDED: Evidence.NOTHING,
    Reason.OVERLOADED: Evidence.NOTHING,
    Reason.PROVIDER_RATE_LIMITED: Evidence.ANSWERS,
    Reason.RESPONSE_TOO_LARGE: Evidence.NOTHING,
    Reason.SLOW_READER: Evidence.NOTHING,
    Reason.PROVIDER_OVERLOADED: Evidence.FAILS,
    Reason.PROVIDER_UNAVAILABLE: Evidence.FAILS,
    Reason.CONNECT_TIMEOUT: Evidence.FAILS,
    Reason.FIRST_TOKEN_TIMEOUT: Evidence.FAILS,
    Reason.STREAM_IDLE_TIMEOUT: Evidence.FAILS,
    Reason.UPSTREAM_TIMEOUT: Evidence.FAILS,
    Reason.STREAM_TRUNCATED: Evidence.FAILS,
    Reason.CIRCUIT_OPEN: Evidence.NOTHING,
    Reason.LIMITS_UNAVAILABLE: Evidence.NOTHING,
    Reason.SHUTTING_DOWN: Evidence.NOTHING,
    Reason.DEADLINE_EXCEEDED: Evidence.NOTHING,
    Reason.DEADLINE_TOO_SHORT: Evidence.NOTHING,
    Reason.CANCELLED: Evidence.NOTHING,
    Reason.PROVIDER_BAD_RESPONSE: Evidence.FAILS,
    Reason.INTERNAL: Evidence.NOTHING,
}
"""Of attempts with the server's key: whoever says what is wrong with a request is up."""

OF_THE_KEY: Final = frozenset(
    {Reason.PROVIDER_CREDENTIALS_INVALID, Reason.PROVIDER_PERMISSION_DENIED, Reason.INSUFFICIENT_QUOTA}
)
"""What a provider says of who asks: with another key it may answer."""
