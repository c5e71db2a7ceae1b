"""The load generator: reads jobs from standard input, one JSON line each, and answers each with a Window.

A process of its own. Counts only what ends within the measured window, checks every answer, and stops a
job at its first failed call.
"""

import asyncio
import contextlib
import os
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import count, cycle
from time import monotonic, sleep
from typing import Final, Self, TypeAlias

# Costs a client a third less than the default: it must keep up with the servers under test.
os.environ["GRPC_EXPERIMENTS"] = "-event_engine_client"

import grpc
import orjson
import uvloop

from tokenwire.v1 import chat_pb2, embed_pb2, health_pb2, llm_service_pb2_grpc

from .job import DRAIN_SECONDS, Job
from .measure import REFUSED, Cpu, Kind, Window, busy_seconds, memory_mib, percentile
from .payload import (
    CHATS,
    EMBEDDINGS,
    HEALTH,
    LENGTHS,
    MIXES,
    STREAMED,
    WIDTH,
    answer,
    embed_request,
    request,
)
from .refusal import is_refusal

Stub: TypeAlias = "llm_service_pb2_grpc.LLMServiceAsyncStub"
Caller = Callable[[int, float], Awaitable[None]]
"""Makes one call, for a slot and due at a moment; raises WrongAnswerError unless the answer is right."""

_OWN_CONNECTION: Final = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(slots=True)
class Tally:
    """What has been seen of one kind of calls since the window began."""

    calls: int = 0
    tokens: int = 0
    messages: int = 0
    latencies: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)

    def ended(self, seconds: float) -> None:
        """A call has, after so long."""
        self.calls += 1
        self.latencies.append(seconds)

    def kind(self) -> Kind:
        """Its figures."""
        ranks = [percentile(times, share) for times in (self.latencies, self.firsts) for share in (0.5, 0.99)]
        return Kind(self.calls, *ranks)


@dataclass(slots=True)
class Seen:
    """All that has been seen since the window began."""

    kinds: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    progress: Counter[int] = field(default_factory=Counter)
    """Tokens of each slot."""

    def all(self) -> Tally:
        """The kinds together, without what was refused."""
        whole = Tally()
        for kind, tally in self.kinds.items():
            if kind != REFUSED:
                whole.calls += tally.calls
                whole.tokens += tally.tokens
                whole.messages += tally.messages
                whole.latencies += tally.latencies
                whole.firsts += tally.firsts
                whole.gaps += tally.gaps
        return whole


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
        return cls(
            Cpu.of_tree(job.server), Cpu.of(os.getpid()), Cpu.of(job.upstream), busy_seconds(job.cores)
        )


class WrongAnswerError(Exception):
    """A call succeeded with another answer than it should."""


class Load:
    """One job under way."""

    def __init__(self, job: Job, stubs: Sequence[Stub]) -> None:
        self._job = job
        self._stubs = stubs
        self._turns = cycle([(kind, self._caller(kind)) for kind in MIXES.get(job.model, (job.model,))])
        self._over = asyncio.Event()
        self._failures: list[str] = []
        self._seen = Seen()

    def _caller(self, model: str) -> Caller:
        provider = self._job.provider
        if model == HEALTH:
            return self._health
        if embedding := EMBEDDINGS.get(model):
            expected = [found.SerializeToString() for found in embedding.embeddings]
            return partial(self._embed, embed_request(provider, model), expected)
        if model in CHATS:
            return partial(self._chat, request(provider, model), answer(model))
        return partial(self._stream, request(provider, model), model)

    async def run(self) -> Window:
        """Warms up, measures, and lets calls in flight end."""
        job = self._job
        memory_before = memory_mib(job.server)
        async with asyncio.TaskGroup() as group:
            callers = [self._rated(group)] if job.rate else [self._slot(i) for i in range(job.slots)]
            for caller in callers:
                group.create_task(caller)
            await self._unless_over(job.warm)
            self._seen, began, before = Seen(), monotonic(), Usage.now(job)
            await self._unless_over(job.seconds)
            while not (self._seen.all().calls or self._over.is_set()):  # a window without a call says nothing
                await self._unless_over(0.1)
            ended, after, memory = monotonic(), Usage.now(job), memory_mib(job.server)
            seen, self._seen = self._seen, Seen()  # what ends later does not count
            self._over.set()
        window = self._window(seen, ended - began, before, after)
        return replace(window, memory_before=memory_before, memory=memory)

    async def _unless_over(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    async def _slot(self, index: int) -> None:
        """One call after another. Slots begin apart, so that long calls do not tick together."""
        await asyncio.sleep(index * LENGTHS.get(self._job.model, 0.0) / self._job.slots)
        while not self._over.is_set():
            await self._try(index, monotonic())

    async def _rated(self, group: asyncio.TaskGroup) -> None:
        def send(number: int, due: float) -> None:
            group.create_task(self._try(number, due))

        await asyncio.to_thread(self._tick, asyncio.get_running_loop(), send)

    def _tick(self, loop: asyncio.AbstractEventLoop, send: Callable[[int, float], None]) -> None:
        """In a thread of its own, as the event loop's timers are a millisecond coarse."""
        start = monotonic()
        for number in count():
            due = start + number / self._job.rate
            sleep(max(0.0, due - monotonic()))
            if self._over.is_set():
                return
            loop.call_soon_threadsafe(send, number, due)

    async def _try(self, slot: int, due: float) -> None:
        """Latency counts from when the call was due, so that a late start is not hidden."""
        kind, call = next(self._turns)
        try:
            await call(slot, due)
        except grpc.aio.AioRpcError as error:
            if self._job.sheds and kind != HEALTH and is_refusal(error):
                self._seen.kinds[REFUSED].ended(monotonic() - due)
            else:
                self._fail(f"{error.code().name}: {error.details()}")
        except WrongAnswerError as error:
            self._fail(str(error))
        else:
            self._seen.kinds[kind].ended(monotonic() - due)

    def _fail(self, text: str) -> None:
        self._failures.append(text)
        self._over.set()

    def _stub(self, slot: int) -> Stub:
        return self._stubs[slot % len(self._stubs)]

    async def _chat(
        self, request: chat_pb2.ChatRequest, expected: chat_pb2.ChatMessage, slot: int, _due: float
    ) -> None:
        response = await self._stub(slot).Chat(request, timeout=DRAIN_SECONDS)
        if response.choices[0].message != expected:
            raise WrongAnswerError("the reply is not the upstream's")

    async def _embed(
        self, request: embed_pb2.EmbedRequest, expected: list[bytes], slot: int, _due: float
    ) -> None:
        response = await self._stub(slot).Embed(request, timeout=DRAIN_SECONDS)
        if [found.SerializeToString() for found in response.embeddings] != expected:
            raise WrongAnswerError("the vectors are not the upstream's")

    async def _health(self, slot: int, _due: float) -> None:
        response = await self._stub(slot).Health(health_pb2.HealthRequest(), timeout=DRAIN_SECONDS)
        if response.status != health_pb2.HEALTH_STATUS_SERVING:
            raise WrongAnswerError("the gateway does not call itself healthy")

    async def _stream(self, request: chat_pb2.ChatRequest, kind: str, slot: int, due: float) -> None:
        pieces, completed, first, last = list[str](), False, 0.0, 0.0
        async for event in self._stub(slot).ChatStream(request, timeout=DRAIN_SECONDS):
            if text := event.text_delta.text:
                last, tally = monotonic(), self._seen.kinds[kind]
                if not pieces:
                    first = last
                    tally.firsts.append(first - due)
                pieces.append(text)
                tally.messages += 1
                tally.tokens += len(text) // WIDTH
                self._seen.progress[slot] += len(text) // WIDTH
            completed = completed or event.HasField("completed")
        text = "".join(pieces)
        if text != STREAMED or completed != self._job.completes:
            raise WrongAnswerError("the stream is not the upstream's")
        self._seen.kinds[kind].gaps.append((last - first) / (len(text) // WIDTH - 1))

    def _window(self, seen: Seen, seconds: float, before: Usage, after: Usage) -> Window:
        server, tally = after.server - before.server, seen.all()
        whole = tally.kind()
        return Window(
            seconds=seconds,
            calls=tally.calls,
            tokens=tally.tokens,
            messages=tally.messages,
            failures=tuple(self._failures[:5]),
            latency_p50=whole.latency_p50,
            latency_p99=whole.latency_p99,
            first_p50=whole.first_p50,
            first_p99=whole.first_p99,
            user=server.user,
            system=server.system,
            load=(after.load - before.load).total,
            upstream=(after.upstream - before.upstream).total,
            busy=after.busy - before.busy,
            gap_p99=percentile(tally.gaps, 0.99),
            least=min(seen.progress[slot] for slot in range(self._job.slots)),
            kinds={kind: tally.kind() for kind, tally in seen.kinds.items()},
        )


async def _jobs() -> AsyncIterator[Job]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield Job(**orjson.loads(line))


async def _done(job: Job) -> Window:
    async with contextlib.AsyncExitStack() as stack:
        stubs = []
        for _ in range(job.connections):
            opened = grpc.aio.insecure_channel(job.target, options=_OWN_CONNECTION)
            channel = await stack.enter_async_context(opened)
            await asyncio.wait_for(channel.channel_ready(), DRAIN_SECONDS)
            stubs.append(llm_service_pb2_grpc.LLMServiceStub(channel))
        return await Load(job, stubs).run()


async def main() -> None:
    """Does jobs until standard input closes."""
    async for job in _jobs():
        window = await _done(job)
        sys.stdout.write(orjson.dumps(asdict(window)).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
