"""Each call, async and sync: the same answers from one core."""

import sys
from typing import Any

import numpy as np
import pytest
from python_client.conftest import InSync
from support.gateway import SECONDS, Gateway

import tokenwire
from tokenwire import AsyncClient, Client
from tokenwire.answer import embeddings
from tokenwire.v1 import chat_pb2 as pb

SMALL = "openai/text-embedding-3-small"


async def test_an_answer_has_all_that_came_of_it(client: AsyncClient) -> None:
    answer = await client.chat("Привет", model="openai/gpt-5-mini", temperature=0.7, reasoning="low")
    assert answer.text == str(answer) == answer.message.text
    assert (answer.finish_reason, answer.provider, answer.refusal) == ("stop", "openai", "")
    assert answer.reasoning == answer.proto.reasoning.summary != ""
    assert answer.usage.reasoning_tokens > 0
    assert [warning.field for warning in answer.warnings] == ["config.temperature"]
    assert [attempt.upstream_status for attempt in answer.attempts] == [200]


async def test_an_answer_goes_back_as_it_came(client: AsyncClient, gateway: Gateway) -> None:
    first = await client.chat("One?", model="openai/gpt-5-mini")
    await client.chat("One?", first.message, "And two?", model="openai/gpt-5-mini")
    sent = gateway.simulator.received[-1].body
    assert isinstance(sent, dict)
    assert any(item.get("encrypted_content") for item in sent["input"] if isinstance(item, dict))


async def test_a_refusal_is_an_answer(client: AsyncClient) -> None:
    answer = await client.chat("[sim:refuse] Now.")
    assert (answer.text, answer.finish_reason) == ("", "refusal")
    assert answer.refusal


async def test_the_twins_answer_alike(client: AsyncClient, in_sync: InSync) -> None:
    def everything(client: Client) -> list[Any]:
        vectors = client.embed(["a", "b"], model=SMALL, dimensions=3)
        return [
            client.chat("Hi").text,
            vectors.vectors.tolist(),
            client.count_tokens("Hi").tokens,
            [model.name for model in client.models("openai")],
            client.health().status,
        ]

    vectors = await client.embed(["a", "b"], model=SMALL, dimensions=3)
    assert await in_sync(everything) == [
        (await client.chat("Hi")).text,
        vectors.vectors.tolist(),
        (await client.count_tokens("Hi")).tokens,
        [model.name for model in await client.models("openai")],
        (await client.health()).status,
    ]


async def test_vectors_are_an_array(client: AsyncClient) -> None:
    found = await client.embed(["a", "b"], model=SMALL, dimensions=8)
    assert (found.vectors.shape, found.vectors.dtype) == ((2, 8), np.float32)
    assert (len(found), found.dimensions) == (2, 8)
    assert [vector.tolist() for vector in found] == [found[0].tolist(), found[1].tolist()]


async def test_without_numpy_vectors_are_lists(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await client.embed(["a", "b"], model=SMALL, dimensions=8)
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert embeddings(found.proto).vectors == found.vectors.tolist()


async def test_vectors_above_grpcs_own_limit_arrive(client: AsyncClient) -> None:
    found = await client.embed(
        [f"text {number}" for number in range(400)], model="openai/text-embedding-3-large"
    )
    assert found.proto.ByteSize() > 4 * 1024 * 1024
    assert len(found) == 400


async def test_tokens_say_whether_they_are_exact(client: AsyncClient) -> None:
    exact = await client.count_tokens("Hello, world!", system="Brief.", model="openai/gpt-4o-mini")
    assert (exact.exact, int(exact)) == (True, exact.tokens)
    assert (len(exact.per_message), exact.context_window) == (2, 128_000)
    assert not (await client.count_tokens("Hello", model="openai/gpt-9")).exact


async def test_models_are_all_pages(client: AsyncClient) -> None:
    models = await client.models()
    assert "openai/gpt-4o-mini" in [model.name for model in models]
    assert models.unreachable == []


async def test_health_says_what_calls_saw(client: AsyncClient) -> None:
    await client.chat("Hi")
    health = await client.health()
    assert (health.status, health.serving) == ("serving", True)
    assert health.providers["openai"] == "ok"


async def test_the_stub_is_underneath(client: AsyncClient, in_sync: InSync) -> None:
    request = pb.ChatRequest(messages=[tokenwire.message("user", "Hi")])
    reply = await client.stub.Chat(request, metadata=client.metadata, timeout=SECONDS)
    assert reply.choices[0].message.text
    assert await in_sync(lambda sync: sync.stub.Chat(request, timeout=SECONDS).choices[0].message.text)


async def test_arguments_are_refused_before_anything_is_sent(client: AsyncClient, gateway: Gateway) -> None:
    with pytest.raises(TypeError):
        await client.chat("Hi", temprature=1)  # type: ignore[call-arg] # what is tested
    with pytest.raises(TypeError):
        client.stream("Hi", temprature=1)  # type: ignore[call-arg] # what is tested
    with pytest.raises(ValueError, match="above 0"):
        await client.chat("Hi", timeout=0)
    with pytest.raises(ValueError, match="above 0"):
        AsyncClient(timeout=float("nan"))
    assert gateway.simulator.received == []


def test_each_name_is_there() -> None:
    assert [name for name in tokenwire.__all__ if getattr(tokenwire, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tokenwire.nothing  # type: ignore[attr-defined] # what is tested
