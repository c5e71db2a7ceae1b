"""What can go wrong, by class: one for each family of reasons, all of them TokenwireError."""

from dataclasses import dataclass
from typing import Final, NamedTuple


class Violation(NamedTuple):
    """A field of the request, and what is wrong with it."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Details:
    """What the server said of a failure. Whatever it did not say is empty."""

    code: str = ""
    """Name of the gRPC status, such as `UNAVAILABLE`."""
    reason: str = ""
    """Name of the ErrorReason, such as `PROVIDER_OVERLOADED`; empty where no Tokenwire answered."""
    violations: tuple[Violation, ...] = ()
    retry_after: float | None = None
    """Seconds after which trying again may help."""
    request_id: str = ""
    provider: str = ""
    model: str = ""
    attempts: int = 0
    """How many requests to providers were made."""
    attempted: str = ""
    """Each of them in short, such as `openai/gpt-4o PROVIDER_OVERLOADED 503`."""


class TokenwireError(Exception):
    """Something failed. Where it was a call, `__cause__` is the `grpc.RpcError`."""

    def __init__(self, message: str, details: Details | None = None) -> None:
        super().__init__(message)
        self.details: Final = details or Details()

    @property
    def code(self) -> str:
        """Name of the gRPC status; empty where no call was made."""
        return self.details.code

    @property
    def reason(self) -> str:
        """Name of the ErrorReason, or empty."""
        return self.details.reason

    @property
    def violations(self) -> tuple[Violation, ...]:
        """The fields that were refused."""
        return self.details.violations

    @property
    def retry_after(self) -> float | None:
        """Seconds after which trying again may help, where the server said so."""
        return self.details.retry_after

    @property
    def request_id(self) -> str:
        """What the server's log has of the call."""
        return self.details.request_id

    @property
    def provider(self) -> str:
        """Who was asked last."""
        return self.details.provider

    @property
    def attempts(self) -> int:
        """How many requests to providers were made."""
        return self.details.attempts


class InvalidRequest(TokenwireError):
    """The request is wrong, and will be wrong again."""


class UnsupportedParameter(InvalidRequest):
    """The model or its provider has no place for a field."""


class ContextLengthExceeded(InvalidRequest):
    """The conversation is longer than the model's context window."""


class RequestTooLarge(InvalidRequest):
    """More bytes than the server or the provider takes."""


class ContentBlocked(InvalidRequest):
    """The provider's policy refused the prompt."""


class Unauthenticated(TokenwireError):
    """The token, or the caller's own provider key, is missing or wrong."""


class PermissionDenied(TokenwireError):
    """This caller, or the account in use, may not do it."""


class ProviderMisconfigured(TokenwireError):
    """The gateway has no such provider, or a key that the provider refuses: its operator must act."""


class NotFound(TokenwireError):
    """What the request names is not there, mostly its model."""


class Conflict(TokenwireError):
    """The provider reports a conflicting change."""


class Unsupported(TokenwireError):
    """The provider, or this server, has no such operation."""


class ResourceExhausted(TokenwireError):
    """A limit was reached, of size or of reading speed where it is none of the classes below."""


class RateLimited(ResourceExhausted):
    """Too many calls or tokens for the gateway or the provider; `retry_after` says when to come back."""


class QuotaExceeded(ResourceExhausted):
    """The account's quota or the caller's budget is used up."""


class Unavailable(TokenwireError):
    """The gateway cannot be reached, is stopping, or cannot serve at the moment."""


class ProviderUnavailable(Unavailable):
    """The provider is overloaded, unreachable or too slow, or its answer broke off."""


class DeadlineExceeded(TokenwireError):
    """The call's `timeout` passed, or could not have been met."""


class Cancelled(TokenwireError):
    """The call was cancelled, though not by the task that waits for it."""


class InternalError(TokenwireError):
    """A fault of the gateway, or of something between."""


class ProviderBadResponse(InternalError):
    """The provider answered something that is not its protocol."""


class IncompleteStream(InternalError):
    """A stream ended without its end: what came of it is not an answer."""


class ClientClosed(TokenwireError):
    """The client was closed, before the call or while it went on."""


class WrongEventLoop(TokenwireError):
    """An AsyncClient belongs to the event loop of its first call."""


class StreamClosed(TokenwireError):
    """A stream lives inside its `with` block, and was used before or after it."""


class IncompleteToolCall(TokenwireError):
    """A tool call was cut off within its arguments. It was not executed."""


class ToolSchemaError(TokenwireError):
    """A function cannot be offered to a model: its parameters have no JSON Schema."""


class ToolError(TokenwireError):
    """Raised by a tool: its text is for the model. Any other exception is told by its class alone."""


class ToolLoopLimit(TokenwireError):
    """The model still calls tools after the last step. The conversation has all results, and can go on."""


class OutputInvalid(TokenwireError):
    """The answer does not satisfy the schema; `text` is what the model wrote."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text: Final = text


class OutputIncomplete(OutputInvalid):
    """The answer ended early: its token limit, a content filter."""


class OutputRefused(OutputInvalid):
    """The model declined to answer; `text` is its refusal."""


class CompressionFailed(TokenwireError):
    """The model gave no usable summary. The conversation is as it was."""
