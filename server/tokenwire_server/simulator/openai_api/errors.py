"""The errors of the OpenAI API, as its documents and its answers have them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tokenwire_server.simulator.reply import Exchange, NamedError
from tokenwire_server.simulator.values import Json

INVALID = "invalid_request_error"


@dataclass
class ApiError(Exception):
    """A request that the API refuses."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400
    type: str = INVALID

    @property
    def body(self) -> Json:
        """The body of the answer."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class _Row:
    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    retry_after: str | None = None


_ROWS: Mapping[str, _Row] = {
    "bad_request": _Row(400, INVALID, None, "Bad request."),
    "context_length": _Row(
        400,
        INVALID,
        "context_length_exceeded",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 "
        "tokens. Please reduce the length of the messages.",
        "messages",
    ),
    "content_policy": _Row(
        400,
        INVALID,
        "content_policy_violation",
        "Your request was rejected as a result of our safety system. Your prompt may contain text that is "
        "not allowed by our safety system.",
    ),
    "invalid_prompt": _Row(
        400,
        INVALID,
        "invalid_prompt",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
        "Please try again with a different prompt.",
    ),
    "invalid_api_key": _Row(
        401,
        INVALID,
        "invalid_api_key",
        "Incorrect API key provided: sk-inva**lid. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
    ),
    "permission": _Row(
        403,
        INVALID,
        "insufficient_permissions",
        "You have insufficient permissions for this operation. Missing scopes: model.request. Check that "
        "you have the correct role in your organization and project.",
    ),
    "region": _Row(
        403,
        "request_forbidden",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    "model_not_found": _Row(
        404,
        INVALID,
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "timeout408": _Row(408, "timeout", None, "Request timed out."),
    "conflict409": _Row(409, INVALID, "conflict", "The resource was changed by another request."),
    "too_large413": _Row(413, INVALID, None, "The data value transmitted exceeds the capacity limit."),
    "unprocessable422": _Row(422, INVALID, "unprocessable_entity", "The request could not be processed."),
    "rate_limit": _Row(
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization org-simulator on requests per min (RPM): Limit 3, "
        "Used 3, Requested 1. Please try again in 1s. Visit https://platform.openai.com/account/rate-limits "
        "to learn more.",
        retry_after="1",
    ),
    "rate_limit_tokens": _Row(
        429,
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization org-simulator on tokens per min (TPM): Limit 30000, "
        "Used 29990, Requested 100. Please try again in 180ms. "
        "Visit https://platform.openai.com/account/rate-limits to learn more.",
        retry_after="1",
    ),
    "insufficient_quota": _Row(
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details. For more information "
        "on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    "server_error": _Row(
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    "overloaded": _Row(
        503,
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded. Please try again later.",
    ),
}

ERRORS = tuple(_ROWS)
"""The names that a script may use."""

_BY_STATUS = {
    **{row.status: name for name, row in reversed(list(_ROWS.items()))},
    401: "invalid_api_key",
    403: "permission",
    502: "server_error",
    504: "server_error",
}


def by_name(name: str, exchange: Exchange) -> NamedError | None:
    """The error with this name, or the first one with this status."""
    given = int(name) if name.isdecimal() else None
    row = _ROWS.get(_BY_STATUS.get(given, "server_error") if given is not None else name)
    if row is None:
        return None
    message = row.message.replace("{model}", exchange.received.model or "gpt-4o")
    error = ApiError(message, row.param, row.code, given or row.status, row.type)
    headers = {} if row.retry_after is None else {"retry-after": row.retry_after}
    return NamedError(error.status, error.body, headers)
