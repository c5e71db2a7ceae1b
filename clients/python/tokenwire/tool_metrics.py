"""Calls of tools as Prometheus metrics, where prometheus_client is installed."""

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from tokenwire.execution import ToolOutcome

_UNKNOWN: Final = "unknown"
"""The label of tools that do not exist: models make up names without end."""


class ToolMetrics:
    """`ToolRegistry(on_call=ToolMetrics())`: `tokenwire_tool_calls_total{tool,status}` and
    `tokenwire_tool_seconds{tool}`, of which calls that were not executed have none."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._calls = Counter(
            "tokenwire_tool_calls", "Calls of tools, by how they ended", ("tool", "status"), registry=registry
        )
        self._seconds = Histogram(
            "tokenwire_tool_seconds", "How long tools took", ("tool",), registry=registry
        )

    def __call__(self, outcome: ToolOutcome) -> None:
        """Counts one call."""
        name = _UNKNOWN if outcome.status == "unknown" else outcome.call.name
        self._calls.labels(name, outcome.status).inc()
        if outcome.status not in ("unknown", "denied", "bad_arguments"):
            self._seconds.labels(name).observe(outcome.seconds)
