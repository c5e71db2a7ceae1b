"""What Mistral is sent, beyond what its SDK would send as well."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.cases_options import struct
from support.ask import ask, assistant, called, result, tool, user

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.codec import Defaults, Job
from tokenwire_server.providers.mistral.encode import encode, tool_id
from tokenwire_server.providers.state import pack
from tokenwire_server.unsupported import Unsupported

DROP = common_pb2.UNSUPPORTED_PARAMETERS_DROP
Part = pb.ContentPart


def encoded(
    request: pb.ChatRequest, unsupported: Unsupported | None = None, defaults: Defaults | None = None
) -> Any:
    """The body for a provider of this kind with the name `la-plateforme`."""
    unsupported = unsupported or Unsupported()
    return encode(Job(request, "la-plateforme", "m", defaults or Defaults(), unsupported))


def messages(*turns: pb.ChatMessage, unsupported: Unsupported | None = None) -> Any:
    return encoded(ask(*turns), unsupported)["messages"]


def thought(text: str, state: bytes = b"") -> pb.ContentPart:
    return Part(reasoning=pb.Reasoning(text=text), provider_state=state)


def item(provider: str, text: str) -> pb.ContentPart:
    return Part(provider_item=pb.ProviderItem(provider=provider, type="reference", item_json=text))


def warned(unsupported: Unsupported) -> list[tuple[int, str]]:
    return [(warning.code, warning.field) for warning in unsupported.warnings]


# Ids of tool calls


@given(st.text())
def test_any_id_becomes_one_that_mistral_takes_and_stays_that(call: str) -> None:
    found = tool_id(call)
    assert re.fullmatch(r"[A-Za-z0-9]{9}", found)
    assert tool_id(call) == found
    assert tool_id(found) == found


@given(st.sets(st.text(), max_size=50))
def test_different_ids_stay_different(calls: set[str]) -> None:
    assert len({tool_id(call) for call in calls}) == len(calls)


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("D681PevKs", "D681PevKs"),
        ("000000000", "000000000"),
        ("call_1", "L4AJoEpn9"),
        ("", "uvjRYSBc9"),
        ("D681PevKs\n", "bzEGZVLgJ"),
        ("٣٣٣٣٣٣٣٣٣", "1nWKN6UuE"),
    ],
)
def test_an_id_is_the_same_in_every_release(call: str, found: str) -> None:
    """A conversation may outlive the process that began it."""
    assert tool_id(call) == found


def test_calls_and_results_of_another_provider_still_meet_and_results_have_names() -> None:
    sent = messages(
        user("Hi"),
        assistant("", called("call_1", "weather"), called("D681PevKs", "time")),
        tool(result("call_1"), result("D681PevKs")),
        assistant("", called("call_3", "news")),
        tool(result("call_3")),
    )
    calls = [(call["id"], call["function"]["name"]) for turn in sent for call in turn.get("tool_calls", ())]
    results = [(turn["tool_call_id"], turn["name"]) for turn in sent if turn["role"] == "tool"]
    assert calls == results
    assert calls[1:2] == [("D681PevKs", "time")]


def test_a_result_without_a_call_has_no_name() -> None:
    """Validation refuses it; the codec alone does not guess."""
    assert "name" not in messages(tool(result("call_1")))[0]


def test_a_call_of_an_id_used_again_gives_its_result_the_latest_name() -> None:
    sent = messages(
        assistant("", called("call_1", "old")),
        tool(result("call_1")),
        assistant("", called("call_1", "new")),
        tool(result("call_1")),
    )
    assert [turn["name"] for turn in sent if turn["role"] == "tool"] == ["old", "new"]


# Roles, names, empty messages


def test_developer_is_system() -> None:
    turn = pb.ChatMessage(role=pb.ROLE_DEVELOPER, text="Be brief.")
    assert messages(turn) == [{"role": "system", "content": "Be brief."}]


def test_a_name_is_refused_or_left_out_by_name() -> None:
    turn = pb.ChatMessage(role=pb.ROLE_USER, text="Hi", name="ann")
    with pytest.raises(GatewayError) as raised:
        messages(user("Hi"), turn)
    assert raised.value.reason == Reason.UNSUPPORTED_PARAMETER
    assert [violation.field for violation in raised.value.violations] == ["messages[1].name"]
    unsupported = Unsupported(DROP)
    assert messages(turn, unsupported=unsupported) == [{"role": "user", "content": "Hi"}]
    assert warned(unsupported) == [(common_pb2.WARNING_CODE_PARAMETER_DROPPED, "messages[0].name")]


def test_what_is_not_set_is_not_sent() -> None:
    assert encoded(ask("Hi")) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def test_defaults_fill_what_is_open() -> None:
    defaults = Defaults(max_output_tokens=7, temperature=0)
    body = encoded(ask("Hi"), defaults=defaults)
    assert (body["max_tokens"], body["temperature"]) == (7, 0)
    config = pb.GenerationConfig(max_output_tokens=9, temperature=0.5)
    body = encoded(ask("Hi", config=config), defaults=defaults)
    assert (body["max_tokens"], body["temperature"]) == (9, 0.5)


# What a provider made


def test_a_thought_goes_back_with_its_signature_and_nothing_else_of_its_state() -> None:
    state = pack("la-plateforme", signature="c2ln", field="reasoning_content")
    (_, said, _) = messages(user("Hi"), assistant("", thought("Hm.", state), Part(text="Yes.")), user("So?"))
    assert said["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "signature": "c2ln"},
        {"type": "text", "text": "Yes."},
    ]


def test_a_thought_of_another_provider_is_left_out_and_the_answer_stays() -> None:
    unsupported = Unsupported()
    turn = assistant("", thought("Hm.", pack("openai", signature="x")), Part(text="Yes."))
    assert messages(user("Hi"), turn, user("So?"), unsupported=unsupported)[1]["content"] == "Yes."
    assert warned(unsupported) == [
        (common_pb2.WARNING_CODE_PROVIDER_STATE_DROPPED, "messages[1].parts[0].provider_state")
    ]


def test_a_thought_that_nobody_signed_for_is_left_out() -> None:
    unsupported = Unsupported()
    turn = assistant("", thought("Hm."), Part(text="Yes."))
    assert messages(turn, unsupported=unsupported)[0]["content"] == "Yes."
    assert warned(unsupported) == [(common_pb2.WARNING_CODE_PART_DROPPED, "messages[0].parts[0].reasoning")]


@pytest.mark.parametrize("state", [b"\x01{}", b"{}", b"\x02", b"\x01[]", b"\x01\xff"])
def test_a_thought_whose_state_was_tampered_with_is_refused(state: bytes) -> None:
    with pytest.raises(GatewayError) as raised:
        messages(user("Hi"), assistant("", Part(text="a"), thought("Hm.", state)))
    assert raised.value.reason == Reason.INVALID_REQUEST
    (violation,) = raised.value.violations
    assert violation.field == "messages[1].parts[1].provider_state"


def test_an_item_goes_back_to_its_provider_only() -> None:
    unsupported = Unsupported()
    turn = assistant(
        "",
        Part(text="See "),
        item("la-plateforme", '{"type":"reference","reference_ids":[1]}'),
        item("openai", '{"type":"custom"}'),
    )
    (said, _) = messages(turn, user("So?"), unsupported=unsupported)
    assert said["content"] == [
        {"type": "text", "text": "See "},
        {"type": "reference", "reference_ids": [1]},
    ]
    assert warned(unsupported) == [
        (common_pb2.WARNING_CODE_PART_DROPPED, "messages[0].parts[2].provider_item")
    ]


@pytest.mark.parametrize("text", ['{"type":"text"}', '{"type":"text","text":7}', "{}", '{"type":null}'])
def test_an_item_of_any_shape_goes_back_as_it_came(text: str) -> None:
    (said, _) = messages(assistant("", item("la-plateforme", text)), user("So?"))
    assert isinstance(said["content"], list)
    assert len(said["content"]) == 1


# Options and tools


def test_prefix_is_a_field_of_the_last_message_and_of_no_body() -> None:
    options = struct({"la-plateforme": {"prefix": True, "safe_prompt": True}})
    body = encoded(ask(user("Hi"), assistant("Well,"), provider_options=options))
    assert body["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Well,", "prefix": True},
    ]
    assert body["safe_prompt"] is True
    assert "prefix" not in body


def test_prefix_works_on_an_empty_last_message() -> None:
    options = struct({"la-plateforme": {"prefix": True}})
    body = encoded(ask(user("Hi"), assistant(""), provider_options=options))
    assert body["messages"][-1] == {"role": "assistant", "content": "", "prefix": True}


def test_options_for_other_providers_are_not_sent() -> None:
    options = struct({"mistral": {"safe_prompt": True}, "openai": {"seed": 1}})
    assert encoded(ask("Hi", provider_options=options)).keys() == {"model", "messages"}


def test_allowed_tools_are_offered_alone() -> None:
    functions = [pb.Tool(function=pb.FunctionTool(name=name)) for name in ("a", "b", "c")]
    own = pb.Tool(provider_tool=pb.ProviderTool(provider="la-plateforme", definition=struct({"type": "x"})))
    allowed = pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_REQUIRED, names=["c", "a"])
    body = encoded(ask("Hi", tools=[*functions, own], tool_choice=pb.ToolChoice(allowed_tools=allowed)))
    assert [offered["function"]["name"] for offered in body["tools"]] == ["a", "c"]
    assert body["tool_choice"] == "required"


def test_the_end_users_id_joins_the_metadata() -> None:
    body = encoded(ask("Hi", end_user_id="u-1", metadata={"team": "a"}))
    assert body["metadata"] == {"team": "a", "end_user_id": "u-1"}
