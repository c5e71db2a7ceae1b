"""What models of the Responses API take: parameters and efforts are sent, refused or left out by name."""

from typing import Any

import pytest
from support.ask import user
from unit.providers.mapping import (
    DROP,
    DROP_SAMPLING,
    MODES,
    OWN,
    PARAMETER_DROPPED,
    REJECT,
    Mode,
    hi,
    made,
    outcome,
    usual,
)
from unit.providers.mapping_options import struct

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.settings import Defaults

every_mode = pytest.mark.parametrize("mode", MODES, ids=["reject", "drop", "drop_sampling"])

MODELS: list[tuple[str, str, bool]] = [
    ("gpt-5-mini", "", False),
    ("gpt-5-mini", "low", False),
    ("gpt-5-nano", "minimal", False),
    ("gpt-5-mini-2025-08-07", "high", False),
    ("gpt-5-pro", "", False),
    ("gpt-5-chat-latest", "", True),
    ("gpt-5.1", "", True),
    ("gpt-5.2", "", True),
    ("gpt-5.2", "none", True),
    ("gpt-5.2", "xhigh", False),
    ("gpt-5.2-pro", "high", False),
    ("gpt-5.4-mini", "", True),
    ("gpt-5.5", "", False),
    ("gpt-5.5", "none", True),
    ("gpt-6-astra", "", False),
    ("gpt-5-of-tomorrow", "", True),
]
"""Model, effort, and whether it takes temperature and top_p then. What nobody knows, the provider judges."""

PARAMETERS: list[tuple[str, Any, str]] = [
    ("temperature", 0.7, "sampling"),
    ("temperature", 0.0, "sampling"),
    ("temperature", 1.0, "taken"),
    ("top_p", 0.5, "sampling"),
    ("seed", 1, "lacking"),
    ("stop", ["a"], "lacking"),
    ("top_k", 3, "lacking"),
    ("logit_bias", {5: 1.0}, "lacking"),
    ("candidate_count", 2, "lacking"),
    ("candidate_count", 1, "meant anyway"),
    ("frequency_penalty", 0.5, "penalty"),
    ("presence_penalty", 0.0, "penalty"),
    ("verbosity", "low", "taken"),
    ("max_output_tokens", 5, "taken"),
]


@every_mode
@pytest.mark.parametrize(
    ("name", "value", "how"), PARAMETERS, ids=[f"{row[0]}={row[1]}" for row in PARAMETERS]
)
@pytest.mark.parametrize(("model", "effort", "samples"), MODELS, ids=[f"{row[0]}-{row[1]}" for row in MODELS])
async def test_a_parameter_is_sent_or_refused_or_left_out_by_name(
    model: str, effort: str, name: str, value: Any, how: str, mode: Mode, *, samples: bool
) -> None:
    plain = hi(model=model, reasoning={"effort": effort})
    request = hi(model=model, reasoning={"effort": effort}, config=pb.GenerationConfig(**{name: value}))
    base = await outcome(plain, REJECT, usual("openai"))
    found = await outcome(request, mode, usual("openai"))
    taken = how in ("taken", "meant anyway") or (how == "sampling" and samples)
    droppable = mode == DROP or (mode == DROP_SAMPLING and how in ("sampling", "penalty"))
    path = f"config.{name}"
    if taken:
        sent = {"text": {"verbosity": value}} if name == "verbosity" else {name: value}
        assert found.body == {**base.body, **({} if how == "meant anyway" else sent)}
        assert found.warnings == base.warnings
    elif droppable:
        assert found.body == base.body
        assert [*found.warnings] == [*base.warnings, (path, PARAMETER_DROPPED)]
    else:
        assert found.body is None
        assert found.refusal is not None
        assert found.refusal.reason == Reason.UNSUPPORTED_PARAMETER
        assert [violation.field for violation in found.refusal.violations] == [path]


EFFORTS: list[tuple[str, str, bool]] = [
    ("gpt-5-mini", "none", False),
    ("gpt-5-mini", "minimal", True),
    ("gpt-5-mini", "xhigh", False),
    ("gpt-5-nano", "none", False),
    ("gpt-5.1", "minimal", False),
    ("gpt-5.2", "none", True),
    ("gpt-5.2", "xhigh", True),
    ("gpt-5-chat-latest", "low", False),
    ("gpt-5-of-tomorrow", "max", True),
]


@every_mode
@pytest.mark.parametrize(("model", "effort", "takes"), EFFORTS, ids=[f"{row[0]}-{row[1]}" for row in EFFORTS])
async def test_an_effort_is_sent_or_refused_or_left_out_by_name(
    model: str, effort: str, mode: Mode, *, takes: bool
) -> None:
    found = await outcome(hi(model=model, reasoning={"effort": effort}), mode, usual("openai"))
    if takes:
        assert found.body["reasoning"]["effort"] == effort
    elif mode == DROP:
        assert "reasoning" not in found.body
        assert ("reasoning.effort", PARAMETER_DROPPED) in found.warnings
    else:
        assert found.refusal is not None
        assert [violation.field for violation in found.refusal.violations] == ["reasoning.effort"]


async def test_a_temperature_for_gpt_5_mini_works_with_one_warning() -> None:
    messages = [pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Кратко, без эмодзи."), user("Привет!")]
    config = pb.GenerationConfig(temperature=0.7, max_output_tokens=1000, verbosity="low")
    request = pb.ChatRequest(
        model="gpt-5-mini", messages=messages, config=config, reasoning=pb.ReasoningConfig(effort="low")
    )
    found = await outcome(request, DROP_SAMPLING, usual("openai"))
    assert found.warnings == [("config.temperature", PARAMETER_DROPPED)]
    assert found.body == {
        "model": "gpt-5-mini",
        "input": [
            {"role": "system", "content": "Кратко, без эмодзи."},
            {"role": "user", "content": "Привет!"},
        ],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "low"},
        "max_output_tokens": 1000,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


async def test_newer_models_get_their_instructions_apart() -> None:
    messages = [pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Be brief."), user("Hi")]
    found = await outcome(pb.ChatRequest(model="gpt-5.2", messages=messages), REJECT, usual("openai"))
    assert found.body["instructions"] == "Be brief."
    assert found.body["input"] == [{"role": "user", "content": "Hi"}]


async def test_a_model_that_does_not_reason_has_no_summary_to_tell() -> None:
    request = hi(model="gpt-5-chat-latest", reasoning={"summary": "auto"})
    found = await outcome(request, DROP, usual("openai"))
    assert ("reasoning.summary", PARAMETER_DROPPED) in found.warnings
    assert not found.body.keys() & {"reasoning", "include"}


async def test_the_catalogs_limit_stands_in_for_none() -> None:
    request = hi(model="gpt-5-mini")
    for defaults, own, limit in (
        (Defaults(), {}, 32_000),
        (Defaults(max_output_tokens=9), {}, 9),
        (Defaults(), {"default_max_output_tokens": 7}, 7),
        (Defaults(max_output_tokens=9), {"default_max_output_tokens": 0}, None),
        (Defaults(max_output_tokens=0), {}, None),
    ):
        found = await outcome(request, REJECT, made("openai", defaults, **own))
        assert found.body.get("max_output_tokens") == limit


async def test_a_default_temperature_that_the_model_cannot_take_is_left_out_in_silence() -> None:
    openai = made("openai", Defaults(temperature=0.7))
    for model, sent in (("gpt-5-mini", None), ("gpt-5.2", 0.7)):
        found = await outcome(hi(model=model), REJECT, openai)
        assert found.body.get("temperature") == sent
        assert ("config.temperature", PARAMETER_DROPPED) not in found.warnings


ROLES = {"openai": "gpt-4o", "openai_compatible": "gpt-5-mini", "mistral": "gpt-5-mini"}


@pytest.mark.parametrize(("kind", "model"), ROLES.items())
async def test_other_models_stay_with_chat(kind: str, model: str) -> None:
    found = await outcome(hi(model=model), REJECT, usual(kind))
    assert found.body["messages"] == [{"role": "user", "content": "Hi"}]


async def test_settings_choose_the_endpoint_of_a_compatible_server() -> None:
    server = made("openai_compatible", endpoint="responses")
    request = hi(end_user_id="u-1", provider_options=struct({OWN: {"truncation": "auto"}}))
    found = await outcome(request, REJECT, server, stream=True)
    assert found.body == {
        "model": "unlisted-model",
        "input": [{"role": "user", "content": "Hi"}],
        "store": False,
        "user": "u-1",
        "truncation": "auto",
        "stream": True,
    }
