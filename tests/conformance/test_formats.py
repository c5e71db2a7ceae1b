"""Answers in JSON: any object, and what a schema allows."""

import json
from typing import Any

import pytest
from conformance.lab import Lab
from conformance.subjects import OPENAIS_OWN, RESPONSES, SUBJECTS, Subject
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from support.ask import ask

from tokenwire.v1 import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=str)

CHOICE: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "next": {"type": "integer"}},
    "required": ["text", "next"],
    "additionalProperties": False,
}
NODE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "speaker": {"enum": ["guard", "merchant"]},
        "choices": {"type": "array", "items": CHOICE, "minItems": 1},
    },
    "required": ["speaker", "choices"],
    "additionalProperties": False,
}


def check_node(value: Any) -> None:
    """The value satisfies NODE."""
    assert value.keys() == {"speaker", "choices"}
    assert value["speaker"] in {"guard", "merchant"}
    assert value["choices"]
    for choice in value["choices"]:
        assert choice.keys() == {"text", "next"}
        assert isinstance(choice["text"], str)
        assert type(choice["next"]) is int


@every_subject
async def test_an_answer_is_plain_text_when_that_is_said(lab: Lab, subject: Subject) -> None:
    plain = pb.ResponseFormat(text=pb.PlainTextFormat())
    answer = await lab.ask(subject, ask("Hello.", response_format=plain))
    assert "You wrote: “Hello.”." in answer.text


@every_subject
async def test_an_answer_is_some_json_object(lab: Lab, subject: Subject) -> None:
    some = pb.ResponseFormat(json_object=pb.JsonObjectFormat())
    answer = await lab.ask(subject, ask("Answer in JSON.", response_format=some))
    assert isinstance(answer.json, dict)
    assert answer.body["response_format"] == {"type": "json_object"}


@every_subject
async def test_openai_wants_to_read_of_json(lab: Lab, subject: Subject) -> None:
    request = ask("Hello.", response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat()))
    if subject in (*OPENAIS_OWN, RESPONSES):
        error = await lab.refusal(subject, request)
        assert str(error) == "INVALID_REQUEST: The provider refused the request as invalid."
        assert [violation.field for violation in error.violations] == ["messages"]
    else:
        assert isinstance((await lab.ask(subject, request)).json, dict)


SOURCES: dict[str, dict[str, Any]] = {
    "text": {"schema_json": json.dumps(NODE)},
    "struct": {"schema_struct": json_format.ParseDict(NODE, Struct())},
}


@every_subject
@pytest.mark.parametrize("strict", [True, False, None], ids=["strict", "loose", "unset"])
@pytest.mark.parametrize("source", SOURCES)
async def test_an_answer_satisfies_the_schema(
    lab: Lab, subject: Subject, source: str, *, strict: bool | None
) -> None:
    schema = pb.JsonSchemaFormat(name="node", description="A turn.", strict=strict, **SOURCES[source])
    request = ask("Write a turn.", response_format=pb.ResponseFormat(json_schema=schema))
    answer = await lab.ask(subject, request)
    check_node(answer.json)
    sent = answer.body["response_format"]["json_schema"]
    assert sent["schema"] == NODE
    assert sent.get("strict") is strict


@every_subject
async def test_an_answer_in_json_may_be_cut(lab: Lab, subject: Subject) -> None:
    schema = pb.JsonSchemaFormat(name="node", schema_json=json.dumps(NODE))
    request = ask("Write a turn.", response_format=pb.ResponseFormat(json_schema=schema))
    request.config.max_output_tokens = max(4, subject.least_tokens)
    answer = await lab.ask(subject, request)
    assert answer.choice.finish_reason == pb.FINISH_REASON_LENGTH
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)


async def test_the_word_of_a_schema_that_openai_cannot_enforce_is_its_refusal(lab: Lab) -> None:
    open_ended = json.dumps({**NODE, "additionalProperties": True})
    schema = pb.JsonSchemaFormat(name="node", schema_json=open_ended, strict=True)
    request = ask("Write a turn.", response_format=pb.ResponseFormat(json_schema=schema))
    for subject in (*OPENAIS_OWN, RESPONSES):
        error = await lab.refusal(subject, request)
        assert str(error) == "INVALID_REQUEST: The provider refused the request as invalid."
        assert [violation.field for violation in error.violations] == ["response_format"]
