"""Error replies of OpenAI and those who copy its form → GatewayError.

The provider's code decides, then its type, then the HTTP status; its message never does, and never
leaves. Codes: platform.openai.com/docs/guides/error-codes and recorded replies.
"""

from collections.abc import Mapping
from typing import Any, Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError, Upstream, Violation
from tokenwire_server.providers.error_form import TEXTS, by_status, path_of, status_within, word
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.retry_after import retry_after

CODES: Final[Mapping[str, "Reason.ValueType"]] = {
    "context_length_exceeded": Reason.CONTEXT_LENGTH_EXCEEDED,
    "invalid_api_key": Reason.PROVIDER_CREDENTIALS_INVALID,
    "account_deactivated": Reason.PROVIDER_CREDENTIALS_INVALID,
    "unsupported_country_region_territory": Reason.PROVIDER_PERMISSION_DENIED,
    "model_not_found": Reason.MODEL_NOT_FOUND,
    "unsupported_parameter": Reason.UNSUPPORTED_PARAMETER,
    "unsupported_value": Reason.UNSUPPORTED_PARAMETER,
    "content_policy_violation": Reason.CONTENT_BLOCKED,
    "content_filter": Reason.CONTENT_BLOCKED,
    "invalid_prompt": Reason.CONTENT_BLOCKED,
    "bio_policy": Reason.CONTENT_BLOCKED,
    "insufficient_quota": Reason.INSUFFICIENT_QUOTA,
    "billing_hard_limit_reached": Reason.INSUFFICIENT_QUOTA,
    "billing_not_active": Reason.INSUFFICIENT_QUOTA,
    "rate_limit_exceeded": Reason.PROVIDER_RATE_LIMITED,
    "server_is_overloaded": Reason.PROVIDER_OVERLOADED,
    "overloaded": Reason.PROVIDER_OVERLOADED,
    "engine_overloaded": Reason.PROVIDER_OVERLOADED,
    "slow_down": Reason.PROVIDER_OVERLOADED,
    "server_error": Reason.PROVIDER_UNAVAILABLE,
}
"""Looked up by the error's `code`, then by its `type`."""

TYPES: Final[Mapping[str, "Reason.ValueType"]] = {
    "tokens": Reason.PROVIDER_RATE_LIMITED,
    "requests": Reason.PROVIDER_RATE_LIMITED,
    "rate_limit_error": Reason.PROVIDER_RATE_LIMITED,
    "overloaded_error": Reason.PROVIDER_OVERLOADED,
    "authentication_error": Reason.PROVIDER_CREDENTIALS_INVALID,
    "permission_error": Reason.PROVIDER_PERMISSION_DENIED,
}

_PARAMS: Final[Mapping[str, str]] = {
    "max_completion_tokens": "config.max_output_tokens",
    "max_tokens": "config.max_output_tokens",
    "n": "config.candidate_count",
    "reasoning_effort": "reasoning.effort",
    "safety_identifier": "end_user_id",
} | {
    name: f"config.{name}"
    for name in (
        "temperature",
        "top_p",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "verbosity",
        "logit_bias",
    )
}
"""The provider's parameter → path in ChatRequest; other names are the same on both sides."""


def error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """What a reply with a status other than 200 means."""
    result = _error(status, details_of(body))
    result.retry_after = retry_after(status, headers)
    return result


def stream_error(details: object) -> GatewayError:
    """What an error object inside a stream means; some servers put the HTTP status beside its `code`, some
    into it."""
    fields = details if isinstance(details, dict) else {}
    return _error(status_within(fields.get("status_code"), fields.get("code")), fields)


def details_of(body: bytes) -> Mapping[str, Any]:
    """The error object in a body; empty when there is none."""
    try:
        parsed = loads(body)
    except ValueError:
        return {}
    details = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    return details if isinstance(details, dict) else {}


def _error(status: int, details: Mapping[str, Any]) -> GatewayError:
    return failure(status, details, CODES, _PARAMS)


def failure(
    status: int,
    details: Mapping[str, Any],
    codes: Mapping[str, "Reason.ValueType"],
    params: Mapping[str, str],
) -> GatewayError:
    """What an error object of OpenAI's form means, by the codes and the names of parameters of one API."""
    code, kind, param = (word(details.get(name)) for name in ("code", "type", "param"))
    reason = codes.get(code) or codes.get(kind) or TYPES.get(kind) or by_status(status)
    violations = [Violation(path_of(param, params), TEXTS[reason])] if param else []
    return GatewayError(
        reason=reason,
        text=TEXTS[reason],
        violations=violations,
        upstream=Upstream(status=status, code=code or kind, param=param),
    )
