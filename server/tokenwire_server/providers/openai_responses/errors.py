"""Error replies of the Responses API, and of those who copy it → GatewayError.

The form and most codes are those of Chat Completions. Codes: platform.openai.com/docs/guides/error-codes and
the SDK's ResponseError, which a failed answer and its stream carry without an HTTP status.
"""

from collections.abc import Mapping
from typing import Any, Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.error_form import status_within
from tokenwire_server.providers.openai_chat.errors import CODES, details_of, failure
from tokenwire_server.providers.retry_after import retry_after

_CODES: Final[dict[str, "Reason.ValueType"]] = {
    **CODES,
    "misalignment_policy_violation": Reason.CONTENT_BLOCKED,
    "image_content_policy_violation": Reason.CONTENT_BLOCKED,
    "data_residency_mismatch": Reason.PROVIDER_PERMISSION_DENIED,
    "vector_store_timeout": Reason.UPSTREAM_TIMEOUT,
    "previous_response_not_found": Reason.INVALID_REQUEST,
    "invalid_image": Reason.INVALID_REQUEST,
    "invalid_image_format": Reason.INVALID_REQUEST,
    "invalid_base64_image": Reason.INVALID_REQUEST,
    "invalid_image_url": Reason.INVALID_REQUEST,
    "image_too_large": Reason.INVALID_REQUEST,
    "image_too_small": Reason.INVALID_REQUEST,
    "image_parse_error": Reason.INVALID_REQUEST,
    "invalid_image_mode": Reason.INVALID_REQUEST,
    "image_file_too_large": Reason.INVALID_REQUEST,
    "unsupported_image_media_type": Reason.INVALID_REQUEST,
    "empty_image_file": Reason.INVALID_REQUEST,
    "failed_to_download_image": Reason.INVALID_REQUEST,
    "image_file_not_found": Reason.INVALID_REQUEST,
}
"""Looked up by the error's `code`, then by its `type`."""

_NOT_KEPT: Final[dict[str, "Reason.ValueType"]] = {"invalid_request_error": Reason.INVALID_REQUEST}

_PARAMS: Final[Mapping[str, str]] = {
    "input.*": "messages",
    "instructions": "messages",
    "text.format.*": "response_format",
    "text.verbosity": "config.verbosity",
    "safety_identifier": "end_user_id",
} | {name: f"config.{name}" for name in ("max_output_tokens", "temperature", "top_p", "top_logprobs")}
"""The provider's parameter → path in ChatRequest; other names are the same on both sides. Its input has items
where we have messages, which are counted otherwise."""


def error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """What a reply with a status other than 200 means."""
    result = _error(status, details_of(body))
    result.retry_after = retry_after(status, headers)
    return result


def stream_error(details: object) -> GatewayError:
    """What the error object of a failed answer or inside a stream means."""
    fields = details if isinstance(details, dict) else {}
    return _error(status_within(fields.get("status_code"), fields.get("code")), fields)


def _error(status: int, details: Mapping[str, Any]) -> GatewayError:
    """Not found may be the model, or an item or answer of before that was not kept."""
    if status == 404 and details.get("param") not in (None, "model"):
        return failure(status, details, _CODES | _NOT_KEPT, _PARAMS)
    return failure(status, details, _CODES, _PARAMS)
