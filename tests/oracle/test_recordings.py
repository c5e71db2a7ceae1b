"""Recorded replies mean the same to the official SDK and to this gateway."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio
from oracle.replies import Readers, Recorded, reading, recordings

from tokenwire.v1.errors_pb2 import ErrorReason as Reason

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPENAI = recordings("openai-chat.jsonl")
ANSWERS = [reply for reply in OPENAI if reply.status == 200]
REFUSALS = [reply for reply in OPENAI if reply.status >= 400]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def readers() -> AsyncIterator[Readers]:
    async with reading() as both:
        yield both


async def test_the_recordings_hold_what_is_to_be_compared() -> None:
    assert len([reply for reply in ANSWERS if not reply.streams]) > 100
    assert len([reply for reply in ANSWERS if reply.streams]) > 15
    assert len(REFUSALS) == len(EXPECTED)


@pytest.mark.parametrize("reply", ANSWERS, ids=lambda reply: reply.name)
async def test_a_recorded_answer_means_the_same_to_both(readers: Readers, reply: Recorded) -> None:
    theirs = await readers.theirs(reply)
    ours = await readers.ours(reply)
    assert ours == theirs
    assert ours.id
    assert ours.usage
    assert [choice for choice in ours.choices if choice.text or choice.refusal or choice.function_calls]


EXPECTED: Mapping[str, tuple["Reason.ValueType", str, str]] = {
    "test_model_name_suggestions/test_model_name_suggestion[openai-chat]#0": (
        Reason.MODEL_NOT_FOUND, "model_not_found", ""
    ),
    "test_openai/test_openai_o1_mini_system_role[developer]#0": (
        Reason.UNSUPPORTED_PARAMETER, "unsupported_value", "messages[0].role"
    ),
    "test_openai/test_openai_o1_mini_system_role[system]#0": (
        Reason.UNSUPPORTED_PARAMETER, "unsupported_value", "messages[0].role"
    ),
    "test_openai/test_openai_web_search_tool_model_not_supported#0": (
        Reason.INVALID_REQUEST, "invalid_request_error", "web_search_options"
    ),
}  # fmt: skip
"""What a person read in each: reason, the provider's code, and the field at fault."""


@pytest.mark.parametrize("reply", REFUSALS, ids=lambda reply: reply.name)
async def test_a_recorded_refusal_has_the_reason_that_a_person_gave_it(
    readers: Readers, reply: Recorded
) -> None:
    error = await readers.refusal(reply)
    reason, code, field = EXPECTED[reply.name]
    assert Reason.Name(error.reason) == Reason.Name(reason)
    assert (error.upstream.status, error.upstream.code) == (reply.status, code)
    assert [violation.field for violation in error.violations] == ([field] if field else [])
