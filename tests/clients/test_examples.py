"""Each language's example does the same, and prints the same."""

from typing import NamedTuple

import pytest
from clients.recipes import RECIPES, ROOT, languages, tour
from support.gateway import gateway_for, settings_for

from tokenwire_server.auth import hash_of
from tokenwire_server.settings import Auth
from tokenwire_server.simulator import Script, Simulator, wait_closed

TOKEN = "tw_canary-tour-0123456789abcdef"
NO_MODEL = "This is the Tokenwire simulator: no model was asked. You wrote: "
HELLO = (
    f"{NO_MODEL}“Hello”. These sentences stand where a model's answer would stand. The same request gives "
    "the same words every time, so tests can compare them. Length limits, stop texts, tools and schemas are "
    "honoured as far as a simulator can."
)


class Row(NamedTuple):
    """What the provider does, with which token the example calls, and what it prints."""

    script: Script
    token: str
    printed: tuple[str, ...]
    status: int = 1


ROWS = {
    "all goes well": Row(
        Script(gap=0.01),
        TOKEN,
        (
            f"chat: {HELLO}",
            f"stream: {HELLO}",
            "left after: This",
            "deadline: passed",
            "tool: weather example city",
            f"tool answer: {NO_MODEL}“What is the weather in Paris?”. The tool answered: “sunny”. ",
            "embed: 2 vectors of 1536 numbers",
            "refused: INVALID_REQUEST, config.temperature",
        ),
        status=0,
    ),
    "the provider's limit": Row(
        Script(error="rate_limit", headers={"retry-after": "7"}),
        TOKEN,
        ("failed: PROVIDER_RATE_LIMITED, again in 7 s",),
    ),
    "an unknown token": Row(Script(), "tw_unknown", ("failed: UNAUTHENTICATED",)),
    "no token": Row(Script(), "", ("failed: UNAUTHENTICATED",)),
}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("language", languages())
async def test_an_example_prints(language: str, row: str, simulator: Simulator) -> None:
    script, token, printed, status = ROWS[row]
    simulator.set_default(script)
    auth = Auth.model_validate({"mode": "token", "tokens": {"tour": hash_of(TOKEN)}})
    settings = settings_for(simulator.url).model_copy(update={"auth": auth})
    async with gateway_for(simulator, settings) as gateway:
        code, lines = await tour(language, {"TOKENWIRE_TARGET": gateway.address, "TOKENWIRE_TOKEN": token})
        assert code == status
        assert len(lines) == len(printed)
        for line, expected in zip(lines, printed, strict=True):
            assert line.startswith(expected)
        outcomes = [
            (await wait_closed(request)).outcome for request in simulator.received if _streams(request.body)
        ]
    assert outcomes == (["completed", "closed by client"] if status == 0 else []), (
        "one answer was left, and ended"
    )


def _streams(body: object) -> bool:
    return isinstance(body, dict) and bool(body.get("stream"))


@pytest.mark.parametrize("language", RECIPES)
def test_a_readme_says_how_to_run_it(language: str) -> None:
    text = (ROOT / "clients" / language / "README.md").read_text()
    assert "TOKENWIRE_TARGET" in text
    assert "tour" in text.lower()
