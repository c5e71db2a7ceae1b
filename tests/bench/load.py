"""The load generator: reads jobs from standard input, one JSON line each, and answers each with a Window.

A process of its own. Counts only what ends within the measured window, checks every answer, and stops a
job at its first failed call.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from time import monotonic
from typing import Self

# Costs a client a third less than the default: it must keep up with the servers under test.
os.environ["GRPC_EXPERIMENTS"] = "-event_engine_client"

import grpc
import orjson
import uvloop

from tokenwire.v1 import chat_pb2, embed_pb2, llm_service_pb2_grpc

from .job import DRAIN_SECONDS, Job
from .measure import Cpu, Window, busy_seconds, percentile
from .payload import (
    ANSWER,
    CHAT,
    CYCLE,
    EMBEDDINGS,
    PACED,
    STREAMED,
    WIDTH,
    embed_request,
    request,
)


@dataclass(slots=True)
class Tally:
    """What has been seen since the window began."""

    calls: int = 0
    tokens: int = 0
    messages: int = 0
    latencies: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU of all who take part, so far."""

    server: Cpu
    load: Cpu
    upstream: Cpu
    busy: float

    @classmethod
    def now(cls, job: Job) -> Self:
        """Of the job's processes and this one."""
        return cls(Cpu.of(job.server), Cpu.of(os.getpid()), Cpu.of(job.upstream), busy_seconds(job.cores))


class WrongAnswerError(Exception):
    """A call succeeded with another answer than it should."""


class Load:
    """One job under way."""

    def __init__(self, job: Job, stub: "llm_service_pb2_grpc.LLMServiceAsyncStub") -> None:
        self._job = job
        self._stub = stub
        self._one = self._caller()
        self._over = asyncio.Event()
        self._failures: list[str] = []
        self._tally = Tally()

    def _caller(self) -> Callable[[], Awaitable[None]]:
        """Makes one call, and raises WrongAnswerError unless it was answered as it should."""
        provider, model = self._job.provider, self._job.model
        if embedding := EMBEDDINGS.get(model):
            expected = [found.SerializeToString() for found in embedding.embeddings]
            return partial(self._embed, embed_request(provider, model), expected)
        return partial(self._chat if model == CHAT else self._stream, request(provider, model))

    async def run(self) -> Window:
        """Warms up, measures, and lets calls in flight end."""
        job = self._job
        async with asyncio.TaskGroup() as group:
            callers = [self._rated(group)] if job.rate else [self._slot(i) for i in range(job.slots)]
            for caller in callers:
                group.create_task(caller)
            await self._unless_over(job.warm)
            self._tally, began, before = Tally(), monotonic(), Usage.now(job)
            await self._unless_over(job.seconds)
            tally, ended, after = self._tally, monotonic(), Usage.now(job)
            self._over.set()
        return self._window(tally, ended - began, before, after)

    async def _unless_over(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    async def _slot(self, index: int) -> None:
        """One call after another. Slots begin apart, so that paced streams do not tick together."""
        if self._job.model == PACED:
            await asyncio.sleep(index * CYCLE / self._job.slots)
        while not self._over.is_set():
            await self._try()

    async def _rated(self, group: asyncio.TaskGroup) -> None:
        start, sent = monotonic(), 0
        while not self._over.is_set():
            while sent < (monotonic() - start) * self._job.rate:
                group.create_task(self._try())
                sent += 1
            await asyncio.sleep(start + sent / self._job.rate - monotonic())

    async def _try(self) -> None:
        try:
            await self._one()
        except grpc.aio.AioRpcError as error:
            self._fail(f"{error.code().name}: {error.details()}")
        except WrongAnswerError as error:
            self._fail(str(error))

    def _fail(self, text: str) -> None:
        self._failures.append(text)
        self._over.set()

    async def _chat(self, request: chat_pb2.ChatRequest) -> None:
        began = monotonic()
        response = await self._stub.Chat(request, timeout=DRAIN_SECONDS)
        if response.choices[0].message.text != ANSWER:
            raise WrongAnswerError("the reply is not the upstream's")
        self._ended(began)

    async def _embed(self, request: embed_pb2.EmbedRequest, expected: list[bytes]) -> None:
        began = monotonic()
        response = await self._stub.Embed(request, timeout=DRAIN_SECONDS)
        if [found.SerializeToString() for found in response.embeddings] != expected:
            raise WrongAnswerError("the vectors are not the upstream's")
        self._ended(began)

    async def _stream(self, request: chat_pb2.ChatRequest) -> None:
        began, pieces, completed = monotonic(), list[str](), False
        async for event in self._stub.ChatStream(request, timeout=DRAIN_SECONDS):
            if text := event.text_delta.text:
                if not pieces:
                    self._tally.firsts.append(monotonic() - began)
                pieces.append(text)
                self._tally.messages += 1
                self._tally.tokens += len(text) // WIDTH
            completed = completed or event.HasField("completed")
        if "".join(pieces) != STREAMED or completed != self._job.completes:
            raise WrongAnswerError("the stream is not the upstream's")
        self._ended(began)

    def _ended(self, began: float) -> None:
        self._tally.calls += 1
        self._tally.latencies.append(monotonic() - began)

    def _window(self, tally: Tally, seconds: float, before: Usage, after: Usage) -> Window:
        server = after.server - before.server
        return Window(
            seconds=seconds,
            calls=tally.calls,
            tokens=tally.tokens,
            messages=tally.messages,
            failures=tuple(self._failures[:5]),
            latency_p50=percentile(tally.latencies, 0.5),
            latency_p99=percentile(tally.latencies, 0.99),
            first_p50=percentile(tally.firsts, 0.5),
            first_p99=percentile(tally.firsts, 0.99),
            user=server.user,
            system=server.system,
            load=(after.load - before.load).total,
            upstream=(after.upstream - before.upstream).total,
            busy=after.busy - before.busy,
        )


async def _jobs() -> AsyncIterator[Job]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield Job(**orjson.loads(line))


async def main() -> None:
    """Does jobs until standard input closes."""
    async for job in _jobs():
        async with grpc.aio.insecure_channel(job.target) as channel:
            await asyncio.wait_for(channel.channel_ready(), DRAIN_SECONDS)
            window = await Load(job, llm_service_pb2_grpc.LLMServiceStub(channel)).run()
        sys.stdout.write(orjson.dumps(asdict(window)).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
