"""What the checks of all requests share: collecting what is wrong, and the fields that all of them have."""

from collections.abc import Collection, Sequence
from typing import Final

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError, Violation
from tokenwire_server.rpc import wellformed
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

MAX_VIOLATIONS: Final = 10
MAX_FALLBACKS: Final = 8
"""Most models that a request names besides its own."""
_MAX_MODEL: Final = 256

_OWNED: Final = frozenset(
    {"model", "messages", "input", "stream", "stream_options", "store", "previous_response_id"}
    | {"max_tokens", "max_completion_tokens", "max_output_tokens", "user", "safety_identifier"}
)
"""Keys of provider_options that belong to the gateway: typed fields, or the stream's mechanics."""


class Check:
    """Collects what is wrong with one request."""

    def __init__(self, limits: Server) -> None:
        self.limits = limits
        self.violations: list[Violation] = []

    def refuse(self, path: str, text: str) -> None:
        """A field is wrong."""
        self.violations.append(Violation(path, text))

    def at_most(self, path: str, values: Collection[object], most: int) -> None:
        """A field holds so many values at most."""
        if len(values) > most:
            self.refuse(path, f"There may be at most {most}.")

    def models(self, model: str, fallback_models: Sequence[str]) -> None:
        """Names of models, which go into logs and trailers, and are remembered."""
        self._model("model", model)
        self.at_most("fallback_models", fallback_models, MAX_FALLBACKS)
        for index, name in enumerate(fallback_models[:MAX_FALLBACKS]):
            self._model(f"fallback_models[{index}]", name)

    def _model(self, path: str, name: str) -> None:
        if len(name) > _MAX_MODEL or not name.isprintable():
            self.refuse(path, f"A model's name is at most {_MAX_MODEL} printable characters.")

    def provider_options(self, options: Struct) -> None:
        """Each an object, without the gateway's own keys."""
        for provider, value in options.fields.items():
            path = f"provider_options.{provider}"
            if value.WhichOneof("kind") != "struct_value":
                self.refuse(path, "A provider's options are an object.")
            for key in _OWNED & value.struct_value.fields.keys():
                self.refuse(f"{path}.{key}", "The key belongs to the gateway.")

    def conclude(self, request: Message, unsupported: Unsupported) -> None:
        """Raises INVALID_REQUEST for what was found, and for what holds for every message; then refuses or
        leaves out fields of a newer contract."""
        if not self.violations and wellformed.is_clean(request):
            return
        findings = wellformed.Findings()
        wellformed.examine(request, findings)
        violations = (self.violations + findings.violations)[:MAX_VIOLATIONS]
        if violations:
            raise GatewayError(reason=Reason.INVALID_REQUEST, text=violations[0].text, violations=violations)
        for path in findings.unknown:
            unsupported.parameter(path, "This server does not know the field.")
