"""Counts of one provider: exact where its own encoder takes the conversation, else estimates that say so."""

import asyncio

import pytest
from oracle.capture import gateway, new_call
from support.ask import ask, assistant, user

from tokenwire.v1 import chat_pb2, common_pb2
from tokenwire.v1 import tokens_pb2 as pb
from tokenwire_server.providers.tokens import count, count_text

NEMO = "open-mistral-nemo"
EXACT = common_pb2.TOKEN_SOURCE_TOKENIZER
ESTIMATED = common_pb2.TOKEN_SOURCE_ESTIMATED


async def counted(*messages: str | chat_pb2.ChatMessage, **fields: object) -> pb.CountTokensResponse:
    """Mistral's count; nobody listens at the provider's address."""
    request = pb.CountTokensRequest(chat=ask(*messages, model=NEMO, **fields))
    async with gateway("http://127.0.0.1:9", kind="mistral") as backend:
        return await backend.count_tokens(request, new_call(NEMO))


def paths(reply: pb.CountTokensResponse) -> list[str]:
    return [warning.field for warning in reply.warnings]


async def test_an_image_is_not_fetched_to_be_counted() -> None:
    asked = []

    async def asking(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer.get_extra_info("peername"))
        writer.close()

    async with await asyncio.start_server(asking, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        image = chat_pb2.ContentPart(image=chat_pb2.Media(url=f"http://{host}:{port}/x.png"))
        reply = await counted(user("", chat_pb2.ContentPart(text="What is it?"), image))
    assert asked == []
    assert reply.source == ESTIMATED
    assert paths(reply) == ["messages[0].parts[1].image", "messages"]


async def test_a_conversation_that_the_encoder_refuses_is_estimated() -> None:
    exact = await counted("Hello", assistant("Hi!"), "Go on.")
    refused = await counted("Hello", assistant("Hi!"))
    assert (exact.source, refused.source) == (EXACT, ESTIMATED)
    assert paths(refused) == ["messages"]
    assert refused.input_tokens == pytest.approx(exact.input_tokens, rel=0.5)


async def test_a_conversation_too_long_to_encode_whole_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "_LONGEST_CHAT", 10)
    assert (await counted("Hello")).source == EXACT
    assert (await counted("Hello, world")).source == ESTIMATED


async def test_a_schema_beside_an_exact_conversation_is_estimated() -> None:
    schema = chat_pb2.JsonSchemaFormat(name="s", schema_json='{"type":"object"}')
    plain = await counted("Hello")
    reply = await counted("Hello", response_format=chat_pb2.ResponseFormat(json_schema=schema))
    assert (reply.source, paths(reply)) == (ESTIMATED, ["response_format"])
    assert reply.input_tokens > plain.input_tokens
    assert reply.item_tokens == plain.item_tokens


@pytest.mark.parametrize(
    ("tokenizer", "text", "tokens"),
    [
        ("cl100k_base", "Hello, world!", 4),
        ("cl100k_base", "", 0),
        ("cl100k_base", "word " * 100_000, 100_001),
        ("cl100k_base", "a" * 100_000, None),
        ("mistral-v13-tekken", "Hello", None),
        ("", "Hello", None),
    ],
)
async def test_a_text_is_counted_exactly_or_not_at_all(tokenizer: str, text: str, tokens: int | None) -> None:
    assert await count_text(tokenizer, text) == tokens
