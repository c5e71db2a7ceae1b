"""The services beside LLMService."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Opener
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support.gateway import SECONDS, Gateway
from support.process import forking
from support.status import failure

SERVICE = "tokenwire.v1.LLMService"
SERVING = health_pb2.HealthCheckResponse.SERVING


def _health(gateway: Gateway) -> Any:
    return health_pb2_grpc.HealthStub(gateway.channel)  # its methods have no types


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_serves_the_whole_and_the_service(gateway: Gateway, service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    reply = await _health(gateway).Check(request, timeout=SECONDS)
    assert reply.status == SERVING
    watch = _health(gateway).Watch(request, timeout=SECONDS)
    assert (await anext(aiter(watch))).status == SERVING
    watch.cancel()


async def test_health_does_not_know_other_services(gateway: Gateway) -> None:
    refused = await failure(_health(gateway).Check(health_pb2.HealthCheckRequest(service="x.Y")))
    assert refused.code == "NOT_FOUND"


async def test_health_calls_leave_no_access_line(gateway: Gateway) -> None:
    await _health(gateway).Check(health_pb2.HealthCheckRequest())
    await gateway.works()
    await gateway.lines.wait()
    assert [line["rpc"] for line in gateway.lines.access] == ["Chat"]


async def test_a_method_that_nobody_knows_is_unimplemented(gateway: Gateway) -> None:
    call = gateway.channel.unary_unary(f"/{SERVICE}/Sing", bytes, bytes)
    refused = await failure(call(b""))
    assert refused.code == "UNIMPLEMENTED"
    assert await _idle(gateway)


async def _idle(gateway: Gateway) -> bool:
    await gateway.works()
    return gateway.server.in_flight() == 0


async def _reflected(
    gateway: Gateway, *requests: reflection_pb2.ServerReflectionRequest
) -> list[reflection_pb2.ServerReflectionResponse]:
    channel: Any = gateway.channel  # the stub's types know no aio
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    return [reply async for reply in stub.ServerReflectionInfo(iter(requests), timeout=SECONDS)]


async def test_reflection_lists_and_describes_the_service(gateway: Gateway) -> None:
    listed, described = await _reflected(
        gateway,
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    )
    names = {service.name for service in listed.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names
    files = [
        FileDescriptorProto.FromString(raw)
        for raw in described.file_descriptor_response.file_descriptor_proto
    ]
    (service,) = (service for file in files for service in file.service)
    assert service.name == "LLMService"
    assert [method.name for method in service.method] == [
        "Chat", "ChatStream", "Embed", "CountTokens", "ListModels", "Health"
    ]  # fmt: skip


async def test_reflection_can_be_turned_off(open_gateway: Opener) -> None:
    async with open_gateway(server={"reflection": False}) as gateway:
        refused = await failure(_reflected(gateway, reflection_pb2.ServerReflectionRequest(list_services="")))
        assert refused.code == "UNIMPLEMENTED"


def _grpcurl() -> str:
    tools = Path(__file__).parents[2] / ".tools" / "bin"
    found = shutil.which("grpcurl", path=f"{tools}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip("grpcurl is neither on PATH nor in .tools/bin")
    return found


async def _run(*command: str) -> tuple[int, str]:
    with forking():
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    async with asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list",), SERVICE),
        (("describe", SERVICE), "rpc ChatStream ( .tokenwire.v1.ChatRequest ) returns ( stream"),
        (("describe", "tokenwire.v1.ChatRequest"), "google.protobuf.Struct provider_options = 11;"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_grpcurl_finds_its_way(gateway: Gateway, arguments: Sequence[str], expected: str) -> None:
    code, output = await _run(_grpcurl(), "-plaintext", gateway.address, *arguments)
    assert code == 0, output
    assert expected in output


async def test_grpcurl_chats(gateway: Gateway) -> None:
    payload = '{"messages":[{"role":"ROLE_USER","text":"[sim:echo] Salut !"}]}'
    command = (_grpcurl(), "-plaintext", "-d", payload, gateway.address, f"{SERVICE}/ChatStream")
    code, output = await _run(*command)
    assert code == 0, output
    assert '"text": "Salut !"' in output
    assert '"completed"' in output


@pytest.mark.parametrize("method", ["Chat", "ChatStream"])
async def test_grpcurl_shows_reason_field_and_request_id_of_bad_input(gateway: Gateway, method: str) -> None:
    payload = '{"messages":[{"role":"ROLE_USER","text":"Hello"}],"config":{"temperature":9}}'
    options = ("-plaintext", "-format-error", "-H", "x-request-id: mine-1", "-d", payload)
    code, output = await _run(_grpcurl(), *options, gateway.address, f"{SERVICE}/{method}")
    assert code != 0
    assert '"reason": "INVALID_REQUEST"' in output
    assert '"field": "config.temperature"' in output
    assert '"request_id": "mine-1"' in output
    assert "(config.temperature) [mine-1]" in output
