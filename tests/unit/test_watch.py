"""Watch: each limit ends what is awaited, with its own reason."""

import asyncio
from collections.abc import Callable

import pytest

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import UNBOUNDED, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.watch import Watch

SOON = 0.02
LATER = 0.05
NEVER = 60.0

FIRST = Reason.FIRST_TOKEN_TIMEOUT
IDLE = Reason.STREAM_IDLE_TIMEOUT
TOTAL = Reason.UPSTREAM_TIMEOUT
DEADLINE = Reason.DEADLINE_EXCEEDED


async def nothing() -> None:
    """Never returns."""
    await asyncio.Event().wait()


async def reason_of(watch: Watch, *steps: Callable[[], object]) -> str:
    """With which reason the watch ends a wait for nothing, after some steps."""
    return Reason.Name((await error_of(watch, *steps)).reason)


async def error_of(watch: Watch, *steps: Callable[[], object]) -> GatewayError:
    """With which error the watch ends a wait for nothing, after some steps."""

    async def run() -> None:
        with watch:
            for step in steps:
                step()
            await nothing()

    with pytest.raises(GatewayError) as raised:
        await asyncio.wait_for(run(), 5)
    assert isinstance(raised.value.__cause__, asyncio.CancelledError)
    return raised.value


def watched(deadline: float = UNBOUNDED, total: float = NEVER) -> Watch:
    """A watch whose deadline is so many seconds away."""
    return Watch(now() + deadline, total)


async def test_the_deadline_ends_the_wait() -> None:
    assert await reason_of(watched(deadline=SOON)) == "DEADLINE_EXCEEDED"


async def test_the_total_limit_ends_the_wait() -> None:
    assert await reason_of(watched(total=SOON)) == "UPSTREAM_TIMEOUT"


async def test_the_nearer_of_deadline_and_total_counts() -> None:
    assert await reason_of(watched(deadline=SOON, total=LATER)) == "DEADLINE_EXCEEDED"
    assert await reason_of(watched(deadline=LATER, total=SOON)) == "UPSTREAM_TIMEOUT"


async def test_a_deadline_that_has_passed_ends_the_first_wait() -> None:
    assert await reason_of(watched(deadline=-1)) == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("reason", [FIRST, IDLE])
async def test_what_is_expected_and_does_not_come_has_its_own_reason(reason: "Reason.ValueType") -> None:
    watch = watched()
    assert await reason_of(watch, lambda: watch.expect(SOON, reason)) == Reason.Name(reason)


async def test_the_latest_expectation_counts_where_it_is_longer() -> None:
    watch = watched()
    steps = lambda: watch.expect(SOON, FIRST), lambda: watch.expect(LATER, IDLE)
    assert await reason_of(watch, *steps) == "STREAM_IDLE_TIMEOUT"


async def test_the_latest_expectation_counts_where_it_is_shorter() -> None:
    watch = watched()
    steps = lambda: watch.expect(NEVER, FIRST), lambda: watch.expect(SOON, IDLE)
    assert await reason_of(watch, *steps) == "STREAM_IDLE_TIMEOUT"


async def test_an_expectation_never_outlasts_the_end() -> None:
    for beyond in (NEVER, UNBOUNDED):
        watch = watched(deadline=SOON)
        assert await reason_of(watch, lambda w=watch, s=beyond: w.expect(s, FIRST)) == "DEADLINE_EXCEEDED"  # type: ignore[misc]  # a lambda with defaults


async def test_relax_stops_the_clock_of_what_is_expected() -> None:
    watch = watched(total=LATER)
    steps = lambda: watch.expect(SOON, IDLE), watch.relax
    assert await reason_of(watch, *steps) == "UPSTREAM_TIMEOUT"


async def test_after_relax_one_may_expect_again() -> None:
    watch = watched()
    steps = lambda: watch.expect(SOON, FIRST), watch.relax, lambda: watch.expect(LATER, IDLE)
    assert await reason_of(watch, *steps) == "STREAM_IDLE_TIMEOUT"


async def test_a_stream_that_goes_on_is_not_ended() -> None:
    """Expectations that are met in time leave nothing behind, however many."""
    ticks = 0
    with watched(total=NEVER) as watch:
        end = now() + 2 * LATER
        while now() < end:
            watch.expect(LATER, IDLE)
            await asyncio.sleep(0)
            ticks += 1
        watch.relax()
    assert ticks > 2


async def test_a_block_that_ends_in_time_ends_as_it_would() -> None:
    with watched(deadline=NEVER) as watch:
        watch.expect(NEVER, FIRST)
    await asyncio.wait_for(asyncio.sleep(0), NEVER)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_of_the_block_passes_through() -> None:
    with pytest.raises(KeyError), watched(deadline=NEVER):
        raise KeyError("a")
    with pytest.raises(TimeoutError), watched(deadline=NEVER):
        raise TimeoutError


async def test_a_cancellation_from_outside_stays_one() -> None:
    entered = asyncio.Event()

    async def run() -> None:
        with watched(deadline=NEVER):
            entered.set()
            await nothing()

    task = asyncio.create_task(run())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timer_left_over_ends_nothing_later() -> None:
    with watched(total=SOON) as watch:
        watch.expect(SOON, FIRST)
    with pytest.raises(TimeoutError):  # of our own wait, not of the watch
        await asyncio.wait_for(nothing(), LATER)


async def test_each_limit_has_a_public_sentence() -> None:
    first, idle = watched(), watched()
    errors = [
        await error_of(first, lambda: first.expect(0, FIRST)),
        await error_of(idle, lambda: idle.expect(0, IDLE)),
        await error_of(watched(deadline=0)),
        await error_of(watched(total=0)),
    ]
    assert {error.reason for error in errors} == {FIRST, IDLE, DEADLINE, TOTAL}
    assert len({error.text for error in errors}) == 4
    assert all(error.text.endswith(".") for error in errors)


async def test_the_clock_runs_from_the_start_but_ends_nothing_before_the_block() -> None:
    watch = watched(total=0)
    await asyncio.sleep(0)
    assert await reason_of(watch) == "UPSTREAM_TIMEOUT"
