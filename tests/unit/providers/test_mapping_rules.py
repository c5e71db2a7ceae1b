"""What the mapping does beyond single fields: defaults, streams, settings, and what goes together."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from support.ask import assistant, user
from unit.providers.mapping import (
    BASE,
    DROP,
    DROP_SAMPLING,
    KINDS,
    OTHER,
    OWN,
    PARAMETER_DROPPED,
    PART_DROPPED,
    REJECT,
    STATE_DROPPED,
    hi,
    made,
    outcome,
    text_of,
    usual,
)
from unit.providers.mapping_messages import PHOTO, said, shown, thought
from unit.providers.mapping_options import struct

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import Violation
from tokenwire_server.providers.state import pack
from tokenwire_server.settings import Defaults

every_kind = pytest.mark.parametrize("kind", KINDS)

STREAMING: Mapping[str, Mapping[str, Any]] = {
    "openai": {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    "openai_compatible": {"stream": True, "stream_options": {"include_usage": True}},
    "mistral": {"stream": True},
}


@every_kind
async def test_a_stream_is_the_same_request_with_what_makes_it_a_stream(kind: str) -> None:
    request = hi(config=pb.GenerationConfig(stop=["a"]), metadata={"a": "b"})
    whole = await outcome(request, REJECT, usual(kind))
    streamed = await outcome(request, REJECT, usual(kind), stream=True)
    assert text_of(streamed.body) == text_of({**whole.body, **STREAMING[kind]})


@every_kind
@pytest.mark.parametrize("field", ["parameters", "schema"])
async def test_a_schema_keeps_its_text(kind: str, field: str) -> None:
    text = '{"type":"object","b":1,"a":2.50,"title":"\\u00e9"}'
    request = hi(
        tools=[pb.Tool(function=pb.FunctionTool(name="f", parameters_json=text))],
        response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(name="s", schema_json=text)),
    )
    provider = usual(kind)
    await outcome(request, REJECT, provider)
    assert f'"{field}":{text}' in provider[1].sent[0].decode()


LIMIT = {"openai": "max_completion_tokens", "openai_compatible": "max_tokens", "mistral": "max_tokens"}
DEFAULTS = Defaults(max_output_tokens=9, temperature=0.5)


@every_kind
async def test_defaults_stand_in_for_what_the_request_leaves_open(kind: str) -> None:
    found = await outcome(hi(), REJECT, made(kind, DEFAULTS))
    assert text_of(found.body) == text_of({**BASE, LIMIT[kind]: 9, "temperature": 0.5})


@every_kind
async def test_the_providers_defaults_come_before_the_shared_ones(kind: str) -> None:
    own = made(kind, DEFAULTS, default_max_output_tokens=0, default_temperature=0)
    found = await outcome(hi(), REJECT, own)
    assert text_of(found.body) == text_of({**BASE, "temperature": 0.0})


@every_kind
async def test_the_request_comes_before_the_defaults(kind: str) -> None:
    request = hi(config=pb.GenerationConfig(max_output_tokens=1, temperature=0))
    found = await outcome(request, REJECT, made(kind, DEFAULTS))
    assert text_of(found.body) == text_of({**BASE, LIMIT[kind]: 1, "temperature": 0.0})


async def test_a_default_that_the_model_cannot_take_is_left_out_in_silence() -> None:
    found = await outcome(hi(model="o3-mini"), REJECT, made("openai", DEFAULTS))
    assert text_of(found.body) == text_of({**BASE, "model": "o3-mini", "max_completion_tokens": 9})
    assert found.warnings == []


async def test_settings_allow_a_compatible_server_media_by_url() -> None:
    found = await outcome(shown(url=PHOTO), REJECT, made("openai_compatible", allow_media_urls=True))
    assert found.body["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": PHOTO}}


async def test_settings_name_the_limit_of_a_compatible_server() -> None:
    server = made("openai_compatible", DEFAULTS, tokens_field="max_completion_tokens")
    found = await outcome(hi(), REJECT, server)
    assert found.body["max_completion_tokens"] == 9
    assert "max_tokens" not in found.body


@every_kind
async def test_a_message_of_foreign_thoughts_alone_leaves_an_answer_that_the_provider_takes(
    kind: str,
) -> None:
    request = said(user("Hi"), assistant("", thought(pack(OTHER), text="Hm.")), user("Go on."))
    found = await outcome(request, REJECT, usual(kind))
    roles = [(message["role"], message["content"]) for message in found.body["messages"]]
    path = "messages[1].parts[0]"
    match kind:
        case "openai":
            assert found.warnings == [(f"{path}.reasoning", PART_DROPPED)]
        case "openai_compatible":
            assert found.warnings == [(f"{path}.provider_state", STATE_DROPPED)]
        case _:
            assert found.warnings == [
                (f"{path}.provider_state", STATE_DROPPED),
                ("messages[1]", PART_DROPPED),
            ]
    empty = [] if kind == "mistral" else [("assistant", "")]
    assert roles == [("user", "Hi"), *empty, ("user", "Go on.")]


@every_kind
async def test_a_choice_goes_with_the_tools_that_were_left_out(kind: str) -> None:
    foreign = pb.ProviderTool(provider=OTHER, definition=struct({"type": "x"}))
    required = pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_REQUIRED)
    found = await outcome(hi(tools=[pb.Tool(provider_tool=foreign)], tool_choice=required), DROP, usual(kind))
    assert text_of(found.body) == text_of(BASE)
    assert found.warnings == [("tools[0].provider_tool", PARAMETER_DROPPED)]


@every_kind
async def test_a_choice_of_no_tool_needs_no_tools(kind: str) -> None:
    found = await outcome(hi(tool_choice=pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_NONE)), REJECT, usual(kind))
    assert text_of(found.body) == text_of({**BASE, "tool_choice": "none"})


BAD_STATES = {
    "no version": b"{}",
    "another version": b"\x02" + pack(OWN)[1:],
    "no JSON": b"\x01{",
    "no object": b"\x01[]",
    "no provider": b"\x01{}",
    "no text": b'\x01{"provider":1}',
}


@pytest.mark.parametrize("state", BAD_STATES.values(), ids=BAD_STATES)
@every_kind
async def test_a_state_that_nobody_here_made_is_invalid(kind: str, state: bytes) -> None:
    request = said(user("Hi"), assistant("", thought(state, text="Hm.")), user("Go on."))
    found = await outcome(request, DROP, usual(kind))
    assert found.body is None
    assert found.refusal is not None
    assert found.refusal.reason == Reason.INVALID_REQUEST
    path = "messages[1].parts[0].provider_state"
    assert found.refusal.violations == [Violation(path, "It must be sent back as it came.")]


async def test_nothing_of_a_state_but_its_signature_reaches_mistral() -> None:
    state = b"\x01" + json.dumps({"provider": OWN, "signature": "s", "field": "f", "role": "x"}).encode()
    found = await outcome(
        said(user("Hi"), assistant("", thought(state, text="Hm.")), user("Hi")), REJECT, usual("mistral")
    )
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "signature": "s"}
    assert found.body["messages"][1]["content"] == [thinking]


async def test_mistral_goes_on_from_a_prefix() -> None:
    request = said(user("Hi"), assistant("Dear"))
    request.provider_options.update({OWN: {"prefix": True, "safe_prompt": True}})
    found = await outcome(request, REJECT, usual("mistral"))
    assert found.body["messages"][-1] == {"role": "assistant", "content": "Dear", "prefix": True}
    assert found.body["safe_prompt"] is True
    assert "prefix" not in found.body


async def test_mistral_has_the_end_users_id_beside_other_metadata() -> None:
    found = await outcome(hi(metadata={"a": "b"}, end_user_id="u-1"), REJECT, usual("mistral"))
    assert found.body["metadata"] == {"a": "b", "end_user_id": "u-1"}


@every_kind
async def test_several_things_left_out_have_a_warning_each(kind: str) -> None:
    config = pb.GenerationConfig(temperature=0, top_k=1, verbosity="low", seed=1)
    request = hi(model="o3-mini", config=config, store=True)
    expected = {
        "openai": ["config.temperature", "config.top_k"],
        "openai_compatible": [],
        "mistral": ["config.verbosity", "store"],
    }[kind]
    found = await outcome(request, DROP, usual(kind))
    assert found.warnings == [(path, PARAMETER_DROPPED) for path in expected]
    refused = await outcome(request, DROP_SAMPLING, usual(kind))
    assert (refused.body is None) == bool(expected)
