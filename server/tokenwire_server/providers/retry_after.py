"""When a provider says to come back (RFC 9110 §10.2.3, and OpenAI's `retry-after-ms`)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST: Final = 366 * 86_400.0
"""Seconds. Nobody means a longer wait, and few types hold any number."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, never negative; None when nothing sensible is said. Never raises."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value)
    return _until(value) if seconds is None else seconds


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
