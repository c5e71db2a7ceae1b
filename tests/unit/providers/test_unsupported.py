"""What cannot be honoured is refused by name or left out by name, as the request asks."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from tokenwire.v1 import common_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.unsupported import Unsupported

REJECT = pb.UNSUPPORTED_PARAMETERS_REJECT
DROP = pb.UNSUPPORTED_PARAMETERS_DROP
DROP_SAMPLING = pb.UNSUPPORTED_PARAMETERS_DROP_SAMPLING
SAMPLING = [
    "config.temperature",
    "config.top_p",
    "config.frequency_penalty",
    "config.presence_penalty",
]
OTHERS = ["config.seed", "config.top_k", "temperature", "tools[0].provider_tool", "messages[3].57"]
DROPPED = pb.WARNING_CODE_PARAMETER_DROPPED
PART = "messages[0].parts[1].image.file_id"

Mode: TypeAlias = "pb.UnsupportedParameters.ValueType"


def refused(act: Callable[[str, str], None], path: str) -> None:
    with pytest.raises(GatewayError) as raised:
        act(path, "It cannot be done.")
    error = raised.value
    assert error.reason == Reason.UNSUPPORTED_PARAMETER
    assert error.text == "It cannot be done."
    assert [(violation.field, violation.text) for violation in error.violations] == [
        (path, "It cannot be done.")
    ]


@pytest.mark.parametrize(
    ("mode", "path"),
    [(REJECT, path) for path in SAMPLING + OTHERS] + [(DROP_SAMPLING, path) for path in OTHERS],
)
def test_a_parameter_is_refused_with_its_path(mode: Mode, path: str) -> None:
    unsupported = Unsupported(mode)
    refused(unsupported.parameter, path)
    assert unsupported.warnings == []


@pytest.mark.parametrize(
    ("mode", "path"),
    [(DROP, path) for path in SAMPLING + OTHERS] + [(DROP_SAMPLING, path) for path in SAMPLING],
)
def test_a_parameter_is_left_out_with_a_warning(mode: Mode, path: str) -> None:
    unsupported = Unsupported(mode)
    unsupported.parameter(path, "It cannot be done.")
    assert unsupported.warnings == [pb.CallWarning(code=DROPPED, field=path, text="It cannot be done.")]


@pytest.mark.parametrize("mode", [REJECT, DROP_SAMPLING])
def test_a_part_is_refused_with_its_path(mode: Mode) -> None:
    unsupported = Unsupported(mode)
    refused(unsupported.part, PART)
    assert unsupported.warnings == []


def test_a_part_is_left_out_with_a_warning() -> None:
    unsupported = Unsupported(DROP)
    unsupported.part(PART, "It cannot be done.")
    code = pb.WARNING_CODE_PART_DROPPED
    assert unsupported.warnings == [pb.CallWarning(code=code, field=PART, text="It cannot be done.")]


@pytest.mark.parametrize("mode", [REJECT, DROP, DROP_SAMPLING])
def test_a_part_of_another_provider_is_always_left_out_with_a_warning(mode: Mode) -> None:
    unsupported = Unsupported(mode)
    unsupported.foreign_part(PART, "Another made it.")
    code = pb.WARNING_CODE_PART_DROPPED
    assert unsupported.warnings == [pb.CallWarning(code=code, field=PART, text="Another made it.")]


@pytest.mark.parametrize("mode", [REJECT, DROP, DROP_SAMPLING])
def test_state_of_another_provider_has_one_warning_at_the_first(mode: Mode) -> None:
    unsupported = Unsupported(mode)
    unsupported.foreign_part(PART, "Another made it.")
    for index in (1, 3):
        unsupported.foreign_state(f"messages[{index}].parts[0].provider_state")
    unsupported.foreign_part(PART, "Another made it.")
    code, part = pb.WARNING_CODE_PROVIDER_STATE_DROPPED, pb.WARNING_CODE_PART_DROPPED
    found = [(warning.code, warning.field) for warning in unsupported.warnings]
    assert found == [(part, PART), (code, "messages[1].parts[0].provider_state"), (part, PART)]


def test_each_thing_has_its_own_warning_in_order() -> None:
    unsupported = Unsupported(DROP)
    unsupported.parameter("config.seed", "One.")
    unsupported.part(PART, "Two.")
    unsupported.parameter("config.seed", "Three.")
    assert [warning.text for warning in unsupported.warnings] == ["One.", "Two.", "Three."]


def test_the_shipped_default_drops_sampling_only() -> None:
    unsupported = Unsupported()
    unsupported.parameter("config.temperature", "Not here.")
    refused(unsupported.parameter, "config.seed")
