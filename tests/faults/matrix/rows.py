"""The fault matrix as data: what is injected, for which RPCs and APIs, and how the call must end.

The names of the faults (U1 … N5) are those of docs/reliability.md, which shows these rows as a table.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from typing import Any, Final, Literal, NamedTuple

from faults.matrix import upstreams
from support.gateway import KEY

from tokenwire_server.simulator import Script

Rpc = Literal["Chat", "ChatStream", "Embed"]
Upstream = Callable[[], AbstractAsyncContextManager[str]]
"""Something other than the simulator: gives a base URL."""


class Api(NamedTuple):
    """A wire format, by a model of a provider that speaks it; and its model for embeddings."""

    name: str
    model: str
    embeds: str = ""

    def __str__(self) -> str:
        return self.name


CHAT: Final = Api("openai chat", "openai/gpt-4o-mini", "openai/text-embedding-3-small")
RESPONSES: Final = Api("openai responses", "openai/gpt-5-mini")
MISTRAL: Final = Api("mistral", "mistral/mistral-small-latest", "mistral/mistral-embed")
APIS: Final = (CHAT, RESPONSES, MISTRAL)
CHAT_FORMS: Final = (CHAT, MISTRAL)

ALL: Final[Sequence[Rpc]] = ("Chat", "ChatStream", "Embed")
WHOLE: Final[Sequence[Rpc]] = ("Chat", "Embed")
"""Those whose answer comes at once."""
STREAM: Final[Sequence[Rpc]] = ("ChatStream",)

TEXT: Final = "canary-of-the-providers-text"
HTML: Final = f"<html><body>Sign in, {TEXT}, {KEY}</body></html>"
SHORT: Final = 0.3
"""Seconds of a limit that is the fault."""

SOON: Final = 0.1

OK: Final = "OK"
BAD: Final = "INTERNAL PROVIDER_BAD_RESPONSE"
GONE: Final = "UNAVAILABLE PROVIDER_UNAVAILABLE"
BUSY: Final = "UNAVAILABLE PROVIDER_OVERLOADED"
CUT: Final = "UNAVAILABLE STREAM_TRUNCATED"
LATE: Final = "UNAVAILABLE UPSTREAM_TIMEOUT"
NO_TOKEN: Final = "UNAVAILABLE FIRST_TOKEN_TIMEOUT"
SILENT: Final = "UNAVAILABLE STREAM_IDLE_TIMEOUT"
LIMITED: Final = "RESOURCE_EXHAUSTED PROVIDER_RATE_LIMITED"
LEFT: Final = "CANCELLED CANCELLED"
OVER: Final = "DEADLINE_EXCEEDED DEADLINE_EXCEEDED"
LARGE: Final = "RESOURCE_EXHAUSTED RESPONSE_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Row:
    """One fault and what it must come to, under the default policies."""

    id: str
    fault: str
    outcome: str
    """Status and reason."""
    calls: int
    """Upstream calls: no more, and no fewer."""
    script: Script = field(default_factory=Script)
    """Of the simulator; it serves `times` requests."""
    times: int = 0
    """0 = all of them."""
    upstream: Upstream | None = None
    """In the place of the simulator."""
    rpcs: Sequence[Rpc] = ALL
    apis: Sequence[Api] = APIS
    timeouts: Mapping[str, float] = field(default_factory=dict)
    provider: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    """The caller's."""
    leaves: float | None = None
    """The caller cancels so many seconds after its request has reached the provider."""
    retry_after: float | None = None
    """What the caller is told, in seconds."""
    inputs: int = 1
    """Texts of an Embed."""
    batches: int = 1
    """In how many requests they go out, each with as many `calls`; one that fails ends the others."""

    def cells(self) -> Iterator["Cell"]:
        for rpc in self.rpcs:
            for api in self.apis:
                if rpc != "Embed" or api.embeds:
                    yield Cell(self, rpc, api)


class Cell(NamedTuple):
    """A row for one RPC and one API."""

    row: Row
    rpc: Rpc
    api: Api

    @property
    def model(self) -> str:
        return self.api.embeds if self.rpc == "Embed" else self.api.model

    def __str__(self) -> str:
        return f"{self.row.id}-{self.row.fault}-{self.rpc}-{self.api.name}"


FIRST: Final = {"first_token": SHORT, "reasoning_first_token": SHORT}
IDLE: Final = {"idle": SHORT, "reasoning_idle": SHORT}
TOTAL: Final = {"total": SHORT}
EVENTS: Final = "text/event-stream"


def _limited(says: str, calls: int, told: float, **headers: str) -> Row:
    """A 429 with these headers, and none of the others that say when to come back."""
    names = ("retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    script = Script(error="rate_limit", headers={**dict.fromkeys(names), **given})
    return Row("U14", f"429, {says}", LIMITED, calls, script, retry_after=told)


def _paced(**fault: Any) -> Script:
    """A stream slow enough for its content to arrive before what breaks it."""
    return Script(tokens=200, gap=0.001, **fault)


SCRIPTED: Final = (
    Row("U1", "no answer", LATE, 1, Script(hang=True), rpcs=WHOLE, timeouts=TOTAL),
    Row("U1", "no answer", NO_TOKEN, 1, Script(hang=True), rpcs=STREAM, timeouts=FIRST),
    Row("U1", "headers too late", LATE, 1, Script(headers_delay=60), rpcs=WHOLE, timeouts=TOTAL),
    Row("U1", "headers late, in time", OK, 1, Script(headers_delay=SHORT)),
    Row("U2", "headers, then nothing", LATE, 1, Script(first_token_delay=60), rpcs=WHOLE, timeouts=TOTAL),
    Row("U2", "no first token", NO_TOKEN, 1, Script(first_token_delay=60), rpcs=STREAM, timeouts=FIRST),
    Row("U3", "silence within a stream", SILENT, 1, Script(after=2, comments=60), rpcs=STREAM, timeouts=IDLE),
    Row(
        "U3", "silence within a body", LATE, 1, Script(cut_at_byte=40, how="stall"),
        rpcs=WHOLE, timeouts=TOTAL,
    ),
    Row(
        "U4", "comments, no content", NO_TOKEN, 1, Script(after=0, comments=0.02),
        rpcs=STREAM, timeouts=FIRST,
    ),
    Row(
        "U4", "comments after content", SILENT, 1, Script(after=2, comments=0.02),
        rpcs=STREAM, timeouts=IDLE,
    ),
    Row("U5", "reset after the headers", CUT, 3, Script(cut_at_byte=0, how="rst")),
    Row("U5", "reset within the body", CUT, 3, Script(cut_at_byte=40, how="rst"), rpcs=WHOLE),
    Row("U5", "reset after content", CUT, 1, _paced(cut_at_byte=15_001, how="rst"), rpcs=STREAM),
    Row("U5", "reset once", OK, 2, Script(cut_at_byte=0, how="rst"), times=1),
    Row("U6", "end after the headers", CUT, 3, Script(cut_at_byte=0)),
    Row("U6", "end within the body", CUT, 3, Script(cut_at_byte=41), rpcs=WHOLE),
    Row("U6", "end within an event", CUT, 1, _paced(cut_at_byte=15_001), rpcs=STREAM),
    Row("U7", "no finish reason", CUT, 1, _paced(no_finish=True), rpcs=STREAM),
    Row("U7", "no event", CUT, 3, Script(raw="", content_type=EVENTS), rpcs=STREAM),
    Row("U7", "comments alone", CUT, 3, Script(raw=": hi\n\n: ho\n\n", content_type=EVENTS), rpcs=STREAM),
    Row(
        "U7", "[DONE] alone", CUT, 3, Script(raw="data: [DONE]\n\n", content_type=EVENTS),
        rpcs=STREAM, apis=CHAT_FORMS,
    ),
    Row("U8", "a body that does not end after its last event", OK, 1, Script(linger=60), rpcs=STREAM),
    Row("U8", "a body that does not end", LATE, 1, Script(linger=60), rpcs=WHOLE, timeouts=TOTAL),
    Row("U9", "no UTF-8 where a message should be", BAD, 1, Script(bad_utf8=True, after=0)),
    Row("U10", "no JSON, from the beginning", BAD, 1, Script(bad_json_event=True, after=0)),
    Row("U10", "no JSON, after content", BAD, 1, _paced(bad_json_event=True, after=9), rpcs=STREAM),
    Row("U11", "a list", BAD, 1, Script(wrong_shape="list", after=0)),
    Row("U11", "a list, after content", BAD, 1, _paced(wrong_shape="list", after=9), rpcs=STREAM),
    Row("U11", "choices: null", BAD, 1, Script(wrong_shape="null_choices", after=0)),
    Row(
        "U11", "a choice without its content", BAD, 1, Script(wrong_shape="no_delta", after=0),
        apis=CHAT_FORMS,
    ),
    Row("U11", "JSON null", BAD, 1, Script(raw="null", content_type="application/json"), rpcs=WHOLE),
    Row("U11", "an empty object", BAD, 1, Script(raw="{}", content_type="application/json"), rpcs=WHOLE),
    Row("U11", "an empty body", BAD, 1, Script(raw="", content_type="application/json"), rpcs=WHOLE),
    Row(
        "U12", "an error event, no content", GONE, 3, Script(after=0, error_event="server_error"),
        rpcs=STREAM,
    ),
    Row(
        "U12", "an error event after content", GONE, 1, _paced(after=9, error_event="server_error"),
        rpcs=STREAM,
    ),
    Row("U12", "a limit as an event", LIMITED, 1, _paced(after=9, error_event="rate_limit"), rpcs=STREAM),
    Row("U13", "200 with HTML", BAD, 1, Script(raw=HTML)),
    Row("U13", "200 with HTML said to be JSON", BAD, 1, Script(raw=HTML, content_type="application/json")),
    _limited("nothing said", 3, 5.0),
    _limited("retry-after 0.1", 3, 0.1, retry_after="0.1"),
    _limited("retry-after 0", 3, 0.0, retry_after="0"),
    _limited("retry-after-ms 100", 3, 0.1, retry_after_ms="100", retry_after="86400"),
    _limited("a past date", 3, 0.0, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),
    _limited("a date in 20 hours", 1, 72_000.0, retry_after=formatdate(time() + 72_000, usegmt=True)),
    _limited("retry-after 86400", 1, 86_400.0, retry_after="86400"),
    _limited("retry-after nan", 3, 5.0, retry_after="nan"),
    _limited("retry-after -3", 3, 5.0, retry_after="-3"),
    _limited("retry-after soon", 3, 5.0, retry_after="soon"),
    _limited("tokens back in 100ms", 3, 0.1, x_ratelimit_reset_tokens="100ms"),
    _limited("tokens back in 0.1", 3, 0.1, x_ratelimit_reset_tokens="0.1"),
    _limited("requests back in 6m0s", 1, 360.0, x_ratelimit_reset_requests="6m0s"),
    Row(
        "U14", "429 once, retry-after 0.1", OK, 2,
        Script(error="rate_limit", headers={"retry-after": "0.1"}), times=1,
    ),
    Row(
        "U14", "429, retry-after past the deadline", LIMITED, 1,
        Script(error="rate_limit", headers={"retry-after": "4"}), deadline=3.0, retry_after=4.0,
    ),
    Row("U15", "500", GONE, 3, Script(status=500, raw=HTML)),
    Row("U15", "502", GONE, 3, Script(status=502, raw=HTML)),
    Row("U15", "503", BUSY, 3, Script(status=503)),
    Row("U15", "503 twice", OK, 3, Script(status=503), times=2),
    Row("U15", "504", GONE, 3, Script(status=504, raw=HTML)),
    Row(
        "U15", "503 for every batch", BUSY, 3, Script(status=503), rpcs=("Embed",),
        provider={"max_response_bytes": 131_072}, inputs=6, batches=3,
    ),
    Row("U16", "401", "FAILED_PRECONDITION PROVIDER_CREDENTIALS_INVALID", 1, Script(status=401)),
    Row("U16", "403", "PERMISSION_DENIED PROVIDER_PERMISSION_DENIED", 1, Script(status=403)),
    Row("U17", "no such model", "NOT_FOUND MODEL_NOT_FOUND", 1, Script(error="model_not_found")),
    Row("U17", "too long", "INVALID_ARGUMENT CONTEXT_LENGTH_EXCEEDED", 1, Script(error="context_length")),
    Row("U17", "a bad request", "INVALID_ARGUMENT INVALID_REQUEST", 1, Script(error="bad_request")),
    Row(
        "U17", "blocked content", "INVALID_ARGUMENT CONTENT_BLOCKED", 1, Script(error="content_policy"),
        apis=(CHAT, RESPONSES),
    ),
    Row("U17", "413", "INVALID_ARGUMENT REQUEST_TOO_LARGE", 1, Script(status=413, raw=HTML)),
    Row("U17", "408", LATE, 1, Script(status=408, raw=HTML)),
    Row("U17", "409", "ABORTED CONFLICT", 1, Script(status=409, raw=HTML)),
    Row(
        "U17", "a status that nobody knows", "INVALID_ARGUMENT INVALID_REQUEST", 1,
        Script(status=499, raw=HTML),
    ),
    Row(
        "U19", "a body over its cap", LARGE, 1, Script(tokens=2000), rpcs=("Chat",),
        provider={"max_response_bytes": 2000},
    ),
    Row(
        "U19", "a stream over its cap", LARGE, 1, _paced(), rpcs=STREAM,
        provider={"max_response_bytes": 15_000},
    ),
    Row(
        "U19", "an event over its cap", LARGE, 1, Script(raw="data: " + "x" * 50_000, content_type=EVENTS),
        rpcs=STREAM, provider={"max_event_bytes": 10_000},
    ),
    Row(
        "U19", "an error's body without end", "INVALID_ARGUMENT INVALID_REQUEST", 1,
        Script(status=400, raw='{"error":{"message":"' + "x" * 2_000_000),
    ),
    Row("C1", "the caller leaves before the headers", LEFT, 1, Script(hang=True), leaves=0),
    Row(
        "C1", "the caller leaves between headers and body", LEFT, 1, Script(first_token_delay=60),
        leaves=SOON,
    ),
    Row("C1", "the caller leaves within a body", LEFT, 1, Script(cut_at_byte=40, how="stall"), leaves=SOON),
    Row("C1", "the caller leaves a stream", LEFT, 1, Script(after=2, comments=60), rpcs=STREAM, leaves=SOON),
    Row(
        "C1", "the caller leaves between two attempts", LEFT, 1,
        Script(status=503, headers={"retry-after": "4"}), leaves=SOON,
    ),
    Row("C2", "a caller's deadline, no answer", OVER, 1, Script(hang=True), deadline=1.0),
    Row(
        "C2", "a caller's deadline within a body", OVER, 1, Script(cut_at_byte=40, how="stall"),
        deadline=1.0,
    ),
    Row(
        "C2", "a caller's deadline within a stream", OVER, 1, Script(after=2, comments=60),
        rpcs=STREAM, deadline=1.0,
    ),
)  # fmt: skip

NETWORK: Final = (
    Row("U13", "not HTTP", BAD, 1, upstream=upstreams.not_http),
    Row("U18", "connection refused", GONE, 3, upstream=upstreams.refusing),
    Row("U18", "connection not taken", "UNAVAILABLE CONNECT_TIMEOUT", 3, upstream=upstreams.blackhole,
        timeouts={"connect": SHORT}),
    Row("U18", "name not found", GONE, 3, upstream=upstreams.unknown_name),
    Row("U18", "name server silent", "UNAVAILABLE CONNECT_TIMEOUT", 3, upstream=upstreams.silent_name_server,
        timeouts={"connect": SHORT}),
    Row("U18", "reset before the answer", GONE, 3, upstream=upstreams.resetting),
    Row("U18", "end before the answer", GONE, 3, upstream=upstreams.ending),
    Row("U19", "a body that unpacks to a gigabyte", LARGE, 1, upstream=upstreams.gzip_body, rpcs=WHOLE),
    Row("U19", "a stream that unpacks to a gigabyte", LARGE, 1, upstream=upstreams.gzip_stream, rpcs=STREAM),
    Row("U20", "a redirect", BAD, 1, upstream=upstreams.redirecting),
    Row("U21", "an expired certificate", GONE, 1, upstream=upstreams.expired),
    Row("U21", "a certificate for another name", GONE, 1, upstream=upstreams.other_name),
    Row("U21", "a certificate of nobody known", GONE, 1, upstream=upstreams.untrusted),
    Row("U21", "no TLS", GONE, 3, upstream=upstreams.no_tls),
    Row("U21", "a handshake that stalls", "UNAVAILABLE CONNECT_TIMEOUT", 3, upstream=upstreams.tls_stall,
        timeouts={"connect": SHORT}),
    Row("U21", "a good certificate", OK, 1, upstream=upstreams.trusted, rpcs=("Chat",), apis=(CHAT,)),
)  # fmt: skip

ROWS: Final = (*SCRIPTED, *NETWORK)
