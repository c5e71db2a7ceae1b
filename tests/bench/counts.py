"""What a call and a token cost the gateway, counted and not timed: the same on a busy machine.

`python -m tests.bench.counts` shows the figures, and how they differ from the committed ones. With `--write`
it commits them, beside those of other versions of Python: run it after a change that is meant to alter them.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import grpc
import orjson

from tokenwire.v1 import embed_pb2, llm_service_pb2_grpc

from .payload import ANSWER, BURST, CHAT, KEYS, OPENAI, PACED, PIECES, request
from .processes import Module
from .wire import http, reply, writes

if TYPE_CHECKING:
    from tokenwire.v1.llm_service_pb2_grpc import LLMServiceAsyncStub

T = TypeVar("T")
Call = Callable[[], Awaitable[None]]
Counts = Mapping[str, float]
Figures = Mapping[str, Counts]
"""Of each unit of work, by what is counted."""

COMMITTED: Final = Path(__file__).with_name("counts.json")
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Its functions call others in other versions."""
_ROUNDS: Final = 3
_CALLS: Final = 5
"""Of each kind in a round."""
_HELD_CALLS: Final = 100
"""After which a leak is more than what comes and goes."""
_SECONDS: Final = 120.0
"""For everything, on a machine that is busy."""
_BLOCKS: Final = "blocks"
_PAUSE: Final = 0.002
"""Seconds in which gRPC is done with a message, or with a call."""
_WRITTEN: Final = 0.02
"""Seconds in which a call that has ended is logged and counted, and more."""
_MORE, _LESS, _SAME = 1.10, 0.75, 0.5
"""How many times the committed figure one may be, at most and at least; a difference that is none."""

_EMBED: Final = "bench-embed-8"
_VECTOR: Final = [0.125] * 8
_TOKENS: Final = {BURST: (64, 128), PACED: (16, 32)}
"""Of the streams of which the difference is taken."""


def _some(parts: Sequence[T], count: int) -> list[T]:
    """So many, again from the second one on where there are not enough."""
    return [parts[0], *islice(cycle(parts[1:]), count - 1)]


def _streams(model: str) -> dict[str, list[bytes]]:
    """A model's streams in parts, each of which is written when the caller has got the one before."""
    *tokens, end = writes(OPENAI, model)
    streams = {f"{model}-{count}": [*_some(tokens, count), end] for count in _TOKENS[model]}
    return streams if model == PACED else {name: [b"".join(parts)] for name, parts in streams.items()}


_REPLIES: Final[Mapping[str, Sequence[bytes]]] = {
    CHAT: [http(b"200 OK", reply())],
    _EMBED: [http(b"200 OK", orjson.dumps({"data": [{"index": 0, "embedding": _VECTOR}]}))],
    **_streams(BURST),
    **_streams(PACED),
}


class _Upstream:
    """A provider that waits for the caller, so that each token is a network read of its own."""

    def __init__(self) -> None:
        self.arrived: Final = asyncio.Event()
        """Set by the caller when it has got what was written."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests, one after another, until the gateway ends."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                model = orjson.loads(await reader.readexactly(length))["model"]
                first, *others = _REPLIES[model]
                self.arrived.clear()
                writer.write(first)
                for part in others:
                    await self.arrived.wait()
                    await asyncio.sleep(_PAUSE)
                    self.arrived.clear()
                    writer.write(part)
        except asyncio.IncompleteReadError:
            writer.close()


class _Caller:
    """Calls the gateway, and asks it for its counts."""

    def __init__(self, gateway: Module, stub: "LLMServiceAsyncStub", upstream: _Upstream) -> None:
        self._gateway = gateway
        self._stub = stub
        self._upstream = upstream

    async def chat(self) -> None:
        """A unary chat."""
        answered = await self._stub.Chat(request(OPENAI, CHAT))
        assert answered.choices[0].message.text == ANSWER

    async def embed(self) -> None:
        """One text, eight numbers."""
        asked = embed_pb2.EmbedRequest(model=f"{OPENAI}/{_EMBED}", input=["text"])
        answered = await self._stub.Embed(asked)
        assert answered.embeddings[0].values == _VECTOR

    async def stream(self, model: str, tokens: int) -> None:
        """A stream, each part of which is let come when the one before has arrived."""
        text = ""
        async for event in self._stub.ChatStream(request(OPENAI, f"{model}-{tokens}")):
            text += event.text_delta.text
            if event.HasField("text_delta"):
                self._upstream.arrived.set()
        assert text == "".join(_some(PIECES, tokens))

    async def _counts(self) -> Counts:
        """All so far."""
        self._gateway.write_line(b"count")
        counts: Counts = orjson.loads(await self._gateway.read_line(_SECONDS))
        return counts

    async def _settled(self) -> Counts:
        """All so far, once nothing goes on any more."""
        while True:
            before = await self._counts()
            await asyncio.sleep(_WRITTEN)
            if before == (after := await self._counts()):
                return after

    async def _cost(self, call: Call) -> Counts:
        """Of one call on average. Each one's end is written by itself, however fast the machine is."""
        before = after = await self._settled()
        for _ in range(_CALLS):
            await call()
            after = await self._settled()
        return {name: (after[name] - before[name]) / _CALLS for name in after}

    async def _left(self, call: Call) -> float:
        """Blocks that one call leaves behind, on average."""
        before = await self._settled()
        for _ in range(_HELD_CALLS):
            await call()
        return ((await self._settled())[_BLOCKS] - before[_BLOCKS]) / _HELD_CALLS

    async def round(self) -> Figures:
        """The figures of one round."""
        found = {"Chat": await self._cost(self.chat), "Embed 1 x 8": await self._cost(self.embed)}
        for model, (few, many) in _TOKENS.items():
            less = await self._cost(partial(self.stream, model, few))
            more = await self._cost(partial(self.stream, model, many))
            name = f"ChatStream, {model.removeprefix('bench-')}"
            found[f"{name}, {few} tokens"] = less
            found[f"{name}, a token"] = {what: (more[what] - less[what]) / (many - few) for what in less}
        return found

    async def held(self) -> Counts:
        """Blocks of memory that a call leaves behind, on average."""
        stream = partial(self.stream, BURST, _TOKENS[BURST][0])
        calls: dict[str, Call] = {"Chat": self.chat, "Embed": self.embed, "ChatStream": stream}
        return {rpc: await self._left(call) for rpc, call in calls.items()}


@asynccontextmanager
async def _caller(folder: Path) -> AsyncIterator[_Caller]:
    """To a gateway before an upstream, which end with the context."""
    upstream = _Upstream()
    gateway = Module("counted", folder, sorted(os.sched_getaffinity(0)))
    async with await asyncio.start_server(upstream.answer, "127.0.0.1", 0) as server:
        await gateway.start(serves=False)
        try:
            gateway.write_line(orjson.dumps(_settings(server.sockets[0].getsockname()[1])))
            address = orjson.loads(await gateway.read_line(_SECONDS))["address"]
            async with grpc.aio.insecure_channel(address) as channel:
                yield _Caller(gateway, llm_service_pb2_grpc.LLMServiceStub(channel), upstream)
        finally:
            await gateway.stop()


def _settings(port: int) -> dict[str, object]:
    identity = {"kind": OPENAI, "api_key": KEYS[OPENAI], "base_url": f"http://127.0.0.1:{port}/v1"}
    return {
        "server": {"listen": ["127.0.0.1:0"]},
        "metrics": {"listen": "off"},
        "defaults": {"busy_flush_seconds": 0},  # how busy it is depends on the machine
        "providers": {OPENAI: identity},
    }


class Findings(NamedTuple):
    """What was counted."""

    figures: Figures
    held: Counts
    """Blocks of memory, by the kind of call that leaves them behind. A part of one is what asking takes."""


async def measure() -> Findings:
    """Of some rounds the most: a token that comes early costs less. Raises BenchError and TimeoutError."""
    with tempfile.TemporaryDirectory(prefix="counts-") as folder:
        async with asyncio.timeout(_SECONDS), _caller(Path(folder)) as caller:
            await caller.held()  # warms up, as the first round does
            first, *rounds = [await caller.round() for _ in range(1 + _ROUNDS)]
            held = await caller.held()
    figures = {
        unit: {name: max(found[unit][name] for found in rounds) for name in counts if name != _BLOCKS}
        for unit, counts in first.items()
    }
    return Findings(figures, held)


def committed() -> dict[str, Figures]:
    """By the version of Python."""
    versions: dict[str, Figures] = orjson.loads(COMMITTED.read_bytes())
    return versions


def differences(found: Figures, expected: Figures) -> Iterator[str]:
    """More than was committed, or so much less that it should be committed."""
    for unit, counts in found.items():
        for name, figure in counts.items():
            was = expected[unit][name]
            if abs(figure - was) > _SAME and not _LESS * was <= figure <= _MORE * was:
                yield f"{unit}: {figure:g} {name}, committed {was:g}"


def main() -> int:
    """Exit codes: 0 as committed, or written; 1 not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.counts", description=__doc__)
    parser.add_argument("--write", action="store_true", help="commit the figures")
    write = parser.parse_args().write
    found = asyncio.run(measure())
    for unit, counts in (*found.figures.items(), ("blocks held", found.held)):
        figures = "  ".join(f"{figure:.1f} {name}" for name, figure in counts.items())
        sys.stdout.write(f"{unit:32}{figures}\n")
    versions = committed()
    if write:
        versions[PYTHON] = found.figures
        COMMITTED.write_bytes(orjson.dumps(versions, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    wrong = list(differences(found.figures, versions.get(PYTHON, found.figures)))
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
