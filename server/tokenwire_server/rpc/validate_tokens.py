"""Checks CountTokensRequest around the request in it, which validate.py and validate_embed.py check."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from google.protobuf.unknown_fields import UnknownFieldSet

from tokenwire.v1.tokens_pb2 import CountTokensRequest
from tokenwire_server.errors import GatewayError, Violation, invalid
from tokenwire_server.unsupported import Unsupported


def input_of(request: CountTokensRequest) -> Literal["chat", "embed"]:
    """Which request is in it; raises INVALID_REQUEST when there is none."""
    kind = request.WhichOneof("input")
    if kind is None:
        raise invalid("input", "Exactly one of chat and embed must be set.")
    return kind


def examine(request: CountTokensRequest, unsupported: Unsupported) -> None:
    """Raises UNSUPPORTED_PARAMETER for fields of a newer contract beside the request in it, or warns."""
    unknown = UnknownFieldSet(request)
    for index in range(len(unknown)):
        unsupported.parameter(str(unknown[index].field_number), "This server does not know the field.")


@contextmanager
def inside(kind: str) -> Iterator[None]:
    """Errors of the block have the paths of the request inside: puts its field's name before them."""
    try:
        yield
    except GatewayError as error:
        error.violations = [Violation(f"{kind}.{found.field}", found.text) for found in error.violations]
        raise
