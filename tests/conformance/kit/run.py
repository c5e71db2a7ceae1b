"""Runs cases through a runner, and says of each what came of it."""

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

from conformance.kit.cases import Case
from conformance.kit.checks import outcome_faults, stage_faults
from conformance.kit.report import FAIL, PASS
from conformance.kit.runner import Runner, Unsupported, started
from conformance.kit.stages import STAGES, TOKEN


async def on_stages(cases: Sequence[Case], command: str, place: Path) -> Mapping[str, str]:
    """Verdicts of a runner, each case on a stage of its own."""
    async with started(command, place) as runner:
        return {case.name: await _verdict(_on_stage(case, runner)) for case in cases}


async def on_target(
    cases: Sequence[Case], command: str, place: Path, target: str, token: str
) -> Mapping[str, str]:
    """The same of the cases that any deployment can run, against one."""
    async with started(command, place) as runner:
        return {
            case.name: await _verdict(_on_target(case, runner, target, token))
            for case in cases
            if case.anywhere
        }


async def _on_stage(case: Case, runner: Runner) -> list[str]:
    async with STAGES[case.stage](case) as stage:
        outcome = await runner.call(case, stage.address, TOKEN)
        for _ in range(1, case.repeat):
            await stage.between()
            outcome = await runner.call(case, stage.address, TOKEN)
        return [*outcome_faults(case, outcome), *await stage_faults(case, stage)]


async def _on_target(case: Case, runner: Runner, target: str, token: str) -> list[str]:
    return list(outcome_faults(case, await runner.call(case, target, token)))


async def _verdict(judging: Awaitable[list[str]]) -> str:
    try:
        faults = await judging
    except Unsupported as lacking:
        return f"n/a: {lacking}"
    except (AssertionError, OSError) as broken:  # a timeout, a pipe whose reader ended
        return f"{FAIL}: {broken!r}"
    return f"{FAIL}: {'; '.join(faults)}" if faults else PASS
