"""The errors of the Mistral API.

Bodies marked "reported" stand so in public issue threads of the API's users; the others are made after the
SDK's types and the documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenwire_server.simulator.reply import Exchange, NamedError
from tokenwire_server.simulator.values import Json

INVALID = "invalid_request_error"


@dataclass
class ApiError(Exception):
    """A request that the API refuses."""

    message: str
    type: str = INVALID
    code: str | None = None
    status: int = 400

    @property
    def body(self) -> Json:
        """The body of the answer."""
        return _body(self.message, self.type, self.code)


@dataclass
class ValidationFailed(Exception):  # noqa: N818 (as the API's own name for it)
    """A body that does not have the form of a request."""

    details: Sequence[Json]
    status: int = 422

    @property
    def body(self) -> Json:
        """The body of the answer. Reported; later reports have the inner object alone."""
        return _body({"detail": list(self.details)}, INVALID, None)


def invalid_model(name: str) -> ApiError:
    """The error for a model that does not exist, or does something else."""
    return ApiError(f"Invalid model: {name}", "invalid_model", "1500")


def check_json(raw: bytes, value: object) -> None:
    """Refuses a body that is no JSON."""
    if value is None and raw != b"null":
        place = {"type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error", "input": {}}
        raise ValidationFailed([{**place, "ctx": {"error": "Expecting value"}}])


def _body(message: object, kind: str, code: str | None) -> Json:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


@dataclass(frozen=True, slots=True)
class _Row:
    status: int
    body: Json
    retry_after: str | None = None


def _row(status: int, message: str, kind: str, code: str | None) -> _Row:
    return _Row(status, _body(message, kind, code))


_MISSING: Json = {"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": {}}

_ROWS: Mapping[str, _Row] = {
    "bad_request": _row(400, "Bad request.", INVALID, None),
    "context_length": _row(
        400,
        "Prompt contains 140000 tokens and 0 draft tokens, too large for model with 131072 maximum context "
        "length",
        "invalid_request_error",
        "3051",
    ),
    "message_order": _row(  # reported
        400, "Unexpected role 'user' after role 'tool'", "invalid_request_message_order", "3230"
    ),
    "model_not_found": _row(400, "Invalid model: {model}", "invalid_model", "1500"),
    "invalid_api_key": _Row(401, {"detail": "Unauthorized"}),
    "invalid_api_key_edge": _Row(401, {"message": "Unauthorized", "request_id": "{request}"}),
    "permission": _row(403, "This model is not available for your workspace.", "forbidden", "1700"),
    "not_found": _Row(404, {"message": "no Route matched with those values"}),
    "timeout408": _Row(408, {"message": "Request Timeout"}),
    "too_large413": _Row(413, {"message": "Request size limit exceeded"}),
    "unprocessable422": _Row(422, _body({"detail": [_MISSING]}, INVALID, None)),  # reported
    "unprocessable422_flat": _Row(422, {"detail": [_MISSING]}),  # reported
    "rate_limit": _Row(  # reported
        429, {**_body("Rate limit exceeded", "rate_limited", "1300"), "raw_status_code": 429}, "1"
    ),
    "rate_limit_edge": _Row(429, {"message": "Requests rate limit exceeded"}),  # reported
    "capacity": _row(
        429, "Service tier capacity exceeded for this model.", "service_tier_capacity_exceeded", "3505"
    ),
    "server_error": _row(500, "Internal server error", "internal_server_error", "1000"),
    "bad_gateway": _Row(502, {"message": "An invalid response was received from the upstream server"}),
    "overloaded": _row(503, "Service unavailable.", "unreachable_backend", "1100"),
    "gateway_timeout": _Row(504, {"message": "The upstream server is timing out"}),
}

ERRORS = tuple(_ROWS)
"""The names that a script may use."""

_BY_STATUS = {row.status: name for name, row in reversed(list(_ROWS.items()))}


def by_name(name: str, exchange: Exchange, request_id: str) -> NamedError | None:
    """The error with this name, or the first one with this status."""
    given = int(name) if name.isdecimal() else None
    row = _ROWS.get(_BY_STATUS.get(given, "server_error") if given is not None else name)
    if row is None:
        return None
    filled = {"{model}": exchange.received.model or "mistral-tiny", "{request}": request_id}
    body = {key: _filled(value, filled) for key, value in row.body.items()}
    headers = {} if row.retry_after is None else {"retry-after": row.retry_after}
    return NamedError(given or row.status, body, headers)


def _filled(value: object, texts: Mapping[str, str]) -> object:
    if not isinstance(value, str):
        return value
    for mark, text in texts.items():
        value = value.replace(mark, text)
    return value
