"""CountTokens, from a caller to the answer: nothing reaches the provider."""

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from conftest import Opener
from google.protobuf.struct_pb2 import Struct
from support.ask import WEATHER, ask, assistant, called, result, tool, user
from support.gateway import SECONDS, Gateway
from support.quiet import assert_settled, tasks
from support.status import failure

from tokenwire.v1 import chat_pb2, common_pb2, embed_pb2
from tokenwire.v1 import tokens_pb2 as pb
from tokenwire_server.providers.tokens import worker
from tokenwire_server.providers.tokens.vocabulary import Vocabulary

EXACT = common_pb2.TOKEN_SOURCE_TOKENIZER
ESTIMATED = common_pb2.TOKEN_SOURCE_ESTIMATED
DROP = common_pb2.UNSUPPORTED_PARAMETERS_DROP

FIELD_57 = b"\xca\x03\x02hi"  # number 57, two bytes
LONG = "two words " * 100_000


def chat(*messages: str | chat_pb2.ChatMessage, **fields: Any) -> pb.CountTokensRequest:
    return pb.CountTokensRequest(chat=ask(*messages, **fields))


def embed(*texts: str, **fields: Any) -> pb.CountTokensRequest:
    request = embed_pb2.EmbedRequest(**{"model": "openai/text-embedding-3-small", "input": texts, **fields})
    return pb.CountTokensRequest(embed=request)


def paths(reply: pb.CountTokensResponse) -> list[str]:
    return [warning.field for warning in reply.warnings]


async def test_a_conversation_is_counted_exactly(gateway: Gateway) -> None:
    system = chat_pb2.ChatMessage(role=chat_pb2.ROLE_SYSTEM, text="Be brief.")
    reply = await gateway.stub.CountTokens(chat(system, "Hello, world!", assistant("Hi!"), "Bye."))
    assert reply == pb.CountTokensResponse(
        input_tokens=3 + 7 + 8 + 6 + 6,
        source=EXACT,
        tokenizer="o200k_base",
        model="gpt-4o-mini",
        provider="openai",
        context_window=128_000,
        item_tokens=[7, 8, 6, 6],
    )
    assert gateway.simulator.received == []


async def test_texts_for_vectors_are_counted_exactly(gateway: Gateway) -> None:
    reply = await gateway.stub.CountTokens(embed("Hello, world!", "Привет", "<|endoftext|>"))
    assert (reply.source, reply.tokenizer) == (EXACT, "cl100k_base")
    assert (reply.model, reply.context_window) == ("text-embedding-3-small", 8192)
    assert list(reply.item_tokens) == [4, 3, 7]
    assert reply.input_tokens == 14
    assert gateway.simulator.received == []


async def test_a_call_leaves_a_line_and_no_spent_tokens(gateway: Gateway) -> None:
    await gateway.stub.CountTokens(chat())
    line = await gateway.lines.wait()
    assert (line["rpc"], line["code"], line["reason"]) == ("CountTokens", "OK", "")
    assert (line["provider"], line["model"]) == ("openai", "gpt-4o-mini")
    assert gateway.outcomes() == {("CountTokens", "OK", ""): 1}
    assert not gateway.metrics.registry.get_sample_value("tokenwire_tokens_total", {"kind": "input"})


PNG = chat_pb2.ContentPart(image=chat_pb2.Media(data=b"\x89PNG", media_type="image/png"))
INEXACT = {
    "chat.messages[0].parts[1].image": chat(user("", chat_pb2.ContentPart(text="see"), PNG)),
    "chat.messages[1].parts[0].tool_call": chat("a", assistant("", called()), "b"),
    "chat.tools": chat("a", tools=[WEATHER]),
    "chat.messages": chat("a", model="openai/gpt-5"),
    "chat.model": chat("a", model="openai/no-such-model"),
    "embed.model": embed("a", model="openai/no-such-model"),
    "embed.input[1]": embed("a", "b" * 100_000),
}


@pytest.mark.parametrize("path", INEXACT)
async def test_what_is_not_exact_is_named(gateway: Gateway, path: str) -> None:
    reply = await gateway.stub.CountTokens(INEXACT[path])
    assert reply.source == ESTIMATED
    assert path in paths(reply)
    assert all(warning.text.endswith(".") for warning in reply.warnings)
    assert reply.input_tokens > 0


async def test_tools_and_their_results_are_part_of_the_whole(gateway: Gateway) -> None:
    turns = ("a", assistant("", called()), tool(result(), result("call_2")))
    turns[1].parts.add().CopyFrom(called("call_2"))
    with_tools = await gateway.stub.CountTokens(chat(*turns, tools=[WEATHER]))
    without = await gateway.stub.CountTokens(chat(*turns))
    assert with_tools.item_tokens == without.item_tokens
    assert len(with_tools.item_tokens) == 3
    assert with_tools.input_tokens > without.input_tokens == sum(without.item_tokens) + 3


@pytest.mark.parametrize("request_", [chat("Привет", model="openai/x"), embed("Привет", model="openai/x")])
async def test_a_model_that_nobody_knows_is_estimated(
    gateway: Gateway, request_: pb.CountTokensRequest
) -> None:
    reply = await gateway.stub.CountTokens(request_)
    assert (reply.source, reply.tokenizer, reply.model) == (ESTIMATED, "", "x")
    assert not reply.HasField("context_window")
    assert reply.item_tokens[0] in (3, 3 + 4)


async def test_without_the_extra_counts_are_estimates(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOADED", {})
    monkeypatch.setitem(sys.modules, "bpe_openai._bindings", None)
    reply = await gateway.stub.CountTokens(embed("Hello, world!"))
    assert (reply.source, reply.tokenizer, list(reply.item_tokens)) == (ESTIMATED, "cl100k_base", [4])
    assert paths(reply) == ["embed.model"]
    assert "`tokenizers` is not installed" in reply.warnings[0].text


OPTIONS = Struct()
OPTIONS.update({"openai": {"output_dtype": "int8"}})
WRONG = {
    "input": pb.CountTokensRequest(),
    "chat.messages": pb.CountTokensRequest(chat=chat_pb2.ChatRequest()),
    "chat.config.temperature": chat(config=chat_pb2.GenerationConfig(temperature=9)),
    "chat.model": chat(model="openai/"),
    "embed.input": pb.CountTokensRequest(embed=embed_pb2.EmbedRequest()),
    "embed.input[1]": embed("a", ""),
    "embed.provider_options.openai.output_dtype": embed("a", provider_options=OPTIONS),
}


@pytest.mark.parametrize("path", WRONG)
async def test_a_wrong_request_is_refused_by_its_path(gateway: Gateway, path: str) -> None:
    refused = await failure(gateway.stub.CountTokens(WRONG[path]))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert refused.fields == [path]
    assert f"({path})" in refused.message


async def test_a_model_of_a_provider_that_is_not_there_is_refused(gateway: Gateway) -> None:
    refused = await failure(gateway.stub.CountTokens(chat(model="mistral/mistral-small-latest")))
    assert (refused.reason, refused.fields) == ("PROVIDER_NOT_CONFIGURED", ["chat.model"])


UNSENDABLE: Mapping[str, Callable[[pb.CountTokensRequest], object]] = {
    "57": lambda request: request.MergeFromString(FIELD_57),
    "chat.57": lambda request: request.chat.MergeFromString(FIELD_57),
    "chat.messages[0].57": lambda request: request.chat.messages[0].MergeFromString(FIELD_57),
    "chat.messages[0].parts[0].57": lambda request: (
        request.chat.messages[0].parts[0].MergeFromString(FIELD_57)
    ),
    "chat.messages[0].parts[1].image.file_id": lambda request: request.chat.messages[0].parts.add(
        image=chat_pb2.Media(file_id="file-1")
    ),
}


@pytest.mark.parametrize("path", UNSENDABLE)
async def test_what_chat_would_not_send_is_refused_or_not_counted(gateway: Gateway, path: str) -> None:
    request = chat(user("", chat_pb2.ContentPart(text="hi")))
    plain = await gateway.stub.CountTokens(request)
    UNSENDABLE[path](request)
    refused = await failure(gateway.stub.CountTokens(request))
    assert (refused.reason, refused.fields) == ("UNSUPPORTED_PARAMETER", [path])
    request.chat.unsupported_parameters = DROP
    reply = await gateway.stub.CountTokens(request)
    assert paths(reply) == [path]
    assert (reply.input_tokens, reply.source) == (plain.input_tokens, EXACT)


@dataclass
class Slow:
    """A vocabulary whose every count waits until it may go on."""

    texts: list[str] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def count(self, text: str) -> int:
        self.texts.append(text)
        self.begun.set()
        assert self.go_on.wait(SECONDS)
        return 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """In the place of the embedding models' vocabulary."""
    vocabulary = Slow()
    monkeypatch.setitem(worker.LOADED, "cl100k_base", Vocabulary(vocabulary.count))
    return vocabulary


async def test_other_calls_go_on_while_a_long_text_is_counted(gateway: Gateway, slow: Slow) -> None:
    counting = asyncio.ensure_future(gateway.stub.CountTokens(embed(LONG), timeout=SECONDS))
    await asyncio.to_thread(slow.begun.wait, SECONDS)
    await gateway.works()
    assert not counting.done()
    slow.go_on.set()
    reply = await counting
    assert list(reply.item_tokens) == [reply.input_tokens] == [len(slow.texts)]
    assert "".join(slow.texts) == LONG


@pytest.mark.parametrize("timeout", [None, 0.4], ids=["cancel", "deadline"])
async def test_counting_ends_with_the_call(gateway: Gateway, slow: Slow, timeout: float | None) -> None:
    before = tasks()
    call = gateway.stub.CountTokens(embed(LONG), timeout=timeout)
    began = asyncio.ensure_future(call.code())
    await asyncio.to_thread(slow.begun.wait, SECONDS)
    if timeout is None:
        call.cancel()
    outcome = "CANCELLED" if timeout is None else "DEADLINE_EXCEEDED"
    assert (await began).name == outcome
    await gateway.lines.wait()
    slow.go_on.set()
    await assert_settled(gateway, before, ("CountTokens", outcome, outcome))
    await worker.in_thread(int)  # behind whatever was left to count
    assert len(slow.texts) == 1


async def test_a_limit_of_the_server_ends_it_too(open_gateway: Opener, slow: Slow) -> None:
    async with open_gateway(server={"max_deadline_seconds": 1}) as gateway:
        refused = await failure(gateway.stub.CountTokens(embed(LONG), timeout=SECONDS))
        assert (refused.code, refused.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
        slow.go_on.set()
