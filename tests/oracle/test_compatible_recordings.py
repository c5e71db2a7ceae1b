"""Recorded replies of servers that speak like OpenAI mean the same to OpenAI's SDK and to this gateway.

Compared with the JSON itself instead: sources of the text, of which we keep less than the SDK, and which it
cannot put together from a stream; and the usage that Groq's streams have in a place of its own.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from openai import APIError
from oracle.replies import Readers, Recorded, View, reading, recordings

from tokenwire.v1.errors_pb2 import ErrorReason as Reason

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVERS = ("azure", "cerebras", "deepseek", "groq", "huggingface", "openrouter")
ALL = [reply for server in SERVERS for reply in recordings(f"{server}-chat.jsonl")]

EXPECTED: Mapping[str, tuple["Reason.ValueType", int, str]] = {
    "test_model_name_suggestions/test_model_name_suggestion[groq]#0": (
        Reason.MODEL_NOT_FOUND, 404, "model_not_found"
    ),
    "test_groq/test_tool_regular_error#0": (Reason.MODEL_NOT_FOUND, 404, "model_not_found"),
    "test_groq/test_tool_use_failed_error#0": (Reason.INVALID_REQUEST, 400, "tool_use_failed"),
    "test_groq/test_tool_use_failed_error_with_text#0": (Reason.INVALID_REQUEST, 400, "tool_use_failed"),
    # Errors inside a stream with status 200
    "test_groq/test_tool_use_failed_error_streaming#0": (Reason.INVALID_REQUEST, 400, "tool_use_failed"),
    "test_openrouter/test_openrouter_stream_error#0": (Reason.INVALID_REQUEST, 400, "400"),
}  # fmt: skip
"""What a person read in each: reason, HTTP status, and the server's code."""

REFUSALS = [reply for reply in ALL if reply.name in EXPECTED]
ANSWERS = [reply for reply in ALL if reply.name not in EXPECTED]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def readers() -> AsyncIterator[Readers]:
    async with reading("openai_compatible") as both:
        yield both


def bodies(reply: Recorded) -> Iterator[dict[str, Any]]:
    """The JSON of a reply: one object, or those of its events."""
    if not reply.streams:
        yield json.loads(reply.body)
        return
    for line in reply.body.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def sources(reply: Recorded) -> Iterator[dict[str, Any]]:
    """The sources of a reply's one choice, with what our contract has a place for."""
    for body in bodies(reply):
        for choice in body["choices"]:
            for source in choice.get("message", choice.get("delta")).get("annotations") or ():
                fields = {"url": "", "title": "", "start_index": 0, "end_index": 0}
                fields |= {key: source[source["type"]].get(key, fields[key]) for key in fields}
                yield {"type": source["type"], source["type"]: fields}


def without_sources(reply: Recorded) -> Recorded:
    """The same reply for the SDK."""
    if not reply.streams or b'"annotations"' not in reply.body:
        return reply
    lines = []
    for body in bodies(reply):
        for choice in body["choices"]:
            choice["delta"].pop("annotations", None)
        lines.append(f"data: {json.dumps(body)}\n\n".encode())
    return replace(reply, body=b"".join([*lines, b"data: [DONE]\n\n"]))


def usage_of_groq(reply: Recorded) -> Mapping[str, int] | None:
    for body in bodies(reply):
        if counts := (body.get("x_groq") or {}).get("usage"):
            details = counts.get("completion_tokens_details") or {}
            return {
                "input": counts["prompt_tokens"],
                "output": counts["completion_tokens"],
                "total": counts["total_tokens"],
                "cached": 0,
                "reasoning": details.get("reasoning_tokens") or 0,
            }
    return None


async def expected(readers: Readers, reply: Recorded) -> View:
    """What the SDK makes of a reply, or the JSON where the two rightly differ."""
    theirs = await readers.theirs(without_sources(reply))
    (choice,) = theirs.choices
    choice = replace(choice, annotations=list(sources(reply)))
    return replace(theirs, choices=[choice], usage=theirs.usage or usage_of_groq(reply))


async def test_the_recordings_hold_what_is_to_be_compared() -> None:
    assert len(REFUSALS) == len(EXPECTED)
    assert {reply.status for reply in ANSWERS} == {200}
    assert len([reply for reply in ANSWERS if not reply.streams]) > 100
    assert len([reply for reply in ANSWERS if reply.streams]) == 10


async def test_no_other_recording_is_a_refusal() -> None:
    """Those of OpenAI itself have a table of their own."""
    files = ("mistral", *SERVERS)
    refused = [r.name for file in files for r in recordings(f"{file}-chat.jsonl") if r.status >= 400]
    assert set(refused) <= EXPECTED.keys()


@pytest.mark.parametrize("reply", ANSWERS, ids=lambda reply: reply.name)
async def test_a_recorded_answer_means_the_same_to_both(readers: Readers, reply: Recorded) -> None:
    ours = await readers.ours(reply)
    assert ours == await expected(readers, reply)
    assert ours.id
    assert ours.usage
    assert [choice for choice in ours.choices if choice.text or choice.reasoning or choice.function_calls]


async def test_some_recordings_have_thoughts_sources_calls_and_groqs_usage() -> None:
    assert sum(b'"reasoning_content"' in reply.body for reply in ANSWERS) > 3
    assert sum(b'"reasoning": "' in reply.body or b'"reasoning":"' in reply.body for reply in ANSWERS) > 10
    assert sum(bool(list(sources(reply))) for reply in ANSWERS) > 2
    assert sum(usage_of_groq(reply) is not None for reply in ANSWERS) > 2
    assert sum(b'"tool_calls": [{' in reply.body for reply in ANSWERS) > 20


@pytest.mark.parametrize("reply", REFUSALS, ids=lambda reply: reply.name)
async def test_a_recorded_refusal_has_the_reason_that_a_person_gave_it(
    readers: Readers, reply: Recorded
) -> None:
    error = await readers.refusal(reply, stream=reply.streams)
    reason, status, code = EXPECTED[reply.name]
    assert Reason.Name(error.reason) == Reason.Name(reason)
    assert (error.upstream.status, error.upstream.code) == (status, code)
    with pytest.raises(APIError):  # the SDK takes it for a refusal too
        await readers.theirs(reply)
