"""Checks EmbedRequest against the contract, as validate.py does ChatRequest."""

from typing import Final

from tokenwire.v1 import embed_pb2 as pb
from tokenwire_server.rpc.check import Check
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

_MAX_INPUTS: Final = 50_000


def validate_embed(request: pb.EmbedRequest, limits: Server, unsupported: Unsupported) -> None:
    """Raises INVALID_REQUEST with the paths of what is wrong, at most ten of them, or
    UNSUPPORTED_PARAMETER for fields of a newer contract."""
    check = Check(limits)
    check.models(request.model, request.fallback_models)
    if not request.input:
        check.refuse("input", "There must be at least one text.")
    check.at_most("input", request.input, _MAX_INPUTS)
    for index, text in enumerate(request.input):
        if not text:
            check.refuse(f"input[{index}]", "The text is empty.")
    if request.HasField("dimensions") and request.dimensions < 1:
        check.refuse("dimensions", "The value must be at least 1.")
    check.provider_options(request.provider_options)
    for provider, options in request.provider_options.fields.items():
        if "output_dtype" in options.struct_value.fields:
            check.refuse(f"provider_options.{provider}.output_dtype", "Vectors are float32 here.")
    check.conclude(request, unsupported)
