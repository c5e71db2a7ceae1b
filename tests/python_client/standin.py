"""A server that says what it is told: for what a whole gateway does not do on demand."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, cast

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health  # type: ignore[attr-defined] # the stubs lack it

from tokenwire import message
from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import llm_service_pb2_grpc

SERVICE = "tokenwire.v1.LLMService"


@dataclass(frozen=True)
class Failure:
    """A status, with the pushback that a server may send."""

    code: grpc.StatusCode
    pushback: int | None = None


@dataclass
class Standin:
    """Answers with its name; fails as often as it is told to."""

    name: str = "standin"
    failures: list[Failure] = field(default_factory=list)
    events: Sequence[pb.ChatStreamResponse] = ()
    calls: list[float] = field(default_factory=list)
    """When each came, in seconds."""
    identities: list[str] = field(default_factory=list)
    """The name in the certificate of each caller."""
    health: Any = field(default_factory=health.HealthServicer)

    async def Chat(self, request: pb.ChatRequest, context: Any) -> pb.ChatResponse:  # noqa: N802 (gRPC's)
        await self._begun(context)
        return pb.ChatResponse(choices=[pb.Choice(message=message("assistant", self.name))])

    async def ChatStream(  # noqa: N802 (gRPC's)
        self, request: pb.ChatRequest, context: Any
    ) -> AsyncIterator[pb.ChatStreamResponse]:
        await self._begun(context)
        for event in self.events:
            yield event

    async def _not_here(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    Embed = CountTokens = ListModels = Health = _not_here

    async def _begun(self, context: Any) -> None:
        self.calls.append(monotonic())
        self.identities += [name.decode() for name in context.auth_context().get("x509_common_name", ())]
        if self.failures:
            failure = self.failures.pop(0)
            pushback = failure.pushback
            trailers = () if pushback is None else (("grpc-retry-pushback-ms", str(pushback)),)
            await context.abort(failure.code, "as told", trailers)


@asynccontextmanager
async def serving(
    standin: Standin, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[str]:
    """Its address, or for a unix socket what was given."""
    server = aio.server(options=(("grpc.so_reuseport", 0),))
    llm_service_pb2_grpc.add_LLMServiceServicer_to_server(cast("Any", standin), server)
    await standin.health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(standin.health, server)
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    await server.start()
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@dataclass(frozen=True)
class Certificates:
    """Files of one authority: its own, a server's and a caller's."""

    place: Path

    @property
    def ca(self) -> Path:
        return self.place / "ca.pem"

    def certificate(self, name: str) -> Path:
        return self.place / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.place / f"{name}.key"

    def for_server(self, *, callers: bool) -> grpc.ServerCredentials:
        pair = (self.key("server").read_bytes(), self.certificate("server").read_bytes())
        return grpc.ssl_server_credentials([pair], self.ca.read_bytes() if callers else None, callers)


def certificates(place: Path) -> Certificates:
    """Made by openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, which makes the certificates")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

    def run(*arguments: str) -> None:
        subprocess.run((openssl, *arguments), cwd=place, check=True, capture_output=True)  # noqa: S603 (a command of ours)

    run("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2")
    for name, subject in (("server", "DNS:gateway.test"), ("caller", "DNS:caller.test")):
        (place / f"{name}.ext").write_text(f"subjectAltName={subject}")
        run("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-extfile", f"{name}.ext", "-days", "2")  # fmt: skip
    return Certificates(place)
