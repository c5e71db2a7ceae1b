"""Prometheus metrics, on a registry of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tokenwire.v1.errors_pb2 import ErrorReason as Reason

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_MAX_MODELS: Final = 200
OTHER: Final = "other"
"""The model label of every model that is not known: callers must not be able to make labels."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one RPC ended. Durations in seconds; `reason` is empty when the code is OK."""

    rpc: str
    provider: str
    model: str
    code: str
    reason: str
    duration: float
    first_token: float | None
    input_tokens: int
    output_tokens: int
    asked: bool
    """Whether a provider was: else nobody knows that there is such a model."""
    cost_nano_usd: int | None = None
    """None = the price is not known."""
    caller: str = ""
    """A name of the settings: whatever a caller sends must not become a label."""


class _Series(NamedTuple):
    """The series of one kind of outcome, looked up once: finding labels costs more than counting."""

    in_flight: Gauge
    requests: Counter
    duration: Histogram
    first_token: Callable[[], Histogram]
    cost: Callable[[], Counter]


class Metrics:
    """Counts outcomes. A model gets a label of its own by a call that its provider answered, up to 200."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self._models: set[str] = set()
        self._series: dict[tuple[str, ...], _Series] = {}
        self._attempt_series: dict[tuple[str, Reason.ValueType], Counter] = {}
        registry = self.registry
        self._requests = Counter(
            "tokenwire_requests_total",
            "RPCs that ended.",
            ("rpc", "provider", "model", "code", "reason", "caller"),
            registry=registry,
        )
        self._duration = Histogram(
            "tokenwire_request_duration_seconds",
            "From an RPC's arrival to its end.",
            ("rpc", "provider", "code"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._first_token = Histogram(
            "tokenwire_first_token_seconds",
            "From a streaming RPC's arrival to its first content.",
            ("provider", "model"),
            buckets=_SECONDS,
            registry=registry,
        )
        tokens = Counter(
            "tokenwire_tokens_total", "Tokens that providers reported.", ("kind",), registry=registry
        )
        self._input_tokens, self._output_tokens = tokens.labels("input"), tokens.labels("output")
        self._attempts = Counter(
            "tokenwire_attempts_total",
            "Requests to providers; the reason is empty for those that succeeded.",
            ("provider", "reason"),
            registry=registry,
        )
        self._cost = Counter(
            "tokenwire_cost_usd_total",
            "List prices of what providers reported, in US dollars; models without a price are left out.",
            ("provider", "model"),
            registry=registry,
        )
        self._provider_up = Gauge(
            "tokenwire_provider_up",
            "0 once calls saw that the provider cannot be used, 1 otherwise.",
            ("provider",),
            registry=registry,
        )
        self._in_flight = Gauge(
            "tokenwire_in_flight", "RPCs that have arrived and not ended.", ("rpc",), registry=registry
        )

    def began(self, rpc: str) -> None:
        """An RPC arrived."""
        self._in_flight.labels(rpc).inc()

    def provider_up(self, provider: str, *, up: bool) -> None:
        """Whether a configured provider can be used has changed."""
        self._provider_up.labels(provider).set(up)

    def ended(self, outcome: Outcome) -> None:
        """It ended."""
        label = self._label(outcome)
        key = (outcome.rpc, outcome.provider, label, outcome.code, outcome.reason, outcome.caller)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._make(*key)
        series.in_flight.dec()
        series.requests.inc()
        series.duration.observe(outcome.duration)
        if outcome.first_token is not None:
            series.first_token().observe(outcome.first_token)
        if outcome.input_tokens or outcome.output_tokens:
            self._input_tokens.inc(outcome.input_tokens)
            self._output_tokens.inc(outcome.output_tokens)
        if outcome.cost_nano_usd is not None:
            series.cost().inc(outcome.cost_nano_usd / 1e9)

    def attempted(self, provider: str, reason: "Reason.ValueType") -> None:
        """A request to a provider ended."""
        series = self._attempt_series.get((provider, reason))
        if series is None:
            labels = provider, Reason.Name(reason) if reason else ""
            series = self._attempt_series[provider, reason] = self._attempts.labels(*labels)
        series.inc()

    def lost(self, input_tokens: int, output_tokens: int) -> None:
        """Tokens were spent on an answer that nobody got."""
        self._input_tokens.inc(input_tokens)
        self._output_tokens.inc(output_tokens)

    def watch_queue(self, in_flight: Callable[[], int], queued: Callable[[], int]) -> None:
        """Shows how many calls have a place, and how many wait for one."""
        for name, text, count in (
            ("tokenwire_admitted", "Calls to providers that have a place.", in_flight),
            ("tokenwire_queued", "Calls to providers that wait for a place.", queued),
        ):
            Gauge(name, text, registry=self.registry).set_function(count)

    def _make(self, rpc: str, provider: str, model: str, code: str, reason: str, caller: str) -> _Series:
        return _Series(
            self._in_flight.labels(rpc),
            self._requests.labels(rpc, provider, model, code, reason, caller),
            self._duration.labels(rpc, provider, code),
            lambda: self._first_token.labels(provider, model),
            lambda: self._cost.labels(provider, model),
        )

    def _label(self, outcome: Outcome) -> str:
        if outcome.model in self._models or not outcome.model:
            return outcome.model
        if outcome.code == "OK" and outcome.asked and len(self._models) < _MAX_MODELS:
            self._models.add(outcome.model)
            return outcome.model
        return OTHER
