"""What a provider or its model cannot honour: refused by name, or left out by name, as the caller wishes."""

from dataclasses import dataclass

import pytest
from conformance.lab import DROP, DROP_SAMPLING, REJECT, Lab, fields_of
from conformance.subjects import (
    AZURE,
    BY_RESPONSES,
    GROQ,
    MISTRAL,
    OPENAI,
    RESPONSES,
    SUBJECTS,
    VLLM,
    Subject,
)
from support.ask import ask, user

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Case:
    """A parameter, and the key of the provider's body that it would be."""

    path: str
    key: str
    request: pb.ChatRequest
    lacking: dict[Subject, str]
    """Who lacks it, with the sentence that says so."""
    thinks: bool = False
    """Whether a model is asked that reasons."""
    sampling: bool = False

    def model(self, subject: Subject) -> str:
        """The one that is asked; empty = the usual one."""
        return subject.thinker if self.thinks else ""


REASONING = "The model does not take it while it reasons."


def by_responses(text: str) -> dict[Subject, str]:
    return dict.fromkeys(BY_RESPONSES, f"The Responses API {text}")


def named() -> pb.ChatMessage:
    return pb.ChatMessage(role=pb.ROLE_USER, text="Hello.", name="ann")


CASES = [
    Case(
        "config.temperature",
        "temperature",
        ask("Hello.", config={"temperature": 0.5}),
        {OPENAI: REASONING, RESPONSES: REASONING},
        thinks=True,
        sampling=True,
    ),
    Case(
        "config.presence_penalty",
        "presence_penalty",
        ask("Hello.", config={"presence_penalty": 0.5}),
        {OPENAI: REASONING, **by_responses("has no penalties.")},
        thinks=True,
        sampling=True,
    ),
    Case(
        "config.top_k",
        "top_k",
        ask("Hello.", config={"top_k": 3}),
        {OPENAI: "OpenAI has no top_k.", **by_responses("has no top_k.")},
    ),
    Case(
        "config.verbosity",
        "verbosity",
        ask("Hello.", config={"verbosity": "low"}),
        {MISTRAL: "Mistral has no verbosity."},
    ),
    Case(
        "config.logit_bias",
        "logit_bias",
        ask("Hello.", config={"logit_bias": {5: 1}}),
        {MISTRAL: "Mistral has no logit bias.", **by_responses("has no logit bias.")},
    ),
    Case("store", "store", ask("Hello.", store=True), {MISTRAL: "Mistral does not store answers."}),
    Case(
        "messages[0].name",
        "",
        ask(named()),
        {
            MISTRAL: "Mistral's messages have no name.",
            **dict.fromkeys(BY_RESPONSES, "The Responses API's messages have no name."),
        },
    ),
]
LACKING = [
    pytest.param(case, subject, text, id=f"{subject}-{case.path}")
    for case in CASES
    for subject, text in case.lacking.items()
]


@pytest.mark.parametrize(("case", "subject", "text"), LACKING)
async def test_a_parameter_is_refused_by_name(lab: Lab, case: Case, subject: Subject, text: str) -> None:
    for mode in (REJECT,) if case.sampling else (REJECT, DROP_SAMPLING):
        error = await lab.refusal(subject, case.request, mode, model=case.model(subject))
        assert error.reason == Reason.UNSUPPORTED_PARAMETER
        assert fields_of(error) == [case.path]
        assert error.text == text
    assert lab.simulator.received == []


@pytest.mark.parametrize(("case", "subject", "text"), LACKING)
async def test_a_parameter_is_left_out_by_name(lab: Lab, case: Case, subject: Subject, text: str) -> None:
    for mode in (DROP, DROP_SAMPLING) if case.sampling else (DROP,):
        answer = await lab.ask(subject, case.request, mode, model=case.model(subject))
        assert answer.warnings == [("PARAMETER_DROPPED", case.path)], text
        assert case.key not in answer.body
        assert "name" not in answer.body["messages"][0]
        assert "You wrote: “Hello.”." in answer.text


TAKING = [
    pytest.param(case, subject, id=f"{subject}-{case.path}")
    for case in CASES
    for subject in SUBJECTS
    if subject not in case.lacking
]
UPSTREAM = {
    (GROQ, "config.top_k"),
    (GROQ, "config.verbosity"),
    (AZURE, "config.top_k"),
    (AZURE, "config.temperature"),
    (AZURE, "config.presence_penalty"),
}
"""What the gateway does not know of a server, and the server itself refuses."""


@pytest.mark.parametrize(("case", "subject"), TAKING)
async def test_a_parameter_is_sent_to_who_may_have_it(lab: Lab, case: Case, subject: Subject) -> None:
    model = case.model(subject)
    if (subject, case.path) in UPSTREAM:
        error = await lab.refusal(subject, case.request, DROP, model=model)
        code = "UNSUPPORTED_PARAMETER" if case.thinks else "INVALID_REQUEST"
        assert Reason.Name(error.reason) == code
        assert fields_of(error) == ([case.path] if case.thinks else [])
        return
    answer = await lab.ask(subject, case.request, REJECT, model=model)
    assert answer.warnings == []
    assert case.key in answer.body or answer.body["messages"][0]["name"] == "ann"


async def test_each_thing_left_out_has_a_warning(lab: Lab) -> None:
    part = pb.ContentPart(image=pb.Media(file_id="file-1"))
    message = pb.ChatMessage(role=pb.ROLE_USER, name="ann", parts=[pb.ContentPart(text="Hello."), part])
    answer = await lab.ask(MISTRAL, ask(message, store=True, config={"verbosity": "low"}), DROP)
    assert answer.warnings == [
        ("PARAMETER_DROPPED", "config.verbosity"),
        ("PARAMETER_DROPPED", "store"),
        ("PART_DROPPED", "messages[0].parts[1].image.file_id"),
        ("PARAMETER_DROPPED", "messages[0].name"),
    ]


@pytest.mark.parametrize("subject", [OPENAI, MISTRAL, VLLM], ids=str)
async def test_a_message_of_which_nothing_is_left_is_empty(lab: Lab, subject: Subject) -> None:
    part = pb.ContentPart(image=pb.Media(file_id="file-1"))
    answer = await lab.ask(subject, ask(user("", part)), DROP)
    assert answer.warnings == [("PART_DROPPED", "messages[0].parts[0].image.file_id")]
    assert answer.body["messages"] == [{"role": "user", "content": ""}]
