"""One prompt to both providers, through a running server and its generated client."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from support.ask import ask
from support.gateway import SECONDS, Gateway, gateway_for
from support.status import collect
from support.stream import comparable, whole

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.settings import Settings
from tokenwire_server.simulator import Simulator, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = "Qu'est-ce que l'intelligence artificielle ?"
MODELS = ("openai/gpt-4o-mini", "mistral/mistral-small-latest")


def settings(simulator: Simulator) -> Settings:
    """Both providers, in front of the simulator."""
    urls = {"openai": simulator.url, "mistral": simulator.mistral_url}
    return Settings.model_validate(
        {
            "server": {"listen": ["127.0.0.1:0"]},
            "metrics": {"listen": "off"},
            "defaults": {"model": MODELS[0]},
            "providers": {
                name: {"kind": name, "api_key": "sk-test", "base_url": url} for name, url in urls.items()
            },
        }
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    async with serving() as simulator, gateway_for(simulator, settings(simulator)) as running:
        yield running


async def test_one_prompt_has_an_answer_of_each_provider(gateway: Gateway) -> None:
    answers: dict[str, pb.ChatResponse] = {}
    for model in MODELS:
        answers[model] = await gateway.stub.Chat(ask(PROMPT, model=model), timeout=SECONDS)
    for model, answer in answers.items():
        assert f"{answer.provider}/{answer.model}" == model
        assert f"You wrote: “{PROMPT}”." in answer.choices[0].message.text
        assert answer.usage.output_tokens > 0
        assert answer.choices[0].finish_reason == pb.FINISH_REASON_STOP
        assert [attempt.provider for attempt in answer.attempts] == [model.split("/")[0]]
    openai, mistral = (received.body for received in gateway.simulator.received[-2:])
    assert isinstance(openai, dict)
    assert isinstance(mistral, dict)
    assert openai["messages"] == mistral["messages"] == [{"role": "user", "content": PROMPT}]


@pytest.mark.parametrize("model", MODELS)
async def test_a_streamed_answer_is_the_same(gateway: Gateway, model: str) -> None:
    answer = await gateway.stub.Chat(ask(PROMPT, model=model), timeout=SECONDS)
    events = await collect(gateway.stub.ChatStream(ask(PROMPT, model=model), timeout=SECONDS))
    assert comparable(whole(events)) == comparable(answer)


async def test_a_conversation_goes_on_with_the_other_provider(gateway: Gateway) -> None:
    first = await gateway.stub.Chat(ask(PROMPT, model=MODELS[0]), timeout=SECONDS)
    message = first.choices[0].message
    second = await gateway.stub.Chat(ask(PROMPT, message, "Et demain ?", model=MODELS[1]), timeout=SECONDS)
    assert "You wrote: “Et demain ?”." in second.choices[0].message.text
    assert list(second.warnings) == []
