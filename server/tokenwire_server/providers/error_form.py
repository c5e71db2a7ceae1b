"""What the error replies of all providers share: texts of ours, and what an HTTP status means."""

import re
from collections.abc import Mapping
from typing import Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason

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

TEXTS: Final[Mapping["Reason.ValueType", str]] = {
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

_WORD: Final = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,100}")
"""An identifier. Anything else could be text, which stays inside."""


def by_status(status: int) -> "Reason.ValueType":
    """What an HTTP status means by itself."""
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return Reason.INVALID_REQUEST
    return Reason.PROVIDER_UNAVAILABLE if status >= 500 else Reason.PROVIDER_BAD_RESPONSE


def status_within(*given: object) -> int:
    """The HTTP status that an error inside a stream names, the first that is one; 500 where there is none."""
    return next((number for number in given if isinstance(number, int) and 400 <= number < 600), 500)


def word(value: object) -> str:
    """The value where it is an identifier, else nothing."""
    text = str(value) if isinstance(value, str | int) else ""
    return text if _WORD.fullmatch(text) else ""


def path_of(param: str, names: Mapping[str, str]) -> str:
    """The path in ChatRequest of what a provider calls `param`; `names` has what is called otherwise here.
    A name that ends in `*` stands for all that is in it too: the two sides have no more in common there."""
    head = param.partition("[")[0]
    while head:
        if f"{head}.*" in names:
            return names[f"{head}.*"]
        if head in names:
            return names[head] + param.removeprefix(head)
        head = head.rpartition(".")[0]
    return param
