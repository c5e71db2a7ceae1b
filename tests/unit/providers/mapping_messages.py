"""The field mapping table: messages and what is in them."""

from base64 import b64encode
from typing import Any

from support.ask import assistant, called, result, tool, user
from unit.providers.mapping import (
    MODEL,
    OTHER,
    OWN,
    PART_DROPPED,
    STATE_DROPPED,
    Cell,
    Row,
    foreign,
    lacks,
    row,
    sent,
)

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.state import pack

__all__ = ["MESSAGES"]

Part = pb.ContentPart

DATA = b"\x89PNG\xff"
IMAGE_DATA = f"data:image/png;base64,{b64encode(DATA).decode()}"
PDF_DATA = f"data:application/pdf;base64,{b64encode(DATA).decode()}"
PHOTO = "https://example.com/photo.jpg"
PAPER = "https://example.com/paper.pdf"


def said(*messages: pb.ChatMessage) -> pb.ChatRequest:
    return pb.ChatRequest(model=MODEL, messages=messages)


def turn(role: str, content: object, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def texts(*given: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in given]


def of(*messages: dict[str, Any]) -> Cell:
    return sent(messages=list(messages))


SYSTEM = pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Be brief.")
DEVELOPER = pb.ChatMessage(role=pb.ROLE_DEVELOPER, text="Be brief.")
HI = turn("user", "Hi")

ROLES = [
    row("ChatRequest.messages", said(user("Hi")), of(HI)),
    row("ChatMessage.role", said(SYSTEM, user("Hi")), of(turn("system", "Be brief."), HI), what="system"),
    row(
        "ChatMessage.role",
        said(DEVELOPER, user("Hi")),
        of(turn("developer", "Be brief."), HI),
        of(turn("system", "Be brief."), HI),
        what="developer",
    ),
    row(
        "ChatMessage.role",
        said(user("Hi"), assistant("Yes?"), user("Hi")),
        of(HI, turn("assistant", "Yes?"), HI),
        what="assistant",
    ),
    row("ChatMessage.text", said(user("Hi")), of(HI)),
    row("ChatMessage.parts", said(user("Hi", Part(text="Hi"))), of(turn("user", texts("Hi")))),
    row(
        "ContentPart.text",
        said(user("", Part(text="a"), Part(text="b"))),
        of(turn("user", texts("a", "b"))),
    ),
    row(
        "ContentPart.text",
        said(pb.ChatMessage(role=pb.ROLE_SYSTEM, parts=[Part(text="a"), Part(text="b")]), user("Hi")),
        of(turn("system", texts("a", "b")), HI),
        what="of instructions",
    ),
    row(
        "ContentPart.text",
        said(assistant("", Part(text="a"), Part(text="b")), user("Hi")),
        of(turn("assistant", texts("a", "b")), HI),
        of(turn("assistant", "ab"), HI),
        what="of an answer",
    ),
    row(
        "ContentPart.annotations",
        said(assistant("", Part(text="a", annotations=[pb.Annotation(type="url_citation")])), user("Hi")),
        of(turn("assistant", "a"), HI),
    ),
]

SOURCES = {
    "type": pb.Annotation(type="url_citation"),
    "url": pb.Annotation(url=PHOTO),
    "title": pb.Annotation(title="A"),
    "file_id": pb.Annotation(file_id="file-1"),
    "filename": pb.Annotation(filename="a.pdf"),
    "start_index": pb.Annotation(start_index=0),
    "end_index": pb.Annotation(end_index=1),
}
IGNORED = [
    row(
        f"Annotation.{field}",
        said(assistant("", Part(text="a", annotations=[source])), user("Hi")),
        of(turn("assistant", "a"), HI),
    )
    for field, source in SOURCES.items()
]


def named(role: "pb.Role.ValueType") -> pb.ChatMessage:
    return pb.ChatMessage(role=role, text="Hi", name="ann")


NAMES = [
    row(
        "ChatMessage.name",
        said(named(role), user("Hi")),
        of(turn(word, "Hi", name="ann"), HI),
        lacks("messages[0].name", messages=[turn(mistral, "Hi"), HI]),
        what=word,
    )
    for role, word, mistral in (
        (pb.ROLE_SYSTEM, "system", "system"),
        (pb.ROLE_DEVELOPER, "developer", "system"),
        (pb.ROLE_USER, "user", "user"),
        (pb.ROLE_ASSISTANT, "assistant", "assistant"),
    )
]


def shown(**fields: Any) -> pb.ChatRequest:
    return said(user("", Part(text="Hi"), Part(image=pb.Media(**fields))))


def attached(**fields: Any) -> pb.ChatRequest:
    return said(user("", Part(text="Hi"), Part(file=pb.Media(**fields))))


def with_part(part: dict[str, Any]) -> Cell:
    return of(turn("user", [*texts("Hi"), part]))


def without(path: str) -> Cell:
    """The part is refused or left out; the rest of the message is sent."""
    return lacks(f"messages[0].parts[1].{path}", PART_DROPPED, messages=[turn("user", texts("Hi"))])


def image(**fields: Any) -> Cell:
    return with_part({"type": "image_url", "image_url": fields})


def file(**fields: Any) -> Cell:
    return with_part({"type": "file", "file": fields})


def document(url: str, **fields: Any) -> Cell:
    return with_part({"type": "document_url", "document_url": url, **fields})


PNG, PDF = {"data": DATA, "media_type": "image/png"}, {"data": DATA, "media_type": "application/pdf"}

MEDIA = [
    row("ContentPart.image", shown(url=PHOTO), image(url=PHOTO), without("image.url"), image(url=PHOTO)),
    row("Media.url", shown(url=IMAGE_DATA), image(url=IMAGE_DATA), what="that is the data"),
    row("Media.data", shown(**PNG), image(url=IMAGE_DATA), what="of an image"),
    row("Media.media_type", shown(**PNG), image(url=IMAGE_DATA), what="of an image"),
    row(
        "Media.media_type",
        shown(url=IMAGE_DATA, media_type="image/x"),
        image(url=IMAGE_DATA),
        what="of a URL",
    ),
    row("Media.file_id", shown(file_id="file-1"), without("image.file_id"), what="of an image"),
    row("Media.detail", shown(**PNG, detail="low"), image(url=IMAGE_DATA, detail="low")),
    row("Media.filename", shown(**PNG, filename="a.png"), image(url=IMAGE_DATA), what="of an image"),
    row("ContentPart.file", attached(**PDF), file(file_data=PDF_DATA), document(PDF_DATA)),
    row("Media.url", attached(url=PAPER), without("file.url"), document(PAPER), what="of a file"),
    row(
        "Media.url",
        attached(url=PDF_DATA),
        file(file_data=PDF_DATA),
        document(PDF_DATA),
        what="data of a file",
    ),
    row("Media.data", attached(**PDF), file(file_data=PDF_DATA), document(PDF_DATA), what="of a file"),
    row(
        "Media.filename",
        attached(**PDF, filename="a.pdf"),
        file(file_data=PDF_DATA, filename="a.pdf"),
        document(PDF_DATA, document_name="a.pdf"),
    ),
    row(
        "Media.file_id",
        attached(file_id="file-1"),
        file(file_id="file-1"),
        with_part({"type": "file", "file_id": "file-1"}),
    ),
    row(
        "Media.detail",
        attached(**PDF, detail="low"),
        file(file_data=PDF_DATA),
        document(PDF_DATA),
        what="of a file",
    ),
    row(
        "ContentPart.image",
        said(user("", Part(image=pb.Media(file_id="file-1")))),
        lacks("messages[0].parts[0].image.file_id", PART_DROPPED, messages=[turn("user", "")]),
        what="alone",
    ),
]

ARGUMENTS = '{"b": 1, "a": [2.50]}'


def call(identifier: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def answered(identifier: str, content: object) -> dict[str, Any]:
    return turn("tool", content, tool_call_id=identifier)


def round_trip(field: str, *, what: str = "", arguments: str = "{}", **given: Any) -> Row:
    """A call that Mistral takes as it is, and its result."""
    content = given.pop("content", "sunny")
    request = said(
        user("Hi"),
        assistant("", called("call12345", arguments=arguments)),
        tool(pb.ToolResult(tool_call_id="call12345", **({"text": "sunny"} | given))),
    )
    calls = [call("call12345", arguments)]
    back = answered("call12345", content)
    return row(
        field,
        request,
        of(HI, turn("assistant", None, tool_calls=calls), back),
        of(HI, turn("assistant", "", tool_calls=calls), {**back, "name": "weather"}),
        what=what,
    )


RENAMED = "L4AJoEpn9"
"""What Mistral knows `call_1` as."""

TOOLS = [
    round_trip("ChatMessage.role", what="tool"),
    round_trip("ContentPart.tool_call"),
    round_trip("ContentPart.tool_result"),
    round_trip("ToolCall.id"),
    round_trip("ToolCall.name"),
    round_trip("ToolCall.arguments_json", arguments=ARGUMENTS),
    round_trip("ToolCall.arguments_json", what="empty", arguments=""),
    round_trip("ToolResult.tool_call_id"),
    round_trip("ToolResult.text", text="", content=""),
    round_trip("ToolResult.parts", text="", parts=[Part(text="a"), Part(text="b")], content=texts("a", "b")),
    row(
        "ToolCall.id",
        said(assistant("", Part(text="So:"), called("call_1")), tool(result("call_1"))),
        of(turn("assistant", "So:", tool_calls=[call("call_1")]), answered("call_1", "sunny")),
        of(
            turn("assistant", "So:", tool_calls=[call(RENAMED)]),
            {**answered(RENAMED, "sunny"), "name": "weather"},
        ),
        what="of another form",
    ),
    row(
        "ChatMessage.name",
        said(
            assistant("", Part(text="So:"), called("call12345")),
            pb.ChatMessage(role=pb.ROLE_TOOL, name="ann", parts=[Part(tool_result=result("call12345"))]),
        ),
        *(
            lacks(
                "messages[1].name",
                messages=[
                    turn("assistant", "So:", tool_calls=[call("call12345")]),
                    {**answered("call12345", "sunny"), **more},
                ],
            )
            for more in ({}, {"name": "weather"})
        ),
        what="tool",
    ),
]


def after(part: pb.ContentPart, *more: pb.ContentPart) -> pb.ChatRequest:
    return said(user("Hi"), assistant("", part, *more), user("Hi"))


def between(content: object, **fields: Any) -> Cell:
    return of(HI, turn("assistant", content, **fields), HI)


def left_out(path: str, code: Any, content: object = "a") -> Cell:
    """What another provider made is left out of the answer."""
    return foreign(f"messages[1].parts[0].{path}", code, messages=[HI, turn("assistant", content), HI])


def thought(state: bytes = b"", **fields: str) -> pb.ContentPart:
    return Part(reasoning=pb.Reasoning(**fields), provider_state=state)


def thinking(text: str, **fields: str) -> list[dict[str, Any]]:
    chunk = {"type": "thinking", "thinking": texts(text), **fields}
    return [chunk, *texts("a")]


SQL = '{"id": "c-1", "type": "custom", "custom": {"name": "sql", "input": "x"}}'
CUSTOM = {"id": "c-1", "type": "custom", "custom": {"name": "sql", "input": "x"}}


def item(field: str, provider: str, *cells: Cell) -> Row:
    part = Part(provider_item=pb.ProviderItem(provider=provider, type="custom", item_json=SQL))
    return row(field, after(part, Part(text="a")), *cells, what="" if provider == OWN else "of another")


A = Part(text="a")
SEALED = pack(OWN, signature="sig")
SAID = left_out("reasoning", PART_DROPPED)

ITEMS = [
    row("ContentPart.refusal", after(Part(refusal="No.")), between(None, refusal="No."), between("No.")),
    row(
        "ContentPart.reasoning",
        after(thought(text="Hm."), A),
        SAID,
        between("a", reasoning_content="Hm."),
        SAID,
    ),
    row(
        "Reasoning.text",
        after(thought(pack(OWN, field="reasoning"), text="Hm."), A),
        SAID,
        between("a", reasoning="Hm."),
        between(thinking("Hm.")),
        what="by the name it came by",
    ),
    row(
        "Reasoning.text",
        after(thought(SEALED, text="Hm."), A),
        SAID,
        between("a", reasoning_content="Hm."),
        between(thinking("Hm.", signature="sig")),
        what="signed",
    ),
    row(
        "Reasoning.summary",
        after(thought(SEALED, text="Hm.", summary="H"), A),
        SAID,
        between("a", reasoning_content="Hm."),
        between(thinking("Hm.", signature="sig")),
    ),
    row(
        "ContentPart.provider_state",
        after(thought(pack(OTHER, signature="sig"), text="Hm."), A),
        SAID,
        left_out("provider_state", STATE_DROPPED),
        left_out("provider_state", STATE_DROPPED),
        what="of another",
    ),
    item("ContentPart.provider_item", OWN, between("a", tool_calls=[CUSTOM]), between([CUSTOM, *texts("a")])),
    item("ProviderItem.item_json", OWN, between("a", tool_calls=[CUSTOM]), between([CUSTOM, *texts("a")])),
    item("ProviderItem.type", OWN, between("a", tool_calls=[CUSTOM]), between([CUSTOM, *texts("a")])),
    item("ProviderItem.provider", OTHER, left_out("provider_item", PART_DROPPED)),
]

MESSAGES: list[Row] = [*ROLES, *IGNORED, *NAMES, *MEDIA, *TOOLS, *ITEMS]
