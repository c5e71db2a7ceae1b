"""The load generator for gateways that speak OpenAI's HTTP API: the same calls, checked as strictly.

A process of its own. What is counted, and when, is the gRPC load generator's business.
"""

import asyncio
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from time import monotonic
from typing import Any, Final

import orjson
import uvloop

from bench.job import DRAIN_SECONDS, Job
from bench.load import Caller, Load, WrongAnswerError
from bench.measure import Window
from bench.payload import ANSWER, CHAT, EMBEDDINGS, STREAMED, TOKENS, VECTORS, messages

from .connections import Connections, Heard

_PIECE: Final = b" w0"
"""What every token begins with, however its event was written."""


@dataclass(frozen=True, slots=True)
class HttpJob(Job):
    """A job for a server that speaks HTTP."""

    base: str = "/v1"
    prefix: str = ""
    """Of the models' names."""
    headers: dict[str, str] = field(default_factory=dict)


def _ignore(_: bytes) -> None:
    """Only a stream's parts matter one by one."""


def streamed(body: bytes) -> str:
    """The text of a stream's events; raises WrongAnswerError for one without its proper end."""
    events = [line[5:].strip() for line in body.splitlines() if line.startswith(b"data:")]
    if not events or events[-1] != b"[DONE]":
        raise WrongAnswerError("the stream has no end")
    choices = [choice for event in events[:-1] for choice in orjson.loads(event).get("choices", ())]
    if [choice["finish_reason"] for choice in choices if choice.get("finish_reason")] != ["stop"]:
        raise WrongAnswerError("the stream has no finish reason")
    return "".join(choice["delta"].get("content") or "" for choice in choices)


class HttpLoad(Load):
    """The load generator's loops around HTTP calls."""

    def __init__(self, job: HttpJob, connections: Connections) -> None:
        self._http = job
        self._connections = connections
        super().__init__(job, ())

    def _caller(self, model: str) -> Caller:
        if embedding := EMBEDDINGS.get(model):
            wanted = {
                "model": self._http.prefix + model,
                "input": embedding.texts,
                "encoding_format": "base64",
            }
            expected = [b64encode(vector.tobytes()).decode() for vector in VECTORS[: len(embedding.texts)]]
            return partial(self._embeddings, self._request("/embeddings", wanted), expected)
        asked: dict[str, object] = {"model": self._http.prefix + model, "messages": messages(model)}
        if model == CHAT:
            return partial(self._completion, self._request("/chat/completions", asked))
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
        return partial(self._chunks, self._request("/chat/completions", asked), model)

    def _request(self, path: str, asked: object) -> bytes:
        body = orjson.dumps(asked)
        fields = {"host": self._http.target, "content-type": "application/json", "content-length": len(body)}
        lines = [f"{name}: {value}\r\n" for name, value in (fields | self._http.headers).items()]
        return f"POST {self._http.base}{path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body

    async def _ask(self, request: bytes, heard: Heard) -> bytes:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                status, body = await self._connections.ask(request, heard)
        except (OSError, TimeoutError) as error:
            raise WrongAnswerError(repr(error)) from error
        if status != 200:
            raise WrongAnswerError(f"HTTP {status}: {body[:200]!r}")
        return body

    async def _completion(self, request: bytes, _slot: int, _due: float) -> None:
        reply = orjson.loads(await self._ask(request, _ignore))
        if reply["choices"][0]["message"]["content"] != ANSWER:
            raise WrongAnswerError("the reply is not the upstream's")

    async def _embeddings(self, request: bytes, expected: list[str], _slot: int, _due: float) -> None:
        rows: Iterable[Any] = orjson.loads(await self._ask(request, _ignore))["data"]
        if [row["embedding"] for row in rows] != expected:
            raise WrongAnswerError("the vectors are not the upstream's")

    async def _chunks(self, request: bytes, model: str, slot: int, due: float) -> None:
        times, counted = list[float](), 0

        def heard(part: bytes) -> None:
            nonlocal counted
            if tokens := part.count(_PIECE):
                times.append(monotonic())
                tally = self._seen.kinds[model]
                if len(times) == 1:
                    tally.firsts.append(times[0] - due)
                counted += tokens
                tally.messages += 1
                tally.tokens += tokens
                self._seen.progress[slot] += tokens

        if streamed(await self._ask(request, heard)) != STREAMED:
            raise WrongAnswerError("the stream is not the upstream's")
        tally = self._seen.kinds[model]
        tally.tokens += TOKENS - counted  # those that were torn between two reads
        tally.gaps.append((times[-1] - times[0]) / (TOKENS - 1))


async def _jobs() -> AsyncIterator[HttpJob]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield HttpJob(**orjson.loads(line))


async def _done(job: HttpJob) -> Window:
    host, _, port = job.target.partition(":")
    with closing(Connections(host, int(port))) as connections:
        return await HttpLoad(job, connections).run()


async def main() -> None:
    """Does jobs until standard input closes."""
    async for job in _jobs():
        window = await _done(job)
        sys.stdout.write(orjson.dumps(asdict(window)).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
