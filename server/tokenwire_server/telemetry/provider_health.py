"""What calls saw of each provider. Passive: no provider is asked for it, and no token is spent.

The attempts of each ended call are the evidence. That a provider cannot be used counts towards the server's
status for `FRESH` seconds. Then it is given another chance: where callers go elsewhere as long as the server
does not serve, no call would ever show that the provider is back.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from time import time_ns
from typing import Final, assert_never

import structlog

from tokenwire.v1 import health_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Call
from tokenwire_server.evidence import EVIDENCE, OF_THE_KEY, Evidence
from tokenwire_server.telemetry.metrics import Metrics

FRESH: Final = 60.0
"""Seconds for which a provider that cannot be used counts, since the last call that showed it."""
FAILURES: Final = 3
"""So many in a row, and a provider fails: one or two are no outage."""

_log: Final = structlog.get_logger()


def later(seconds: float, then: Callable[[], None]) -> asyncio.TimerHandle:
    """Calls `then` from the event loop, unless it is cancelled before."""
    return asyncio.get_running_loop().call_later(seconds, then)


@dataclass(slots=True)
class _Provider:
    row: pb.ProviderHealth
    failures: int = 0
    """In a row."""
    unusable: asyncio.TimerHandle | None = None
    """Set as long as it counts as such."""


class ProviderHealth:
    """The state of each configured provider, and what follows for the server. For one event loop.

    `kinds` holds the kind of each configured provider by its name; kinds among `known` that no provider
    has are listed too. `changed` is called whenever `status` may have another answer, `catch_up` before any
    answer: calls that have ended may not have been told yet. `circuit_open`
    tells of a provider whether its breakers leave it alone, `keys_refused` whether it refuses all its keys.
    """

    def __init__(self, kinds: Mapping[str, str], known: Iterable[str], metrics: Metrics) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.catch_up: Callable[[], None] = lambda: None
        self.circuit_open: Callable[[str], bool] = lambda _: False
        self.keys_refused: Callable[[str], bool] = lambda _: True
        self._metrics = metrics
        self._providers = {
            name: _Provider(pb.ProviderHealth(name=name, kind=kind, configured=True))
            for name, kind in kinds.items()
        }
        rows = [provider.row for provider in self._providers.values()]
        absent = set(known) - {*kinds, *kinds.values()}
        rows += [pb.ProviderHealth(name=kind, kind=kind) for kind in absent]
        self._rows = sorted(rows, key=lambda row: row.name)
        for name in kinds:
            metrics.provider_up(name, up=True)

    def rows(self) -> list[pb.ProviderHealth]:
        """What is known of each provider, in the order of their names. Read-only."""
        self.catch_up()
        return [_left_alone(row) if self.circuit_open(row.name) else row for row in self._rows]

    def status(self) -> "pb.HealthStatus.ValueType":
        """By fresh evidence: DEGRADED when some provider cannot be used, NOT_SERVING when all refuse our key.

        An outage of all providers is no reason to stop: callers are told more by the status of their calls
        than by a mesh without endpoints.
        """
        self.catch_up()
        states = [provider.row.state for provider in self._providers.values() if provider.unusable]
        if states.count(pb.PROVIDER_STATE_CREDENTIALS_INVALID) == len(self._providers):
            return pb.HEALTH_STATUS_NOT_SERVING
        return pb.HEALTH_STATUS_DEGRADED if states else pb.HEALTH_STATUS_SERVING

    def saw(self, call: Call) -> None:
        """Takes the evidence of a call that has ended."""
        for attempt in call.attempts:
            provider = self._providers.get(attempt.provider)
            if provider and attempt.HasField("duration"):  # else it never came to an outcome
                self._judge(provider, attempt.reason, own_key=call.provider_key is not None)

    def _judge(self, provider: _Provider, reason: "Reason.ValueType", *, own_key: bool) -> None:
        row, evidence = provider.row, EVIDENCE[reason]
        if evidence is Evidence.NOTHING or (own_key and reason in OF_THE_KEY):
            return
        row.check_time.seconds, row.check_time.nanos = divmod(time_ns(), 1_000_000_000)
        if reason:
            row.last_error_reason = reason
        provider.failures = provider.failures + 1 if evidence is Evidence.FAILS else 0
        match evidence:
            case Evidence.ANSWERS:
                if not own_key or row.state != pb.PROVIDER_STATE_CREDENTIALS_INVALID:
                    self._usable(provider)
            case Evidence.REFUSES_KEY:
                if self.keys_refused(row.name):
                    self._unusable(provider, pb.PROVIDER_STATE_CREDENTIALS_INVALID)
            case Evidence.FAILS:
                if provider.failures >= FAILURES:
                    self._unusable(provider, pb.PROVIDER_STATE_FAILING)
            case _:
                assert_never(evidence)

    def _usable(self, provider: _Provider) -> None:
        row = provider.row
        if row.state not in (pb.PROVIDER_STATE_UNSPECIFIED, pb.PROVIDER_STATE_OK):
            self._metrics.provider_up(row.name, up=True)
            _log.info("provider", provider=row.name, state="OK")
        row.state = pb.PROVIDER_STATE_OK
        if provider.unusable:
            provider.unusable.cancel()
            self._forget(provider)

    def _unusable(self, provider: _Provider, state: "pb.ProviderState.ValueType") -> None:
        row, counted = provider.row, provider.unusable
        known = counted is not None and row.state == state
        if row.state != state:
            row.state = state
            self._metrics.provider_up(row.name, up=False)
            name = pb.ProviderState.Name(state).removeprefix("PROVIDER_STATE_")
            _log.warning("provider", provider=row.name, state=name, reason=Reason.Name(row.last_error_reason))
        provider.unusable = later(FRESH, partial(self._forget, provider))
        if counted:
            counted.cancel()
        if not known:
            self.changed()

    def _forget(self, provider: _Provider) -> None:
        """It does not count as unusable any more."""
        provider.unusable = None
        self.changed()


def _left_alone(row: pb.ProviderHealth) -> pb.ProviderHealth:
    found = pb.ProviderHealth()
    found.CopyFrom(row)
    found.state = pb.PROVIDER_STATE_CIRCUIT_OPEN
    return found
