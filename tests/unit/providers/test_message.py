"""Messages out of parts."""

from collections.abc import Sequence

import pytest
from support.ask import said

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.message import without_text
from tokenwire_server.providers.state import pack

Part = pb.ContentPart
SOURCE = pb.Annotation(type="url_citation", url="https://example.com")
CITED = Part(text="a", annotations=[SOURCE])
CALL = Part(tool_call=pb.ToolCall(id="call_1", name="f", arguments_json="{}"))
ITEM = Part(provider_item=pb.ProviderItem(provider="openai", type="custom", item_json="{}"))
REFUSAL = Part(refusal="No.")


@pytest.mark.parametrize(
    ("parts", "text", "plain"),
    [
        ([], "", True),
        ([Part(text="a")], "a", True),
        ([Part(text="")], "", True),
        ([Part(text="a"), Part(text="b")], "ab", False),
        ([CITED], "a", False),
        ([Part(text="a", provider_state=pack("p", id="msg_1", status="completed"))], "a", True),
        ([Part(text="a", provider_state=pack("p", id="msg_1", phase="final_answer"))], "a", False),
        ([REFUSAL], "", False),
        ([Part(text="a"), REFUSAL, Part(text="b")], "ab", False),
        ([CALL], "", False),
        ([Part(text="a"), CALL], "a", False),
        ([ITEM], "", False),
    ],
)
def test_text_is_all_texts_and_parts_are_given_unless_there_is_one_plain_text(
    parts: Sequence[pb.ContentPart], text: str, *, plain: bool
) -> None:
    message = said(parts)
    assert message.role == pb.ROLE_ASSISTANT
    assert message.text == text
    assert list(message.parts) == ([] if plain else list(parts))


def test_without_text_keeps_all_but_texts_and_refusals() -> None:
    message = said([CITED, REFUSAL, CALL, ITEM])
    assert without_text(message) == pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[CALL, ITEM])
    assert without_text(said([Part(text="a")])) == pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    assert message == said([CITED, REFUSAL, CALL, ITEM])
