"""Keywords of calls become requests, or are refused before anything is sent."""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tokenwire import message
from tokenwire.arguments import ChatFields, EmbedFields, chat_request, embed_request
from tokenwire.fields import fill
from tokenwire.messages import messages
from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, embed_pb2, models_pb2

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", zlib.crc32(b""))
USER = pb.ChatMessage(role=pb.ROLE_USER, text="Hi")
SYSTEM = pb.ChatMessage(role=pb.ROLE_SYSTEM, text="Brief.")


def image(data: bytes = PNG) -> pb.ContentPart:
    return pb.ContentPart(image=pb.Media(data=data, media_type="image/png"))


TURNS: dict[str, tuple[Any, list[pb.ChatMessage]]] = {
    "a text": ("Hi", [USER]),
    "a message": (USER, [USER]),
    "a mapping": ({"role": "user", "text": "Hi"}, [USER]),
    "role and content": ({"role": "system", "content": "Brief."}, [SYSTEM]),
    "content in pieces": (
        {"role": "user", "content": ["Hi", PNG]},
        [pb.ChatMessage(role=pb.ROLE_USER, parts=[pb.ContentPart(text="Hi"), image()])],
    ),
    "texts side by side": (
        ["Hi", "you"],
        [pb.ChatMessage(role=pb.ROLE_USER, parts=[pb.ContentPart(text="Hi"), pb.ContentPart(text="you")])],
    ),
    "an image": (PNG, [pb.ChatMessage(role=pb.ROLE_USER, parts=[image()])]),
    "a part": ({"text": "Hi"}, [USER]),
    "a whole list": ([SYSTEM, "Hi", {"role": "assistant", "content": "Yes?"}, "Hi"],
                     [SYSTEM, USER, pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="Yes?"), USER]),
}  # fmt: skip


@pytest.mark.parametrize("name", TURNS)
def test_what_people_write_becomes_messages(name: str) -> None:
    given, expected = TURNS[name]
    assert messages([given]) == expected


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    picture, document, other = tmp_path / "a.txt", tmp_path / "b.pdf", tmp_path / "c.png"
    picture.write_bytes(PNG)
    document.write_bytes(b"%PDF-1.7")
    other.write_bytes(b"GIF")
    first, second = messages([["Look:", picture, document]])[0].parts[1:]
    assert first == image()
    assert second.file == pb.Media(data=b"%PDF-1.7", media_type="application/pdf", filename="b.pdf")
    with pytest.raises(ValueError, match=r"^c\.png: neither"):
        messages([other])
    with pytest.raises(FileNotFoundError):
        messages([tmp_path / "none"])


def test_system_and_messages_stand_before_the_rest() -> None:
    request = chat_request(["Hi"], {"system": "Brief.", "messages": [message("assistant", "So?")]})
    assert [one.text for one in request.messages] == ["Brief.", "So?", "Hi"]


KEYWORDS: dict[str, tuple[dict[str, Any], pb.ChatRequest]] = {
    "config by name": (
        {"temperature": 0, "stop": "END", "logit_bias": {5: -1}},
        pb.ChatRequest(config=pb.GenerationConfig(temperature=0, stop=["END"], logit_bias={5: -1})),
    ),
    "config as a whole": (
        {"config": {"top_p": 0.5}, "seed": 0},
        pb.ChatRequest(config=pb.GenerationConfig(top_p=0.5, seed=0)),
    ),
    "effort": ({"reasoning": "low"}, pb.ChatRequest(reasoning=pb.ReasoningConfig(effort="low"))),
    "enum by its short name": (
        {"unsupported_parameters": "drop"},
        pb.ChatRequest(unsupported_parameters=common_pb2.UNSUPPORTED_PARAMETERS_DROP),
    ),
    "mode": (
        {"tool_choice": "required"},
        pb.ChatRequest(tool_choice=pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_REQUIRED)),
    ),
    "function": ({"tool_choice": "go"}, pb.ChatRequest(tool_choice=pb.ToolChoice(function_name="go"))),
    "allowed tools": (
        {"tool_choice": ["go"]},
        pb.ChatRequest(
            tool_choice=pb.ToolChoice(
                allowed_tools=pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_REQUIRED, names=["go"])
            )
        ),
    ),
    "json": (
        {"response_format": "json_object"},
        pb.ChatRequest(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat())),
    ),
    "a function as elsewhere": (
        {"tools": [{"type": "function", "function": {"name": "go", "parameters": {"type": "object"}}}]},
        pb.ChatRequest(
            tools=[pb.Tool(function=pb.FunctionTool(name="go", parameters_json='{"type": "object"}'))]
        ),
    ),
    "a provider's tool": (
        {"tools": [{"provider_tool": {"provider": "openai", "definition": {"type": "web_search"}}}]},
        pb.ChatRequest(tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="openai"))]),
    ),
    "metadata": ({"metadata": {"a": "b"}}, pb.ChatRequest(metadata={"a": "b"})),
    "None is not given": ({"temperature": None, "model": None}, pb.ChatRequest()),
    "a message of its own": (
        {"stream_options": pb.StreamOptions(deltas_only=True)},
        pb.ChatRequest(stream_options=pb.StreamOptions(deltas_only=True)),
    ),
}
KEYWORDS["a provider's tool"][1].tools[0].provider_tool.definition.update({"type": "web_search"})


@pytest.mark.parametrize("name", KEYWORDS)
def test_keywords_become_fields(name: str) -> None:
    fields, expected = KEYWORDS[name]
    expected.messages.append(USER)
    assert chat_request(["Hi"], fields) == expected


def test_seconds_are_durations() -> None:
    for interval in (1.5, timedelta(seconds=1.5)):
        options = fill(pb.StreamOptions(), {"heartbeat_interval": interval})
        assert options.heartbeat_interval.ToTimedelta() == timedelta(seconds=1.5)
    when = datetime(2026, 1, 1, tzinfo=UTC)
    assert fill(models_pb2.Model(), {"create_time": when}).create_time.ToDatetime(UTC) == when


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown": ({"temprature": 1}, TypeError, "'temprature' is neither"),
    "text for number": ({"temperature": "hot"}, TypeError, "temperature is a number, not str"),
    "bool for number": ({"seed": True}, TypeError, "seed is an integer, not bool"),
    "number for bool": ({"store": 1}, TypeError, "store is a bool, not int"),
    "float for integer": ({"max_output_tokens": 1.5}, TypeError, "max_output_tokens is an integer"),
    "out of range": ({"top_k": 2**40}, ValueError, "top_k: Value out of range"),
    "no such value": ({"unsupported_parameters": "maybe"}, TypeError, "one of reject, drop, drop_sampling"),
    "unknown inside": ({"reasoning": {"effrt": "low"}}, TypeError, r"reasoning\.effrt is unknown"),
    "a list wanted": ({"fallback_models": 3}, TypeError, "fallback_models is a list"),
    "a mapping wanted": ({"metadata": ["a"]}, TypeError, "metadata is a mapping"),
    "an item of a list": ({"stop": ["a", 1]}, TypeError, r"stop\[1\] is a text"),
    "tools as text": ({"tools": "weather"}, TypeError, "tools is a registry or a list"),
    "a tool as text": ({"tools": ["weather"]}, TypeError, r"tools\[0\] is a tool"),
    "what JSON has not": ({"provider_options": {"openai": {"a": object()}}}, TypeError, "JSON values"),
    "surrogates": ({"model": "\ud800"}, ValueError, "model"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_has_no_place_is_refused_by_its_path(name: str) -> None:
    fields, kind, text = WRONG[name]
    with pytest.raises(kind, match=text):
        chat_request(["Hi"], fields)


NO_CONTENT = [3, None, [object()], {"role": 7.5, "text": "x"}, pb.ChatRequest(messages=[USER]), pb.Media()]


@pytest.mark.parametrize("given", NO_CONTENT)
def test_what_is_no_content_is_refused(given: Any) -> None:
    with pytest.raises(TypeError):
        chat_request([given], {})


def test_nothing_to_say_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one message"):
        chat_request([], {})


def test_the_typed_keywords_are_those_of_the_contract() -> None:
    chat = {*pb.ChatRequest.DESCRIPTOR.fields_by_name, *pb.GenerationConfig.DESCRIPTOR.fields_by_name}
    assert chat | {"system"} == ChatFields.__annotations__.keys()
    embed = {*embed_pb2.EmbedRequest.DESCRIPTOR.fields_by_name} - {"input", "encoding"}
    assert embed == EmbedFields.__annotations__.keys()


def test_vectors_are_asked_for_packed() -> None:
    request = embed_request("one", {"dimensions": 4})
    assert request == embed_pb2.EmbedRequest(
        input=["one"], dimensions=4, encoding=embed_pb2.VECTOR_ENCODING_PACKED
    )
    with pytest.raises(TypeError, match="'encoding'"):
        embed_request(["one"], {"encoding": "floats"})
