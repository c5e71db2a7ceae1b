"""Timers of the providers' health, which run out when a test says so."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tokenwire_server.telemetry import provider_health


@dataclass
class Timer:
    seconds: float
    then: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Timers:
    """Those that were set, in order."""

    all: list[Timer] = field(default_factory=list)

    @classmethod
    def instead(cls, monkeypatch: pytest.MonkeyPatch) -> "Timers":
        """In the place of the event loop's."""
        timers = cls()
        monkeypatch.setattr(provider_health, "later", timers)
        return timers

    def __call__(self, seconds: float, then: Callable[[], None]) -> Timer:
        self.all.append(Timer(seconds, then))
        return self.all[-1]

    @property
    def running(self) -> list[Timer]:
        return [timer for timer in self.all if not timer.cancelled]

    def run_out(self) -> None:
        running, self.all = self.running, []
        for timer in running:
            timer.then()
