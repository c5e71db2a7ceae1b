"""Who calls: the bearer token of an RPC, judged before its request is read.

Nobody calls anything without one, except the methods named here: a method that is forgotten is closed.
"""

import re
from contextvars import ContextVar
from typing import Final

import grpc
from grpc_health.v1 import health_pb2

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.auth import Tokens
from tokenwire_server.errors import GatewayError

CALLER: Final[ContextVar[str]] = ContextVar("CALLER", default="")
"""The name of who calls the RPC that is being handled; empty where nobody is asked."""

_HEALTH: Final = health_pb2.DESCRIPTOR.services_by_name["Health"]
OPEN: Final = frozenset(f"/{_HEALTH.full_name}/{method.name}" for method in _HEALTH.methods)
"""Methods for everybody, exactly as they are called: probes have no token."""

_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")


class Authentication:
    """The mode `token`."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def caller(self, details: grpc.HandlerCallDetails) -> str | None:
        """The caller's name, empty for an open method; None = the call is refused."""
        if details.method in OPEN:
            return ""
        given = [value for key, value in details.invocation_metadata or () if key == "authorization"]
        if len(given) != 1 or not isinstance(given[0], str):
            return None
        bearer = _BEARER.fullmatch(given[0])
        return self._tokens.caller(bearer[1]) if bearer else None


def unauthenticated() -> GatewayError:
    """The one answer to every call that is refused: it does not tell what was wrong."""
    return GatewayError(
        reason=Reason.UNAUTHENTICATED, text="The call needs a valid token as metadata authorization."
    )
