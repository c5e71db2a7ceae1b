"""The line through the samples of a soak."""

from random import Random

import pytest

from .soak import slope

HOURS = [number / 720 for number in range(180)]
"""Five seconds apart, for a quarter of an hour."""


def test_steady_growth_is_found_exactly() -> None:
    rise, half = slope([(at, 100 + 12 * at) for at in HOURS])
    assert rise == pytest.approx(12)
    assert half == pytest.approx(0, abs=1e-9)


def test_noise_is_no_growth() -> None:
    noise = Random(7)  # noqa: S311 (the same each time)
    rise, half = slope([(at, 100 + noise.gauss(0, 1)) for at in HOURS])
    assert abs(rise) < half


def test_growth_within_noise_is_found() -> None:
    noise = Random(7)  # noqa: S311 (the same each time)
    rise, half = slope([(at, 100 + 40 * at + noise.gauss(0, 1)) for at in HOURS])
    assert rise - half > 8
    assert rise - half < 40 < rise + half


def test_one_step_is_no_certain_growth() -> None:
    """Memory that was taken once looks like growth, with an interval that says how little a line fits."""
    rise, half = slope([(at, 100 + (at > HOURS[90])) for at in HOURS])
    assert rise - half < 8
