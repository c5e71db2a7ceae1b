"""`make bench-check`: have the ratios to the bare server become worse than the committed ones?

Exit codes: 0 they have not, 1 one is worse by 30 % or the run is void. With `--report` a slow or
doubtful run is only told; a call that fails is a failure nevertheless.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from .processes import BenchError
from .report import ratios
from .run import Findings, Plan, run
from .scenarios import CHECKED

COMMITTED: Final = Path(__file__).with_name("ratios.json")
_NOTED: Final = 1.15
_FAILED: Final = 1.30
_MOST_SECONDS: Final = 240.0


class Verdict(NamedTuple):
    """What became of one ratio."""

    name: str
    committed: float
    found: float

    @property
    def worse(self) -> float:
        """How many times as high it is; below 1 it is better."""
        return self.found / self.committed

    @property
    def word(self) -> str:
        """What that means."""
        if self.worse >= _FAILED:
            return "FAILED"
        return "note: worse" if self.worse >= _NOTED else "kept"

    def __str__(self) -> str:
        return f"{self.name}: {self.found:.2f} x bare, committed {self.committed:.2f}: {self.word}"


def verdicts(found: Mapping[str, float], committed: Mapping[str, float]) -> list[Verdict]:
    """One for each ratio that was measured. Raises KeyError when none is committed for it."""
    return [Verdict(name, committed[name], ratio) for name, ratio in found.items()]


async def _findings() -> Findings:
    async with asyncio.timeout(_MOST_SECONDS):
        return await run(Plan(CHECKED, 1, None, sys.executable), lambda _text: None)


def _tell(*lines: object) -> None:
    for line in lines:
        sys.stdout.write(f"bench-check: {line}\n")


def main() -> int:
    """Runs it."""
    parser = argparse.ArgumentParser(prog="make bench-check", description="Have the ratios become worse?")
    parser.add_argument("--report", action="store_true", help="tell what is slow, and exit with 0")
    slow = int(not parser.parse_args().report)
    try:
        findings = asyncio.run(_findings())
    except BenchError as error:
        _tell(f"void: {error}")
        return 1
    except TimeoutError:
        _tell(f"void: not done after {_MOST_SECONDS:.0f} s")
        return slow
    found = verdicts(ratios(findings), orjson.loads(COMMITTED.read_bytes()))
    _tell(*found, *(f"void: {doubt}" for doubt in findings.doubts), *findings.notes)
    failed = findings.doubts or any(verdict.word == "FAILED" for verdict in found)
    return slow if failed else 0


if __name__ == "__main__":
    sys.exit(main())
