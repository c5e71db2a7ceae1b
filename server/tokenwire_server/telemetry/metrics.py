"""Prometheus metrics, on a registry of their own.

What each call counts is counted here, and given to prometheus_client when somebody reads it: its own counters
cost more for a call than the validation of its request.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tokenwire.v1.common_pb2 import Usage
from tokenwire.v1.errors_pb2 import ErrorReason as Reason

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_BOUNDS: Final = [*map(str, map(float, _SECONDS)), "+Inf"]
_NANO: Final = 1e9
_MAX_MODELS: Final = 200
OTHER: Final = "other"
"""The model label of every model that is not known: callers must not be able to make labels."""

Labels: TypeAlias = tuple[str, ...]


class Outcome(NamedTuple):
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


class _Durations:
    """A histogram of seconds."""

    __slots__ = ("seconds", "slots")

    def __init__(self) -> None:
        self.slots = [0] * len(_BOUNDS)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.slots[bisect_left(_SECONDS, seconds)] += 1
        self.seconds += seconds


class Metrics(Collector):
    """Counts outcomes. A model gets a label of its own by a call that its provider answered, up to 200.

    Counted by the event loop, read by any thread.
    """

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self._models: set[str] = set()
        self._in_flight = Counter[Labels]()
        self._requests = Counter[Labels]()
        self._durations = defaultdict[Labels, _Durations](_Durations)
        self._first_tokens = defaultdict[Labels, _Durations](_Durations)
        self._attempts = Counter[tuple[str, "Reason.ValueType"]]()
        self._tokens = Counter[Labels]({("input",): 0, ("output",): 0})
        self._nano_usd = Counter[Labels]()
        self._provider_up = Gauge(
            "tokenwire_provider_up",
            "0 once calls saw that the provider cannot be used, 1 otherwise.",
            ("provider",),
            registry=self.registry,
        )
        self.registry.register(self)

    def began(self, rpc: str) -> None:
        """An RPC arrived."""
        self._in_flight[rpc,] += 1

    def left(self, rpc: str) -> None:
        """An RPC is not in flight any more."""
        self._in_flight[rpc,] -= 1

    def provider_up(self, provider: str, *, up: bool) -> None:
        """Whether a configured provider can be used has changed."""
        self._provider_up.labels(provider).set(up)

    def ended(self, outcome: Outcome) -> None:
        """An RPC ended."""
        rpc, provider, model, code, reason, duration, first_token, *_ = outcome
        if code == "OK" and outcome.asked:
            self._learn(model)
        label = self._label(model)
        self._requests[rpc, provider, label, code, reason, outcome.caller] += 1
        self._durations[rpc, provider, code].observe(duration)
        if first_token is not None:
            self._first_tokens[provider, label].observe(first_token)
        self._paid(provider, label, outcome.input_tokens, outcome.output_tokens, outcome.cost_nano_usd)

    def attempted(self, provider: str, reason: "Reason.ValueType") -> None:
        """A request to a provider ended."""
        self._attempts[provider, reason] += 1

    def lost(self, provider: str, model: str, usage: Usage) -> None:
        """An answer that began was paid, and nobody got it."""
        self._learn(model)
        cost = usage.cost_nano_usd if usage.HasField("cost_nano_usd") else None
        self._paid(provider, self._label(model), usage.input_tokens, usage.output_tokens, cost)

    def watch_queue(self, in_flight: Callable[[], int], queued: Callable[[], int]) -> None:
        """Shows how many calls have a place, and how many wait for one."""
        for name, text, count in (
            ("tokenwire_admitted", "Calls to providers that have a place.", in_flight),
            ("tokenwire_queued", "Calls to providers that wait for a place.", queued),
        ):
            Gauge(name, text, registry=self.registry).set_function(count)

    def collect(self) -> Iterator[Metric]:
        """What has been counted, for prometheus_client."""
        yield _family(
            GaugeMetricFamily("tokenwire_in_flight", "RPCs that have arrived and not ended.", labels=["rpc"]),
            self._in_flight.copy(),
        )
        yield _family(
            CounterMetricFamily(
                "tokenwire_requests",
                "RPCs that ended.",
                labels=["rpc", "provider", "model", "code", "reason", "caller"],
            ),
            self._requests.copy(),
        )
        yield _histogram(
            HistogramMetricFamily(
                "tokenwire_request_duration_seconds",
                "From an RPC's arrival to its end.",
                labels=["rpc", "provider", "code"],
            ),
            self._durations.copy(),
        )
        yield _histogram(
            HistogramMetricFamily(
                "tokenwire_first_token_seconds",
                "From a streaming RPC's arrival to its first content.",
                labels=["provider", "model"],
            ),
            self._first_tokens.copy(),
        )
        yield _family(
            CounterMetricFamily("tokenwire_tokens", "Tokens that providers reported.", labels=["kind"]),
            self._tokens.copy(),
        )
        yield _family(
            CounterMetricFamily(
                "tokenwire_attempts",
                "Requests to providers; the reason is empty for those that succeeded.",
                labels=["provider", "reason"],
            ),
            {
                (provider, Reason.Name(reason) if reason else ""): count
                for (provider, reason), count in self._attempts.copy().items()
            },
        )
        yield _family(
            CounterMetricFamily(
                "tokenwire_cost_usd",
                "List prices of what providers reported, in US dollars; models without a price are left out.",
                labels=["provider", "model"],
            ),
            {labels: count / _NANO for labels, count in self._nano_usd.copy().items()},
        )

    def _paid(self, provider: str, label: str, given: int, made: int, nano_usd: int | None) -> None:
        self._tokens["input",] += given
        self._tokens["output",] += made
        if nano_usd is not None:
            self._nano_usd[provider, label] += nano_usd

    def _learn(self, model: str) -> None:
        """A provider has it: it gets a label of its own, as long as there are some."""
        if len(self._models) < _MAX_MODELS:
            self._models.add(model)

    def _label(self, model: str) -> str:
        return model if model in self._models or not model else OTHER


def _family(
    family: GaugeMetricFamily | CounterMetricFamily, counts: Mapping[Labels, float]
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, count in counts.items():
        family.add_metric(labels, count)
    return family


def _histogram(family: HistogramMetricFamily, found: Mapping[Labels, _Durations]) -> HistogramMetricFamily:
    for labels, durations in found.items():
        buckets = list(zip(_BOUNDS, accumulate(durations.slots), strict=True))
        family.add_metric(labels, buckets, durations.seconds)
    return family
