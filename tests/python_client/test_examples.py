"""Each example runs as its reader would run it, against a gateway with two providers."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.example import ended
from support.gateway import KEY, SECONDS, Gateway, gateway_for

from tokenwire_server.settings import Settings
from tokenwire_server.simulator import Script, Simulator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "clients" / "python" / "examples"
ELSEWHERE = {"tour.py", "kit.py"}
"""Run where the stubs of each language are."""


@pytest.fixture
async def gateway(simulator: Simulator) -> AsyncIterator[Gateway]:
    urls = {"openai": simulator.url, "mistral": simulator.mistral_url}
    settings = {
        "server": {"listen": ["127.0.0.1:0"]},
        "metrics": {"listen": "off"},
        "attempts": {"max_calls": 2},
        "defaults": {"model": "openai/gpt-4o-mini"},
        "providers": {name: {"kind": name, "api_key": KEY, "base_url": url} for name, url in urls.items()},
    }
    async with gateway_for(simulator, Settings.model_validate(settings)) as running:
        yield running


async def ran(name: str, gateway: Gateway, typed: str = "") -> str:
    """What an example prints; it must end well, and without a warning."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", EXAMPLES / name,
        env={"PYTHONPATH": ":".join(sys.path), "TOKENWIRE_TARGET": gateway.address},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    status, out = await ended(process, 6 * SECONDS, typed)
    assert status == 0
    return out


async def test_transaction(gateway: Gateway) -> None:
    call, result, answer = (await ran("transaction.py", gateway)).splitlines()
    assert call == '{"amount":1,"merchant":"example merchant","category":"example category"}'
    assert result == '{"merchant": "example merchant", "category": "example category", "allowed": true}'
    assert "The tool answered" in answer


async def test_risk(gateway: Gateway) -> None:
    assert await ran("risk.py", gateway) == "low risk: example reasons\n"
    sent = gateway.simulator.received[0].body
    assert isinstance(sent, dict)
    assert sent["response_format"]["json_schema"]["strict"] is True


async def test_dialogue(gateway: Gateway) -> None:
    out = await ran("dialogue.py", gateway)
    assert out.endswith("\nexample title: example speaker, 1 choix\nleft out: config.top_p\n")
    sent = gateway.simulator.received[0].body
    assert isinstance(sent, dict)
    assert sent["tool_choice"]["type"] == "allowed_tools"
    assert sent["tool_choice"]["mode"] == "required"


async def test_compare(gateway: Gateway) -> None:
    out = await ran("compare.py", gateway)
    assert out.count("Qu'est-ce que l'intelligence artificielle ?") == 2
    assert out.index("openai/gpt-4o-mini, ") < out.index("mistral/mistral-small-latest, ")
    gateway.simulator.script(Script(match="gpt-4o-mini", status=500, times=2))
    assert "openai/gpt-4o-mini failed: PROVIDER_UNAVAILABLE" in await ran("compare.py", gateway)


async def test_fallback(gateway: Gateway) -> None:
    gateway.simulator.script(Script(match="gpt-4o-mini", error="insufficient_quota"))
    first, second, text = (await ran("fallback.py", gateway)).splitlines()
    assert (first, second) == ("openai/gpt-4o-mini: 429", "mistral/mistral-small-latest: 200")
    assert "photosynthèse" in text
    gateway.simulator.script(Script(status=503, times=2))
    out = await ran("fallback.py", gateway)
    assert out.startswith("nobody answered: openai/gpt-4o-mini PROVIDER_OVERLOADED 503; mistral/")


async def test_search(gateway: Gateway) -> None:
    assert await ran("search.py", gateway) == "How to reset a password (1536 dimensions)\n"


async def test_chat(gateway: Gateway) -> None:
    gateway.simulator.script(Script(), Script(error="context_length"))
    out = await ran("chat.py", gateway, "[sim:echo] One\n[sim:echo] Two\n[sim:echo] Three\n")
    _, first, second, third, last = out.split("\n> ")
    assert (first, third.startswith("Three"), last) == ("One", True, "")
    assert second.startswith("ContextLengthExceeded: CONTEXT_LENGTH_EXCEEDED: ")
    sent = gateway.simulator.received[-1].body
    assert isinstance(sent, dict)
    roles = [message["role"] for message in sent["messages"]]
    assert roles == ["system", "user", "assistant", "user", "user"]


def test_examples_are_typed() -> None:
    files = sorted(path for path in EXAMPLES.glob("*.py") if path.name not in ELSEWHERE)
    for file in files:  # each is a program of its own
        done = subprocess.run(  # noqa: S603 (this project's own files)
            (sys.executable, "-m", "mypy", "--strict", file),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_each_example_is_a_test() -> None:
    tested = {f"{name.removeprefix('test_')}.py" for name in globals() if name.startswith("test_")}
    assert {path.name for path in EXAMPLES.glob("*.py")} - ELSEWHERE <= tested


def test_the_chat_has_thirty_lines_of_code() -> None:
    lines = (EXAMPLES / "chat.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 30
