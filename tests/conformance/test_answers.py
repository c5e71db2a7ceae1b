"""Texts: whatever a provider is, an answer is asked for and given in the same way."""

import pytest
from conformance.lab import Lab, new_call
from conformance.subjects import (
    BY_RESPONSES,
    MISTRAL,
    OPENAI,
    OPENAIS_OWN,
    RESPONSES,
    SUBJECTS,
    VLLM,
    Subject,
)
from support.ask import ask, user
from support.stream import texts

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire_server.simulator import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=str)


@every_subject
async def test_a_question_is_answered(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, ask("What is a lighthouse?"))
    assert "You wrote: “What is a lighthouse?”." in answer.text
    assert not answer.message.parts
    assert answer.message.role == pb.ROLE_ASSISTANT
    assert answer.choice.finish_reason == subject.stop
    assert answer.choice.native_finish_reason == subject.ends
    assert (answer.response.provider, answer.response.model) == (subject.name, subject.model)
    assert answer.response.id
    assert answer.response.create_time.seconds > 0
    assert answer.warnings == []


@every_subject
async def test_usage_is_the_providers_or_marked_as_estimated(lab: Lab, subject: Subject) -> None:
    usage = (await lab.ask(subject, ask("What is a lighthouse?"))).response.usage
    expected = "PROVIDER" if subject.tells_usage else "ESTIMATED"
    assert common_pb2.TokenSource.Name(usage.source) == f"TOKEN_SOURCE_{expected}"
    assert usage.input_tokens > 0
    assert usage.output_tokens > 10
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


@every_subject
async def test_a_stream_without_usage_has_an_estimate(lab: Lab, subject: Subject) -> None:
    lab.simulator.script(Script(no_usage=True))
    async with lab.backend(subject).stream(ask("Hello."), new_call(subject)) as reads:
        events = [event async for read in reads for event in read]
    response = events[-1].completed.response
    assert response.usage.source == common_pb2.TOKEN_SOURCE_ESTIMATED
    size = len(response.choices[0].message.text.encode())
    assert response.usage.output_tokens == -(-size // 4)


@every_subject
async def test_an_answer_goes_back_as_it_came(lab: Lab, subject: Subject) -> None:
    first = ask("What is a lighthouse?")
    answer = await lab.ask(subject, first)
    second = await lab.ask(subject, ask(*first.messages, answer.message, "And a harbour?"))
    assert "You wrote: “And a harbour?”." in second.text
    assert second.body["messages"][1] == {"role": "assistant", "content": answer.text}
    assert second.warnings == []


@every_subject
async def test_instructions_come_before_the_conversation(lab: Lab, subject: Subject) -> None:
    messages = [
        pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Be brief."),
        pb.ChatMessage(role=pb.ROLE_DEVELOPER, text="Be kind."),
        user("Hello."),
    ]
    answer = await lab.ask(subject, ask(*messages))
    both = {MISTRAL: ["system", "system"], RESPONSES: ["instructions"]}.get(subject, ["system", "developer"])
    assert [message["role"] for message in answer.body["messages"]] == [*both, "user"]
    assert "You wrote: “Hello.”." in answer.text


@every_subject
async def test_a_stop_text_ends_the_answer(lab: Lab, subject: Subject) -> None:
    request = ask("Hello.", config=pb.GenerationConfig(stop=["wrote", "nowhere"]))
    if await lab.lacks(subject, request, "config.stop"):
        return
    answer = await lab.ask(subject, request)
    assert answer.text.endswith(" You ")
    assert answer.choice.finish_reason == subject.stop


@every_subject
async def test_a_limit_of_tokens_cuts_the_answer(lab: Lab, subject: Subject) -> None:
    limit = max(3, subject.least_tokens)
    whole = await lab.ask(subject, ask("Hello."))
    answer = await lab.ask(subject, ask("Hello.", config=pb.GenerationConfig(max_output_tokens=limit)))
    assert answer.text.startswith("This is the")
    assert answer.text == whole.text[: len(answer.text)] != whole.text
    assert answer.choice.finish_reason == pb.FINISH_REASON_LENGTH
    if subject.tells_usage:
        assert answer.response.usage.output_tokens == limit


@every_subject
async def test_log_probabilities_belong_to_the_tokens_of_the_text(lab: Lab, subject: Subject) -> None:
    limit = max(4, subject.least_tokens)
    config = pb.GenerationConfig(logprobs=True, top_logprobs=2, max_output_tokens=limit)
    answer = await lab.ask(subject, ask("Hello.", config=config))
    entries = answer.choice.logprobs
    assert "".join(entry.token for entry in entries) == answer.text
    assert answer.text.startswith("This is the Toke")
    assert all(entry.logprob < 0 for entry in entries)
    assert [len(entry.top) for entry in entries] == [2] * limit
    assert b"".join(entry.bytes for entry in entries).decode() == answer.text
    deltas = [event.text_delta for event in answer.events if event.HasField("text_delta")]
    assert [entry for delta in deltas for entry in delta.logprobs] == list(entries)


@every_subject
async def test_candidates_are_answers_of_their_own(lab: Lab, subject: Subject) -> None:
    request = ask("Hello.", config=pb.GenerationConfig(candidate_count=2))
    if await lab.lacks(subject, request, "config.candidate_count"):
        return
    answer = await lab.ask(subject, request)
    first, second = answer.response.choices
    assert (first.index, second.index) == (0, 1)
    assert "alternative 2" in second.message.text
    assert "alternative" not in first.message.text
    assert {first.finish_reason, second.finish_reason} == {subject.stop}
    assert texts(answer.events) == {(0, 0): first.message.text, (1, 0): second.message.text}


JOINED = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
SCRIPTS = f"Héllo {JOINED} и привет, 你好 世界! \N{LATIN SMALL LETTER SHARP S}\N{COMBINING DIAERESIS}"


@every_subject
async def test_no_character_is_hurt_wherever_an_answer_is_cut(lab: Lab, subject: Subject) -> None:
    lab.script(split_bytes=1)
    answer = await lab.ask(subject, ask(f"[sim:echo] {SCRIPTS}"))
    assert answer.text == SCRIPTS
    assert answer.body["messages"][0]["content"] == f"[sim:echo] {SCRIPTS}"


@every_subject
async def test_an_empty_answer_is_an_answer(lab: Lab, subject: Subject) -> None:
    lab.script(tokens=0)
    answer = await lab.ask(subject, ask("Hello."))
    assert answer.message == pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    assert answer.choice.finish_reason == subject.stop
    item = ["part_started", "part_done"] if subject in BY_RESPONSES else []  # with an empty text in it
    assert [event.WhichOneof("event") for event in answer.events] == ["started", *item, "completed"]


@every_subject
async def test_an_empty_answer_goes_back_as_it_came(lab: Lab, subject: Subject) -> None:
    lab.script(tokens=0)
    answer = await lab.ask(subject, ask("Hello."))
    second = await lab.ask(subject, ask("Hello.", answer.message, "Are you there?"))
    assert "You wrote: “Are you there?”." in second.text
    assert second.warnings == ([("PART_DROPPED", "messages[1]")] if subject is MISTRAL else [])


@pytest.mark.parametrize("subject", [OPENAI, MISTRAL, VLLM], ids=str)
async def test_a_very_long_answer_comes_whole(lab: Lab, subject: Subject) -> None:
    word = "漢字かな "
    long = (word * (-(-200_000 // len(word.encode())))).strip()
    answer = await lab.ask(subject, ask(f"[sim:echo] {long}"))
    assert answer.text == long
    assert len(answer.text.encode()) >= 200_000 - len(word.encode())
    assert max(len(event.text_delta.text.encode()) for event in answer.events) <= 64 * 1024


@every_subject
async def test_deltas_alone_carry_the_text_when_asked_to(lab: Lab, subject: Subject) -> None:
    request = ask("Hello.")
    whole = await lab.ask(subject, request)
    request.stream_options.deltas_only = True
    async with lab.backend(subject).stream(request, new_call(subject)) as reads:
        events = [event async for read in reads for event in read]
    response = events[-1].completed.response
    assert response.choices[0].message == pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    assert response.choices[0].finish_reason == subject.stop
    assert response.usage == whole.response.usage
    assert texts(events) == {(0, 0): whole.text}


@every_subject
async def test_silence_after_the_start_is_a_heartbeat(lab: Lab, subject: Subject) -> None:
    lab.simulator.script(Script(comments=3600, after=1))
    request = ask("Hello.")
    request.stream_options.heartbeat_interval.nanos = 10_000_000
    async with lab.backend(subject).stream(request, new_call(subject)) as reads:
        first = await anext(reads)
        assert first[0].HasField("started")
        async for read in reads:
            if not read:
                break
            assert not any(event.HasField("completed") for event in read)
        else:
            pytest.fail("no heartbeat came")


@pytest.mark.parametrize("subject", OPENAIS_OWN, ids=str)
async def test_sources_belong_to_the_text_and_go_back_with_it(lab: Lab, subject: Subject) -> None:
    first = ask("What is new?")
    first.provider_options.update({subject.name: {"web_search_options": {}}})
    answer = await lab.ask(subject, first, model="gpt-4o-search-preview")
    (part,) = answer.message.parts
    (source,) = part.annotations
    assert (source.type, source.url) == ("url_citation", "https://example.com/simulated")
    assert (source.start_index, source.end_index) == (0, len(answer.text))
    assert part.text == answer.text
    second = await lab.ask(subject, ask(*first.messages, answer.message, "And now?"))
    assert second.body["messages"][1] == {"role": "assistant", "content": answer.text}
