"""The breaker: when it opens, whom it lets through, when it closes; and a model of it all."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tokenwire_server.policy.breaker import Breaker, Permit, State

LONGEST = 30.0


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def state(breaker: Breaker) -> State:
    """Its state, which time and calls change."""
    return breaker.state


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(breaker.permit())


def test_few_failures_open_nothing(breaker: Breaker) -> None:
    fail(breaker, 4)
    assert state(breaker) is State.CLOSED
    assert breaker.permit() is Permit.CALL


def test_failures_open_it(breaker: Breaker) -> None:
    fail(breaker, 5)
    assert state(breaker) is State.OPEN
    assert breaker.permit() is Permit.REFUSED
    assert 0 < breaker.opens_in <= 1


def test_failures_among_many_successes_open_nothing(breaker: Breaker) -> None:
    for _ in range(20):
        breaker.succeeded(breaker.permit())
    fail(breaker, 19)
    assert state(breaker) is State.CLOSED
    fail(breaker, 1)
    assert state(breaker) is State.OPEN


def test_old_failures_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 4)
    clock.time += 21
    fail(breaker, 4)
    assert state(breaker) is State.CLOSED


def test_failures_of_the_window_before_count(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 4)
    clock.time += 11
    fail(breaker, 1)
    assert state(breaker) is State.OPEN


def test_one_probe_at_a_time(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    clock.time += 1
    assert state(breaker) is State.HALF_OPEN
    assert breaker.opens_in == 0
    assert [breaker.permit() for _ in range(3)] == [Permit.PROBE, Permit.REFUSED, Permit.REFUSED]
    assert breaker.opens_in == 1, "whoever is refused has something to wait for"
    breaker.succeeded(Permit.PROBE)
    assert state(breaker) is State.CLOSED
    fail(breaker, 4)
    assert state(breaker) is State.CLOSED


def test_a_probe_that_fails_waits_twice_as_long(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    waits = []
    for _ in range(8):
        clock.time += breaker.opens_in
        assert breaker.permit() is Permit.PROBE
        breaker.failed(Permit.PROBE)
        waits.append(breaker.opens_in)
    for number, wait in enumerate(waits, start=1):
        most = min(2.0**number, LONGEST)
        assert 0.8 * most <= wait <= most


def test_a_probe_that_told_nothing_makes_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    clock.time += 1
    breaker.released(breaker.permit())
    assert breaker.permit() is Permit.PROBE


def test_calls_from_before_tell_nothing_new(breaker: Breaker, clock: Clock) -> None:
    early = [breaker.permit() for _ in range(3)]
    fail(breaker, 5)
    clock.time += 1
    assert breaker.permit() is Permit.PROBE
    breaker.failed(early[0])
    breaker.succeeded(early[1])
    breaker.released(early[2])
    assert state(breaker) is State.HALF_OPEN
    assert breaker.permit() is Permit.REFUSED


class Model(RuleBasedStateMachine):
    """Whatever happens in whatever order: at most one probe, never stuck open, open only after failures."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(self.clock)
        self.out: list[Permit] = []
        self.failed = 0

    @rule()
    def call(self) -> None:
        if (permit := self.breaker.permit()) is not Permit.REFUSED:
            self.out.append(permit)

    @precondition(lambda self: self.out)
    @rule(outcome=st.sampled_from(["succeeded", "failed", "released"]), data=st.data())
    def end(self, outcome: str, data: st.DataObject) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        self.failed += outcome == "failed"
        getattr(self.breaker, outcome)(permit)
        if permit is Permit.PROBE:
            assert (self.breaker.state is State.CLOSED) == (outcome == "succeeded")

    @rule(seconds=st.floats(0.1, 60))
    def wait(self, seconds: float) -> None:
        self.clock.time += seconds

    @invariant()
    def there_is_one_probe_at_most(self) -> None:
        assert self.out.count(Permit.PROBE) <= 1

    @invariant()
    def it_opens_for_a_reason_and_not_for_ever(self) -> None:
        assert self.breaker.state is State.CLOSED or self.failed >= 5
        assert self.breaker.opens_in <= LONGEST


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
