"""Tokens: we count as OpenAI's pattern and ranks do in another implementation, as Mistral's own encoder does,
and as the providers themselves did in recorded calls."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mistral_common.protocol.instruct.messages import (
    AssistantMessage,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.tool_calls import Function, FunctionCall, Tool, ToolCall
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from oracle.capture import gateway, new_call
from oracle.replies import FOLDER
from support.ask import WEATHER, ask, assistant, called, result, tool

from tokenwire.v1 import chat_pb2, common_pb2
from tokenwire.v1 import tokens_pb2 as pb
from tokenwire_server.providers.tokens import count_text

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".tools"
SECONDS = 60.0

TEXTS: Mapping[str, str] = {
    row["name"]: row["text"] * row.get("times", 1)
    for row in json.loads((HERE / "token_texts.json").read_text(encoding="utf-8"))
}
CUT = "…cut, "
"""In a text of which the recording has the beginning only."""

ENCODINGS = ["o200k_base", "cl100k_base"]

ROLES = {
    "system": chat_pb2.ROLE_SYSTEM,
    "user": chat_pb2.ROLE_USER,
    "assistant": chat_pb2.ROLE_ASSISTANT,
}


@cache
def js_tiktoken() -> Mapping[str, Sequence[int]]:
    """Its counts of all texts, by encoding."""
    modules = TOOLS / "tiktoken" / "node_modules"
    node = shutil.which("node") or shutil.which("node", path=TOOLS / "node" / "bin")
    if node is None or not modules.exists():
        pytest.skip(
            "js-tiktoken is not in .tools/tiktoken, or Node.js is missing (`make tools` installs both)"
        )
    done = subprocess.run(  # noqa: S603 - our own script
        [node, HERE / "tiktoken" / "count.js"],
        input=json.dumps({"encodings": ENCODINGS, "texts": [*TEXTS.values()]}),
        env={"NODE_PATH": str(modules)},
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=True,
    )
    found: Mapping[str, Sequence[int]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_openai_texts_count_as_in_js_tiktoken(encoding: str) -> None:
    ours = [await count_text(encoding, text) for text in TEXTS.values()]
    assert dict(zip(TEXTS, ours, strict=True)) == dict(zip(TEXTS, js_tiktoken()[encoding], strict=True))


@cache
def reference() -> MistralTokenizer[Any, Any, Any, Any, Any]:
    return MistralTokenizer.v3(is_tekken=True)


async def test_mistral_texts_count_as_in_its_tokenizer() -> None:
    plain = reference().instruct_tokenizer.tokenizer
    ours = {name: await count_text("mistral-v3-tekken", text) for name, text in TEXTS.items()}
    assert ours == {name: len(plain.encode(text, bos=False, eos=False)) for name, text in TEXTS.items()}


async def counted(kind: str, request: chat_pb2.ChatRequest) -> pb.CountTokensResponse:
    """Our count for one provider, whose address nobody listens at."""
    call = new_call(request.model)
    async with gateway("http://127.0.0.1:9", kind=kind) as backend:
        return await backend.count_tokens(pb.CountTokensRequest(chat=request), call)


CALL = ToolCall(id="abcdefghi", function=FunctionCall(name="weather", arguments='{"city": "Oslo"}'))
TOOL = Tool(
    function=Function(
        name=WEATHER.function.name,
        description=WEATHER.function.description,
        parameters=json.loads(WEATHER.function.parameters_json),
    )
)
OSLO = called("abcdefghi", arguments='{"city": "Oslo"}')
CHATS: Mapping[str, tuple[chat_pb2.ChatRequest, list[Any], list[Tool] | None]] = {
    "one message": (ask("Привет, 世界 👋🏽"), [UserMessage(content="Привет, 世界 👋🏽")], None),
    "system": (
        ask(chat_pb2.ChatMessage(role=chat_pb2.ROLE_SYSTEM, text="Be brief."), "Hello"),
        [SystemMessage(content="Be brief."), UserMessage(content="Hello")],
        None,
    ),
    "turns": (
        ask("Hello", assistant("Hi!"), "How are you?"),
        [UserMessage(content="Hello"), AssistantMessage(content="Hi!"), UserMessage(content="How are you?")],
        None,
    ),
    "tools": (
        ask("Weather?", assistant("", OSLO), tool(result("abcdefghi", "sunny")), tools=[WEATHER]),
        [
            UserMessage(content="Weather?"),
            AssistantMessage(content="", tool_calls=[CALL]),
            ToolMessage(content="sunny", tool_call_id="abcdefghi", name="weather"),
        ],
        [TOOL],
    ),
}


@pytest.mark.parametrize("name", CHATS)
async def test_mistral_conversations_count_as_its_encoder_frames_them(name: str) -> None:
    request, messages, tools = CHATS[name]
    request.model = "open-mistral-nemo"
    wanted = reference().encode_chat_completion(ChatCompletionRequest(messages=messages, tools=tools))
    ours = await counted("mistral", request)
    assert ours.input_tokens == len(wanted.tokens)
    assert (ours.source, list(ours.warnings)) == (common_pb2.TOKEN_SOURCE_TOKENIZER, [])
    assert len(ours.item_tokens) == len(request.messages)
    assert sum(ours.item_tokens) < ours.input_tokens


def recorded(file: str) -> list[tuple[str, chat_pb2.ChatRequest, int]]:
    """Recorded calls of texts alone: name, request, and how many tokens the provider counted."""
    found = []
    for row in map(json.loads, Path(FOLDER, file).read_text(encoding="utf-8").splitlines()):
        counts = re.findall(r'"prompt_tokens": ?([0-9]+)', row["body"])
        if row["status"] == 200 and counts and plain(row["request"]):
            found.append((row["name"], in_our_contract(row["request"]), int(counts[-1])))
    return found


def plain(request: Mapping[str, Any]) -> bool:
    """Whether there is nothing in it but tools and whole texts."""
    held = [text for message in request["messages"] for text in texts(message)]
    known = all(
        message.keys() <= {"role", "content"} and message["role"] in ROLES for message in request["messages"]
    )
    other = request.keys() & {"response_format", "web_search_options"}
    return known and bool(held) and not other and all(text and CUT not in text for text in held)


def texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    return [part.get("text", "") for part in content] if isinstance(content, list) else [content or ""]


def in_our_contract(request: Mapping[str, Any]) -> chat_pb2.ChatRequest:
    ours = chat_pb2.ChatRequest(model=request["model"])
    for message in request["messages"]:
        parts = [chat_pb2.ContentPart(text=text) for text in texts(message)]
        ours.messages.add(role=ROLES[message["role"]], parts=parts)
    for held in request.get("tools", ()):
        fields = held["function"]
        function = ours.tools.add().function
        function.name, function.description = fields["name"], fields.get("description", "")
        function.parameters_json = json.dumps(fields["parameters"])
    return ours


@pytest.mark.skipif(not FOLDER, reason="TOKENWIRE_RECORDINGS does not name the folder with recorded traffic")
@pytest.mark.parametrize(("kind", "least"), [("openai", 15), ("mistral", 1)])
async def test_an_exact_count_is_what_the_provider_counted(kind: str, least: int) -> None:
    exact = 0
    for name, request, tokens in recorded(f"{kind}-chat.jsonl"):
        ours = await counted(kind, request)
        if ours.source == common_pb2.TOKEN_SOURCE_TOKENIZER:
            exact += 1
            assert ours.input_tokens == tokens, name
    assert exact >= least


@pytest.mark.skipif(not FOLDER, reason="TOKENWIRE_RECORDINGS does not name the folder with recorded traffic")
async def test_tools_of_gpt_4o_count_within_a_tenth() -> None:
    """An estimate, and told as one."""
    seen = 0
    for name, request, tokens in recorded("openai-chat.jsonl"):
        if request.tools and request.model == "gpt-4o":
            seen += 1
            ours = await counted("openai", request)
            assert ours.source == common_pb2.TOKEN_SOURCE_ESTIMATED
            assert abs(ours.input_tokens - tokens) <= tokens / 10, name
    assert seen >= 5
