"""Checks ListModelsRequest against the contract, as validate.py does ChatRequest."""

from typing import Final

from tokenwire.v1.models_pb2 import ListModelsRequest
from tokenwire_server.rpc.check import Check
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

_MAX_PAGE: Final = 1000


def validate_models(request: ListModelsRequest, limits: Server) -> None:
    """Raises INVALID_REQUEST with the paths of what is wrong, or UNSUPPORTED_PARAMETER for fields of a newer
    contract: the response has no place for a warning."""
    check = Check(limits)
    if not 0 <= request.page_size <= _MAX_PAGE:
        check.refuse("page_size", f"The value must be between 0 and {_MAX_PAGE}.")
    check.conclude(request, Unsupported())
