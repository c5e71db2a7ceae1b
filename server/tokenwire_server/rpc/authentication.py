"""Who calls: the bearer token of an RPC, judged before its request is read.

Nobody calls anything without one, except the methods named here: a method that is forgotten is closed.
"""

from contextvars import ContextVar
from typing import Final

import grpc
from grpc_health.v1 import health_pb2

from tokenwire.v1 import llm_service_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.auth import Tokens, is_token
from tokenwire_server.errors import GatewayError

CALLER: Final[ContextVar[str]] = ContextVar("CALLER", default="")
"""The name of who calls the RPC that is being handled; empty where nobody has to say."""

_HEALTH: Final = health_pb2.DESCRIPTOR.services_by_name["Health"]
OPEN: Final = frozenset(f"/{_HEALTH.full_name}/{method.name}" for method in _HEALTH.methods)
"""Methods for everybody, exactly as they are called: probes have no token."""
_FOR_STRANGERS: Final = f"/{llm_service_pb2.DESCRIPTOR.services_by_name['LLMService'].full_name}/Health"
"""The method that tells a caller without a token less. A wrong one is refused, so that it is noticed."""


class Authentication:
    """The mode `token`."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def caller(self, details: grpc.HandlerCallDetails) -> str | None:
        """The caller's name, empty where none is needed; None = the call is refused."""
        if details.method in OPEN:
            return ""
        given = [value for key, value in details.invocation_metadata or () if key == "authorization"]
        if not given and details.method == _FOR_STRANGERS:
            return ""
        if len(given) != 1 or not isinstance(given[0], str):
            return None
        scheme, _, rest = given[0].partition(" ")
        token = rest.lstrip(" ")
        return self._tokens.caller(token) if scheme.lower() == "bearer" and is_token(token) else None


def unauthenticated() -> GatewayError:
    """The one answer to every call that is refused: it does not tell what was wrong."""
    return GatewayError(
        reason=Reason.UNAUTHENTICATED, text="The call needs a valid token as metadata authorization."
    )
