"""The command: run, show, write down. Exit codes: 0 reported, 1 the run is void."""

import argparse
import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from . import report
from .processes import ROOT, BenchError
from .run import Findings, run
from .scenarios import FULL, KINDS, QUICK

_MOST_SECONDS: Final = 360.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="CPU beside a bare gRPC server.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    parser.add_argument("--only", metavar="SCENARIO", choices=KINDS)
    parser.add_argument("--output", type=Path, default=ROOT / "bench-results", help="folder of the JSON")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md")
    arguments = parser.parse_args()
    if arguments.write_docs and (arguments.quick or arguments.only):
        parser.error("--write-docs needs a whole run")
    return arguments


async def _run(arguments: argparse.Namespace, say: Console) -> Findings:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    scenarios = [s for s in (QUICK if arguments.quick else FULL) if arguments.only in {None, s.kind}]
    async with asyncio.timeout(_MOST_SECONDS):
        return await run(scenarios, 1 if arguments.quick else 3, lambda text: say.print(text, style="dim"))


def _show(findings: Findings, out: Console) -> None:
    table = Table(*report.HEADS)
    for row in report.rows(findings):
        table.add_row(*row)
    out.print(table)
    out.print(report.caption(findings), highlight=False)


def _void(why: str, say: Console) -> int:
    say.print(f"void: {why}", style="bold red", soft_wrap=True, highlight=False)
    return 1


def main() -> int:
    """Runs it."""
    arguments, say = _arguments(), Console(stderr=True)
    out = Console(width=None if sys.stdout.isatty() else 200)
    try:
        findings = asyncio.run(_run(arguments, say))
    except (BenchError, TimeoutError) as error:
        return _void(str(error) or f"not done after {_MOST_SECONDS:.0f} s", say)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return _void("interrupted", say)
    if findings.doubts and not arguments.quick:
        return _void("; ".join(findings.doubts), say)
    _show(findings, out)
    options: dict[str, object] = {"quick": arguments.quick, "only": arguments.only}
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    file.write_bytes(report.as_json(findings, options))
    out.print(f"written to {file}", soft_wrap=True, highlight=False)
    if arguments.write_docs:
        block = f"{report.markdown(report.rows(findings))}\n\n{report.caption(findings)}"
        report.DOCS.write_text(report.with_block(report.DOCS.read_text(), block))
    return 0


if __name__ == "__main__":
    sys.exit(main())
