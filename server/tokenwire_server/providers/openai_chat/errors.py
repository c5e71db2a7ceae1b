"""Error replies of OpenAI and those who copy its form → GatewayError.

The provider's code decides, then its type, then the HTTP status; its message never does, and never
leaves. Codes: platform.openai.com/docs/guides/error-codes and recorded replies.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError, Upstream, Violation
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.retry_after import retry_after

_CODES: Final[Mapping[str, "Reason.ValueType"]] = {
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

_TYPES: Final[Mapping[str, "Reason.ValueType"]] = {
    "tokens": Reason.PROVIDER_RATE_LIMITED,
    "requests": Reason.PROVIDER_RATE_LIMITED,
    "rate_limit_error": Reason.PROVIDER_RATE_LIMITED,
    "overloaded_error": Reason.PROVIDER_OVERLOADED,
    "authentication_error": Reason.PROVIDER_CREDENTIALS_INVALID,
    "permission_error": Reason.PROVIDER_PERMISSION_DENIED,
}

_STATUSES: Final[Mapping[int, "Reason.ValueType"]] = {
    401: Reason.PROVIDER_CREDENTIALS_INVALID,
    402: Reason.INSUFFICIENT_QUOTA,
    403: Reason.PROVIDER_PERMISSION_DENIED,
    404: Reason.MODEL_NOT_FOUND,
    408: Reason.UPSTREAM_TIMEOUT,
    409: Reason.CONFLICT,
    413: Reason.REQUEST_TOO_LARGE,
    429: Reason.PROVIDER_RATE_LIMITED,
    503: Reason.PROVIDER_OVERLOADED,
    529: Reason.PROVIDER_OVERLOADED,
}

_TEXTS: Final[Mapping["Reason.ValueType", str]] = {
    Reason.INVALID_REQUEST: "The provider refused the request as invalid.",
    Reason.UNSUPPORTED_PARAMETER: "The model cannot honour a parameter of the request.",
    Reason.CONTEXT_LENGTH_EXCEEDED: "The conversation is longer than the model's context window.",
    Reason.REQUEST_TOO_LARGE: "The request is larger than the provider takes.",
    Reason.CONTENT_BLOCKED: "The provider's policy refused the prompt.",
    Reason.PROVIDER_CREDENTIALS_INVALID: "The provider refused the gateway's key; its operator must act.",
    Reason.PROVIDER_PERMISSION_DENIED: "The provider refuses this to the gateway's account.",
    Reason.MODEL_NOT_FOUND: "The provider has no such model, or not for this account.",
    Reason.CONFLICT: "The provider reports a conflict.",
    Reason.INSUFFICIENT_QUOTA: "The provider account's quota is used up.",
    Reason.PROVIDER_RATE_LIMITED: "The provider's rate limit is reached.",
    Reason.PROVIDER_OVERLOADED: "The provider is overloaded.",
    Reason.PROVIDER_UNAVAILABLE: "The provider failed.",
    Reason.UPSTREAM_TIMEOUT: "The provider gave up waiting.",
    Reason.PROVIDER_BAD_RESPONSE: "The provider answered something that is not its protocol.",
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

_WORD: Final = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,100}")
"""An identifier. Anything else could be text, which stays inside."""


def error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """What a reply with a status other than 200 means."""
    try:
        parsed = loads(body)
    except ValueError:
        parsed = None
    details = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    result = _error(status, details if isinstance(details, dict) else {})
    result.retry_after = retry_after(headers)
    return result


def stream_error(details: object) -> GatewayError:
    """What an error object inside a stream means; some servers put the HTTP status in its `code`."""
    fields = details if isinstance(details, dict) else {}
    code = fields.get("code")
    return _error(code if isinstance(code, int) else 500, fields)


def _error(status: int, details: Mapping[str, Any]) -> GatewayError:
    code, kind, param = (_word(details.get(name)) for name in ("code", "type", "param"))
    reason = _CODES.get(code) or _CODES.get(kind) or _TYPES.get(kind) or _by_status(status)
    violations = [Violation(_path(param), _TEXTS[reason])] if param else []
    return GatewayError(
        reason=reason,
        text=_TEXTS[reason],
        violations=violations,
        upstream=Upstream(status=status, code=code or kind, param=param),
    )


def _by_status(status: int) -> "Reason.ValueType":
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return Reason.INVALID_REQUEST
    return Reason.PROVIDER_UNAVAILABLE if status >= 500 else Reason.PROVIDER_BAD_RESPONSE


def _word(value: object) -> str:
    text = str(value) if isinstance(value, str | int) else ""
    return text if _WORD.fullmatch(text) else ""


def _path(param: str) -> str:
    name = param.partition(".")[0].partition("[")[0]
    return _PARAMS[name] + param.removeprefix(name) if name in _PARAMS else param
