"""The comparison with other gateways works, whichever of them are installed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace

import pytest
from bench.load import WrongAnswerError
from bench.measure import Window
from bench.payload import BURST, CHAT, STREAMED
from bench.peers.connections import Connections
from bench.peers.gateways import LITELLM, NOT_INSTALLABLE, PEERS, TOKENWIRE
from bench.peers.load import HttpJob, HttpLoad, streamed
from bench.peers.report import CPU_HEADS, cpu_rows, rows
from bench.peers.run import Findings, Plan, run
from bench.peers.servers import Server
from bench.peers.work import FULL, QUICK, Found, Work
from bench.processes import ROOT, BenchError, Cores
from bench.wire import stream

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

OPENING, TOKENS, END = stream("openai", BURST)
WORK = Work("chat", "Chat", "bench-chat", "call", rounds=2, seconds=1.0)
WINDOW = Window(2.0, 10, 0, 0, (), 0.002, 0.004, 0, 0, user=1.0, system=0.0, load=0, upstream=0, busy=1.0)


@asynccontextmanager
async def stand_in() -> AsyncIterator[Server]:
    """A process that answers as the provider would: the cheapest of all gateways."""
    pipe = asyncio.subprocess.PIPE
    env = os.environ | {"PYTHONPATH": "tests"}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.peers.upstream", "0", cwd=ROOT, env=env, stdin=pipe, stdout=pipe
    )
    assert child.stdin
    assert child.stdout
    try:
        port = json.loads(await child.stdout.readline())["port"]
        yield Server.parse(f"mirror=http://127.0.0.1:{port}/v1,{child.pid}")
    finally:
        child.stdin.close()
        await child.wait()


def job(server: Server, model: str, prefix: str = "") -> HttpJob:
    return HttpJob(
        target=server.target, provider="openai", model=model, completes=True, slots=4, rate=0.0, warm=0.1,
        seconds=0.3, server=server.pid, upstream=server.pid, cores=(0,), base=server.base, prefix=prefix,
        headers={"authorization": "Bearer sk-bench"},
    )  # fmt: skip


@linux
async def test_the_client_can_do_every_work() -> None:
    async with stand_in() as mirror:
        host, _, port = mirror.target.partition(":")
        with closing(Connections(host, int(port))) as connections:
            for work in FULL:
                window = await HttpLoad(job(mirror, work.model), connections).run()
                assert (window.failures, window.count(work.unit) > 0) == ((), True), work.title
            window = await HttpLoad(job(mirror, CHAT, "other/"), connections).run()
            assert window.calls == 0
            assert "HTTP 400" in window.failures[0]


@linux
async def test_gateways_are_measured_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "tests")
    works = [work for work in QUICK if work.model == CHAT]
    async with stand_in() as mirror:
        wrong = replace(mirror, name="wrong", title="Wrong", prefix="other/")
        findings = await run(Plan(works, (), (mirror, wrong)), lambda _: None)

    assert [*findings.titles] == [TOKENWIRE, "mirror", "wrong"]
    for found in findings.works.values():
        assert [*found.windows] == [TOKENWIRE, "mirror"]
    assert [*findings.works["light"].direct] == [TOKENWIRE, "mirror"]
    assert [note for note in findings.notes if "Wrong cannot do Chat, saturated: HTTP 400" in note]
    assert [row[1] for row in cpu_rows(findings)] == ["Tokenwire", "mirror"]
    assert [row[0] for row in rows(findings)] == ["Tokenwire", "mirror", "Wrong"]


def test_a_stream_is_taken_whole_only() -> None:
    assert streamed(OPENING + b"".join([*TOKENS, *END])) == STREAMED
    assert streamed(b"".join(TOKENS[:3] + END)) == STREAMED[:15]
    for cut in (b"", OPENING, b"".join([OPENING, *TOKENS, *END[:-1]])):
        with pytest.raises(WrongAnswerError, match="no end"):
            streamed(cut)
    with pytest.raises(WrongAnswerError, match="no finish reason"):
        streamed(b"".join([OPENING, *TOKENS, END[-1]]))


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("one=http://127.0.0.1:8080,7", Server("one", "one", 7, "127.0.0.1:8080", "", "")),
        ("one=http://localhost:80/v1/,7", Server("one", "one", 7, "localhost:80", "/v1", "")),
        ("a-b=http://h:1/v1,7,openai/", Server("a-b", "a-b", 7, "h:1", "/v1", "openai/")),
    ],
)
def test_a_gateway_is_named_in_one_word(text: str, server: Server) -> None:
    assert Server.parse(text) == server


@pytest.mark.parametrize(
    "text", ["", "one", "one=http://h:1/v1", "one=https://h:1/v1,7", "=http://h:1,7", "one=http://h:1,x"]
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not name="):
        Server.parse(text)


def test_budgets_are_judged_by_the_ratio() -> None:
    dear, cheap = replace(WINDOW, user=15.1), replace(WINDOW, user=14.9)
    for window, verdict in ((dear, "≥ 15 x: kept"), (cheap, "≥ 15 x: missed")):
        found = Found(WORK, {TOKENWIRE: [WINDOW] * 2, LITELLM: [window] * 2})
        findings = Findings(Cores((1,), (0,), (0,)), {TOKENWIRE: "T", LITELLM: "L"}, {WORK.name: found})
        ours, theirs = cpu_rows(findings)
        assert (ours[CPU_HEADS.index("budget")], theirs[CPU_HEADS.index("budget")]) == ("", verdict)
        assert ours[2] == "100000"


def test_latency_is_what_a_direct_call_does_not_take() -> None:
    direct = replace(WINDOW, latency_p50=0.001)
    found = Found(replace(WORK, latency="latency"), {LITELLM: [WINDOW]}, {LITELLM: [direct]})
    assert found.added_ms(LITELLM, "p50").median == pytest.approx(1.0)
    assert found.added_ms(LITELLM, "p99").median == 0


def test_what_is_not_installed_is_said() -> None:
    peer = replace(PEERS[0], metadata=".tools/none/METADATA")
    with pytest.raises(BenchError, match="LiteLLM is not installed"):
        peer.version()
    assert not {peer.title for peer in PEERS} & NOT_INSTALLABLE.keys()


async def test_a_broken_reply_is_an_error() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        connections = Connections("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(OSError, match="was closed"):
            await connections.ask(b"GET / HTTP/1.1\r\n\r\n", lambda _: None)
