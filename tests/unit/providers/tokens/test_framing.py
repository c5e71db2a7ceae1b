"""What a conversation counts besides its texts, by path, and what is said to be no more than an estimate."""

import pytest
from google.protobuf.struct_pb2 import Struct
from support.ask import WEATHER, ask, assistant, called, result, tool, user

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.tokens import framing
from tokenwire_server.providers.tokens.framing import Item
from tokenwire_server.providers.tokens.tools import declared

PNG = pb.Media(data=b"\x89PNG" * 1000, media_type="image/png")


def messages(*turns: str | pb.ChatMessage, dropped: tuple[str, ...] = ()) -> list[Item]:
    return list(framing.messages(ask(*turns), frozenset(dropped)))


def part(**content: object) -> pb.ContentPart:
    return pb.ContentPart(**content)  # type: ignore[arg-type]  # by the name of its kind


PLAIN = {
    "a text": (user("hi"), ["hi"], 4),
    "parts": (user("", part(text="a"), part(text="b")), ["a", "b"], 4),
    "a text and its parts": (user("a", part(text="a")), ["a"], 4),
    "a name": (pb.ChatMessage(role=pb.ROLE_USER, text="hi", name="ann"), ["ann", "hi"], 5),
    "nothing": (assistant(""), [""], 4),
}


@pytest.mark.parametrize("name", PLAIN)
def test_texts_are_framed_by_the_published_rule(name: str) -> None:
    message, texts, tokens = PLAIN[name]
    (item,) = messages(message)
    assert (item.texts, item.framing, item.notes) == (texts, tokens, [])


INEXACT = {
    "image": (part(image=PNG), [], 765),
    "small image": (part(image=pb.Media(url="https://x/y.png", detail="low")), [], 85),
    "file": (part(file=PNG), [], 1000),
    "file by id": (part(file=pb.Media(file_id="file-1")), [], 0),
    "tool_call": (called(arguments='{"city":"Oslo"}'), ["weather", '{"city":"Oslo"}'], 7),
    "tool_result": (part(tool_result=result(text="sunny")), ["sunny"], 0),
    "tool_result in parts": (
        part(tool_result=pb.ToolResult(tool_call_id="1", text="ab", parts=[part(text="a"), part(text="b")])),
        ["a", "b"],
        0,
    ),
    "reasoning": (part(reasoning=pb.Reasoning(text="hm", summary="s")), ["hm"], 0),
    "refusal": (part(refusal="no"), ["no"], 0),
    "provider_item": (part(provider_item=pb.ProviderItem(provider="p", item_json="{}")), ["{}"], 0),
}


@pytest.mark.parametrize("name", INEXACT)
def test_what_is_estimated_is_named_by_its_path(name: str) -> None:
    held, texts, tokens = INEXACT[name]
    (_, item) = messages("before", user("", part(text="see"), held))
    assert (item.texts, item.framing) == (["see", *texts], 4 + tokens)
    assert [note.path for note in item.notes] == [f"messages[1].parts[1].{held.WhichOneof('content')}"]


def test_what_is_not_sent_does_not_count() -> None:
    thought = part(reasoning=pb.Reasoning(text="hm"))
    named = pb.ChatMessage(role=pb.ROLE_ASSISTANT, name="ann", parts=[thought, part(text="hi")])
    dropped = ("messages[0].parts[0].reasoning", "messages[0].name", "messages[1]")
    item, empty = messages(named, assistant(""), dropped=dropped)
    assert (item.texts, item.framing, item.notes) == (["hi"], 4, [])
    assert (empty.texts, empty.framing) == ([], 0)


def test_a_path_is_not_taken_for_a_longer_one() -> None:
    parts = [part(text=str(number)) for number in range(11)]
    (item,) = messages(user("", *parts), dropped=("messages[0].parts[1].x",))
    assert "10" in item.texts
    assert "1" not in item.texts


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("gpt-4o-mini-2024-07-18", True),
        ("gpt-4.1", True),
        ("ft:gpt-4o-2024-08-06:acme::1", True),
        ("gpt-3.5-turbo", True),
        ("gpt-4o-search-preview", False),
        ("gpt-5", False),
        ("o3", False),
        ("my-deployment", False),
    ],
)
def test_the_rule_is_published_for_some_models(model: str, published: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    (rest,) = framing.besides(ask("hi"), model, ())
    assert rest.framing == 3
    assert [note.path for note in rest.notes] == ([] if published else ["messages"])


def test_what_stands_beside_messages_is_estimated() -> None:
    schema = pb.JsonSchemaFormat(name="s", schema_json='{"type":"object"}')
    hosted = pb.ProviderTool(provider="openai", definition=Struct())
    request = ask(
        tools=[WEATHER, pb.Tool(provider_tool=hosted)],
        response_format=pb.ResponseFormat(json_schema=schema),
        previous_response_id="resp_1",
    )
    _, *rest = framing.besides(request, "gpt-4o", ())
    assert [note.path for item in rest for note in item.notes] == [
        "tools",
        "previous_response_id",
        "response_format",
    ]
    tools, _, answer = rest
    assert tools.texts == [declared([WEATHER.function]), "{}"]
    assert '{"type":"object"}' in answer.texts[0]
    _, tools, *_ = framing.besides(request, "gpt-4o", ("tools[1].provider_tool",))
    assert tools.texts == [declared([WEATHER.function])]


def test_functions_are_declared_in_typescript() -> None:
    schema = """{"type": "object", "required": ["city"], "properties": {
      "city": {"type": "string", "description": "Where."}, "days": {"type": "integer"},
      "unit": {"enum": ["C", 1]}, "at": {"type": "array", "items": {"anyOf": [{"type": "null"}, {}]}},
      "more": {"type": "object", "properties": {"x": true}}, "any": {"type": ["string", "null"]}}}"""
    weather = pb.FunctionTool(name="weather", description="Tells it.", parameters_json=schema)
    assert declared([weather, pb.FunctionTool(name="now")]) == (
        "namespace functions {\n\n// Tells it.\n"
        "type weather = (_: {\n// Where.\ncity: string,\ndays?: number,\n"
        'unit?: "C" | 1,\nat?: null | any[],\nmore?: {\nx?: any,\n},\nany?: any,\n}) => any;\n\n'
        "type now = () => any;\n\n} // namespace functions"
    )


@pytest.mark.parametrize(
    "schema",
    [
        '{"properties":[]}',
        '{"properties":{"a":1},"required":7}',
        '{"properties":{"a":{"enum":{}}}}',
        '{"properties":{"a":' + '{"items":' * 1000 + "{}" + "}" * 1002,
        '{"enum":[' + "[" * 500 + "]" * 500 + '],"properties":{"a":1}}',
    ],
    ids=["a list", "no fields", "no list", "deep", "deep enum"],
)
def test_a_schema_that_is_none_is_no_error(schema: str) -> None:
    assert declared([pb.FunctionTool(name="f", parameters_json=schema)])


def test_results_stand_in_one_item() -> None:
    *_, item = messages(
        "q", assistant("", called("a"), called("b")), tool(result("a", "x"), result("b", "y"))
    )
    assert (item.path, item.texts) == ("messages[2]", ["x", "y"])
