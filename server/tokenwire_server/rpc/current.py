"""The Call of the RPC that is being handled: grpc gives an interceptor no way to pass one on."""

from contextvars import ContextVar
from typing import Final

from tokenwire_server.call import Call

CALL: Final[ContextVar[Call]] = ContextVar("CALL")
"""Set by the boundary, read by the servicer and nowhere else."""
