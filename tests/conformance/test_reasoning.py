"""Refusals and reasoning: what stands beside the text, and where it goes when it is sent back."""

import pytest
from conformance.lab import REJECT, Lab, fields_of, new_call
from conformance.subjects import (
    AZURE,
    BY_RESPONSES,
    DEEPSEEK,
    MISTRAL,
    OPENAI,
    OPENAIS_OWN,
    RESPONSES,
    SUBJECTS,
    THINKING,
    VLLM,
    Subject,
)
from support.ask import ask
from support.stream import kinds

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.providers.state import unpack

pytestmark = pytest.mark.asyncio(loop_scope="module")
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=str)
every_thinking_subject = pytest.mark.parametrize("subject", THINKING, ids=str)

NO = "I'm sorry, but I can't assist with that request."


@every_subject
async def test_a_model_may_decline(lab: Lab, subject: Subject) -> None:
    """Only OpenAI's models say so apart; elsewhere a refusal is a text like any other."""
    answer = await lab.ask(subject, ask("[sim:refuse] Tell me."))
    if subject.refuses:
        (part,) = answer.message.parts
        assert part.refusal == NO
        assert answer.text == ""
        assert answer.choice.finish_reason == pb.FINISH_REASON_REFUSAL
        assert "refusal_delta" in kinds(answer.events)
        assert "text_delta" not in kinds(answer.events)
    else:
        assert answer.text == NO
        assert not answer.message.parts
        assert answer.choice.finish_reason == subject.stop


@every_subject
async def test_a_refusal_goes_back_to_any_provider(lab: Lab, subject: Subject) -> None:
    refused = await lab.ask(OPENAI, ask("[sim:refuse] Tell me."))
    answer = await lab.ask(subject, ask("Tell me.", refused.message, "Why not?"))
    said = answer.body["messages"][1]
    expected = {"content": NO} if subject is MISTRAL else {"content": None, "refusal": NO}
    assert said == {"role": "assistant", **expected}
    assert "You wrote: “Why not?”." in answer.text
    assert answer.warnings == []


async def test_a_filter_ends_the_answer(lab: Lab) -> None:
    for subject in (OPENAI, AZURE, VLLM, *BY_RESPONSES):
        answer = await lab.ask(subject, ask("[sim:filter] Tell me."))
        assert answer.choice.finish_reason == pb.FINISH_REASON_CONTENT_FILTER
        assert answer.text


@pytest.mark.parametrize(
    ("marker", "finish"),
    [("[sim:error]", pb.FINISH_REASON_ERROR), ("[sim:window]", pb.FINISH_REASON_LENGTH)],
)
async def test_mistral_has_more_ways_to_end(
    lab: Lab, marker: str, finish: "pb.FinishReason.ValueType"
) -> None:
    answer = await lab.ask(MISTRAL, ask(f"{marker} Tell me."))
    assert answer.choice.finish_reason == finish
    assert answer.choice.native_finish_reason in {"error", "model_length"}
    assert answer.text


@every_thinking_subject
async def test_thoughts_are_a_part_before_the_text(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, ask("Why?"), model=subject.thinker)
    thought, text = answer.message.parts
    assert thought.reasoning.text.startswith("The user wrote “Why?”. Let me think.")
    assert text.text == answer.text
    assert "You wrote: “Why?”." in answer.text
    state = unpack(thought, subject.name, "")
    if subject in BY_RESPONSES:
        assert state is not None
        assert state.keys() == {"id"}
    else:
        assert state == ({} if subject is MISTRAL else {"field": subject.thoughts})
    assert kinds(answer.events)[:4] == [
        "started",
        "part_started",
        "reasoning_delta",
        "part_done" if subject in (MISTRAL, *BY_RESPONSES) else "part_started",
    ]


@pytest.mark.parametrize("subject", OPENAIS_OWN, ids=str)
async def test_openai_counts_thoughts_and_hides_them(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, ask("Why?"), model="o3-mini")
    assert not answer.message.parts
    assert answer.response.usage.reasoning_tokens == 128
    assert answer.response.usage.output_tokens > 128


@every_subject
async def test_an_effort_is_the_models_to_take(lab: Lab, subject: Subject) -> None:
    request = ask("Why?", reasoning=pb.ReasoningConfig(effort="high"))
    if subject is OPENAI:
        error = await lab.refusal(subject, request)
        assert (error.reason, fields_of(error)) == (Reason.UNSUPPORTED_PARAMETER, ["reasoning.effort"])
        assert error.text == "The model does not have this effort."
    elif subject is AZURE:
        error = await lab.refusal(subject, request)
        assert str(error) == "INVALID_REQUEST: The provider refused the request as invalid."
    else:
        answer = await lab.ask(subject, request)
        assert answer.body["reasoning_effort"] == "high"
        (thought,) = (part.reasoning for part in answer.thoughts)
        assert thought.summary if subject is RESPONSES else thought.text
    answer = await lab.ask(subject, request, model=subject.thinker)
    assert answer.body["reasoning_effort"] == "high"
    if subject.tells_usage and subject is not MISTRAL:  # which does not tell
        assert answer.response.usage.reasoning_tokens == 256


@every_subject
async def test_reasoning_is_traced(lab: Lab, subject: Subject) -> None:
    request = ask("Why?", reasoning=pb.ReasoningConfig(effort="high"))
    answer = await lab.ask(subject, request, model=subject.thinker)
    trace = answer.response.reasoning
    assert (trace.effort, trace.items_count) == ("high", int(subject.keeps_thoughts))
    assert [part.reasoning.summary for part in answer.thoughts if part.reasoning.summary] == (
        [trace.summary] if subject is RESPONSES else []
    )


@every_thinking_subject
async def test_thoughts_go_back_to_their_provider(lab: Lab, subject: Subject) -> None:
    first = ask("Why?")
    answer = await lab.ask(subject, first, model=subject.thinker)
    back = ask(*first.messages, answer.message, "And now?")
    second = await lab.ask(subject, back, model=subject.thinker)
    assert second.warnings == []
    thought = answer.thoughts[0].reasoning.text
    said = second.body["messages"][1]
    if subject is MISTRAL:
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
        text = {"type": "text", "text": answer.text}
        assert said == {"role": "assistant", "content": [thinking, text]}
    else:
        assert said == {"role": "assistant", "content": answer.text, subject.thoughts: thought}


async def test_a_signature_goes_back_with_the_thought_that_it_seals(lab: Lab) -> None:
    first, call = ask("[sim:signed] Why?"), new_call(MISTRAL, MISTRAL.thinker)
    whole = await lab.backend(MISTRAL).chat(first, call)
    async with lab.backend(MISTRAL).stream(first, call) as reads:
        events = [event async for read in reads for event in read]
    for response in (whole, events[-1].completed.response):
        message = response.choices[0].message
        (seal,) = (unpack(message.parts[0], "mistral", "") or {}).values()
        assert len(seal) == 40
        second = await lab.ask(MISTRAL, ask(*first.messages, message, "And now?"))
        assert second.body["messages"][1]["content"][0]["signature"] == seal


@pytest.mark.parametrize("origin", [MISTRAL, VLLM, DEEPSEEK, RESPONSES], ids=lambda origin: f"of_{origin}")
@every_subject
async def test_thoughts_stay_away_from_other_providers(lab: Lab, origin: Subject, subject: Subject) -> None:
    first = ask("Why?")
    answer = await lab.ask(origin, first, model=origin.thinker)
    second = await lab.ask(subject, ask(*first.messages, answer.message, "And now?"))
    if subject is origin:
        assert second.warnings == []
        return
    path = "messages[1].parts[0]"
    code = "PART_DROPPED" if subject is OPENAI else "PROVIDER_STATE_DROPPED"
    field = "reasoning" if subject is OPENAI else "provider_state"
    assert second.warnings == [(code, f"{path}.{field}")]
    assert second.body["messages"][1] == {"role": "assistant", "content": answer.text}


@every_thinking_subject
async def test_an_answer_that_is_cut_while_it_thinks_goes_anywhere(lab: Lab, subject: Subject) -> None:
    first = ask("Why?", config=pb.GenerationConfig(max_output_tokens=5))
    answer = await lab.ask(subject, first, model=subject.thinker)
    assert [part.WhichOneof("content") for part in answer.message.parts] == ["reasoning"]
    assert answer.choice.finish_reason == pb.FINISH_REASON_LENGTH
    for other in (OPENAI, MISTRAL, VLLM, subject):
        second = await lab.ask(other, ask(*first.messages, answer.message, "Go on."), REJECT)
        assert "You wrote: “Go on.”." in second.text
