"""The bench works, whatever it measures on this machine."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import orjson
import pytest
from bench.measure import Cpu, Spread, Window, memory_mib, percentile
from bench.payload import (
    BURST,
    CHAT,
    EMBED,
    EMBED_ONE,
    EMBEDDINGS,
    KEYS,
    MISTRAL,
    OPENAI,
    PACED,
    PIECES,
    RESPONSES,
    STREAMED,
    TOKENS,
    messages,
)
from bench.report import BEGIN, END, with_block
from bench.upstream import mistake
from bench.wire import reply, stream, vectors

ROOT = Path(__file__).parents[2]
ROWS = (
    "Chat, saturated, CPU µs a call",
    "ChatStream, burst, CPU µs a token",
    "ChatStream, burst, Mistral, CPU µs a token",
    "ChatStream, burst, Responses, CPU µs a token",
    "ChatStream, 50 at 20 ms, CPU µs a token",
    "ChatStream, 50 at 20 ms, Mistral, CPU µs a token",
    "Embed 100 x 1536, CPU µs a call",
    "Embed 100 x 1536, PACKED, CPU µs a call",
    "Embed 1 x 1536, CPU µs a call",
    "Chat, saturated, calls/s of one process",
    "ChatStream, burst, tokens/s of one process",
    "ChatStream, burst, tokens a message",
    "ChatStream, 50 at 20 ms, tokens a message",
    "Chat at 30 % load, ms p50",
    "Chat at 30 % load, ms p99",
    "ChatStream, 50 at 20 ms, ms p50, first token",
    "ChatStream, 50 at 20 ms, ms p99, first token",
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
    streams = {"stream": True, "stream_options": {"include_usage": True}} if model != CHAT else {}
    return orjson.dumps({"model": model, "messages": messages()} | streams | fields)


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
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    assert [row for row in ROWS if row not in done.stdout] == []
    (file,) = tmp_path.iterdir()
    found = json.loads(file.read_text())
    assert [row[0] for row in found["table"][1:]] == list(ROWS)
    assert [*found["scenarios"]] == [
        *("chat", "burst", "burst-mistral", "burst-responses", "paced", "paced-mistral", "light"),
        *("embed", "embed-packed", "embed-one"),
    ]
    assert found["access_lines"] >= found["calls"] > 0
    assert found["options"] == {"quick": True, "only": None}


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        *((HEAD, body(model)) for model in (CHAT, BURST, PACED)),
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
