"""`auth.mode = "token"` through a real channel: who gets in, who does not, and what is written down."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import grpc
import pytest
from google.protobuf.message import Message
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import generate_latest
from support.ask import ask
from support.gateway import SECONDS, Gateway, gateway_for, settings_for
from support.quiet import tasks
from support.status import Failure, collect, failure

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2, llm_service_pb2, models_pb2, tokens_pb2
from tokenwire.v1 import health_pb2 as our_health_pb2
from tokenwire_server import auth
from tokenwire_server.auth import Tokens, hash_of, stored
from tokenwire_server.rpc.authentication import Authentication
from tokenwire_server.settings import Auth, Server
from tokenwire_server.simulator import Script, Simulator

WEB, BATCH, NEW = (f"tw_canary-{name}-0123456789abcdef" for name in ("web", "batch", "new"))
SERVICE = "tokenwire.v1.LLMService"
REFUSED = ("UNAUTHENTICATED", "UNAUTHENTICATED")

Metadata = Sequence[tuple[str, str]]
Opener = Callable[..., AbstractAsyncContextManager[Gateway]]


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture
def guarded(simulator: Simulator) -> Opener:
    """Opens a gateway that asks for tokens: `web` and `batch` have one, unless the table says otherwise."""

    def opened(**table: object) -> AbstractAsyncContextManager[Gateway]:
        table = table or {"tokens": {"web": hash_of(WEB), "batch": hash_of(BATCH)}}
        auth_table = Auth.model_validate({"mode": "token", **table})
        return gateway_for(simulator, settings_for(simulator.url).model_copy(update={"auth": auth_table}))

    return opened


@pytest.fixture
async def gateway(guarded: Opener) -> AsyncIterator[Gateway]:
    async with guarded() as running:
        yield running


REQUESTS: dict[str, Message] = {
    "Chat": ask(),
    "ChatStream": ask(),
    "Embed": embed_pb2.EmbedRequest(),
    "CountTokens": tokens_pb2.CountTokensRequest(),
    "ListModels": models_pb2.ListModelsRequest(),
    "Health": our_health_pb2.HealthRequest(),
}


async def _call(gateway: Gateway, method: str, metadata: Metadata = ()) -> object:
    call = getattr(gateway.stub, method)(REQUESTS[method], metadata=metadata, timeout=SECONDS)
    return await (collect(call) if method == "ChatStream" else call)


async def _refused(gateway: Gateway, metadata: Metadata = (), method: str = "Chat") -> Failure:
    """The failure of a call, which must say that the caller is not known, and no more."""
    refused = await failure(_call(gateway, method, metadata))
    assert (refused.code, refused.reason) == REFUSED
    assert refused.info.domain == "tokenwire"
    assert not refused.info.metadata
    assert refused.request_id == refused.trailers["x-request-id"]
    return refused


async def _chats(gateway: Gateway, token: str) -> bool:
    """Whether a call with this token gets through."""
    call = gateway.stub.Chat(ask(), metadata=bearer(token), timeout=SECONDS)
    code = await call.code()
    assert code in {grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED}
    return code == grpc.StatusCode.OK


def test_every_method_of_the_service_is_tried() -> None:
    service = llm_service_pb2.DESCRIPTOR.services_by_name["LLMService"]
    assert [method.name for method in service.methods] == list(REQUESTS)


@pytest.mark.parametrize("method", [method for method in REQUESTS if method != "Health"])
async def test_no_method_answers_without_a_token(gateway: Gateway, method: str) -> None:
    await _refused(gateway, method=method)
    line = await gateway.lines.wait()
    assert (line["rpc"], line["code"], line["reason"], line["caller"]) == (method, *REFUSED, "")
    assert gateway.outcomes() == {(method, *REFUSED): 1}
    assert gateway.gauge() == 0
    assert gateway.server.in_flight() == 0
    assert not gateway.simulator.received


@pytest.mark.parametrize("method", REQUESTS)
async def test_every_method_is_reached_with_a_token(gateway: Gateway, method: str) -> None:
    with suppress(aio.AioRpcError):  # some have no behaviour yet, or miss a field
        await _call(gateway, method, bearer(WEB))
    line = await gateway.lines.wait()
    assert line["reason"] != "UNAUTHENTICATED"
    assert (line["rpc"], line["caller"]) == (method, "web")


async def test_callers_are_told_apart_in_lines_and_metrics(gateway: Gateway) -> None:
    for token in (WEB, BATCH, WEB):
        await _call(gateway, "Chat", bearer(token))
    await _call(gateway, "ChatStream", bearer(BATCH))
    await gateway.lines.wait(4)
    assert [line["caller"] for line in gateway.lines.access] == ["web", "batch", "web", "batch"]
    assert _callers(gateway) == {("Chat", "web"): 2, ("Chat", "batch"): 1, ("ChatStream", "batch"): 1}


def _callers(gateway: Gateway) -> dict[tuple[str, str], int]:
    samples = [sample for family in gateway.metrics.registry.collect() for sample in family.samples]
    return {
        (sample.labels["rpc"], sample.labels["caller"]): int(sample.value)
        for sample in samples
        if sample.name == "tokenwire_requests_total"
    }


async def test_callers_at_once_are_not_mixed_up(gateway: Gateway) -> None:
    names = ["web", "batch"] * 10
    calls = [
        gateway.stub.Chat(
            ask(), metadata=(*bearer({"web": WEB, "batch": BATCH}[name]), ("x-request-id", f"{name}-{i}"))
        )
        for i, name in enumerate(names)
    ]
    await asyncio.gather(*(call for call in calls))
    await gateway.lines.wait(len(names))
    assert all(line["request_id"].startswith(f"{line['caller']}-") for line in gateway.lines.access)


WRONG: dict[str, Metadata] = {
    "no header": (),
    "another token": bearer("tw_0123456789"),
    "one letter less": bearer(WEB[:-1]),
    "one letter more": bearer(WEB + "x"),
    "capitals": bearer(WEB.upper()),
    "its hash": bearer(hash_of(WEB)),
    "its digits": bearer(hash_of(WEB).removeprefix("sha256:")),
    "its name": bearer("web"),
    "nothing": (("authorization", ""),),
    "no scheme": (("authorization", WEB),),
    "no token": (("authorization", "Bearer"),),
    "no token after a space": (("authorization", "Bearer "),),
    "another scheme": (("authorization", f"Basic {WEB}"),),
    "two tokens in one": bearer(f"{WEB} {WEB}"),
    "a list": bearer(f"{WEB},{WEB}"),
    "in quotes": bearer(f'"{WEB}"'),
    "long": bearer("x" * 6000),
    "another header": (("x-api-key", WEB),),
    "twice": (*bearer(WEB), *bearer(WEB)),
    "a wrong one beside": (*bearer(WEB), *bearer("x")),
    "a wrong one before": (*bearer("x"), *bearer(WEB)),
}


@pytest.mark.parametrize("name", WRONG)
async def test_whatever_is_wrong_has_the_same_answer(gateway: Gateway, name: str) -> None:
    refused = await _refused(gateway, (*WRONG[name], ("x-request-id", "r-1")))
    text = "UNAUTHENTICATED: The call needs a valid token as metadata authorization. [r-1]"
    assert refused.message == text
    assert set(refused.trailers) == {"x-request-id", "x-tokenwire-overhead-us", "grpc-status-details-bin"}
    assert not gateway.simulator.received


@pytest.mark.parametrize("value", [f"bearer {WEB}", f"BEARER {WEB}", f"Bearer   {WEB}"])
async def test_the_scheme_is_written_in_any_way(gateway: Gateway, value: str) -> None:
    await _call(gateway, "Chat", (("authorization", value),))


async def test_a_refused_call_gets_no_hint_about_provider_keys_or_its_request(gateway: Gateway) -> None:
    key = (("x-tokenwire-provider-key", "sk-mine"),)
    assert (await failure(gateway.stub.Chat(ask(), metadata=key))).reason == "UNAUTHENTICATED"
    assert (await failure(gateway.stub.Chat(pb.ChatRequest()))).reason == "UNAUTHENTICATED"
    garbage = gateway.channel.unary_unary(f"/{SERVICE}/Chat", bytes, bytes)
    assert (await failure(garbage(b"\xff" * 100))).reason == "UNAUTHENTICATED"


async def test_the_request_of_a_refused_call_is_not_read(gateway: Gateway) -> None:
    """Whoever read it would say that it is too large."""
    data = b"x" * (Server().max_request_bytes + 1)
    large = gateway.channel.unary_unary(f"/{SERVICE}/Chat", bytes, bytes)
    assert (await failure(large(data, metadata=bearer(WEB), timeout=SECONDS))).reason == "REQUEST_TOO_LARGE"
    assert (await failure(large(data, timeout=SECONDS))).reason == "UNAUTHENTICATED"


async def test_unknown_methods_are_refused_too_and_counted_under_one_name(gateway: Gateway) -> None:
    for method in (f"/{SERVICE}/canary-Sing", "/x.Y/canary", "/grpc.health.v1.Health/Checks", "/a", "/"):
        call = gateway.channel.unary_unary(method, bytes, bytes)
        refused = await failure(call(b"", timeout=SECONDS))
        assert (refused.code, refused.reason) == REFUSED
        assert (await failure(call(b"", metadata=bearer(WEB)))).code == "UNIMPLEMENTED"
    await gateway.lines.wait(5)
    assert gateway.outcomes() == {("other", *REFUSED): 5}
    assert "canary" not in str(gateway.lines.all)


class Details(NamedTuple):
    """What an interceptor is told of a call."""

    method: str
    invocation_metadata: Sequence[tuple[str, str | bytes]] | None = None


@pytest.mark.parametrize(
    ("method", "caller"),
    [
        ("/grpc.health.v1.Health/Check", ""),
        ("/grpc.health.v1.Health/Watch", ""),
        ("grpc.health.v1.Health/Check", None),
        ("/grpc.health.v1.Health/Check/", None),
        ("/grpc.health.v1.Health//Check", None),
        ("/grpc.health.v1.Health/check", None),
        ("/grpc.health.v1.Health/Check?x=1", None),
        ("/grpc.health.v1.Health/%43heck", None),
        ("/grpc.health.v1.Health/", None),
        ("/tokenwire.v1.LLMService/Health", ""),
        ("/tokenwire.v1.LLMService/health", None),
        ("/tokenwire.v1.LLMService/Health/", None),
        ("tokenwire.v1.LLMService/Health", None),
        ("", None),
    ],
)
def test_only_the_exact_method_is_open(method: str, caller: str | None) -> None:
    authentication = Authentication(Tokens({}))
    assert authentication.caller(cast("grpc.HandlerCallDetails", Details(method))) == caller


def test_bytes_are_no_token() -> None:
    details = Details("/x", [("authorization", f"Bearer {WEB}".encode())])
    authentication = Authentication(Tokens(stored([("web", hash_of(WEB))])))
    assert authentication.caller(cast("grpc.HandlerCallDetails", details)) is None


# Health and reflection


@pytest.mark.parametrize("metadata", [(), bearer(WEB), bearer("wrong")], ids=["none", "good", "wrong"])
async def test_health_is_open(gateway: Gateway, metadata: Metadata) -> None:
    stub: Any = health_pb2_grpc.HealthStub(gateway.channel)  # its methods have no types
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    reply = await stub.Check(request, metadata=metadata, timeout=SECONDS)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(request, metadata=metadata, timeout=SECONDS)
    assert (await anext(aiter(watch))).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    await gateway.caught_up()
    assert not gateway.lines.access


def _reflected(gateway: Gateway, metadata: Metadata) -> Awaitable[list[Any]]:
    channel: Any = gateway.channel  # the stub's types know no aio
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    return collect(stub.ServerReflectionInfo(iter([request]), metadata=metadata, timeout=SECONDS))


async def test_reflection_needs_a_token(gateway: Gateway) -> None:
    refused = await failure(_reflected(gateway, ()))
    assert (refused.code, refused.reason) == REFUSED
    assert (await gateway.lines.wait())["rpc"] == "ServerReflectionInfo"
    (reply,) = await _reflected(gateway, bearer(WEB))
    assert SERVICE in {service.name for service in reply.list_services_response.service}


# The file


async def test_tokens_rotate_with_their_file(
    guarded: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(auth.TokenFile, "INTERVAL", 0.0)
    path = tmp_path / "tokens"
    path.write_text(f"web {hash_of(WEB)}\n")

    async def allowed(gateway: Gateway) -> list[bool]:
        return [await _chats(gateway, token) for token in (WEB, NEW)]

    async with guarded(tokens_file=str(path)) as running:
        assert await allowed(running) == [True, False]
        path.write_text(f"web {hash_of(WEB)}\nweb {hash_of(NEW)}\n")
        assert await allowed(running) == [True, True]
        path.write_text(f"web {hash_of(NEW)}\n")
        assert await allowed(running) == [False, True]
        path.write_text(f"web {NEW}\n")
        with caplog.at_level(logging.WARNING):
            assert await allowed(running) == [False, True]
            os.utime(path)
            assert await allowed(running) == [False, True]
        assert len(caplog.records) == 2, "once for each change"
        assert "canary" not in caplog.text
        path.unlink()
        assert await allowed(running) == [False, True]


async def test_a_stream_that_has_begun_outlives_its_token(
    guarded: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
) -> None:
    monkeypatch.setattr(auth.TokenFile, "INTERVAL", 0.0)
    path = tmp_path / "tokens"
    path.write_text(f"web {hash_of(WEB)}\n")
    async with guarded(tokens_file=str(path)) as gateway:
        simulator.script(Script(first_token_delay=0.3))
        stream = gateway.stub.ChatStream(ask(), metadata=bearer(WEB), timeout=SECONDS)
        await simulator.wait_received()
        path.write_text("")
        assert not await _chats(gateway, WEB)
        assert (await collect(stream))[-1].HasField("completed")


# Nothing leaks, nothing stays


async def test_a_token_is_seen_nowhere(gateway: Gateway) -> None:
    gateway.simulator.set_default(Script(error="server_error"))
    metadata = [bearer(WEB), *WRONG.values()]
    seen = [(await failure(_call(gateway, "Chat", given))).everything for given in metadata]
    await gateway.lines.wait(len(metadata))
    seen += [str(gateway.lines.all), generate_latest(gateway.metrics.registry).decode()]
    (request,) = gateway.simulator.received
    seen += [str(dict(request.headers)), str(request.raw)]
    for text in seen:
        assert "tw_" not in text
        assert hash_of(WEB)[7:] not in text


async def test_refused_calls_leave_nothing_behind(gateway: Gateway) -> None:
    await _call(gateway, "Chat", bearer(WEB))
    before = tasks()
    for _ in range(20):
        await _refused(gateway)
    await gateway.lines.wait(21)
    assert gateway.server.in_flight() == 0
    if left := tasks() - before:
        _, pending = await asyncio.wait(left, timeout=SECONDS)
        assert not pending, f"left behind: {pending}"


async def test_without_the_mode_nobody_is_asked_and_nobody_has_a_name(simulator: Simulator) -> None:
    async with gateway_for(simulator, settings_for(simulator.url)) as gateway:
        await _call(gateway, "Chat", bearer(WEB))
        assert (await gateway.lines.wait())["caller"] == ""
        assert _callers(gateway) == {("Chat", ""): 1}
