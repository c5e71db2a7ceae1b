"""Recorded replies of Mistral mean the same to its SDK and to this gateway."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from oracle.capture import new_call, our_stream
from oracle.cases_messages import ASK
from oracle.replies import Readers, Recorded, recordings
from oracle.replies_mistral import reading_mistral

from tokenwire.v1 import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISTRAL = recordings("mistral-chat.jsonl")

every_answer = pytest.mark.parametrize("reply", MISTRAL, ids=lambda reply: reply.name)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def readers() -> AsyncIterator[Readers]:
    async with reading_mistral() as both:
        yield both


async def test_the_recordings_hold_what_is_to_be_compared() -> None:
    assert {reply.status for reply in MISTRAL} == {200}
    assert len([reply for reply in MISTRAL if not reply.streams]) > 40
    assert len([reply for reply in MISTRAL if reply.streams]) == 1
    assert sum(b'"thinking"' in reply.body for reply in MISTRAL) == 3
    assert sum(b'"tool_calls": [{' in reply.body for reply in MISTRAL) > 20


@every_answer
async def test_a_recorded_answer_means_the_same_to_both(readers: Readers, reply: Recorded) -> None:
    theirs = await readers.theirs(reply)
    ours = await readers.ours(reply)
    assert ours == theirs
    assert ours.id
    assert ours.usage
    assert [choice for choice in ours.choices if choice.text or choice.function_calls]


@pytest.mark.parametrize("reply", [reply for reply in MISTRAL if not reply.streams], ids=lambda r: r.name)
async def test_parts_keep_the_order_of_the_chunks(readers: Readers, reply: Recorded) -> None:
    """Compared with the reply itself: its order and its neighbouring texts, which are one part here."""
    readers.reply = reply
    response = await readers.backend.chat(pb.ChatRequest(messages=[ASK]), new_call())
    for choice, raw in zip(response.choices, json.loads(reply.body)["choices"], strict=True):
        content = raw["message"]["content"]
        chunks = [{"type": "text"}] * bool(content) if isinstance(content, str) else content
        expected = ["reasoning" if chunk["type"] == "thinking" else chunk["type"] for chunk in chunks]
        expected += ["tool_call"] * len(raw["message"]["tool_calls"] or ())
        found = [part.WhichOneof("content") for part in choice.message.parts]
        assert (found or ["text"] * bool(choice.message.text)) == expected


async def test_a_recorded_stream_thinks_before_it_speaks(readers: Readers) -> None:
    (readers.reply,) = (reply for reply in MISTRAL if reply.streams)
    events = await our_stream(readers.backend, pb.ChatRequest(messages=[ASK]))
    done = [event.part_done.part.WhichOneof("content") for event in events if event.HasField("part_done")]
    assert done == ["reasoning", "text"]
