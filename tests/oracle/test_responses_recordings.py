"""Recorded replies of the Responses API mean the same to the official SDK and to this gateway."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
import pytest_asyncio
from oracle.replies import Recorded, recordings
from oracle.replies_responses import ResponsesReaders, View, reading_responses, replayed, view_of_ours

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = [
    reply
    for server in ("openai", "azure", "deepseek", "openrouter")
    for reply in recordings(f"{server}-responses.jsonl")
]
ANSWERS = [reply for reply in ALL if reply.status == 200]
REFUSALS = [reply for reply in ALL if reply.status >= 400]

NATIVE: Mapping[str, tuple[str, "pb.FinishReason.ValueType"]] = {
    "test_openai_responses/test_background_mode_vcr#0": ("queued", pb.FINISH_REASON_OTHER),
    "test_openai_responses/test_openai_responses_verbosity#0": ("complete", pb.FINISH_REASON_OTHER),
}
"""Answers that are not `completed`."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def readers() -> AsyncIterator[ResponsesReaders]:
    async with reading_responses() as both:
        yield both


async def test_the_recordings_hold_what_is_to_be_compared() -> None:
    assert len([reply for reply in ANSWERS if not reply.streams]) > 170
    assert len([reply for reply in ANSWERS if reply.streams]) > 15
    assert len(REFUSALS) == len(EXPECTED)
    for kind in (b'"reasoning"', b'"function_call"', b'"web_search_call"', b'"url_citation"', b'"phase"'):
        assert sum(kind in reply.body for reply in ANSWERS) > 5


@pytest.mark.parametrize("reply", ANSWERS, ids=lambda reply: reply.name)
async def test_a_recorded_answer_means_the_same_to_both(readers: ResponsesReaders, reply: Recorded) -> None:
    theirs = await readers.theirs(reply)
    response = await readers.response(reply)
    assert without_bare_id(view_of_ours(response), theirs) == theirs
    (choice,) = response.choices
    assert (choice.native_finish_reason, choice.finish_reason) == NATIVE.get(
        reply.name, ("completed", finish_of(theirs))
    )


UNTYPED = {
    *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
    *("mcp_list_tools", "mcp_call", "tool_search_call", "tool_search_output"),
}


async def test_items_without_a_typed_form_are_among_those_that_go_back(readers: ResponsesReaders) -> None:
    """That each is what the SDK would send back is what the test above compares."""
    found = set()
    for reply in ANSWERS:
        (choice,) = (await readers.response(reply)).choices
        items = {part.provider_item.type for part in choice.message.parts if part.HasField("provider_item")}
        assert items <= {item.get("type") for item in replayed(choice.message)}
        found |= items
    assert found == UNTYPED


def without_bare_id(ours: View, theirs: View) -> View:
    """A lone text goes back as a message by hand; where the provider said nothing of usage, we estimate."""
    items = ours.items
    if items == [{"role": "assistant", "content": theirs.text}]:
        assert [item["type"] for item in theirs.items] in (["message"], [])
        items = theirs.items
    return replace(ours, items=items, usage=theirs.usage and ours.usage)


def finish_of(view: View) -> "pb.FinishReason.ValueType":
    calls = any(item["type"] in ("function_call", "mcp_approval_request") for item in view.items)
    return pb.FINISH_REASON_TOOL_CALLS if calls else pb.FINISH_REASON_STOP


@pytest.mark.parametrize("reply", ANSWERS, ids=lambda reply: reply.name)
async def test_reasoning_is_traced(readers: ResponsesReaders, reply: Recorded) -> None:
    theirs = await readers.theirs(reply)
    response = await readers.response(reply)
    thoughts = [item for item in theirs.items if item["type"] == "reasoning"]
    summaries = [piece["text"] for item in thoughts for piece in item["summary"]]
    assert response.reasoning.items_count == len(thoughts)
    assert response.reasoning.summary == "\n".join(summaries)


async def test_some_recordings_have_summaries_and_thoughts() -> None:
    assert sum(b'"summary_text"' in reply.body for reply in ANSWERS) > 8
    assert sum(b'"reasoning_text"' in reply.body for reply in ANSWERS) > 5


EXPECTED: Mapping[str, tuple["Reason.ValueType", str, str]] = {
    "test_multimodal_tool_returns/test_multimodal_tool_return_matrix[direct-url-audio-openai_responses]#1": (
        Reason.INVALID_REQUEST, "unsupported_file", "messages"
    ),
    "test_multimodal_tool_returns/test_multimodal_tool_return_matrix"
    "[direct-url_force_download-audio-openai_responses]#2": (
        Reason.INVALID_REQUEST, "invalid_value", "messages"
    ),
    "test_multimodal_tool_returns/test_multimodal_tool_return_matrix"
    "[tool_return_content-url_force_download-audio-openai_responses]#2": (
        Reason.INVALID_REQUEST, "invalid_value", "messages"
    ),
    "test_openai_responses/test_openai_responses_model_http_error#0": (
        Reason.INVALID_REQUEST, "decimal_below_min_value", "config.temperature"
    ),
    "test_openai_responses/test_openai_responses_thinking_with_modified_history#1": (
        Reason.INVALID_REQUEST, "invalid_request_error", "messages"
    ),
    "test_deepseek_responses/test_deepseek_responses_rejects_interleaved_function_calls#0": (
        Reason.INVALID_REQUEST, "invalid_request_error", ""
    ),
}  # fmt: skip
"""What a person read in each: reason, the provider's code, and the field at fault."""


@pytest.mark.parametrize("reply", REFUSALS, ids=lambda reply: reply.name)
async def test_a_recorded_refusal_has_the_reason_that_a_person_gave_it(
    readers: ResponsesReaders, reply: Recorded
) -> None:
    error = await readers.readers.refusal(reply)
    reason, code, field = EXPECTED[reply.name]
    assert Reason.Name(error.reason) == Reason.Name(reason)
    assert (error.upstream.status, error.upstream.code) == (reply.status, code)
    assert [violation.field for violation in error.violations] == ([field] if field else [])
    assert json.loads(reply.body)["error"]["message"] not in repr(error)
