"""The command: run, show, write down. Exit codes: 0 reported, 1 the run is void."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from . import check, client_cost, overload, report
from .processes import ROOT, BenchError
from .rows import HEADS, MIXED_HEADS, Row, mixed_rows, rows
from .run import Findings, Plan, run
from .scenarios import FULL, KINDS, QUICK

_MOST_SECONDS: Final = 900.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="CPU beside a bare gRPC server.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    parser.add_argument("--only", metavar="SCENARIO", choices=[*KINDS, overload.FULL.name, client_cost.NAME])
    parser.add_argument("--output", type=Path, default=ROOT / "bench-results", help="folder of the JSON")
    parser.add_argument(
        "--python", default=sys.executable, help="of an environment with Tokenwire: runs the servers"
    )
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="renew docs/performance.md and what bench-check compares with",
    )
    arguments = parser.parse_args()
    if arguments.write_docs and (arguments.quick or arguments.only):
        parser.error("--write-docs needs a whole run")
    return arguments


def _plan(arguments: argparse.Namespace) -> Plan:
    only, quick = arguments.only, arguments.quick
    scenarios = [s for s in (QUICK if quick else FULL) if only in {None, s.kind}]
    last = (overload.QUICK if quick else overload.FULL) if only in {None, overload.FULL.name} else None
    client = (client_cost.QUICK if quick else client_cost.FULL) if only in {None, client_cost.NAME} else None
    return Plan(scenarios, 1 if quick else 3, last, arguments.python, client)


async def _run(plan: Plan, say: Console) -> Findings:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with asyncio.timeout(_MOST_SECONDS):
        return await run(plan, lambda text: say.print(text, style="dim"))


def _print(heads: Row, lines: Sequence[Row], out: Console) -> None:
    table = Table(*heads)
    for line in lines:
        table.add_row(*line)
    if lines:
        out.print(table)


def _void(why: str, say: Console) -> int:
    say.print(f"void: {why}", style="bold red", soft_wrap=True, highlight=False)
    return 1


def main() -> int:
    """Runs it."""
    arguments, say = _arguments(), Console(stderr=True)
    out = Console(width=None if sys.stdout.isatty() else 200)
    try:
        facts = report.facts(arguments.python)
        findings = asyncio.run(_run(_plan(arguments), say))
    except (BenchError, TimeoutError) as error:
        return _void(str(error) or f"not done after {_MOST_SECONDS:.0f} s", say)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return _void("interrupted", say)
    if findings.doubts and not arguments.quick:
        return _void("; ".join(findings.doubts), say)
    _print(HEADS, rows(findings), out)
    _print(MIXED_HEADS, mixed_rows(findings), out)
    out.print(report.caption(findings, facts), highlight=False)
    options: dict[str, object] = {"quick": arguments.quick, "only": arguments.only}
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    file.write_bytes(report.as_json(findings, facts, options))
    out.print(f"written to {file}", soft_wrap=True, highlight=False)
    if arguments.write_docs:
        page = report.DOCS.read_text()
        report.DOCS.write_text(report.with_block(page, report.block(findings, facts)))
        check.COMMITTED.write_bytes(orjson.dumps(report.ratios(findings), option=orjson.OPT_INDENT_2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
