"""The bench works, whatever it measures on this machine."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from bench import overload
from bench.check import COMMITTED, verdicts
from bench.measure import REFUSED, Cpu, Kind, Spread, Window, memory_mib, percentile
from bench.payload import (
    BURST,
    CHAT,
    CHAT_20_TOOLS,
    CHAT_TOOLS,
    CHATS,
    EMBED,
    EMBED_ONE,
    EMBEDDINGS,
    HEALTH,
    KEYS,
    MISTRAL,
    MIXED,
    MIXES,
    OPENAI,
    PACED,
    PIECES,
    RESPONSES,
    SLOW,
    STREAMED,
    TOKENS,
    messages,
    tools,
)
from bench.refusal import is_refusal
from bench.report import BEGIN, END, with_block
from bench.scenarios import CHECKED, FULL
from bench.upstream import mistake
from bench.wire import reply, stream, vectors
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio

ROOT = Path(__file__).parents[2]
ROWS = (
    "Chat, saturated, CPU µs a call",
    "Chat with tools, CPU µs a call",
    "Chat of 20 messages, CPU µs a call",
    "Chat of 20 messages with tools, CPU µs a call",
    "ChatStream, burst, CPU µs a token",
    "ChatStream, burst, Mistral, CPU µs a token",
    "ChatStream, burst, Responses, CPU µs a token",
    "ChatStream, 50 at 20 ms, CPU µs a token",
    "ChatStream, 50 at 20 ms, Mistral, CPU µs a token",
    "ChatStream, 200 at 20 ms, CPU µs a token",
    "Embed 100 x 1536, CPU µs a call",
    "Embed 100 x 1536, PACKED, CPU µs a call",
    "Embed 1 x 1536, CPU µs a call",
    "Mixed, saturated, CPU µs a call",
    "Chat, two workers on two cores, CPU µs a call",
    "Chat, saturated, calls/s of one process",
    "ChatStream, burst, tokens/s of one process",
    "Mixed, saturated, calls/s of one process",
    "ChatStream, burst, tokens a message",
    "ChatStream, 50 at 20 ms, tokens a message",
    "Chat at 30 % load, ms p50",
    "Chat at 30 % load, ms p99",
    "ChatStream, 50 at 20 ms, ms p50, first token",
    "ChatStream, 50 at 20 ms, ms p99, first token",
    "ChatStream, 200 at 20 ms, least tokens of a stream, of its pace",
    "ChatStream, 200 at 20 ms, ms p99, mean gap of a stream",
    "ChatStream, 200 at 20 ms, KiB of memory a stream",
    "Overload, answers",
    "Overload, calls taken, p99",
    "Overload, refusals, ms p99",
    "Overload, Health, ms p99",
    "Python client, Chat, CPU µs a call",
    "Python client, ChatStream, CPU µs an event",
    "start, s until ready",
    "resident memory idle, MiB",
)
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer sk-bench\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1\r\n"
)
EMBED_HEAD = HEAD.replace(b"chat/completions", b"embeddings")
MISTRAL_HEAD = HEAD.replace(b"sk-bench", b"mk-bench")
RESPONSES_HEAD = HEAD.replace(b"sk-bench", b"rk-bench").replace(b"chat/completions", b"responses")

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def body(model: str, **fields: object) -> bytes:
    streams = {"stream": True, "stream_options": {"include_usage": True}} if model not in CHATS else {}
    offered = {"tools": tools(model)} if tools(model) else {}
    return orjson.dumps({"model": model, "messages": messages(model)} | offered | streams | fields)


def mistral_body(model: str, **fields: object) -> bytes:
    return orjson.dumps({"model": model, "messages": messages(), "stream": True} | fields)


def responses_body(model: str, **fields: object) -> bytes:
    return orjson.dumps({"model": model, "input": messages(), "store": False, "stream": True} | fields)


def embed_body(model: str, **fields: object) -> bytes:
    texts = EMBEDDINGS[model].texts
    return orjson.dumps({"model": model, "input": texts, "encoding_format": "base64"} | fields)


@linux
def test_a_quick_run_reports_every_row(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tests.bench", "--quick", "--output", str(tmp_path))
    done = subprocess.run(  # noqa: S603 (a command of ours)
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )

    assert done.returncode == 0, done.stderr
    assert [row for row in ROWS if row not in done.stdout] == []
    (file,) = tmp_path.iterdir()
    found = json.loads(file.read_text())
    assert [row[0] for row in found["table"][1:]] == list(ROWS)
    assert [*found["scenarios"]] == [
        *("chat", "chat-tools", "chat-20", "chat-20-tools", "burst", "burst-mistral", "burst-responses"),
        *("paced", "paced-mistral", "crowd", "light", "embed", "embed-packed", "embed-one"),
        *("mixed", "mixed-10", "workers"),
    ]
    assert [row[:2] for row in found["mixed"][1:]] == [["10%", "bare"], ["10%", "Tokenwire"]]
    assert found["access_lines"] >= found["calls"] > 0
    assert found["options"] == {"quick": True, "only": None}


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        *((HEAD, body(model)) for model in (*CHATS, BURST, PACED)),
        *((MISTRAL_HEAD, mistral_body(model)) for model in (BURST, PACED)),
        (RESPONSES_HEAD, responses_body(BURST)),
        *((EMBED_HEAD, embed_body(model)) for model in EMBEDDINGS),
    ],
)
def test_the_upstream_takes_what_a_provider_takes(head: bytes, sent: bytes) -> None:
    assert mistake(head, sent) == ""


@pytest.mark.parametrize(
    ("head", "sent", "wrong"),
    [
        (HEAD.replace(b"/v1/", b"/v2/"), body(CHAT), "not a POST of a path that it has"),
        (HEAD.replace(b"sk-bench", b"sk-other"), body(CHAT), "not the key"),
        (HEAD.replace(b"application/json", b"text/plain"), body(CHAT), "not application/json"),
        (HEAD, b"{", "not JSON"),
        (HEAD, body("gpt-4o"), "not a known model"),
        (HEAD, body(CHAT, messages=messages()[:1]), "not the messages"),
        (HEAD, body(CHAT_20_TOOLS, messages=messages()), "not the messages"),
        (HEAD, body(CHAT_20_TOOLS, tools=[]), "not the tools"),
        (HEAD, body(CHAT, tools=tools(CHAT_TOOLS)), "not the tools"),
        (HEAD, body(CHAT, stream=True), "not the stream flag"),
        (HEAD, body(BURST, stream=False), "not the stream flag"),
        (HEAD, body(PACED, stream_options={}), "not the usage flag"),
        (HEAD, mistral_body(BURST), "not the usage flag"),
        (MISTRAL_HEAD.replace(b"/v1/", b"/"), mistral_body(BURST), "not a POST of a path that it has"),
        (MISTRAL_HEAD, b"{", "not JSON"),
        (MISTRAL_HEAD, mistral_body(CHAT), "not a known model"),
        (MISTRAL_HEAD, mistral_body(BURST, messages=[]), "not the messages"),
        (MISTRAL_HEAD, mistral_body(PACED, stream=False), "not the stream flag"),
        (MISTRAL_HEAD, mistral_body(PACED, seed=1), "not a field that was asked for"),
        (MISTRAL_HEAD, body(BURST), "not a field that was asked for"),
        (HEAD.replace(b"sk-", b"rk-"), responses_body(BURST), "not a POST of a path that it has"),
        (RESPONSES_HEAD.replace(b"rk-", b"sk-"), responses_body(BURST), "not a POST of a path that it has"),
        (RESPONSES_HEAD, responses_body(PACED), "not a known model"),
        (RESPONSES_HEAD, responses_body(BURST, store=True), "not what was asked for"),
        (RESPONSES_HEAD, responses_body(BURST, input=[]), "not what was asked for"),
        (HEAD, embed_body(EMBED), "not a known model"),
        (EMBED_HEAD, body(CHAT), "not a known model"),
        (EMBED_HEAD, b"[]", "not a known model"),
        (EMBED_HEAD.replace(b"sk-bench", b"sk-other"), embed_body(EMBED), "not the key"),
        (EMBED_HEAD, embed_body(EMBED, input=EMBEDDINGS[EMBED_ONE].texts), "not the texts"),
        (EMBED_HEAD, embed_body(EMBED, encoding_format="float"), "not the texts"),
    ],
)
def test_the_upstream_refuses_what_a_provider_refuses(head: bytes, sent: bytes, wrong: str) -> None:
    assert mistake(head, sent) == wrong


def test_the_sizes_are_those_of_the_budget() -> None:
    assert 1300 <= len(reply()) <= 1500
    for provider in KEYS:
        _, tokens, _ = stream(provider, BURST)
        assert len(tokens) == TOKENS
    assert {len(piece) for piece in PIECES} == {len(PIECES[0])}
    rows = [found["embedding"] for found in orjson.loads(vectors(EMBED))["data"]]
    assert [len(b64decode(vector)) for vector in rows] == [4 * 1536] * 100


def test_each_provider_streams_in_its_own_form() -> None:
    _, _, (last, usage, done) = stream(OPENAI, BURST)
    opening, _, (last_and_usage, also_done) = stream(MISTRAL, BURST)

    def chunk(event: bytes) -> dict[str, Any]:
        fields: dict[str, Any] = orjson.loads(event.partition(b"data: ")[2])
        return fields

    assert (chunk(last)["usage"], chunk(usage)["choices"]) == (None, [])
    assert chunk(opening)["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "usage" not in chunk(opening)
    assert chunk(last_and_usage)["choices"][0]["finish_reason"] == "stop"
    assert chunk(last_and_usage)["usage"]["total_tokens"] == chunk(usage)["usage"]["total_tokens"]
    assert done == also_done == b"data: [DONE]\n\n"

    begun, tokens, (*_, completed) = stream(RESPONSES, BURST)
    numbers = [chunk(event)["sequence_number"] for event in tokens]
    assert (numbers[0], numbers[-1]) == (begun.count(b"event: "), begun.count(b"event: ") + TOKENS - 1)
    assert "".join(chunk(event)["delta"] for event in tokens) == STREAMED
    assert completed.startswith(b"event: response.completed\n")
    assert chunk(completed)["response"]["usage"]["total_tokens"] == chunk(usage)["usage"]["total_tokens"]


def test_figures() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert percentile([], 0.5) == 0
    assert percentile([float(number) for number in range(100)], 0.99) == 99
    window = Window(2.0, 10, 40, 20, (), 0, 0, 0, 0, user=0.75, system=0.25, load=0, upstream=0, busy=1.5)
    assert (window.micros("call"), window.micros("token")) == (100_000, 25_000)
    assert (window.share(), window.foreign()) == (0.5, 0.25)


@linux
def test_what_the_system_says_of_this_process() -> None:
    assert Cpu.of(os.getpid()).total > 0
    assert memory_mib(os.getpid()) > 1


def test_only_the_marked_block_of_the_page_changes() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    assert with_block(page, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no <!--"):
        with_block("nothing", "new")


def test_each_kind_has_its_part_of_the_mix() -> None:
    counts = {model: MIXES[MIXED].count(model) for model in MIXES[MIXED]}
    assert counts == {CHAT: 12, BURST: 4, EMBED: 3, PACED: 1}


def round_of(answered: Kind, refused_p99: float) -> overload.Round:
    window = Window(4.0, 512, 0, 0, (), 0.5, 0.51, 0, 0, user=1, system=1, load=0, upstream=0, busy=2)
    health = Kind(10, 0.001, 0.002, 0, 0)
    kinds = {SLOW: answered, REFUSED: Kind(1000, 0.001, refused_p99, 0, 0), HEALTH: health}
    return overload.Round(window, window, replace(window, kinds=kinds))


def test_what_is_said_of_an_overload() -> None:
    well = overload.findings([round_of(Kind(500, 0.7, 0.9, 0, 0), 0.004)])
    assert [found.kept() for found in well] == [True] * 4
    assert [round(found.found.median, 2) for found in well] == [0.98, 1.76, 4.0, 2.0]
    badly = overload.findings([round_of(Kind(300, 4.0, 8.0, 0, 0), 0.2)])
    assert [found.kept() for found in badly] == [False, False, False, True]


def test_only_a_refusal_with_the_time_to_come_back_is_one() -> None:
    def error(reason: str, *, seconds: int = 1) -> aio.AioRpcError:
        status = Status(code=8, message="m")
        status.details.add().Pack(ErrorInfo(reason=reason))
        if seconds:
            status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
        trailers = aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
        return aio.AioRpcError(StatusCode.RESOURCE_EXHAUSTED, aio.Metadata(), trailers, "m", "")

    assert is_refusal(error("OVERLOADED"))
    assert not is_refusal(error("OVERLOADED", seconds=0))
    assert not is_refusal(error("RATE_LIMITED"))
    assert not is_refusal(aio.AioRpcError(StatusCode.UNAVAILABLE, aio.Metadata(), aio.Metadata(), "m", ""))


def test_the_check_notes_what_is_worse_and_fails_what_is_much_worse() -> None:
    found = verdicts({"a": 1.14, "b": 1.15, "c": 1.3, "d": 0.5}, {"a": 1, "b": 1, "c": 1, "d": 1})
    assert [verdict.word for verdict in found] == ["kept", "note: worse", "FAILED", "kept"]
    assert str(found[2]) == "c: 1.30 x bare, committed 1.00: FAILED"
    with pytest.raises(KeyError):
        verdicts({"a": 1}, {})


def test_what_is_checked_has_committed_ratios() -> None:
    committed = json.loads(COMMITTED.read_text())
    assert {scenario.name for scenario in CHECKED} <= committed.keys()
    others = (other for scenario in FULL for other in scenario.through_others())
    assert committed.keys() <= {scenario.name for scenario in (*FULL, *others)}
