"""A conversation: what was said, how it is shortened, and how it is kept."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from python_client.conftest import InSync
from support.ask import WEATHER, called
from support.gateway import Gateway

from tokenwire import Answer, AsyncClient, Conversation, errors, message, tool_result
from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.simulator import Script

LONG = "word " * 200
OLD = datetime(2026, 1, 1, tzinfo=UTC)


def texts(conversation: Conversation) -> list[str]:
    return [one.text for one in conversation]


def talk() -> Conversation:
    """Instructions, and three turns; the middle one calls a tool."""
    conversation = Conversation(system="Be brief.")
    conversation.add("One", message("assistant", "1"), time=OLD)
    conversation.add("Two", pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[called("c1")]), time=OLD)
    conversation.add(tool_result("c1", "sunny"), message("assistant", "2"), time=OLD + timedelta(hours=1))
    conversation.add("Three", message("assistant", "3"))
    return conversation


async def test_it_is_sent_as_it_is(client: AsyncClient, gateway: Gateway) -> None:
    conversation = Conversation(system="Be brief.")
    conversation.add_user("[sim:echo] One")
    conversation.append(await client.chat(conversation))
    conversation.add_assistant("And more.")
    conversation.add_user("[sim:echo] Two")
    conversation.append(await client.chat(conversation))
    assert texts(conversation)[2::3] == ["One", "Two"]
    sent = gateway.simulator.received[-1].body
    assert isinstance(sent, dict)
    assert [entry["role"] for entry in sent["messages"]] == [
        "system",
        "user",
        "assistant",
        "assistant",
        "user",
    ]


def test_what_no_server_would_take_is_refused() -> None:
    conversation = Conversation("Hi")
    with pytest.raises(ValueError, match="no earlier call has the id 'c1'"):
        conversation.add_tool_result("c1", "sunny")
    twice = talk().messages[5].parts[0]
    with pytest.raises(ValueError, match="each call once"):
        talk().add(pb.ChatMessage(role=pb.ROLE_TOOL, parts=[twice, twice]))
    with pytest.raises(ValueError, match="has no id"):
        conversation.add(pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[called("")]))
    cut = pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[called("c1", arguments='{"city": "Par')])
    with pytest.raises(errors.IncompleteToolCall):
        conversation.append(Answer(pb.ChatResponse(choices=[pb.Choice(message=cut)])))
    with pytest.raises(ValueError, match="time zone"):
        conversation.add("Hi", time=datetime(2026, 1, 1))  # noqa: DTZ001 (what is tested)
    with pytest.raises(ValueError, match="time zone"):
        conversation.drop_before(datetime(2026, 1, 1))  # noqa: DTZ001 (what is tested)
    assert texts(conversation) == ["Hi"]


async def test_tokens_are_the_servers(client: AsyncClient, in_sync: InSync) -> None:
    conversation = Conversation("Hello, world!", system="Be brief.")
    count = await conversation.token_count(client, model="openai/gpt-4o-mini")
    assert count.exact
    assert count.tokens == (await client.count_tokens(conversation, model="openai/gpt-4o-mini")).tokens
    with_tools = await conversation.token_count(client, model="openai/gpt-4o-mini", tools=[WEATHER])
    assert with_tools.tokens > count.tokens
    assert not with_tools.exact
    assert (await in_sync(conversation.token_count)).tokens == count.tokens


async def test_trim_drops_the_oldest_turns(client: AsyncClient, in_sync: InSync) -> None:
    conversation = talk()
    whole = await conversation.token_count(client)
    assert (await conversation.trim(client, max_tokens=whole.tokens)).tokens == whole.tokens
    assert len(conversation) == 9
    assert (await conversation.trim(client, max_tokens=whole.tokens - 1)).tokens < whole.tokens
    assert texts(conversation) == ["Be brief.", "Two", "", "", "2", "Three", "3"]
    remaining = await in_sync(lambda sync: conversation.trim(sync, max_tokens=1))
    assert texts(conversation) == ["Be brief.", "Three", "3"]
    assert remaining.tokens > 1


async def test_trim_counts_what_else_is_sent(client: AsyncClient) -> None:
    conversation = Conversation(LONG, message("assistant", "1"), LONG, message("assistant", "2"), "Three")
    count = await conversation.trim(client, max_tokens=300, system="Be brief.")
    assert texts(conversation)[1:] == ["2", "Three"]
    assert 200 < count.tokens <= 300


def test_drop_before_goes_by_whole_turns() -> None:
    conversation = talk()
    conversation.drop_before(OLD + timedelta(minutes=30))
    assert texts(conversation) == ["Be brief.", "Two", "", "", "2", "Three", "3"]
    conversation.drop_before(datetime.now(UTC) + timedelta(days=1))
    assert texts(conversation) == ["Be brief."]


async def test_compress_summarises_the_oldest(client: AsyncClient, gateway: Gateway) -> None:
    conversation = talk()
    await conversation.compress(client, keep=1, model="openai/gpt-4o")
    kept = texts(conversation)
    assert (kept[0], kept[2:]) == ("Be brief.", ["Three", "3"])
    assert kept[1].startswith("Summary of the conversation so far:\n\n")
    assert conversation.messages[1].role == pb.ROLE_USER
    sent = gateway.simulator.received[-1].body
    assert isinstance(sent, dict)
    assert sent["model"] == "gpt-4o"
    assert sent["messages"][-1]["content"] == (
        "User: One\n\nAssistant: 1\n\nUser: Two\n\nAssistant: [calls weather with {}]\n\n"
        "Tool: sunny\n\nAssistant: 2"
    )
    await conversation.compress(client, keep=5)
    assert texts(conversation) == kept
    assert (await client.chat(conversation)).text


@pytest.mark.parametrize("script", [Script(tokens=0), Script(error="rate_limit", times=0)])
async def test_a_summary_that_fails_loses_nothing(
    client: AsyncClient, gateway: Gateway, script: Script
) -> None:
    gateway.simulator.script(script)
    conversation = talk()
    with pytest.raises((errors.CompressionFailed, errors.RateLimited)):
        await conversation.compress(client)
    gateway.simulator.clear()
    with pytest.raises(errors.CompressionFailed, match="length"):
        await conversation.compress(client, max_output_tokens=3)
    assert conversation.messages == talk().messages


def test_clear_keeps_the_instructions() -> None:
    conversation = talk()
    conversation.clear()
    assert texts(conversation) == ["Be brief."]


def test_a_result_keeps_its_call_however_far_it_is() -> None:
    conversation = Conversation("One")
    conversation.add(pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[called("c1")]), time=OLD)
    conversation.add("Are you there?", time=OLD)
    conversation.add_tool_result("c1", "sunny")
    conversation.drop_before(OLD + timedelta(hours=1))
    assert len(conversation) == 4


async def test_it_is_kept_to_the_byte(client: AsyncClient, tmp_path: Path) -> None:
    conversation = Conversation("Wie ist das Wetter?", system="Kurz.")
    fields = {"model": "openai/gpt-5-mini", "tools": [WEATHER]}
    answer = await client.chat(conversation, **fields)  # type: ignore[arg-type] # a plain dict
    assert any(part.provider_state for part in answer.message.parts)
    conversation.append(answer)
    conversation.add_tool_result(answer.tool_calls[0].id, "sonnig")
    file = tmp_path / "conversation.json"
    conversation.save(file)
    loaded = Conversation.load(file)
    assert [one.SerializeToString(deterministic=True) for one in loaded] == [
        one.SerializeToString(deterministic=True) for one in conversation
    ]
    assert loaded.to_json() == conversation.to_json()
    assert (await client.chat(loaded, **fields)).text  # type: ignore[arg-type] # a plain dict


def test_saving_again_leaves_one_file(tmp_path: Path) -> None:
    for conversation in (talk(), Conversation("Hi")):
        conversation.save(tmp_path / "conversation.json")
    assert [path.name for path in tmp_path.iterdir()] == ["conversation.json"]
    assert texts(Conversation.load(tmp_path / "conversation.json")) == ["Hi"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "messages": []}',
        '{"version": 1}',
        '{"version": 1, "messages": [{}]}',
        '{"version": 1, "messages": [{"time": "2026-01-01T00:00:00+00:00", "message": {"nothing": 1}}]}',
        '{"version": 1, "messages": [{"time": "yesterday", "message": {}}]}',
        '{"version": 1, "messages": [{"time": "2026-01-01T00:00:00", "message": {}}]}',
        json.dumps({"version": 1, "messages": [{"time": "2026-01-01T00:00:00+00:00", "message": {
            "role": "ROLE_TOOL", "parts": [{"tool_result": {"tool_call_id": "c1"}}]}}]}),
    ],
)  # fmt: skip
def test_what_was_not_saved_is_not_loaded(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Conversation.from_json(text)
