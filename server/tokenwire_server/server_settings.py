"""The settings of the server itself: a model for each table but the providers' and the catalog's."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from tokenwire_server.settings_types import (
    DAY,
    MIB,
    Count,
    Plain,
    Seconds,
    Table,
    Temperature,
    TokenPath,
    Tokens,
    TokenTable,
    Unsupported,
    address,
    parsed,
    split_list,
)

__all__ = [
    "Alias", "AliasName", "Attempts", "Auth", "Defaults", "Metrics", "Models", "Server", "place",
]  # fmt: skip


def place(text: str) -> object:
    """What two listeners must not share; a free port (0) is never shared. ValueError for no address."""
    if not text.startswith("unix:"):
        host, port = address(text)
        return (host, port) if port else object()
    if not re.fullmatch(r"unix:/[^\x00-\x20]+", text):
        raise ValueError(f"{text!r} has no absolute path; write unix:/path")
    return text


def _listeners(listen: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[object] = set()
    for text in listen:
        found = place(text)
        if found in seen:
            raise ValueError(f"has {text} twice; remove one")
        seen.add(found)
    return listen


def _metrics_listener(text: str) -> str:
    if text == "off":
        return ""
    if text:
        address(text)
    return text


Listeners = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(split_list), AfterValidator(_listeners)
]


def _auto(value: object) -> object:
    return 0 if value == "auto" else value


def _shared(workers: int, info: ValidationInfo) -> int:
    unix = [text for text in info.data.get("listen", ()) if text.startswith("unix:")]
    if workers != 1 and unix:
        raise ValueError(
            f"asks for several processes, which cannot share {unix[0]}; set 1, or listen on ports"
        )
    return workers


Workers = Annotated[
    int,
    Field(ge=0, le=1024),
    BeforeValidator(_auto),
    AfterValidator(_shared),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1024}, {"const": "auto"}]}),
]
"""0 = as many as there are CPUs."""


class Server(Table):
    """The gRPC side. Sizes are checked per request."""

    listen: Listeners = Field(
        default=("127.0.0.1:50051",),
        description="`host:port`, `[v6]:port` or `unix:/path`; port 0 = a free one",
    )
    workers: Workers = Field(
        default=1,
        description="processes that share the ports; `auto` = one for each CPU. "
        "Limits of calls and connections are those of each process",
    )
    drain_seconds: float = Field(
        default=30.0, ge=0, le=DAY, description="grace for calls in flight when the server stops"
    )
    reflection: bool = Field(default=True, description="whether tools such as grpcurl may ask for the schema")
    max_request_bytes: Count = Field(default=32 * MIB, description="larger requests are refused")
    max_messages: Count = Field(default=4096, description="messages of a request")
    max_parts: Count = Field(default=1024, description="parts of a message")
    max_tools: Count = Field(default=512, description="tools of a request")
    max_metadata_pairs: Count = Field(default=16, description="pairs in the request's `metadata`")
    max_deadline_seconds: Seconds = Field(default=3600.0, description="the longest deadline a call may have")
    max_in_flight: Count = Field(default=1024, description="calls to providers at once; the next ones wait")
    max_queued: int = Field(
        default=1024, ge=0, lt=2**31, description="calls that may wait; beyond them OVERLOADED"
    )
    max_concurrent_streams: Count = Field(
        default=1024, description="calls at once on one connection; the caller's gRPC library holds back more"
    )
    max_connections: Count = Field(
        default=4096, description="connections of callers at once, for each listener; more are refused"
    )
    max_connection_age_seconds: float = Field(
        default=1800.0,
        ge=0,
        le=DAY,
        description="age (±10 %) at which callers are told to connect anew, to find other replicas; "
        "calls in flight go on. 0 = never",
    )
    slow_reader_seconds: Seconds = Field(
        default=60.0, description="how long a caller may leave a stream unread before it ends"
    )


class Auth(Table):
    """Who may call."""

    # None = nobody decided, which only loopback and unix listeners accept.
    mode: Literal["none", "token"] | None = Field(
        default=None,
        description="`none` = anyone who reaches the port may call; `token` = callers with a token. "
        "Must be set when a listener is not on loopback",
    )
    tokens: TokenTable = Field(
        default_factory=dict,
        description="a table of callers' names, each with the hash of its token or a list of them",
    )
    tokens_file: TokenPath | None = Field(
        default=None,
        description="the path of a file with more of them, one `NAME sha256:…` in each line; "
        "read again when it changes",
    )
    provider_keys: bool = Field(
        default=False,
        description="true = callers may send a provider key of their own as metadata "
        "`x-tokenwire-provider-key`; only where all listeners are on loopback or `unix:`, "
        "because keys cross the network unencrypted",
    )


class Metrics(Table):
    """Prometheus' side."""

    # "off" because an empty variable counts as unset.
    listen: Annotated[str, AfterValidator(_metrics_listener)] = Field(
        default="127.0.0.1:9464", description="Prometheus metrics; empty or `off` = none"
    )


class Defaults(Table):
    """What a call gets that does not say; a provider's own defaults come first."""

    model: Plain = Field(default="", description="model of calls that name none")
    unsupported_parameters: Unsupported = Field(
        default="drop_sampling",
        description="`reject`, `drop` or `drop_sampling`: "
        "what happens to a parameter that the model cannot take",
    )
    max_output_tokens: Tokens | None = Field(
        default=None, description="for calls that do not say; 0 = never sent by default"
    )
    temperature: Temperature | None = Field(default=None, description="for calls that do not say; 0 to 2")
    busy_flush_seconds: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="how long content of a stream may wait for more while the process is busy: not at all up "
        "to half of its time, so long from nine tenths on. A call's `stream_options.flush_interval` comes "
        "first; 0 = it never waits",
    )


class Attempts(Table):
    """How often a call is made that fails."""

    max_calls: int = Field(
        default=3, ge=1, le=10, description="calls of providers for one call of ours, fallbacks included"
    )
    max_wait_seconds: float = Field(
        default=5.0, ge=0, le=DAY, description="waiting between them, all together"
    )


class Models(Table):
    """ListModels."""

    ttl_seconds: Seconds = Field(
        default=300.0, description="age from which a provider's list of models is asked for anew"
    )


def _alias_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError("is no alias; use 1 to 64 of A-Z, a-z, 0-9, ., _ and -, first a letter or digit")
    return name


AliasName = Annotated[str, AfterValidator(_alias_name)]


class Alias(Table):
    """A name for several models, each of which may answer."""

    targets: Annotated[
        tuple[Annotated[Plain, Field(min_length=1)], ...],
        Field(min_length=1, max_length=8),
        BeforeValidator(split_list),
    ] = Field(description='models as "provider/model", in the order in which they are asked')
    weights: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], BeforeValidator(parsed)] = Field(
        default=(),
        description="one for each target: how often it is asked first; without them the first one always is",
    )

    hedge_after_seconds: Seconds | None = Field(
        default=None,
        description="a stream without content for so long is asked for once more, of the next target; "
        "the first to bring content answers, and both are paid",
    )

    @model_validator(mode="after")
    def _weighed(self) -> "Alias":
        if self.weights and len(self.weights) != len(self.targets):
            raise ValueError("has not as many weights as targets; write one for each")
        if self.weights and not any(self.weights):
            raise ValueError("has weights that are all 0; raise one")
        return self
