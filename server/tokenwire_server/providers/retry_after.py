"""When a provider says to come back (RFC 9110 §10.2.3, OpenAI's `retry-after-ms`, and when limits reset)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST: Final = 366 * 86_400.0
"""Seconds. Nobody means a longer wait, and few types hold any number."""
_RESETS: Final = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PIECE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|us|µs|ns|h|m|s)")
_DURATION: Final = re.compile(rf"(?:{_PIECE.pattern})+")


def retry_after(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds from now, never negative; None when nothing sensible is said. Never raises."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    if not value and status == 429:
        return _until_reset(headers)
    seconds = _number(value)
    return _until(value) if seconds is None else seconds


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Until neither limit holds: which one was reached is not said. All of them 0 says nothing."""
    waits = [_duration(headers.get(name, "")) or 0.0 for name in _RESETS]
    return max(waits) or None


def _duration(text: str) -> float | None:
    """`6m0s`, as Go writes durations, or plain seconds."""
    if not _DURATION.fullmatch(text):
        return _number(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(text))
    return seconds if seconds <= _LONGEST else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number <= _LONGEST else None


def _until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return seconds if seconds <= _LONGEST else None
