"""What calls tell of a provider, and what follows for the server."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
import structlog
from support.gateway import SECONDS, Lines
from support.timers import Timers

from tokenwire.v1 import common_pb2
from tokenwire.v1 import health_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call
from tokenwire_server.evidence import EVIDENCE
from tokenwire_server.secret import Secret
from tokenwire_server.telemetry.metrics import Metrics
from tokenwire_server.telemetry.provider_health import ProviderHealth, later

pytestmark = pytest.mark.usefixtures("timers")

SUCCESS = Reason.ERROR_REASON_UNSPECIFIED
UNKNOWN, OK, FAILING, INVALID = (
    pb.PROVIDER_STATE_UNSPECIFIED,
    pb.PROVIDER_STATE_OK,
    pb.PROVIDER_STATE_FAILING,
    pb.PROVIDER_STATE_CREDENTIALS_INVALID,
)
SERVING, DEGRADED, NOT_SERVING = (
    pb.HEALTH_STATUS_SERVING,
    pb.HEALTH_STATUS_DEGRADED,
    pb.HEALTH_STATUS_NOT_SERVING,
)

UP = """ERROR_REASON_UNSPECIFIED INVALID_REQUEST UNSUPPORTED_PARAMETER CONTEXT_LENGTH_EXCEEDED
REQUEST_TOO_LARGE CONTENT_BLOCKED PROVIDER_PERMISSION_DENIED MODEL_NOT_FOUND CONFLICT UNSUPPORTED_BY_PROVIDER
PROVIDER_RATE_LIMITED"""
DOWN = """INSUFFICIENT_QUOTA PROVIDER_OVERLOADED PROVIDER_UNAVAILABLE CONNECT_TIMEOUT FIRST_TOKEN_TIMEOUT
STREAM_IDLE_TIMEOUT UPSTREAM_TIMEOUT STREAM_TRUNCATED PROVIDER_BAD_RESPONSE"""
SILENT = """UNAUTHENTICATED PROVIDER_KEY_INVALID PERMISSION_DENIED PROVIDER_NOT_CONFIGURED
METHOD_NOT_IMPLEMENTED RATE_LIMITED BUDGET_EXCEEDED OVERLOADED RESPONSE_TOO_LARGE SLOW_READER CIRCUIT_OPEN
LIMITS_UNAVAILABLE SHUTTING_DOWN DEADLINE_EXCEEDED DEADLINE_TOO_SHORT CANCELLED INTERNAL"""

AFTER = {
    **dict.fromkeys(UP.split(), (OK, OK)),
    **dict.fromkeys(DOWN.split(), (UNKNOWN, FAILING)),
    **dict.fromkeys(SILENT.split(), (UNKNOWN, UNKNOWN)),
    "PROVIDER_CREDENTIALS_INVALID": (INVALID, INVALID),
}
"""Reason → the state of an unused provider after one such attempt, and after three."""
AFTER_WITH_OWN_KEY = AFTER | dict.fromkeys(
    ("PROVIDER_CREDENTIALS_INVALID", "PROVIDER_PERMISSION_DENIED", "INSUFFICIENT_QUOTA"), (UNKNOWN, UNKNOWN)
)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers.instead(monkeypatch)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def health(metrics: Metrics) -> ProviderHealth:
    return ProviderHealth({"b": "two", "a": "one"}, ("one", "three"), metrics)


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    structlog.configure(processors=[found])
    yield found
    structlog.reset_defaults()


def call(*reasons: "Reason.ValueType", provider: str = "a", own_key: bool = False) -> Call:
    """One whose attempts had these outcomes."""
    made = Call("r-1", "Chat", 0.0, provider_key=Secret("sk-own") if own_key else None)
    for reason in reasons:
        attempt = common_pb2.Attempt(provider=provider, reason=reason)
        attempt.duration.FromMilliseconds(5)
        made.attempts.append(attempt)
    return made


def row(health: ProviderHealth, name: str = "a") -> pb.ProviderHealth:
    return next(row for row in health.rows() if row.name == name)


def fail(health: ProviderHealth, provider: str = "a") -> None:
    for _ in range(3):
        health.saw(call(Reason.PROVIDER_UNAVAILABLE, provider=provider))


def test_every_reason_is_judged() -> None:
    assert set(EVIDENCE) == set(Reason.values())
    assert set(AFTER) == set(Reason.keys())


@pytest.mark.parametrize("reason", AFTER)
@pytest.mark.parametrize("own_key", [False, True])
def test_what_each_reason_tells(health: ProviderHealth, reason: str, *, own_key: bool) -> None:
    one, three = (AFTER_WITH_OWN_KEY if own_key else AFTER)[reason]
    number = Reason.Value(reason)
    health.saw(call(number, own_key=own_key))
    silent = one == three == UNKNOWN
    assert row(health).state == one
    assert row(health).HasField("check_time") != silent
    assert row(health).last_error_reason == (SUCCESS if silent else number)
    health.saw(call(number, number, own_key=own_key))
    assert row(health).state == three


@pytest.mark.parametrize("reason", SILENT.split())
@pytest.mark.parametrize("own_key", [False, True])
def test_what_tells_nothing_changes_nothing(
    health: ProviderHealth, reason: str, timers: Timers, *, own_key: bool
) -> None:
    fail(health)
    before, running = str(row(health)), timers.running
    health.saw(call(Reason.Value(reason), own_key=own_key))
    assert (str(row(health)), timers.running) == (before, running)


@pytest.mark.parametrize(
    ("reasons", "state"),
    [
        ([Reason.STREAM_TRUNCATED, Reason.PROVIDER_OVERLOADED, Reason.UPSTREAM_TIMEOUT], FAILING),
        ([Reason.STREAM_TRUNCATED] * 2, UNKNOWN),
        ([SUCCESS] + [Reason.STREAM_TRUNCATED] * 2, OK),
        ([Reason.STREAM_TRUNCATED] * 2 + [SUCCESS] + [Reason.STREAM_TRUNCATED] * 2, OK),
        ([Reason.STREAM_TRUNCATED] * 2 + [Reason.MODEL_NOT_FOUND] + [Reason.STREAM_TRUNCATED] * 2, OK),
        ([Reason.STREAM_TRUNCATED] * 2 + [Reason.CANCELLED] + [Reason.STREAM_TRUNCATED], FAILING),
        ([Reason.STREAM_TRUNCATED] * 3 + [SUCCESS], OK),
        ([Reason.PROVIDER_CREDENTIALS_INVALID] + [Reason.STREAM_TRUNCATED] * 2, INVALID),
        ([Reason.PROVIDER_CREDENTIALS_INVALID] + [Reason.STREAM_TRUNCATED] * 3, FAILING),
        ([Reason.STREAM_TRUNCATED] * 3 + [Reason.PROVIDER_CREDENTIALS_INVALID], INVALID),
        ([Reason.PROVIDER_CREDENTIALS_INVALID, SUCCESS], OK),
    ],
    ids=lambda value: " ".join(map(Reason.Name, value)) if isinstance(value, list) else "",
)
def test_a_row_of_outcomes(
    health: ProviderHealth, reasons: Sequence["Reason.ValueType"], state: "pb.ProviderState.ValueType"
) -> None:
    for reason in reasons:
        health.saw(call(reason))
    assert row(health).state == state
    failed = [reason for reason in reasons if reason not in (SUCCESS, Reason.CANCELLED)]
    assert row(health).last_error_reason == failed[-1], "a success does not take it away"


def test_one_key_of_several_that_is_refused_is_shown_and_no_more(health: ProviderHealth) -> None:
    refused = False
    health.keys_refused = lambda name: refused and name == "a"
    health.saw(call(Reason.PROVIDER_CREDENTIALS_INVALID))
    assert row(health).state == UNKNOWN
    health.saw(call(SUCCESS, Reason.PROVIDER_CREDENTIALS_INVALID))
    assert (row(health).state, health.status()) == (OK, SERVING)
    assert row(health).last_error_reason == Reason.PROVIDER_CREDENTIALS_INVALID
    refused = True
    health.saw(call(Reason.PROVIDER_CREDENTIALS_INVALID))
    assert (row(health).state, health.status()) == (INVALID, DEGRADED)


def test_a_callers_own_key_does_not_clear_the_servers(health: ProviderHealth) -> None:
    health.saw(call(Reason.PROVIDER_CREDENTIALS_INVALID))
    health.saw(call(SUCCESS, own_key=True))
    assert row(health).state == INVALID
    health.saw(call(SUCCESS))
    assert row(health).state == OK


def test_a_callers_own_key_shows_that_an_outage_is_over(health: ProviderHealth) -> None:
    fail(health)
    health.saw(call(SUCCESS, own_key=True))
    assert (row(health).state, health.status()) == (OK, SERVING)


def test_an_attempt_without_an_outcome_tells_nothing(health: ProviderHealth) -> None:
    begun = call(SUCCESS)
    begun.attempts[0].ClearField("duration")
    health.saw(begun)
    assert row(health).state == UNKNOWN


def test_a_provider_that_is_not_configured_is_left_out(health: ProviderHealth) -> None:
    for name in ("three", "elsewhere"):
        fail(health, name)
    assert health.status() == SERVING
    assert [found.state for found in health.rows()] == [UNKNOWN] * 3


def test_configured_providers_and_known_kinds_are_listed_by_name(health: ProviderHealth) -> None:
    listed = [(row.name, row.kind, row.configured) for row in health.rows()]
    assert listed == [("a", "one", True), ("b", "two", True), ("three", "three", False)]


def test_a_name_is_listed_once() -> None:
    rows = ProviderHealth({"one": "other"}, ("one",), Metrics()).rows()
    assert [(row.name, row.kind, row.configured) for row in rows] == [("one", "other", True)]


# The server's status


def test_one_of_two_degrades_and_both_stop(health: ProviderHealth) -> None:
    assert health.status() == SERVING
    fail(health, "b")
    assert health.status() == DEGRADED
    health.saw(call(Reason.PROVIDER_CREDENTIALS_INVALID, provider="a"))
    assert health.status() == DEGRADED, "an outage is no reason to stop"
    health.saw(call(Reason.PROVIDER_CREDENTIALS_INVALID, provider="b"))
    assert health.status() == NOT_SERVING
    health.saw(call(SUCCESS, provider="b"))
    assert health.status() == DEGRADED
    health.saw(call(SUCCESS, provider="a"))
    assert health.status() == SERVING


def test_a_server_without_providers_does_not_serve() -> None:
    assert ProviderHealth({}, ("one",), Metrics()).status() == NOT_SERVING


def test_evidence_grows_old_and_the_state_stays_as_it_was_seen(
    health: ProviderHealth, timers: Timers
) -> None:
    fail(health)
    fail(health, "b")
    seen = str(row(health))
    assert [timer.seconds for timer in timers.running] == [60, 60]
    timers.run_out()
    assert health.status() == SERVING
    assert str(row(health)) == seen
    health.saw(call(Reason.PROVIDER_UNAVAILABLE))
    assert health.status() == DEGRADED, "it still fails: one more call is enough"


def test_each_failure_makes_the_evidence_fresh(health: ProviderHealth, timers: Timers) -> None:
    fail(health)
    (first,) = timers.running
    health.saw(call(Reason.PROVIDER_OVERLOADED))
    assert first.cancelled
    assert len(timers.running) == 1


def test_an_outage_does_not_keep_a_refused_key_fresh(health: ProviderHealth, timers: Timers) -> None:
    health.saw(call(Reason.PROVIDER_CREDENTIALS_INVALID))
    before = timers.running
    health.saw(call(Reason.PROVIDER_UNAVAILABLE))
    assert timers.running == before


@pytest.mark.parametrize("after", ["at once", "when the evidence is old"])
def test_recovery_leaves_no_timer(health: ProviderHealth, timers: Timers, after: str) -> None:
    fail(health)
    if after != "at once":
        timers.run_out()
    health.saw(call(SUCCESS))
    assert (health.status(), row(health).state) == (SERVING, OK)
    assert not timers.running


def test_who_listens_hears_of_each_change_and_of_nothing_else(health: ProviderHealth, timers: Timers) -> None:
    heard: list[str] = []
    health.changed = lambda: heard.append(pb.HealthStatus.Name(health.status()))
    for reason in (SUCCESS, SUCCESS, *[Reason.PROVIDER_UNAVAILABLE] * 5, SUCCESS, SUCCESS):
        health.saw(call(reason))
    fail(health)
    timers.run_out()
    health.saw(call(SUCCESS))
    assert heard == ["HEALTH_STATUS_DEGRADED", "HEALTH_STATUS_SERVING"] * 2


async def test_the_real_timer_is_the_event_loops() -> None:
    ran = asyncio.Event()
    later(0, lambda: pytest.fail("it was cancelled")).cancel()
    later(0, ran.set)
    await asyncio.wait_for(ran.wait(), SECONDS)


# Metrics and log


def test_the_gauge_follows_the_state(health: ProviderHealth, metrics: Metrics, timers: Timers) -> None:
    def up() -> list[float | None]:
        name = "tokenwire_provider_up"
        return [metrics.registry.get_sample_value(name, {"provider": found}) for found in ("a", "b", "three")]

    assert up() == [1, 1, None]
    fail(health)
    assert up() == [0, 1, None]
    timers.run_out()
    assert up() == [0, 1, None]
    health.saw(call(SUCCESS))
    assert up() == [1, 1, None]


def test_a_change_for_the_worse_and_back_is_one_line_each(health: ProviderHealth, lines: Lines) -> None:
    health.saw(call(SUCCESS))
    fail(health)
    fail(health)
    health.saw(call(Reason.PROVIDER_CREDENTIALS_INVALID))
    health.saw(call(SUCCESS))
    health.saw(call(SUCCESS))
    worse = {"event": "provider", "provider": "a", "level": "warning"}
    assert lines.all == [
        {**worse, "state": "FAILING", "reason": "PROVIDER_UNAVAILABLE"},
        {**worse, "state": "CREDENTIALS_INVALID", "reason": "PROVIDER_CREDENTIALS_INVALID"},
        {"event": "provider", "provider": "a", "level": "info", "state": "OK"},
    ]
