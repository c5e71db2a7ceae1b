"""Tool calls: one, several, forced, forbidden, and what came of them."""

import json
import re

import pytest
from conformance.lab import Lab
from conformance.subjects import MISTRAL, OPENAI, OPENAIS_OWN, SUBJECTS, Subject
from conformance.toolbox import TOOLS, TRANSACTION, check_arguments, results
from support.ask import WEATHER, ask, tool
from support.stream import texts

from tokenwire.v1 import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=str)

PURCHASE = "Process a $100 purchase from Amazon"


def choose(**fields: object) -> pb.ToolChoice:
    return pb.ToolChoice(**fields)  # type: ignore[arg-type]  # its fields by name


@every_subject
async def test_a_tool_is_called_with_arguments_of_its_schema(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, ask(PURCHASE, tools=[TRANSACTION]))
    (call,) = answer.calls
    assert call.name == "validate_transaction"
    assert check_arguments(call)
    assert call.id
    assert answer.text == ""
    assert len(answer.message.parts) == 1
    assert answer.choice.finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert texts(answer.events) == {(0, 0): call.arguments_json}
    (started,) = [event.part_started.part for event in answer.events if event.HasField("part_started")]
    assert started.tool_call.name == "validate_transaction"
    assert started.tool_call.id


@every_subject
async def test_several_tools_are_called_at_once(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, ask("[sim:twice] Go.", tools=TOOLS))
    assert [call.name for call in answer.calls] == ["weather", "validate_transaction"]
    assert all(check_arguments(call) for call in answer.calls)
    assert len({call.id for call in answer.calls}) == 2
    assert answer.choice.finish_reason == pb.FINISH_REASON_TOOL_CALLS


@every_subject
async def test_the_same_tool_is_called_twice(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, ask("[sim:twice] Go.", tools=[WEATHER]))
    first, second = answer.calls
    assert first.name == second.name == "weather"
    assert check_arguments(first) != check_arguments(second)
    assert first.id != second.id


@every_subject
async def test_calls_come_one_at_a_time_when_asked_to(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, ask("[sim:twice] Go.", tools=TOOLS, parallel_tool_calls=False))
    assert len(answer.calls) == 1


@every_subject
async def test_a_tool_is_forced_by_name(lab: Lab, subject: Subject) -> None:
    forced = choose(function_name="validate_transaction")
    answer = await lab.ask(subject, ask("[sim:text] Hello.", tools=TOOLS, tool_choice=forced))
    assert [call.name for call in answer.calls] == ["validate_transaction"]


@every_subject
async def test_some_tool_is_required(lab: Lab, subject: Subject) -> None:
    required = choose(mode=pb.TOOL_CHOICE_MODE_REQUIRED)
    answer = await lab.ask(subject, ask("[sim:text] Hello.", tools=TOOLS, tool_choice=required))
    assert [call.name for call in answer.calls] == ["weather"]


@every_subject
@pytest.mark.parametrize("mode", [pb.TOOL_CHOICE_MODE_NONE, pb.TOOL_CHOICE_MODE_AUTO], ids=["none", "auto"])
async def test_no_tool_need_be_called(
    lab: Lab, subject: Subject, mode: "pb.ToolChoiceMode.ValueType"
) -> None:
    prompt = "Hello." if mode == pb.TOOL_CHOICE_MODE_NONE else "[sim:text] Hello."
    answer = await lab.ask(subject, ask(prompt, tools=TOOLS, tool_choice=choose(mode=mode)))
    assert answer.calls == []
    assert "You wrote" in answer.text
    assert answer.choice.finish_reason == subject.stop


@every_subject
async def test_only_allowed_tools_are_called(lab: Lab, subject: Subject) -> None:
    allowed = pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_REQUIRED, names=["validate_transaction"])
    request = ask("[sim:twice] Go.", tools=TOOLS, tool_choice=choose(allowed_tools=allowed))
    answer = await lab.ask(subject, request)
    assert [call.name for call in answer.calls] == ["validate_transaction"] * 2
    assert answer.warnings == []


@every_subject
async def test_a_choice_of_no_tool_goes_without_tools(lab: Lab, subject: Subject) -> None:
    request = ask("Hello.", tool_choice=choose(mode=pb.TOOL_CHOICE_MODE_NONE))
    if subject in OPENAIS_OWN:
        error = await lab.refusal(subject, request)
        assert str(error) == "INVALID_REQUEST: The provider refused the request as invalid."
        assert [violation.field for violation in error.violations] == ["tool_choice"]
    else:
        assert "You wrote: “Hello.”." in (await lab.ask(subject, request)).text


FAILED = '{"error": "No such city: Ätlantis 🌊"}'


@every_subject
@pytest.mark.parametrize("text", ["sunny, 21 °C", FAILED, ""], ids=["text", "error", "nothing"])
async def test_a_result_is_answered(lab: Lab, subject: Subject, text: str) -> None:
    first = ask("Weather?", tools=[WEATHER])
    answer = await lab.ask(subject, first)
    (call,) = answer.calls
    back = [*first.messages, answer.message, results([call], text)]
    second = await lab.ask(subject, ask(*back, tools=[WEATHER]))
    assert f"The tool answered: “{text}”." in second.text
    said, told = second.body["messages"][1:]
    assert [sent["id"] for sent in said["tool_calls"]] == [told["tool_call_id"]]
    assert said["tool_calls"][0]["function"] == {"name": "weather", "arguments": call.arguments_json}
    assert told["content"] == text


@every_subject
async def test_a_result_in_parts_is_answered(lab: Lab, subject: Subject) -> None:
    first = ask("Weather?", tools=[WEATHER])
    answer = await lab.ask(subject, first)
    parts = [pb.ContentPart(text=text) for text in ("sunny", "21 °C")]
    back = tool(pb.ToolResult(tool_call_id=answer.calls[0].id, parts=parts))
    second = await lab.ask(subject, ask(*first.messages, answer.message, back, tools=[WEATHER]))
    assert "The tool answered: “sunny 21 °C”." in second.text


@every_subject
async def test_a_call_that_the_limit_cuts_is_given_as_it_is(lab: Lab, subject: Subject) -> None:
    limit = pb.GenerationConfig(max_output_tokens=max(6, subject.least_tokens))
    answer = await lab.ask(subject, ask(PURCHASE, tools=[TRANSACTION], config=limit))
    assert answer.choice.finish_reason == pb.FINISH_REASON_LENGTH
    (call,) = answer.calls
    assert call.arguments_json
    with pytest.raises(json.JSONDecodeError):
        check_arguments(call)


async def test_mistral_gives_arguments_as_an_object_too(lab: Lab) -> None:
    answer = await lab.ask(MISTRAL, ask("[sim:object] Go.", tools=[WEATHER]))
    assert check_arguments(answer.calls[0])


async def test_ids_of_others_are_made_to_fit_mistral(lab: Lab) -> None:
    first = ask("[sim:twice] Go.", tools=TOOLS)
    answer = await lab.ask(OPENAI, first)
    back = [*first.messages, answer.message, results(answer.calls)]
    second = await lab.ask(MISTRAL, ask(*back, tools=TOOLS))
    said, *told = second.body["messages"][1:]
    ids = [call["id"] for call in said["tool_calls"]]
    assert all(re.fullmatch("[A-Za-z0-9]{9}", identifier) for identifier in ids)
    assert len({*ids}) == 2
    assert [(sent["tool_call_id"], sent["name"]) for sent in told] == [
        (ids[0], "weather"),
        (ids[1], "validate_transaction"),
    ]
