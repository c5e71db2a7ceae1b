"""The hot path costs what was committed, in calls, tasks and timers; and no call leaves memory behind."""

import pytest
from bench.counts import PYTHON, Counts, committed, differences, measure


async def test_calls_and_tokens_cost_what_was_committed() -> None:
    """Where they rightly cost something else: `python -m tests.bench.counts --write`."""
    versions = committed()
    if PYTHON not in versions:
        pytest.skip(f"no figures of Python {PYTHON} are committed")
    figures, held = await measure()
    assert not list(differences(figures, versions[PYTHON]))
    assert max(held.values()) < 1, held


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"tasks": 100.0}, []),
        ({"tasks": 110.0}, []),
        ({"tasks": 75.0}, []),
        ({"tasks": 111.0}, ["Chat: 111 tasks, committed 100"]),
        ({"tasks": 74.0}, ["Chat: 74 tasks, committed 100"]),
        ({"timers": 3.5}, []),
        ({"timers": 4.0}, ["Chat: 4 timers, committed 3"]),
        ({"timers": 2.5}, []),
        ({"timers": 2.0}, ["Chat: 2 timers, committed 3"]),
    ],
)
def test_what_is_a_difference(found: Counts, said: list[str]) -> None:
    assert list(differences({"Chat": found}, {"Chat": {"tasks": 100.0, "timers": 3.0}})) == said
