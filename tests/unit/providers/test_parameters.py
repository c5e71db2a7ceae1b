"""What a model cannot take: by wire format and by the catalog, refused or left out as the request asks."""

from typing import Any, TypeAlias

import pytest
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.catalog import Row, load
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers import mistral, openai_chat
from tokenwire_server.providers.parameters import omissions
from tokenwire_server.unsupported import Unsupported

REJECT = common_pb2.UNSUPPORTED_PARAMETERS_REJECT
DROP = common_pb2.UNSUPPORTED_PARAMETERS_DROP
DROP_SAMPLING = common_pb2.UNSUPPORTED_PARAMETERS_DROP_SAMPLING
Mode: TypeAlias = "common_pb2.UnsupportedParameters.ValueType"

CATALOG = load()
SAMPLING = {
    "temperature": 0.5,
    "top_p": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
}
PATHS = {f"config.{name}" for name in SAMPLING}


def request(effort: str = "", **config: Any) -> pb.ChatRequest:
    return ask("Hi", reasoning=pb.ReasoningConfig(effort=effort), config=pb.GenerationConfig(**config))


def left_out(asked: pb.ChatRequest, row: Row | None, lacks: Any = None, mode: Mode = DROP) -> set[str]:
    """What is left out; each of them has its warning."""
    unsupported = Unsupported(mode)
    found = set(omissions(asked, lacks or {}, row, unsupported))
    assert {warning.field for warning in unsupported.warnings} == found
    assert len(unsupported.warnings) == len(found)
    return found


def refused(asked: pb.ChatRequest, row: Row | None, lacks: Any = None, mode: Mode = REJECT) -> str:
    with pytest.raises(GatewayError) as raised:
        omissions(asked, lacks or {}, row, Unsupported(mode))
    assert raised.value.reason == Reason.UNSUPPORTED_PARAMETER
    (violation,) = raised.value.violations
    return violation.field


def found(model: str, kind: str = "openai") -> Row:
    row = CATALOG.find(kind, model)
    assert row is not None
    return row


# model, effort, whether the model takes the effort, whether it then takes sampling parameters
TAKEN: list[tuple[str, str, bool, bool]] = [
    ("gpt-4o", "", True, True),
    ("gpt-4o", "low", False, True),
    ("gpt-4o-mini-2024-07-18", "", True, True),
    ("gpt-4.1-nano", "high", False, True),
    ("gpt-4o-search-preview", "", True, False),
    ("o3-mini", "", True, False),
    ("o3", "high", True, False),
    ("o3", "minimal", False, False),
    ("o4-mini", "none", False, False),
    ("gpt-5", "", True, False),
    ("gpt-5", "minimal", True, False),
    ("gpt-5", "none", False, False),
    ("gpt-5-pro", "high", True, False),
    ("gpt-5-pro", "low", False, False),
    ("gpt-5-chat-latest", "", True, True),
    ("gpt-5.1", "", True, True),
    ("gpt-5.1", "none", True, True),
    ("gpt-5.1", "low", True, False),
    ("gpt-5.1", "minimal", False, False),
    ("gpt-5.2", "xhigh", True, False),
    ("gpt-5.4", "", True, True),
    ("gpt-5.5", "", True, False),
    ("gpt-5.5", "none", True, True),
]


@pytest.mark.parametrize(("model", "effort", "has_effort", "samples"), TAKEN)
def test_each_model_takes_what_its_row_says(
    model: str, effort: str, *, has_effort: bool, samples: bool
) -> None:
    asked, row = request(effort, **SAMPLING), found(model)
    effort_path = set() if has_effort else {"reasoning.effort"}
    sampling = set() if samples else PATHS
    assert left_out(asked, row) == effort_path | sampling
    if effort_path | sampling:
        assert refused(asked, row) in effort_path | sampling
    if effort_path:
        assert refused(asked, row, mode=DROP_SAMPLING) == "reasoning.effort"
    else:
        assert left_out(asked, row, mode=DROP_SAMPLING) == sampling


@pytest.mark.parametrize("effort", ["", "none", "high"])
def test_mistrals_models_take_a_temperature_beside_any_effort(effort: str) -> None:
    row = found("mistral-small-latest", "mistral")
    assert left_out(request(effort, **SAMPLING), row, mistral.CODEC.lacks) == set()
    assert left_out(request("low"), row, mistral.CODEC.lacks) == {"reasoning.effort"}


@pytest.mark.parametrize("mode", [REJECT, DROP, DROP_SAMPLING])
def test_a_temperature_of_one_is_what_a_reasoning_model_does_anyway(mode: Mode) -> None:
    assert left_out(request("high", temperature=1), found("gpt-5"), mode=mode) == set()
    for other in (0.0, 0.999, 2.0):
        assert left_out(request("high", temperature=other), found("gpt-5")) == {"config.temperature"}


def test_one_is_no_such_thing_for_others() -> None:
    assert left_out(request(top_p=1, frequency_penalty=1), found("gpt-5")) == {
        "config.top_p",
        "config.frequency_penalty",
    }


def test_a_zero_that_the_caller_sent_counts_as_sent() -> None:
    asked = request(temperature=0, frequency_penalty=0)
    assert left_out(asked, found("o3")) == {"config.temperature", "config.frequency_penalty"}
    assert left_out(request(), found("o3")) == set()


@pytest.mark.parametrize("mode", [REJECT, DROP, DROP_SAMPLING])
def test_an_unknown_model_takes_everything(mode: Mode) -> None:
    assert left_out(request("extreme", **SAMPLING, seed=7, top_k=3), None, mode=mode) == set()


def test_a_row_that_says_nothing_refuses_nothing() -> None:
    row = Row(kind="openai", match="x")
    assert left_out(request("extreme", **SAMPLING), row) == set()


def test_a_row_of_settings_decides_as_a_shipped_one() -> None:
    row = Row(kind="openai_compatible", match="qwen", sampling="effort_none", efforts=("none", "high"))
    asked = request("", **SAMPLING)
    assert left_out(asked, row) == PATHS
    assert left_out(request("none", **SAMPLING), row) == set()
    assert left_out(request("low"), row) == {"reasoning.effort"}


LACKS: list[tuple[Any, str, pb.ChatRequest]] = [
    (openai_chat.CODEC, "config.top_k", request(top_k=3)),
    (mistral.CODEC, "config.verbosity", request(verbosity="low")),
    (mistral.CODEC, "config.logit_bias", request(logit_bias={7: 1})),
    (mistral.CODEC, "store", ask("Hi", store=True)),
]


@pytest.mark.parametrize(("codec", "path", "asked"), LACKS, ids=[row[1] for row in LACKS])
def test_what_a_format_has_no_place_for_is_refused_or_left_out(
    codec: Any, path: str, asked: pb.ChatRequest
) -> None:
    assert refused(asked, None, codec.lacks) == path
    assert refused(asked, None, codec.lacks, DROP_SAMPLING) == path
    assert left_out(asked, None, codec.lacks) == {path}
    assert left_out(asked, None, openai_chat.COMPATIBLE.lacks, REJECT) == set()


@pytest.mark.parametrize("mode", [REJECT, DROP, DROP_SAMPLING])
def test_who_wants_nothing_stored_is_content_with_a_provider_that_stores_nothing(mode: Mode) -> None:
    assert left_out(ask("Hi", store=False), None, mistral.CODEC.lacks, mode) == set()
    assert left_out(ask("Hi"), None, mistral.CODEC.lacks, mode) == set()


def test_every_parameter_can_be_lacked_by_its_path() -> None:
    asked = ask(
        "Hi",
        store=True,
        parallel_tool_calls=False,
        end_user_id="u",
        prompt_cache_key="k",
        service_tier="flex",
        reasoning=pb.ReasoningConfig(effort="low"),
        config=pb.GenerationConfig(stop=["a"], seed=0, logprobs=False),
    )
    paths = {
        "store", "parallel_tool_calls", "end_user_id", "prompt_cache_key", "service_tier",
        "reasoning.effort", "config.stop", "config.seed", "config.logprobs",
    }  # fmt: skip
    assert left_out(asked, None, dict.fromkeys(paths, "Not here.")) == paths


def test_what_the_caller_did_not_send_is_not_named() -> None:
    every = dict.fromkeys(["config.seed", "store", "parallel_tool_calls", "end_user_id"], "Not here.")
    assert left_out(ask("Hi"), None, every, REJECT) == set()
