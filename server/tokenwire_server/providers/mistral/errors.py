"""Mistral's error replies → GatewayError.

Two bodies: `{"object": "error", "message", "type", "code"}` and `{"detail": [{"type", "loc", "msg"}]}`, the
latter also as the former's message. The code decides, then the type, then the HTTP status; a conversation
that is too long has the code of any wrong argument, and only its message tells.
"""

from collections.abc import Mapping
from typing import Any, Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError, Upstream, Violation
from tokenwire_server.providers.error_form import TEXTS, by_status, path_of, status_within, word
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.providers.retry_after import retry_after

_CODES: Final[Mapping[str, "Reason.ValueType"]] = {
    "1300": Reason.PROVIDER_RATE_LIMITED,
    "rate_limited": Reason.PROVIDER_RATE_LIMITED,
    "1500": Reason.MODEL_NOT_FOUND,
    "invalid_model": Reason.MODEL_NOT_FOUND,
    "3505": Reason.PROVIDER_OVERLOADED,
    "service_tier_capacity_exceeded": Reason.PROVIDER_OVERLOADED,
    "context_length_exceeded": Reason.CONTEXT_LENGTH_EXCEEDED,
}
"""Looked up by the error's `code`, then by its `type`."""

_TOO_LONG: Final = "maximum context length"
"""The one text that decides anything: Mistral says 3051 of every wrong argument, a prompt that is too long
among them, and callers must be able to tell that one apart."""

_PARAMS: Final[Mapping[str, str]] = {
    "max_tokens": "config.max_output_tokens",
    "random_seed": "config.seed",
    "n": "config.candidate_count",
    "reasoning_effort": "reasoning.effort",
    "temperature": "config.temperature",
    "top_p": "config.top_p",
    "top_k": "config.top_k",
    "stop": "config.stop",
    "frequency_penalty": "config.frequency_penalty",
    "presence_penalty": "config.presence_penalty",
}
"""Mistral's parameter → path in ChatRequest; other names are the same on both sides."""


def error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """What a reply with a status other than 200 means."""
    try:
        parsed = loads(body)
    except ValueError:
        parsed = None
    result = _error(status, parsed if isinstance(parsed, dict) else {})
    result.retry_after = retry_after(status, headers)
    return result


def stream_error(chunk: Mapping[str, Any]) -> GatewayError:
    """What an object without choices inside a stream means."""
    details = chunk.get("error", chunk)
    fields = details if isinstance(details, dict) else {}
    if not fields.keys() & {"message", "detail", "code", "type"}:
        raise KeyError("choices")
    return _error(status_within(fields.get("raw_status_code")), fields)


def _error(status: int, fields: Mapping[str, Any]) -> GatewayError:
    code, kind = word(fields.get("code")), word(fields.get("type"))
    reason = _CODES.get(code) or _CODES.get(kind) or by_status(status)
    if reason == Reason.INVALID_REQUEST and _TOO_LONG in str(fields.get("message")):
        reason = Reason.CONTEXT_LENGTH_EXCEEDED
    params = [_param(detail) for detail in _details(fields)]
    violations = [Violation(path_of(param, _PARAMS), TEXTS[reason]) for param in params if param]
    return GatewayError(
        reason=reason,
        text=TEXTS[reason],
        violations=violations,
        upstream=Upstream(status=status, code=code or kind, param=next(iter(params), "")),
    )


def _details(fields: Mapping[str, Any]) -> list[Any]:
    message = fields.get("message")
    holder = message if isinstance(message, dict) else fields
    details = holder.get("detail")
    return details if isinstance(details, list) else []


def _param(detail: object) -> str:
    """`["body", "messages", 0, "content"]` as `messages[0].content`."""
    loc = detail.get("loc") if isinstance(detail, dict) else None
    path = ""
    for step in loc if isinstance(loc, list) else ():
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return word(path.removeprefix(".body").removeprefix("."))
