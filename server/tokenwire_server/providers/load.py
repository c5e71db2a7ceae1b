"""Load: how busy the event loop is, and for how long streams hold their content while it is."""

from pathlib import Path
from time import thread_time
from typing import Final

from tokenwire_server.call import now

_SAMPLE: Final = 0.25
"""Seconds between two looks, at least."""
_EASY: Final = 0.5
_FULL: Final = 0.9
"""Of the time."""
_SCHEDULED: Final = Path("/proc/thread-self/schedstat")
"""Linux: nanoseconds on a core, nanoseconds of waiting for one, and how often."""


class Load:
    """Looked at by whoever asks, so that it needs no timer. Asked by one thread, whose load it is."""

    def __init__(self) -> None:
        self._since = now()
        self._spent = busy_seconds()
        self._share = 0.0

    def hold(self, most: float) -> float:
        """Seconds: none up to half of the time, `most` from nine tenths on, in proportion in between, so that
        what holding saves does not end it at once."""
        passed = now() - self._since
        if passed >= _SAMPLE:
            spent = busy_seconds()
            self._share = (spent - self._spent) / passed
            self._since += passed
            self._spent = spent
        return most * min(1.0, max(0.0, (self._share - _EASY) / (_FULL - _EASY)))


def busy_seconds() -> float:
    """Of this thread so far; waiting for a core counts where the system tells, as under a limit of CPU."""
    try:
        running, waiting, _ = map(int, _SCHEDULED.read_bytes().split())
    except (OSError, ValueError):
        running = waiting = 0
    return max(thread_time(), (running + waiting) / 1e9)
