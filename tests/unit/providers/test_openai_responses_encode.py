"""What of a conversation the Responses API is not sent, and what is said of it."""

import orjson
import pytest
from support.ask import assistant, user
from unit.providers.mapping import (
    DROP,
    OTHER,
    OWN,
    PARAMETER_DROPPED,
    PART_DROPPED,
    REJECT,
    STATE_DROPPED,
    made,
    outcome,
    usual,
)

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.providers.state import pack

MODEL = "gpt-5.4"
PHOTO = "https://example.com/photo.jpg"
HI = {"role": "user", "content": "Hi"}
GO_ON = {"role": "user", "content": "Go on."}

Part = pb.ContentPart


def said(*parts: pb.ContentPart, model: str = MODEL) -> pb.ChatRequest:
    """A conversation in which the model said this."""
    return pb.ChatRequest(model=model, messages=[user("Hi"), assistant("", *parts), user("Go on.")])


def thought(state: bytes = b"", summary: str = "Hm.") -> pb.ContentPart:
    return Part(reasoning=pb.Reasoning(summary=summary), provider_state=state)


def item(kind: str, provider: str = OWN) -> pb.ContentPart:
    text = orjson.dumps({"type": kind, "id": "i_1", "call_id": "call_1"}).decode()
    return Part(provider_item=pb.ProviderItem(provider=provider, type=kind, item_json=text))


FOREIGN = [
    ("thought by hand", thought(), ("reasoning", PART_DROPPED)),
    ("thought of another", thought(pack(OTHER, id="rs_1")), ("provider_state", STATE_DROPPED)),
    ("thought from chat", thought(pack(OWN, field="reasoning")), ("reasoning", PART_DROPPED)),
    ("signed thought", thought(pack(OWN, signature="s")), ("reasoning", PART_DROPPED)),
    ("item of another", item("web_search_call", OTHER), ("provider_item", PART_DROPPED)),
    ("item from chat", item("custom"), ("provider_item", PART_DROPPED)),
]


@pytest.mark.parametrize(("part", "warning"), [row[1:] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
async def test_what_means_nothing_here_is_left_out_with_one_warning(
    part: pb.ContentPart, warning: tuple[str, int]
) -> None:
    found = await outcome(said(part, Part(text="Yes?")), REJECT, usual("openai"))
    assert found.body["input"] == [HI, {"role": "assistant", "content": "Yes?"}, GO_ON]
    path, code = warning
    assert found.warnings == [(f"messages[1].parts[0].{path}", code)]
    alone = await outcome(said(part), REJECT, usual("openai"))
    assert alone.body["input"] == [HI, GO_ON]


async def test_the_state_of_another_provider_is_left_out_and_its_content_sent() -> None:
    call = pb.ToolCall(id="call_1", name="f", arguments_json="{}")
    bare, phase = pack(OTHER, id="x", status="completed"), pack(OTHER, id="x", phase="commentary")
    request = said(Part(text="Yes?", provider_state=phase), Part(tool_call=call, provider_state=bare))
    found = await outcome(request, REJECT, usual("openai"))
    assert found.body["input"][1:-1] == [
        {"role": "assistant", "content": "Yes?"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    ]
    assert found.warnings == [("messages[1].parts[0].provider_state", STATE_DROPPED)]


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "mistral"])
async def test_a_chat_of_another_provider_says_what_it_leaves_out(kind: str) -> None:
    parts = [
        thought(pack(OTHER, id="rs_1", encrypted_content="gA")),
        Part(text="Let me see.", provider_state=pack(OTHER, id="msg_1", phase="commentary")),
        Part(text=" Yes?", provider_state=pack(OTHER, id="msg_2", status="completed")),
    ]
    found = await outcome(said(*parts, model="m"), REJECT, usual(kind))
    of_the_thought = [("messages[1].parts[0].reasoning", PART_DROPPED)] if kind == "openai" else []
    first = len(of_the_thought)
    assert found.warnings == [
        *of_the_thought,
        (f"messages[1].parts[{first}].provider_state", STATE_DROPPED),
    ]


async def test_a_phase_without_an_id_is_kept() -> None:
    request = said(Part(text="Yes?", provider_state=pack(OWN, phase="commentary")))
    found = await outcome(request, REJECT, usual("openai"))
    assert found.body["input"][1] == {"role": "assistant", "content": "Yes?", "phase": "commentary"}


@pytest.mark.parametrize("cuts", ["", "3", "2", "3,9", "99", "9" * 5000, "a,b,-1"])
async def test_a_summary_is_cut_where_it_was_joined_and_nowhere_else(cuts: str) -> None:
    request = said(thought(pack(OWN, id="rs_1", cuts=cuts), summary="One\nTwo"))
    found = await outcome(request, REJECT, usual("openai"))
    summary = [piece["text"] for piece in found.body["input"][1]["summary"]]
    assert summary == (["One", "Two"] if cuts == "3" else ["One\nTwo"])


async def test_a_state_that_nobody_here_made_is_invalid() -> None:
    found = await outcome(said(Part(text="Yes?", provider_state=b"{}")), DROP, usual("openai"))
    assert found.refusal is not None
    assert found.refusal.reason == Reason.INVALID_REQUEST
    assert [violation.field for violation in found.refusal.violations] == [
        "messages[1].parts[0].provider_state"
    ]


async def test_chat_is_not_sent_items_of_responses() -> None:
    """A conversation may change its model, and with it the API."""
    parts = (thought(pack(OWN, id="rs_1")), item("web_search_call"), Part(text="Yes?"))
    found = await outcome(said(*parts, model="gpt-4o"), REJECT, usual("openai"))
    assert found.body["messages"] == [HI, {"role": "assistant", "content": "Yes?"}, GO_ON]
    assert found.warnings == [
        ("messages[1].parts[0].reasoning", PART_DROPPED),
        ("messages[1].parts[1].provider_item", PART_DROPPED),
    ]


async def test_messages_have_no_names() -> None:
    named = pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Be brief.", name="host")
    request = pb.ChatRequest(model=MODEL, messages=[named, user("Hi")])
    found = await outcome(request, DROP, usual("openai"))
    assert found.body["instructions"] == "Be brief."
    assert found.warnings == [("messages[0].name", PARAMETER_DROPPED)]
    assert (await outcome(request, REJECT, usual("openai"))).refusal is not None


async def test_settings_allow_a_compatible_server_media_by_url() -> None:
    media = pb.Media(url=PHOTO)
    request = pb.ChatRequest(model="m", messages=[user("", Part(image=media), Part(file=media))])
    found = await outcome(request, DROP, made("openai_compatible", endpoint="responses"))
    assert found.body["input"] == [{"role": "user", "content": ""}]
    assert found.warnings == [
        ("messages[0].parts[0].image.url", PART_DROPPED),
        ("messages[0].parts[1].file.url", PART_DROPPED),
    ]
    allowed = made("openai_compatible", endpoint="responses", allow_media_urls=True)
    found = await outcome(request, REJECT, allowed)
    assert found.body["input"][0]["content"] == [
        {"type": "input_image", "image_url": PHOTO},
        {"type": "input_file", "file_url": PHOTO},
    ]


async def test_a_choice_goes_with_the_tools_that_were_left_out() -> None:
    foreign = pb.Tool(provider_tool=pb.ProviderTool(provider=OTHER))
    choice = pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_REQUIRED)
    request = pb.ChatRequest(model=MODEL, messages=[user("Hi")], tools=[foreign], tool_choice=choice)
    found = await outcome(request, DROP, usual("openai"))
    assert not found.body.keys() & {"tools", "tool_choice"}
    assert found.warnings == [("tools[0].provider_tool", PARAMETER_DROPPED)]


async def test_a_schema_keeps_its_text() -> None:
    text = '{"type":"object","b":1,"a":2.50,"title":"\\u00e9"}'
    request = pb.ChatRequest(
        model=MODEL,
        messages=[user("Hi")],
        tools=[pb.Tool(function=pb.FunctionTool(name="f", parameters_json=text))],
        response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(name="s", schema_json=text)),
    )
    provider = usual("openai")
    await outcome(request, REJECT, provider)
    assert f'"parameters":{text}' in provider[1].sent[0].decode()
    assert f'"schema":{text}' in provider[1].sent[0].decode()
