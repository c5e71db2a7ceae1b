"""Circuit breaker: a provider that fails is left alone for a while, then tried with single calls.

closed ──(half of the recent calls failed)──▶ open ──(its time is over)──▶ half-open
   ▲                                            ▲                              │
   └──────────────(the probe succeeded)─────────┼──(the probe failed)──────────┘
"""

from collections.abc import Callable
from enum import Enum, auto
from random import uniform
from typing import Final

from tokenwire_server.call import now

_WINDOW: Final = 10.0
"""Seconds. Outcomes count for one to two of these."""
_MIN_FAILURES: Final = 5
_RATIO: Final = 0.5
_SHORTEST: Final = 1.0
"""Seconds that it is open the first time; twice as long after each probe that failed."""
_LONGEST: Final = 30.0


class State(Enum):
    """Of a breaker."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


class Permit(Enum):
    """What a breaker says to a call."""

    REFUSED = auto()
    CALL = auto()
    PROBE = auto()
    """The one call that shows whether the provider is back."""


class Breaker:
    """For one provider, key and model. Who got a permit hands it back once: by `succeeded`, `failed`, or
    `released` when the call told nothing of the provider."""

    def __init__(self, clock: Callable[[], float] = now) -> None:
        self._clock = clock
        self._window = (0, 0, clock())  # calls, failures, since when
        self._before = (0, 0)
        self._open_until: float | None = None
        self._open_for = 0.0
        self._probing = False

    @property
    def state(self) -> State:
        """Where it stands."""
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._open_until else State.HALF_OPEN

    @property
    def opens_in(self) -> float:
        """Seconds until a call may be tried; 0 = at once. A second while a probe is under way."""
        if self._probing:
            return _SHORTEST
        return max(0.0, (self._open_until or 0.0) - self._clock())

    def permit(self) -> Permit:
        """Whether a call may be made."""
        if self._open_until is None:
            return Permit.CALL
        if self._probing or self._clock() < self._open_until:
            return Permit.REFUSED
        self._probing = True
        return Permit.PROBE

    def succeeded(self, permit: Permit) -> None:
        """The provider answered."""
        if permit is Permit.PROBE:
            self._open_until, self._probing = None, False
            self._window, self._before = (0, 0, self._clock()), (0, 0)
        elif self._open_until is None:
            self._count(failures=0)

    def failed(self, permit: Permit) -> None:
        """The provider did not answer. Calls that began before it opened tell nothing new."""
        if permit is Permit.PROBE:
            self._open(min(_LONGEST, self._open_for * 2))
        elif self._open_until is None:
            calls, failures = self._count(failures=1)
            if failures >= _MIN_FAILURES and failures >= _RATIO * calls:
                self._open(_SHORTEST)

    def released(self, permit: Permit) -> None:
        """The call ended without telling anything of the provider."""
        if permit is Permit.PROBE:
            self._probing = False

    def _open(self, seconds: float) -> None:
        """Not for quite as long each time, so that replicas do not probe together."""
        self._open_for = seconds
        self._open_until = self._clock() + uniform(0.8, 1.0) * seconds  # noqa: S311 (spreads load)
        self._probing = False

    def _count(self, failures: int) -> tuple[int, int]:
        """Counts a call; gives calls and failures of this window and the one before."""
        calls, failed, since = self._window
        passed = self._clock() - since
        if passed >= _WINDOW:
            self._before = (calls, failed) if passed < 2 * _WINDOW else (0, 0)
            calls, failed, since = 0, 0, self._clock()
        self._window = (calls + 1, failed + failures, since)
        return calls + 1 + self._before[0], failed + failures + self._before[1]
