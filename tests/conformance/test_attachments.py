"""Images and documents: sent where the provider takes them, refused by name where it does not."""

import pytest
from conformance.lab import DROP, REJECT, Lab, fields_of
from conformance.subjects import AZURE, BY_RESPONSES, MISTRAL, OPENAI, SUBJECTS, VLLM, Subject
from support.ask import ask, user

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason

pytestmark = pytest.mark.asyncio(loop_scope="module")
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=str)

PNG = pb.Media(data=b"\x89PNG\r\n\x1a\n\xff", media_type="image/png")
PDF = pb.Media(data=b"%PDF-1.7\n\xff", media_type="application/pdf", filename="a.pdf")
PHOTO = pb.Media(url="https://example.com/photo.jpg")
PAPER = pb.Media(url="https://example.com/paper.pdf")
UPLOADED = pb.Media(file_id="file-1")

Part = pb.ContentPart
FETCHING = (OPENAI, MISTRAL, VLLM, AZURE, *BY_RESPONSES)
"""Those that may be sent URLs: by their nature, or by settings."""


def look(*parts: pb.ContentPart) -> pb.ChatRequest:
    return ask(user("", Part(text="Look."), *parts))


async def refused(lab: Lab, subject: Subject, request: pb.ChatRequest, path: str, text: str) -> None:
    """The request is refused by name, or goes on without the part under DROP."""
    path = f"messages[0].parts[1].{path}"
    lab.simulator.clear()
    error = await lab.refusal(subject, request, REJECT)
    assert (error.reason, fields_of(error), error.text) == (Reason.UNSUPPORTED_PARAMETER, [path], text)
    assert lab.simulator.received == []
    answer = await lab.ask(subject, request, DROP)
    assert answer.warnings == [("PART_DROPPED", path)]
    assert "You attached" not in answer.text


@every_subject
async def test_an_image_is_sent_with_its_bytes(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, look(Part(image=PNG), Part(image=PNG)))
    assert "You attached 2 images." in answer.text
    assert answer.warnings == []


@every_subject
async def test_an_image_by_url_is_sent_where_the_provider_may_fetch_it(lab: Lab, subject: Subject) -> None:
    request = look(Part(image=PHOTO))
    if subject in FETCHING:
        assert "You attached 1 image." in (await lab.ask(subject, request)).text
    else:
        text = "This provider's settings do not allow media by URL."
        await refused(lab, subject, request, "image.url", text)


@every_subject
async def test_only_responses_take_an_image_by_id(lab: Lab, subject: Subject) -> None:
    request = look(Part(image=UPLOADED))
    if subject in BY_RESPONSES:
        assert "You attached 1 image." in (await lab.ask(subject, request)).text
    else:
        whose = "Mistral" if subject is MISTRAL else "Chat Completions"
        text = f"{whose} takes images by url or data only."
        await refused(lab, subject, request, "image.file_id", text)


@every_subject
async def test_a_document_is_sent_with_its_bytes(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, look(Part(file=PDF)))
    assert "You attached 1 file." in answer.text
    assert answer.warnings == []


@every_subject
async def test_an_uploaded_document_is_sent_by_id(lab: Lab, subject: Subject) -> None:
    answer = await lab.ask(subject, look(Part(file=UPLOADED)))
    assert "You attached 1 file." in answer.text


@every_subject
async def test_chat_completions_take_no_document_by_url(lab: Lab, subject: Subject) -> None:
    request = look(Part(file=PAPER))
    if subject in (MISTRAL, *BY_RESPONSES):
        assert "You attached 1 file." in (await lab.ask(subject, request)).text
    else:
        text = "Chat Completions takes files by data or file_id only."
        await refused(lab, subject, request, "file.url", text)


async def test_a_model_without_eyes_is_the_providers_refusal(lab: Lab) -> None:
    error = await lab.refusal(MISTRAL, look(Part(image=PNG)), model="open-mistral-nemo")
    assert str(error) == "INVALID_REQUEST: The provider refused the request as invalid."
    assert (error.upstream.status, error.upstream.code) == (400, "3051")
