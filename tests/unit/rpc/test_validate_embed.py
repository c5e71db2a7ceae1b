"""What an EmbedRequest must hold."""

import math
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.rpc.validate_embed import validate_embed
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

FIELD_57 = b"\xca\x03\x02hi"  # number 57, two bytes


def request(*texts: str, **fields: Any) -> pb.EmbedRequest:
    return pb.EmbedRequest(input=texts or ["a"], **fields)


def options(value: dict[str, Any]) -> Struct:
    return json_format.ParseDict(value, Struct())


def numbered(field: str, number: int) -> pb.EmbedRequest:
    """A number that an enum does not have."""
    asked = request()
    setattr(asked, field, number)
    return asked


def infinite() -> pb.EmbedRequest:
    asked = request()
    asked.provider_options.fields["openai"].struct_value.fields["x"].number_value = math.inf
    return asked


ACCEPTED = {
    "one text": request(),
    "a space": request(" "),
    "the most": request(*["a"] * 50_000),
    "one dimension": request(dimensions=1),
    "all fields": request(
        "a",
        "b",
        model="openai/text-embedding-3-small",
        dimensions=8,
        encoding=pb.VECTOR_ENCODING_PACKED,
        provider_options=options({"openai": {"x": 1}}),
        unsupported_parameters=common_pb2.UNSUPPORTED_PARAMETERS_REJECT,
        end_user_id="u-1",
    ),
    "an encoding of the provider's own": request(
        provider_options=options({"vllm": {"encoding_format": "float"}})
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_contract_allows_is_accepted(name: str) -> None:
    unsupported = Unsupported()
    validate_embed(ACCEPTED[name], Server(), unsupported)
    assert unsupported.warnings == []


REFUSED = {
    "no text": (pb.EmbedRequest(), ["input"]),
    "too many texts": (request(*["a"] * 50_001), ["input"]),
    "an empty text": (request("a", "", "b"), ["input[1]"]),
    "two empty texts": (request("", "a", ""), ["input[0]", "input[2]"]),
    "more empty texts than are named": (request(*[""] * 50_000), [f"input[{n}]" for n in range(10)]),
    "no dimension": (request(dimensions=0), ["dimensions"]),
    "less than none": (request(dimensions=-1), ["dimensions"]),
    "an unknown encoding": (numbered("encoding", 3), ["encoding"]),
    "an unknown mode": (numbered("unsupported_parameters", 57), ["unsupported_parameters"]),
    "a long model": (request(model="m" * 257), ["model"]),
    "a model of two lines": (request(model="a\nb"), ["model"]),
    "options that are no object": (
        request(provider_options=options({"openai": 1})),
        ["provider_options.openai"],
    ),
    "the gateway's own key": (
        request(provider_options=options({"openai": {"input": "x"}})),
        ["provider_options.openai.input"],
    ),
    "other numbers than float32": (
        request(provider_options=options({"mistral": {"output_dtype": "int8"}})),
        ["provider_options.mistral.output_dtype"],
    ),
    "infinity": (infinite(), ["provider_options.fields.openai.struct_value.fields.x.number_value"]),
    "all at once": (request("", dimensions=0, model="\n"), ["model", "input[0]", "dimensions"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_contract_does_not_allow_is_refused_by_its_path(name: str) -> None:
    asked, fields = REFUSED[name]
    with pytest.raises(GatewayError) as raised:
        validate_embed(asked, Server(), Unsupported())
    assert raised.value.reason == Reason.INVALID_REQUEST
    assert [violation.field for violation in raised.value.violations] == fields


def newer() -> pb.EmbedRequest:
    asked = request()
    asked.MergeFromString(FIELD_57)
    return asked


@pytest.mark.parametrize(
    "mode",
    [common_pb2.UNSUPPORTED_PARAMETERS_REJECT, common_pb2.UNSUPPORTED_PARAMETERS_DROP_SAMPLING],
)
def test_a_field_of_a_newer_contract_is_refused(
    mode: "common_pb2.UnsupportedParameters.ValueType",
) -> None:
    with pytest.raises(GatewayError) as raised:
        validate_embed(newer(), Server(), Unsupported(mode))
    assert raised.value.reason == Reason.UNSUPPORTED_PARAMETER
    assert [violation.field for violation in raised.value.violations] == ["57"]


def test_a_field_of_a_newer_contract_is_left_out_where_the_caller_says_so() -> None:
    unsupported = Unsupported(common_pb2.UNSUPPORTED_PARAMETERS_DROP)
    validate_embed(newer(), Server(), unsupported)
    assert [warning.field for warning in unsupported.warnings] == ["57"]
