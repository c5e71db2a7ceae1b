"""How the real process starts, and when it refuses to."""

import asyncio
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from grpc import aio
from support.ask import ask
from support.gateway import CHANNEL, KEY, SECONDS
from support.process import free, page_of, refused, serve, spawn
from support.status import collect, failure

from tokenwire.v1.llm_service_pb2_grpc import LLMServiceStub
from tokenwire_server.simulator import Script, Simulator

CANARY = "canary-of-the-prompt"
OPENAI = {"OPENAI_API_KEY": KEY, "TOKENWIRE_METRICS__LISTEN": "off"}


@contextmanager
def _taken() -> Iterator[str]:
    """An address that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def _assert_one_message(code: int, shown: str, *parts: str) -> None:
    assert code == 2
    assert shown.startswith("error: ")
    for part in parts:
        assert part in shown
    assert "Traceback" not in shown
    assert "grpc" not in shown.lower()
    assert ".cc:" not in shown, "gRPC's own lines are noise"
    assert KEY not in shown


async def test_a_second_server_on_its_port_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    async with serve(tmp_path, simulator.url) as running:
        environ = OPENAI | {"TOKENWIRE_SERVER__LISTEN": running.address}
        (tmp_path / "second").mkdir()
        code, shown = await refused(tmp_path / "second", "serve", environ=environ)
        _assert_one_message(code, shown, "server.listen", running.address)
        assert shown.count("\n") == 1
        async with aio.insecure_channel(running.address, options=CHANNEL) as channel:
            assert (await LLMServiceStub(channel).Chat(ask(), timeout=SECONDS)).choices


async def test_a_taken_metrics_port_is_refused(tmp_path: Path) -> None:
    with _taken() as address:
        environ = OPENAI | {"TOKENWIRE_SERVER__LISTEN": "127.0.0.1:0", "TOKENWIRE_METRICS__LISTEN": address}
        code, shown = await refused(tmp_path, "serve", environ=environ)
        _assert_one_message(code, shown, "metrics.listen", address)
        assert shown.count("\n") == 1


async def test_other_machines_are_not_let_in_by_oversight(tmp_path: Path) -> None:
    environ = OPENAI | {"TOKENWIRE_SERVER__LISTEN": "0.0.0.0:0"}
    code, shown = await refused(tmp_path, "serve", environ=environ)
    _assert_one_message(code, shown, "TOKENWIRE_SERVER__LISTEN", "auth.mode")


async def test_a_dotenv_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    code, shown = await refused(tmp_path, "serve", environ=OPENAI)
    _assert_one_message(code, shown, ".env", "is a directory")


async def test_without_a_provider_it_says_what_to_set(tmp_path: Path) -> None:
    code, shown = await refused(tmp_path, "serve")
    _assert_one_message(code, shown, "OPENAI_API_KEY")


async def test_the_demo_shows_a_sample_and_answers(tmp_path: Path) -> None:
    environ = {"TOKENWIRE_SERVER__LISTEN": "127.0.0.1:0", "TOKENWIRE_METRICS__LISTEN": "off"}
    running = await spawn(tmp_path, "serve", "--demo", environ=environ, production=False)
    stdout = running.process.stdout
    assert stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            shown = (await stdout.readuntil(b"Ctrl-C stops.\n")).decode()
        assert "> Explique la photosynthèse" in shown
        assert "This is the Tokenwire simulator" in shown
        (grpcurl,) = (line.strip() for line in shown.splitlines() if line.strip().startswith("grpcurl"))
        address = grpcurl.split()[-2]
        async with aio.insecure_channel(address, options=CHANNEL) as channel:
            events = await collect(LLMServiceStub(channel).ChatStream(ask(), timeout=SECONDS))
        assert events[-1].HasField("completed")
        running.process.terminate()
        assert await running.end() == 0
    finally:
        if running.process.returncode is None:
            running.process.kill()
            await running.end()


@pytest.mark.parametrize("kind", ["openai", "mistral"])
async def test_with_a_key_the_demo_is_the_provider_and_spends_nothing_by_itself(
    simulator: Simulator, tmp_path: Path, kind: str
) -> None:
    environ = {
        f"{kind.upper()}_API_KEY": KEY,
        f"{kind.upper()}_BASE_URL": simulator.urls[kind],
        "TOKENWIRE_SERVER__LISTEN": "127.0.0.1:0",
        "TOKENWIRE_METRICS__LISTEN": "off",
    }
    model = {"openai": "openai/gpt-4o-mini", "mistral": "mistral/mistral-small-latest"}[kind]
    running = await spawn(tmp_path, "serve", "--demo", environ=environ)
    try:
        (address,) = (await running.line("serving"))["listen"]
        assert not simulator.received
        async with aio.insecure_channel(address, options=CHANNEL) as channel:
            reply = await LLMServiceStub(channel).Chat(ask(model=model), timeout=SECONDS)
        assert reply.provider == kind
        (received,) = simulator.received
        assert received.headers["authorization"] == f"Bearer {KEY}"
        running.process.terminate()
        assert await running.end() == 0
    finally:
        if running.process.returncode is None:
            running.process.kill()
            await running.end()


async def test_the_environment_of_sdks_does_not_leak(simulator: Simulator, tmp_path: Path) -> None:
    elsewhere = f"http://{free()}/v1"
    ambient = {
        "OPENAI_API_KEY": "sk-ambient-leak",
        "OPENAI_BASE_URL": elsewhere,
        "OPENAI_CUSTOM_HEADERS": "x-leak: leak",
        "OPENAI_ORG_ID": "org-leak",
        "OPENAI_PROJECT_ID": "proj-leak",
        "HTTP_PROXY": elsewhere,
        "http_proxy": elsewhere,
        "ALL_PROXY": elsewhere,
    }
    async with (
        serve(tmp_path, simulator.url, environ=ambient) as running,
        aio.insecure_channel(running.address, options=CHANNEL) as channel,
    ):
        await LLMServiceStub(channel).Chat(ask(), timeout=SECONDS)
    (received,) = simulator.received
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert "leak" not in str(dict(received.headers))
    assert set(received.headers) == {
        "host", "accept", "accept-encoding", "authorization", "content-length", "content-type", "user-agent"
    }  # fmt: skip


async def test_neither_key_nor_prompt_is_logged_or_counted(simulator: Simulator, tmp_path: Path) -> None:
    metrics = free()
    echo: dict[str, object] = {
        "error": {"message": f"{KEY} {CANARY}", "type": CANARY + "!", "code": "nothing"}
    }
    scripts = (
        Script(),
        Script(times=3, status=500, error=echo),
        Script(raw=CANARY),
        Script(times=3, cut_at_byte=5, how="rst"),
    )
    simulator.script(*scripts)
    async with serve(tmp_path, simulator.url, metrics=metrics) as running:
        async with aio.insecure_channel(running.address, options=CHANNEL) as channel:
            stub = LLMServiceStub(channel)
            await stub.Chat(ask(CANARY))
            seen = [(await failure(stub.Chat(ask(CANARY)))).everything for _ in scripts[1:]]
            odd = ask(CANARY, model=f"openai/{CANARY}", end_user_id=CANARY)
            seen.append((await failure(stub.Chat(odd))).everything.replace(f"openai/{CANARY}", ""))
        page = await asyncio.to_thread(page_of, metrics)
        running.process.terminate()
        assert await running.end() == 0
    assert 'tokenwire_requests_total{caller="",code="OK"' in page
    assert 'tokenwire_in_flight{rpc="Chat"} 0.0' in page
    logged = "".join(line for line in running.lines if f'"model":"{CANARY}"' not in line)
    assert len(running.lines) == 10, "two of them: the provider fails, and is back"
    for text in (page, logged, *seen[:-1]):
        assert CANARY not in text
        assert KEY not in text
    assert KEY not in "".join([*seen, *running.lines])


@pytest.mark.parametrize("listen", ["unix:{place}/t.sock"])
async def test_a_unix_listener_needs_no_port(simulator: Simulator, tmp_path: Path, listen: str) -> None:
    address = listen.format(place=tmp_path)
    environ = {"TOKENWIRE_SERVER__LISTEN": address}
    async with serve(tmp_path, simulator.url, environ=environ) as running:
        assert running.address == address
        async with aio.insecure_channel(address, options=CHANNEL) as channel:
            assert (await LLMServiceStub(channel).Chat(ask(), timeout=SECONDS)).choices


async def test_it_may_open_as_many_files_as_it_is_allowed_to(simulator: Simulator, tmp_path: Path) -> None:
    """The soft limit of most systems is for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard))
    try:
        async with serve(tmp_path, simulator.url) as running:
            assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_it_says_when_connections_may_want_for_files(simulator: Simulator, tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    environ = {"TOKENWIRE_SERVER__MAX_CONNECTIONS": str(hard), "TOKENWIRE_SERVER__MAX_IN_FLIGHT": "100"}
    async with serve(tmp_path, simulator.url, environ=environ) as running:
        (line,) = (json.loads(line) for line in running.lines if "open_files" in line)
    assert (line["level"], line["limit"], line["needed"]) == ("warning", hard, hard + 100 + 64)
