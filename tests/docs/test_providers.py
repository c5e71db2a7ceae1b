"""Each recipe of docs/providers.md serves a chat, before a simulated server with the real one's habits."""

import tomllib
from pathlib import Path

import pytest
from docs.pages import Block, blocks, variables
from grpc import aio

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server import app
from tokenwire_server.settings import load
from tokenwire_server.simulator import COMPATIBLE, Simulator
from tokenwire_server.simulator import serving as simulating

RECIPES = [block for block in blocks() if block.page == "docs/providers.md" and block.info == "toml"]
MODELS = {
    "openai": "gpt-4o-mini",
    "mistral": "mistral-small-latest",
    "groq": "llama-3.3-70b-versatile",
    "deepseek": "deepseek-chat",
    "openrouter": "meta-llama/llama-3.3-70b-instruct",
    "azure": "gpt-4o-mini",
}


def provider(block: Block) -> str:
    (name,) = tomllib.loads(block.text)["providers"]
    return str(name)


def url(simulator: Simulator, name: str) -> str:
    """Where the simulated server of a recipe is."""
    if name == "openai":
        return simulator.url
    if name == "inhouse":
        return simulator.compatible_url("vllm")
    if name == "mistral":
        return simulator.mistral_url
    assert name in COMPATIBLE
    return simulator.compatible_url(name)


@pytest.mark.parametrize("block", RECIPES, ids=provider)
async def test_recipe_serves_a_chat(block: Block, tmp_path: Path) -> None:
    name = provider(block)
    (tmp_path / "tokenwire.toml").write_text(block.text)
    async with simulating() as simulator:
        settings = load(
            None,
            variables(block.text),
            tmp_path,
            {
                "server": {"listen": ["127.0.0.1:0"]},
                "metrics": {"listen": "off"},
                "providers": {name: {"base_url": url(simulator, name)}},
            },
        )
        async with app.serving(settings) as (_, addresses), aio.insecure_channel(addresses[0]) as channel:
            request = pb.ChatRequest(model=f"{name}/{MODELS.get(name, 'gpt-4o-mini')}")
            request.messages.add(role=pb.ROLE_USER, text="[sim:echo] Привет 👋🏽")
            request.config.max_output_tokens = 100
            whole = await LLMServiceStub(channel).Chat(request)
            events = [event async for event in LLMServiceStub(channel).ChatStream(request)]
    assert whole.choices[0].message.text == "Привет 👋🏽"
    assert whole.usage.total_tokens > 0
    assert events[-1].completed.response.choices[0].message == whole.choices[0].message


def test_there_is_a_recipe_for_each_simulated_server() -> None:
    assert {provider(block) for block in RECIPES} >= set(COMPATIBLE) - {"odd"}
