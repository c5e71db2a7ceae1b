"""Requests said twice: conversations."""

from base64 import b64encode
from typing import Any

from oracle.capture import Case

from tokenwire.v1 import chat_pb2 as pb

PNG = bytes(range(256))
PNG_URL = f"data:image/png;base64,{b64encode(PNG).decode()}"
PDF = b"%PDF-1.7\n\xff\xfe"
PDF_URL = f"data:application/pdf;base64,{b64encode(PDF).decode()}"
PHOTO = "https://example.com/photo.jpg"

Part = pb.ContentPart
Message = pb.ChatMessage


def _text(text: str) -> pb.ContentPart:
    return Part(text=text)


def _user(*parts: pb.ContentPart) -> pb.ChatMessage:
    return Message(role=pb.ROLE_USER, parts=parts)


def _image(**fields: Any) -> pb.ContentPart:
    return Part(image=pb.Media(**fields))


def _file(**fields: Any) -> pb.ContentPart:
    return Part(file=pb.Media(**fields))


def _call(identifier: str, name: str = "weather", arguments: str = '{"city": "Kyiv"}') -> pb.ContentPart:
    return Part(tool_call=pb.ToolCall(id=identifier, name=name, arguments_json=arguments))


def _result(identifier: str, **fields: Any) -> pb.ContentPart:
    return Part(tool_result=pb.ToolResult(tool_call_id=identifier, **fields))


def _says(*parts: pb.ContentPart, **fields: Any) -> pb.ChatMessage:
    return Message(role=pb.ROLE_ASSISTANT, parts=parts, **fields)


def _texts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def _image_url(**fields: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": fields}


def _sdk_call(identifier: str, name: str = "weather", arguments: str = '{"city": "Kyiv"}') -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


ASK = Message(role=pb.ROLE_USER, text="And now?")
SDK_ASK = {"role": "user", "content": "And now?"}
CUSTOM = {"id": "call_9", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1; -- “ok”"}}
CUSTOM_TEXT = '{"id":"call_9","type":"custom","custom":{"name":"sql","input":"SELECT 1; -- “ok”"}}'


def _case(name: str, messages: list[pb.ChatMessage], said: list[dict[str, Any]]) -> Case:
    return Case(name, pb.ChatRequest(messages=messages), {"messages": said})


MESSAGES = [
    _case("user text", [ASK], [SDK_ASK]),
    _case(
        "any characters",
        [Message(role=pb.ROLE_USER, text='é “quoted" \\ \n\t\u0000\u2028 🦀 \U0010ffff')],
        [{"role": "user", "content": 'é “quoted" \\ \n\t\u0000\u2028 🦀 \U0010ffff'}],
    ),
    _case(
        "empty text", [Message(role=pb.ROLE_USER), _says(), ASK],
        [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}, SDK_ASK],
    ),
    _case(
        "system and developer",
        [Message(role=pb.ROLE_SYSTEM, text="Be brief."), Message(role=pb.ROLE_DEVELOPER, text="Joke."), ASK],
        [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Joke."}, SDK_ASK],
    ),
    _case(
        "system in several texts",
        [
            Message(role=pb.ROLE_SYSTEM, parts=[_text("Be brief."), _text(" Be kind.")]),
            Message(role=pb.ROLE_DEVELOPER, parts=[_text("One part.")]),
            ASK,
        ],
        [
            {"role": "system", "content": _texts("Be brief.", " Be kind.")},
            {"role": "developer", "content": "One part."},
            SDK_ASK,
        ],
    ),
    _case(
        "names",
        [
            Message(role=pb.ROLE_SYSTEM, text="Be brief.", name="host"),
            Message(role=pb.ROLE_DEVELOPER, text="Be kind.", name="maker"),
            Message(role=pb.ROLE_USER, text="Hi", name="ann"),
            _says(_text("Hello"), name="bot"),
            Message(role=pb.ROLE_USER, parts=[_text("Ho")], name="bob"),
        ],
        [
            {"role": "system", "content": "Be brief.", "name": "host"},
            {"role": "developer", "content": "Be kind.", "name": "maker"},
            {"role": "user", "content": "Hi", "name": "ann"},
            {"role": "assistant", "content": "Hello", "name": "bot"},
            {"role": "user", "content": _texts("Ho"), "name": "bob"},
        ],
    ),
    _case(
        "user in several texts",
        [Message(role=pb.ROLE_USER, text="One, two", parts=[_text("One,"), _text(" two")])],
        [{"role": "user", "content": _texts("One,", " two")}],
    ),
    _case(
        "image by url",
        [_user(_text("What is it?"), _image(url=PHOTO))],
        [{"role": "user", "content": [*_texts("What is it?"), _image_url(url=PHOTO)]}],
    ),
    _case(
        "image by url, with detail, before the text",
        [_user(_image(url=PHOTO, detail="low"), _text("What is it?"))],
        [{"role": "user", "content": [_image_url(url=PHOTO, detail="low"), *_texts("What is it?")]}],
    ),
    _case(
        "image by data",
        [_user(_image(data=PNG, media_type="image/png"))],
        [{"role": "user", "content": [_image_url(url=PNG_URL)]}],
    ),
    _case(
        "images by data and data url, with detail",
        [_user(_image(data=PNG, media_type="image/png", detail="high"), _image(url=PNG_URL, detail="auto"))],
        [
            {
                "role": "user",
                "content": [_image_url(url=PNG_URL, detail="high"), _image_url(url=PNG_URL, detail="auto")],
            }
        ],
    ),
    _case(
        "file by data",
        [_user(_file(data=PDF, media_type="application/pdf", filename="a.pdf"), _text("Sum up."))],
        [
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_data": PDF_URL, "filename": "a.pdf"}},
                    *_texts("Sum up."),
                ],
            }
        ],
    ),
    _case(
        "files by id and data url",
        [_user(_file(file_id="file-1"), _file(url=PDF_URL, filename="b.pdf"))],
        [
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "file", "file": {"file_data": PDF_URL, "filename": "b.pdf"}},
                ],
            }
        ],
    ),
    _case(
        "assistant text",
        [ASK, Message(role=pb.ROLE_ASSISTANT, text="Now."), ASK],
        [SDK_ASK, {"role": "assistant", "content": "Now."}, SDK_ASK],
    ),
    _case(
        "assistant in several texts",
        [ASK, _says(_text("Now"), _text(" or later."), text="Now or later."), ASK],
        [SDK_ASK, {"role": "assistant", "content": _texts("Now", " or later.")}, SDK_ASK],
    ),
    _case(
        "assistant refuses",
        [ASK, _says(Part(refusal="I will not.")), ASK],
        [SDK_ASK, {"role": "assistant", "content": None, "refusal": "I will not."}, SDK_ASK],
    ),
    _case(
        "assistant says something and refuses",
        [ASK, _says(_text("Well."), Part(refusal="I will "), Part(refusal="not.")), ASK],
        [SDK_ASK, {"role": "assistant", "content": "Well.", "refusal": "I will not."}, SDK_ASK],
    ),
    _case(
        "tool call and its result",
        [ASK, _says(_call("call_1")), Message(role=pb.ROLE_TOOL, parts=[_result("call_1", text="Rain")])],
        [
            SDK_ASK,
            {"role": "assistant", "content": None, "tool_calls": [_sdk_call("call_1")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
        ],
    ),
    _case(
        "tool calls beside text, several results in one message",
        [
            ASK,
            _says(_text("Let me see."), _call("call_1"), _call("call_2", "time", '{"b":1,  "a":10.0}')),
            Message(
                role=pb.ROLE_TOOL,
                parts=[
                    _result("call_1", parts=[_text("Rain"), _text(" and wind")]),
                    _result("call_2", parts=[_text("12:00")]),
                ],
            ),
            ASK,
        ],
        [
            SDK_ASK,
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [_sdk_call("call_1"), _sdk_call("call_2", "time", '{"b":1,  "a":10.0}')],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": _texts("Rain", " and wind")},
            {"role": "tool", "tool_call_id": "call_2", "content": "12:00"},
            SDK_ASK,
        ],
    ),
    _case(
        "tool call without arguments, empty result",
        [
            ASK,
            _says(_call("call_1", "now", "")),
            Message(role=pb.ROLE_TOOL, parts=[_result("call_1")]),
        ],
        [
            SDK_ASK,
            {"role": "assistant", "content": None, "tool_calls": [_sdk_call("call_1", "now", "")]},
            {"role": "tool", "tool_call_id": "call_1", "content": ""},
        ],
    ),
    _case(
        "call of a custom tool and its result",
        [
            ASK,
            _says(
                Part(provider_item=pb.ProviderItem(provider="openai", type="custom", item_json=CUSTOM_TEXT)),
                _call("call_2"),
            ),
            Message(role=pb.ROLE_TOOL, parts=[_result("call_9", text="1"), _result("call_2", text="Sun")]),
        ],
        [
            SDK_ASK,
            {"role": "assistant", "content": None, "tool_calls": [CUSTOM, _sdk_call("call_2")]},
            {"role": "tool", "tool_call_id": "call_9", "content": "1"},
            {"role": "tool", "tool_call_id": "call_2", "content": "Sun"},
        ],
    ),
]  # fmt: skip
