"""Where a client calls, and how: addresses, credentials and options of its channel."""

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from grpc import aio

DEFAULT_TARGET: Final = "127.0.0.1:50051"

_SERVICE: Final = "tokenwire.v1.LLMService"
_MIB: Final = 1024 * 1024

_RETRIES: Final[Mapping[str, object]] = {
    # The gateway tries providers again itself, and says so by its pushback: these attempts are for replicas
    # that stop and connections that break.
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

_OPTIONS: Final[Mapping[str, int]] = {
    "grpc.max_receive_message_length": 32 * _MIB,
    # A server that vanished is noticed within 40 s, also while a model thinks. It permits pings each 10 s.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.http2.ping_timeout_ms": 10_000,
    "grpc.http2.max_pings_without_data": 0,
    # One that comes back is found again within seconds: gRPC alone would wait for up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 5_000,
    # A proxy that is meant for the web would be asked for 127.0.0.1 too.
    "grpc.enable_http_proxy": 0,
}


@dataclass(frozen=True, slots=True)
class Tls:
    """Encrypts the connection, and with `certificate` and `key` shows who calls (mTLS). Each is a PEM file,
    or its bytes."""

    ca: Path | bytes | None = None
    """Who vouches for the server; None = the roots that gRPC brings along."""
    certificate: Path | bytes | None = None
    key: Path | bytes | None = None
    server_name: str = ""
    """The name in the server's certificate, where it is not the one that is called."""

    def credentials(self) -> grpc.ChannelCredentials:
        """Raises OSError for a file that cannot be read."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate and its key come together")
        return grpc.ssl_channel_credentials(_pem(self.ca), _pem(self.key), _pem(self.certificate))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """All that makes a channel."""

    target: str
    options: tuple[tuple[str, Any], ...]
    credentials: grpc.ChannelCredentials | None
    metadata: tuple[tuple[str, str], ...]
    """Goes with every call."""

    def open(self) -> grpc.Channel:
        """A channel that connects with the first call."""
        if self.credentials is None:
            return grpc.insecure_channel(self.target, options=self.options)
        return grpc.secure_channel(self.target, self.credentials, options=self.options)

    def open_async(self) -> aio.Channel:
        """The same for the running event loop."""
        if self.credentials is None:
            return aio.insecure_channel(self.target, options=self.options)
        return aio.secure_channel(self.target, self.credentials, options=self.options)


def endpoint(
    target: str | None, token: str | None, tls: Tls | None, options: Mapping[str, object] | None
) -> Endpoint:
    """What is not given comes from TOKENWIRE_TARGET and TOKENWIRE_TOKEN. `options` of the caller win."""
    named = target or os.environ.get("TOKENWIRE_TARGET", "") or DEFAULT_TARGET
    secret = os.environ.get("TOKENWIRE_TOKEN", "") if token is None else token
    if not secret.isprintable() or not secret.isascii():
        raise ValueError("a token is printable ASCII")
    resolved = _resolved(named)
    found: dict[str, object] = {**_OPTIONS, "grpc.service_config": _service_config(several="," in resolved)}
    if tls and tls.server_name:
        found["grpc.ssl_target_name_override"] = tls.server_name
    found |= options or {}
    return Endpoint(
        target=resolved,
        options=tuple(found.items()),
        credentials=tls.credentials() if tls else None,
        metadata=(("authorization", f"Bearer {secret}"),) if secret else (),
    )


def _service_config(*, several: bool) -> str:
    """Of several servers, those that say they do not serve get no calls, and a call waits for one that does:
    in a rolling restart none is lost. A single one is asked at once: its own error tells more."""
    health = {"healthCheckConfig": {"serviceName": _SERVICE}} if several else {}
    method = {"name": [{"service": _SERVICE}], "waitForReady": several, "retryPolicy": _RETRIES}
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [method],
        # After a run of failures no call is tried again until some succeed.
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
    }
    return json.dumps({**config, **health})


def _resolved(target: str) -> str:
    """gRPC's form of one address or several."""
    addresses = [address.strip() for address in target.split(",")]
    if not all(addresses):
        raise ValueError(f"the target {target!r} has an empty address")
    if len(addresses) == 1 or target.startswith(("ipv4:", "ipv6:")):
        return target.strip()
    versions = {_version(address) for address in addresses}
    if len(versions) > 1:
        raise ValueError("several addresses are all IPv4 or all IPv6")
    return f"ipv{versions.pop()}:{','.join(addresses)}"


def _version(address: str) -> int:
    host, colon, port = address.rpartition(":")
    try:
        if colon and port.isdecimal():
            return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).version
    except ValueError:
        pass
    raise ValueError(f"of several addresses each is IP:port, not {address!r}; names go by dns:///name:port")


def _pem(source: Path | bytes | None) -> bytes | None:
    return source.read_bytes() if isinstance(source, Path) else source
