"""Requests said twice, to the Responses API: conversations."""

from typing import Any

from oracle.capture import Case
from oracle.cases_messages import ASK, PDF, PDF_URL, PHOTO, PNG, PNG_URL, SDK_ASK

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.state import pack

Part = pb.ContentPart
Message = pb.ChatMessage


def case(name: str, arguments: dict[str, Any], /, **fields: Any) -> Case:
    """Asks ASK, stored nowhere, unless the arguments say otherwise."""
    request = pb.ChatRequest(**{"messages": [ASK], **fields})
    return Case(name, request, {"input": [SDK_ASK], "store": False, **arguments})


def _talk(name: str, messages: list[pb.ChatMessage], items: list[dict[str, Any]]) -> Case:
    return case(name, {"input": items}, messages=messages)


def _user(*parts: pb.ContentPart) -> pb.ChatMessage:
    return Message(role=pb.ROLE_USER, parts=parts)


def _shown(name: str, part: pb.ContentPart, item: dict[str, Any]) -> Case:
    asked = {"type": "input_text", "text": "What is it?"}
    return _talk(name, [_user(Part(text="What is it?"), part)], [{"role": "user", "content": [asked, item]}])


def _image(**fields: Any) -> pb.ContentPart:
    return Part(image=pb.Media(**fields))


def _file(**fields: Any) -> pb.ContentPart:
    return Part(file=pb.Media(**fields))


def _says(*parts: pb.ContentPart, **fields: Any) -> pb.ChatMessage:
    return Message(role=pb.ROLE_ASSISTANT, parts=parts, **fields)


def _state(**fields: str) -> bytes:
    return pack("openai", **fields)


def _call(identifier: str, **fields: str) -> pb.ContentPart:
    call = pb.ToolCall(id=identifier, name="weather", arguments_json='{"city": "Kyiv"}')
    return Part(tool_call=call, provider_state=_state(**fields) if fields else b"")


def _sdk_call(identifier: str, **fields: str) -> dict[str, str]:
    call = {"type": "function_call", "call_id": identifier, "name": "weather"}
    return {**call, "arguments": '{"city": "Kyiv"}', **fields}


def result(identifier: str, **fields: Any) -> pb.ChatMessage:
    part = Part(tool_result=pb.ToolResult(tool_call_id=identifier, **fields))
    return Message(role=pb.ROLE_TOOL, parts=[part])


def sdk_result(identifier: str, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": identifier, "output": output}


def _said(*texts: str, **fields: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "role": "assistant", "content": content, **fields}


def _thought(thought: pb.Reasoning, **fields: str) -> pb.ContentPart:
    return Part(reasoning=thought, provider_state=_state(**fields))


def _sdk_thought(*summaries: str, **fields: Any) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text} for text in summaries]
    return {"type": "reasoning", "summary": summary, **fields}


DONE = {"status": "completed"}
SEARCH = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "n": 1},
}
SEARCH_TEXT = '{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","n":1}}'
SQL = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_9", "name": "sql", "input": "SELECT 1"}
SQL_TEXT = '{"type":"custom_tool_call","id":"ctc_1","call_id":"call_9","name":"sql","input":"SELECT 1"}'


def _item(kind: str, text: str) -> pb.ContentPart:
    return Part(provider_item=pb.ProviderItem(provider="openai", type=kind, item_json=text))


BRIEF = Message(role=pb.ROLE_SYSTEM, text="Be brief.")
JOKE = Message(role=pb.ROLE_DEVELOPER, parts=[Part(text="Joke."), Part(text=" Once.")])
SDK_BRIEF = {"role": "system", "content": "Be brief."}
SDK_JOKE = {
    "role": "developer",
    "content": [{"type": "input_text", "text": "Joke."}, {"type": "input_text", "text": " Once."}],
}

MESSAGES = [
    _talk("user text", [ASK], [SDK_ASK]),
    _talk("system and developer stay in place", [BRIEF, JOKE, ASK], [SDK_BRIEF, SDK_JOKE, SDK_ASK]),
    _shown("image by url", _image(url=PHOTO), {"type": "input_image", "image_url": PHOTO}),
    _shown(
        "image by data, with detail", _image(data=PNG, media_type="image/png", detail="low"),
        {"type": "input_image", "image_url": PNG_URL, "detail": "low"},
    ),
    _shown("image by id", _image(file_id="file-1"), {"type": "input_image", "file_id": "file-1"}),
    _shown(
        "file by data", _file(data=PDF, media_type="application/pdf", filename="a.pdf"),
        {"type": "input_file", "file_data": PDF_URL, "filename": "a.pdf"},
    ),
    _shown("file by data url", _file(url=PDF_URL), {"type": "input_file", "file_data": PDF_URL}),
    _shown("file by url", _file(url=PHOTO), {"type": "input_file", "file_url": PHOTO}),
    _shown(
        "file by id, with detail", _file(file_id="file-1", detail="high"),
        {"type": "input_file", "file_id": "file-1", "detail": "high"},
    ),
    _talk(
        "assistant text by hand",
        [ASK, Message(role=pb.ROLE_ASSISTANT, text="Now."), ASK],
        [SDK_ASK, {"role": "assistant", "content": "Now."}, SDK_ASK],
    ),
    _talk(
        "assistant says something and refuses, by hand",
        [ASK, _says(Part(text="Well."), Part(refusal="I will not.")), ASK],
        [
            SDK_ASK,
            {
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "Well.", "annotations": []},
                    {"type": "refusal", "refusal": "I will not."},
                ],
            },
            SDK_ASK,
        ],
    ),
    _talk(
        "an answer in two texts, then one with another phase",
        [
            ASK,
            _says(
                Part(text="Now", provider_state=_state(id="msg_1", status="completed", phase="commentary")),
                Part(text=" or", provider_state=_state(id="msg_1", status="completed", phase="commentary")),
                Part(text=" later.", provider_state=_state(id="msg_2", status="incomplete")),
            ),
            ASK,
        ],
        [
            SDK_ASK,
            _said("Now", " or", id="msg_1", status="completed", phase="commentary"),
            _said(" later.", id="msg_2", status="incomplete"),
            SDK_ASK,
        ],
    ),
    _talk(
        "thoughts go back sealed, before the calls that they led to",
        [
            ASK,
            _says(
                _thought(
                    pb.Reasoning(summary="Hm.\n\nWell.\n2"), id="rs_1", encrypted_content="gA", cuts="4,5"
                ),
                _thought(pb.Reasoning(), id="rs_2", encrypted_content="gB"),
                _call("call_1", id="fc_1", **DONE),
                _call("call_2", id="fc_2", namespace="sky", **DONE),
            ),
            result("call_1", text="Rain"),
            result("call_2", parts=[Part(text="Sun"), Part(text=" and wind")]),
        ],
        [
            SDK_ASK,
            _sdk_thought("Hm.\n", "Well.", "2", id="rs_1", encrypted_content="gA"),
            _sdk_thought(id="rs_2", encrypted_content="gB"),
            _sdk_call("call_1", id="fc_1", **DONE),
            _sdk_call("call_2", id="fc_2", namespace="sky", **DONE),
            sdk_result("call_1", "Rain"),
            sdk_result("call_2", [{"type": "input_text", "text": t} for t in ("Sun", " and wind")]),
        ],
    ),
    _talk(
        "thoughts of a server that shows them",
        [ASK, _says(_thought(pb.Reasoning(text="Hm."), id="1", **DONE), Part(text="Hi")), ASK],
        [
            SDK_ASK,
            _sdk_thought(id="1", content=[{"type": "reasoning_text", "text": "Hm."}], **DONE),
            {"role": "assistant", "content": "Hi"},
            SDK_ASK,
        ],
    ),
    _talk(
        "call by hand, without arguments and result",
        [ASK, _says(Part(tool_call=pb.ToolCall(id="c", name="now"))), result("c")],
        [
            SDK_ASK,
            {"type": "function_call", "call_id": "c", "name": "now", "arguments": ""},
            sdk_result("c", ""),
        ],
    ),
    _talk(
        "items without a typed form, in their place",
        [
            ASK,
            _says(
                _item("web_search_call", SEARCH_TEXT),
                Part(text="Let me see.", provider_state=_state(id="msg_1", **DONE)),
                _item("custom_tool_call", SQL_TEXT),
            ),
            result("call_9", text="1"),
        ],
        [
            SDK_ASK,
            SEARCH,
            _said("Let me see.", id="msg_1", **DONE),
            SQL,
            {"type": "custom_tool_call_output", "call_id": "call_9", "output": "1"},
        ],
    ),
]  # fmt: skip
