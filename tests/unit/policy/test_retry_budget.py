"""The retry budget: whatever is called in whatever order, retries stay a small part."""

from hypothesis import given
from hypothesis import strategies as st

from tokenwire_server.policy.attempts import RetryBudget

CALLED, RETRIED = "called", "retried"


@given(st.lists(st.sampled_from([CALLED, RETRIED]), max_size=300))
def test_in_any_stretch_of_calls_retries_are_a_tenth_and_ten(steps: list[str]) -> None:
    budget, granted = RetryBudget(), list[bool]()
    for step in steps:
        if step == CALLED:
            budget.called()
        granted.append(step == RETRIED and budget.take())
    for start in range(0, len(steps), 50):
        calls, retries = steps[start:].count(CALLED), sum(granted[start:])
        assert retries <= RetryBudget.AT_ONCE + RetryBudget.PART * calls + 1e-6


@given(st.integers(0, 500))
def test_an_idle_budget_grants_what_it_holds_and_no_more(calls: int) -> None:
    """What is earned while it is full is not kept for later."""
    budget = RetryBudget()
    for _ in range(calls):
        budget.called()
    assert sum(budget.take() for _ in range(100)) == RetryBudget.AT_ONCE


def test_ten_calls_earn_one_retry() -> None:
    budget = RetryBudget()
    while budget.take():
        pass
    for _ in range(11):  # ten, were a tenth exact in binary
        budget.called()
    assert budget.take()
    assert not budget.take()
