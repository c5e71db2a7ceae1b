"""A stream that breaks off after content came: what was received is counted, at its price."""

from collections.abc import AsyncIterator
from datetime import date

import pytest
from support.ask import ask
from support.gateway import Gateway, gateway_for, settings_for
from support.status import collect, failure

from tokenwire.v1.embed_pb2 import EmbedRequest
from tokenwire_server.catalog import Facts, Prices, Row
from tokenwire_server.simulator import Script, Simulator

PRICES = Prices(taken=date(2026, 1, 1), input_usd=1, output_usd=2)
QUESTION = ask("a" * 4000)
INPUT = pytest.approx(1000, rel=0.02)
APART = 0.005
"""Seconds between two tokens: each is an event of its own."""
HELD = Script(gap=APART, after=5, comments=60)
"""Five tokens, then nothing more."""
TIMEOUTS = {"idle": 1.0}


@pytest.fixture
async def priced(simulator: Simulator) -> AsyncIterator[Gateway]:
    rows = (Row(kind="openai", match="gpt-4o-mini", facts=Facts(prices=PRICES)),)
    settings = settings_for(simulator.url, timeouts=TIMEOUTS).model_copy(update={"catalog": rows})
    async with gateway_for(simulator, settings) as gateway:
        yield gateway


def counted(gateway: Gateway, kind: str) -> float:
    return gateway.metrics.registry.get_sample_value("tokenwire_tokens_total", {"kind": kind}) or 0.0


async def assert_accounted(gateway: Gateway, code: str, tokens: int) -> None:
    line = await gateway.lines.wait()
    assert (line["code"], line["output_tokens"], line["input_tokens"]) == (code, tokens, INPUT)
    assert line["cost_nano_usd"] == 1000 * line["input_tokens"] + 2000 * tokens
    assert (counted(gateway, "input"), counted(gateway, "output")) == (line["input_tokens"], tokens)


async def test_a_caller_that_leaves(priced: Gateway) -> None:
    priced.simulator.script(HELD)
    events = aiter(call := priced.stub.ChatStream(QUESTION))
    for _ in range(5):
        while not (await anext(events)).HasField("text_delta"):
            pass
    call.cancel()
    await assert_accounted(priced, "CANCELLED", 5)


async def test_a_deadline(priced: Gateway) -> None:
    priced.simulator.script(HELD)
    assert (await failure(collect(priced.stub.ChatStream(QUESTION, timeout=0.6)))).code == "DEADLINE_EXCEEDED"
    await assert_accounted(priced, "DEADLINE_EXCEEDED", 5)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (HELD, "STREAM_IDLE_TIMEOUT"),
        (Script(gap=APART, tokens=5, no_finish=True), "STREAM_TRUNCATED"),
        (Script(gap=APART, after=5, error_event="500"), "PROVIDER_UNAVAILABLE"),
        (Script(gap=APART, after=5, wrong_shape="list"), "PROVIDER_BAD_RESPONSE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_stream_that_fails(priced: Gateway, script: Script, reason: str) -> None:
    priced.simulator.script(script)
    failed = await failure(collect(priced.stub.ChatStream(QUESTION)))
    assert failed.reason == reason
    assert failed.info.metadata["output_tokens"] == "5"
    await assert_accounted(priced, failed.code, 5)


async def test_what_failed_before_content_counts_for_nothing(priced: Gateway) -> None:
    priced.simulator.script(Script(status=500))
    await failure(collect(priced.stub.ChatStream(QUESTION)))
    line = await priced.lines.wait()
    assert (line["input_tokens"], line["output_tokens"], line["cost_nano_usd"]) == (0, 0, None)


@pytest.mark.parametrize("rpc", ["Chat", "ChatStream", "Embed"])
async def test_what_was_left_before_content_counts_for_nothing(priced: Gateway, rpc: str) -> None:
    """Nobody knows whether the provider had begun to work on it."""
    priced.simulator.script(Script(hang=True))
    embed = EmbedRequest(model="openai/gpt-4o-mini", input=["a" * 4000])
    call = getattr(priced.stub, rpc)(embed if rpc == "Embed" else QUESTION)
    await priced.simulator.wait_received(1)
    call.cancel()
    line = await priced.lines.wait()
    assert (line["code"], line["attempts"]) == ("CANCELLED", 1)
    assert (line["input_tokens"], line["output_tokens"], line["cost_nano_usd"]) == (0, 0, None)
    assert counted(priced, "input") == 0


async def test_what_the_provider_counted_is_not_estimated(priced: Gateway) -> None:
    """Its count comes with the last chunk; only the terminal marker is held back."""
    priced.simulator.script(Script(tokens=5), Script(tokens=5, no_done=True, linger=60))
    *_, last = await collect(priced.stub.ChatStream(QUESTION))
    assert (await failure(collect(priced.stub.ChatStream(QUESTION)))).reason == "STREAM_IDLE_TIMEOUT"
    line, usage = await priced.lines.wait(2), last.completed.response.usage
    assert (line["input_tokens"], line["output_tokens"]) == (usage.input_tokens, usage.output_tokens)
    assert line["cost_nano_usd"] == usage.cost_nano_usd
