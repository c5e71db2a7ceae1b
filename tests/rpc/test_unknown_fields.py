"""Fields of a newer contract: refused by their path, or left out with a warning."""

import pytest
from support.ask import WEATHER, ask, assistant, called, result, tool
from support.gateway import Gateway
from support.status import collect, failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2

REJECT = common_pb2.UNSUPPORTED_PARAMETERS_REJECT
DROP = common_pb2.UNSUPPORTED_PARAMETERS_DROP
DROP_SAMPLING = common_pb2.UNSUPPORTED_PARAMETERS_DROP_SAMPLING

FIELD_57 = b"\xca\x03\x02hi"  # number 57, two bytes


def _whole() -> pb.ChatRequest:
    turns = ("a", assistant("", called()), tool(result()), "b")
    return ask(*turns, tools=[WEATHER], config=pb.GenerationConfig(seed=1))


def _in_request(request: pb.ChatRequest) -> None:
    request.MergeFromString(FIELD_57)


def _in_message(request: pb.ChatRequest) -> None:
    request.messages[3].MergeFromString(FIELD_57)


def _in_config(request: pb.ChatRequest) -> None:
    request.config.MergeFromString(FIELD_57)


def _in_result(request: pb.ChatRequest) -> None:
    request.messages[2].parts[0].tool_result.MergeFromString(FIELD_57)


def _in_function(request: pb.ChatRequest) -> None:
    request.tools[0].function.MergeFromString(FIELD_57)


def _in_options(request: pb.ChatRequest) -> None:
    request.provider_options.fields["openai"].struct_value.MergeFromString(FIELD_57)


PLACES = {
    "57": _in_request,
    "messages[3].57": _in_message,
    "config.57": _in_config,
    "messages[2].parts[0].tool_result.57": _in_result,
    "tools[0].function.57": _in_function,
    "provider_options.fields.openai.struct_value.57": _in_options,
}


@pytest.mark.parametrize("mode", [0, REJECT, DROP_SAMPLING], ids=["default", "reject", "drop_sampling"])
@pytest.mark.parametrize("path", PLACES)
async def test_an_unknown_field_is_refused_by_its_path(
    gateway: Gateway, path: str, mode: common_pb2.UnsupportedParameters.ValueType
) -> None:
    request = _whole()
    PLACES[path](request)
    request.unsupported_parameters = mode
    refused = await failure(gateway.stub.Chat(request))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "UNSUPPORTED_PARAMETER")
    assert refused.fields == [path]
    assert gateway.simulator.received == []
    await gateway.works()


@pytest.mark.parametrize("path", PLACES)
async def test_drop_leaves_it_out_with_a_warning(gateway: Gateway, path: str) -> None:
    request = _whole()
    request.unsupported_parameters = DROP
    plain = await gateway.stub.Chat(request)
    PLACES[path](request)
    reply = await gateway.stub.Chat(request)
    assert [(warning.code, warning.field) for warning in reply.warnings] == [
        (common_pb2.WARNING_CODE_PARAMETER_DROPPED, path)
    ]
    assert reply.choices == plain.choices
    first, second = gateway.simulator.received
    assert first.raw == second.raw
    *_, last = await collect(gateway.stub.ChatStream(request))
    assert last.completed.response.warnings == reply.warnings


async def test_a_field_that_was_taken_out_of_the_plan_is_unknown_too(gateway: Gateway) -> None:
    request = ask()
    request.MergeFromString(b"\x7a\x01x")  # 15 has no field
    refused = await failure(gateway.stub.Chat(request))
    assert (refused.reason, refused.fields) == ("UNSUPPORTED_PARAMETER", ["15"])


async def test_what_is_invalid_comes_before_what_is_unknown(gateway: Gateway) -> None:
    request = ask(config=pb.GenerationConfig(temperature=9))
    request.MergeFromString(FIELD_57)
    refused = await failure(gateway.stub.Chat(request))
    assert (refused.reason, refused.fields) == ("INVALID_REQUEST", ["config.temperature"])
