"""Plays one cell of the matrix, and looks at everything afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults.matrix.rows import TEXT, Cell
from grpc import aio
from support.ask import ask
from support.gateway import KEY, SECONDS, Gateway, gateway_for
from support.quiet import Quiet
from support.status import Failure, collect, failure_of

from tokenwire.v1 import embed_pb2
from tokenwire_server.settings import Settings
from tokenwire_server.simulator import Simulator

PROMPT = "canary-of-the-prompt"
AT_ONCE = 5.0
"""Seconds. It takes milliseconds; a machine with much else to do may need more."""
MEMORY = 192 * 1024
"""KiB that a cell may take at its peak: the largest answer that is read (32 MiB), a few times over."""


def settings(simulator: Simulator, url: str = "", **faulty: Any) -> Settings:
    """The default policies; two providers with `faulty` settings, at `url` if given, and one that is well."""
    shared = {"api_key": KEY, **faulty}
    return Settings.model_validate(
        {
            "server": {"listen": ["127.0.0.1:0"]},
            "metrics": {"listen": "off"},
            "providers": {
                "openai": {"kind": "openai", "base_url": url or simulator.url, **shared},
                "mistral": {"kind": "mistral", "base_url": _root(url) or simulator.mistral_url, **shared},
                "well": {"kind": "openai_compatible", "base_url": simulator.compatible_url("vllm")},
            },
        }
    )


def _root(url: str) -> str:
    """Mistral's clients put /v1 there themselves."""
    return url.removesuffix("/v1")


async def plain(gateway: Gateway) -> None:
    """A call of another provider, with a model of its own, goes well at once."""
    reply = await gateway.stub.Chat(ask("ping", model="well/simulated-model"), timeout=AT_ONCE)
    assert reply.choices[0].message.text


@asynccontextmanager
async def gateway_at(simulator: Simulator, cell: Cell) -> AsyncIterator[Gateway]:
    """A gateway whose provider has the cell's fault."""
    row = cell.row
    faulty = {"timeouts": row.timeouts, **row.provider}
    if row.upstream is None:
        simulator.script(replace(row.script, times=row.times, match=cell.model.partition("/")[2]))
        async with gateway_for(simulator, settings(simulator, **faulty)) as gateway:
            yield gateway
        return
    async with row.upstream() as url, gateway_for(simulator, settings(simulator, url, **faulty)) as gateway:
        yield gateway


def start(gateway: Gateway, cell: Cell) -> Awaitable[object]:
    """The cell's call."""
    timeout = cell.row.deadline or 3 * SECONDS
    if cell.rpc == "Embed":
        texts = [f"{PROMPT} {number}" for number in range(cell.row.inputs)]
        return gateway.stub.Embed(embed_pb2.EmbedRequest(model=cell.model, input=texts), timeout=timeout)
    request = ask(PROMPT, model=cell.model)
    if cell.rpc == "Chat":
        return gateway.stub.Chat(request, timeout=timeout)
    return collect(gateway.stub.ChatStream(request, timeout=timeout))


async def play(simulator: Simulator, cell: Cell) -> None:
    """The call ends as the row says, after as many upstream calls, and leaves nothing behind."""
    row = cell.row
    code, _, reason = row.outcome.partition(" ")
    async with gateway_at(simulator, cell) as gateway:
        await plain(gateway)
        quiet = Quiet.of(gateway)
        with bounded_memory():
            ended, failed = await _end(gateway, cell)
        assert ended == code
        if failed and code != "DEADLINE_EXCEEDED":  # then the caller has ended it, and hears nothing
            _assert_says(failed, cell, reason)
        await quiet.assert_again(gateway, [(cell.rpc, code, reason)], lambda: plain(gateway))
        line = gateway.lines.access[1]
        assert row.calls <= line["attempts"] <= row.calls * row.batches
        if row.upstream is None:
            asked = [received for received in simulator.received if "vllm" not in received.path]
            assert row.calls <= len(asked) <= line["attempts"]
            assert not [received for received in asked if received.outcome == "answering"]
        assert not any(secret in str(gateway.lines.all) for secret in (PROMPT, TEXT))


@contextmanager
def bounded_memory() -> Iterator[None]:
    """The process takes no more than MEMORY at its peak; Linux alone can tell."""
    refs, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    refs.write_text("5")  # the peak begins anew
    before = _kibibytes(status.read_text(), "VmRSS")
    yield
    taken = _kibibytes(status.read_text(), "VmHWM") - before
    assert taken < MEMORY, f"{taken} KiB"


def _kibibytes(status: str, name: str) -> int:
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


async def _end(gateway: Gateway, cell: Cell) -> tuple[str, Failure | None]:
    """The code with which the call ended, and what the caller was told."""
    call = asyncio.ensure_future(start(gateway, cell))
    try:
        if cell.row.leaves is not None:
            await gateway.simulator.wait_received(2)  # the first was to see that all is well
            await asyncio.sleep(cell.row.leaves)
            call.cancel()
        await call
    except aio.AioRpcError as error:
        failed = failure_of(error)
        return failed.code, failed
    except asyncio.CancelledError:
        return "CANCELLED", None
    return "OK", None


def _assert_says(failed: Failure, cell: Cell, reason: str) -> None:
    """The reason and when to come back; nothing that was secret or the provider's."""
    assert failed.reason == reason
    if cell.row.retry_after is not None:
        assert failed.retry_after == pytest.approx(cell.row.retry_after, rel=0.05)
    begun = cell.rpc == "ChatStream" and cell.row.calls == 1  # perhaps; then there is nothing to repeat
    if failed.code in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"} and not begun:
        assert failed.trailers["grpc-retry-pushback-ms"] == "-1", "the gateway has tried already"
    assert not any(secret in failed.everything for secret in (KEY, PROMPT, TEXT))
