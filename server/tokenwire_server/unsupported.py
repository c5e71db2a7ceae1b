"""What happens to what cannot be honoured: refused by name, or left out by name."""

from collections.abc import Mapping
from typing import Final

from tokenwire.v1 import common_pb2 as pb
from tokenwire_server.errors import unsupported

_SAMPLING: Final = frozenset(
    {"config.temperature", "config.top_p", "config.frequency_penalty", "config.presence_penalty"}
)

MODES: Final[Mapping[str, "pb.UnsupportedParameters.ValueType"]] = {
    "reject": pb.UNSUPPORTED_PARAMETERS_REJECT,
    "drop": pb.UNSUPPORTED_PARAMETERS_DROP,
    "drop_sampling": pb.UNSUPPORTED_PARAMETERS_DROP_SAMPLING,
}
"""By the names that settings have for them."""


class Unsupported:
    """Applies `ChatRequest.unsupported_parameters` to one call, and keeps its warnings.

    `parameter` and `part` return when the thing is to be left out, with a warning; else they raise
    UNSUPPORTED_PARAMETER with the field's path.
    """

    def __init__(
        self, mode: "pb.UnsupportedParameters.ValueType" = pb.UNSUPPORTED_PARAMETERS_DROP_SAMPLING
    ) -> None:
        self.mode = mode
        self.warnings: Final[list[pb.CallWarning]] = []

    def kept(self) -> "Unsupported":
        """A copy as it stands: each target that a call is tried at begins with what was found before."""
        copy = Unsupported(self.mode)
        copy.warnings.extend(self.warnings)
        return copy

    def parameter(self, path: str, text: str) -> None:
        """A parameter that cannot be honoured."""
        self._refuse_unless_dropped(path, text)
        self._warn(pb.WARNING_CODE_PARAMETER_DROPPED, path, text)

    def part(self, path: str, text: str) -> None:
        """A content part that cannot be sent."""
        self._refuse_unless_dropped(path, text)
        self.foreign_part(path, text)

    def foreign_part(self, path: str, text: str) -> None:
        """A content part that another provider made and only that one understands: always left out."""
        self._warn(pb.WARNING_CODE_PART_DROPPED, path, text)

    def foreign_state(self, path: str) -> None:
        """What a part holds for the provider that made it, when another one is called. One warning for all
        parts: every answer of a conversation that changes providers has some."""
        code = pb.WARNING_CODE_PROVIDER_STATE_DROPPED
        if all(warning.code != code for warning in self.warnings):
            self._warn(code, path, "Made by another provider, here or in later parts: it is left out.")

    def ended_model(self, text: str) -> None:
        """The provider has ended the model; it is asked all the same."""
        self._warn(pb.WARNING_CODE_MODEL_DEPRECATED, "model", text)

    def _refuse_unless_dropped(self, path: str, text: str) -> None:
        match self.mode:
            case pb.UNSUPPORTED_PARAMETERS_DROP:
                return
            case pb.UNSUPPORTED_PARAMETERS_DROP_SAMPLING if path in _SAMPLING:
                return
            case _:
                raise unsupported(path, text)

    def _warn(self, code: "pb.WarningCode.ValueType", path: str, text: str) -> None:
        self.warnings.append(pb.CallWarning(code=code, field=path, text=text))
