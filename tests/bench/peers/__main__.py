"""The command: run, show, write down. Exit codes: 0 reported, 1 the run is void."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.processes import ROOT, BenchError
from bench.report import with_block

from . import report
from .gateways import PEERS
from .run import Findings, Plan, run
from .servers import Server
from .work import FULL, QUICK

_MOST_SECONDS: Final = 900.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-peers", description="CPU beside other gateways.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    parser.add_argument("--output", type=Path, default=ROOT / "bench-results", help="folder of the JSON")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/peers.md")
    parser.add_argument(
        "--peer",
        action="append",
        type=Server.parse,
        default=[],
        metavar="NAME=URL,PID[,PREFIX]",
        help="measure a gateway that runs already, its models' names after a prefix; may be repeated",
    )
    parser.add_argument(
        "--upstream-port", type=int, default=0, help="of the stand-in that such a gateway has to call"
    )
    arguments = parser.parse_args()
    if arguments.write_docs and arguments.quick:
        parser.error("--write-docs needs a whole run")
    return arguments


async def _run(arguments: argparse.Namespace, say: Console) -> Findings:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    plan = Plan(QUICK if arguments.quick else FULL, PEERS, arguments.peer, arguments.upstream_port)
    async with asyncio.timeout(_MOST_SECONDS):
        return await run(plan, lambda text: say.print(text, style="dim"))


def _print(heads: report.Row, lines: Sequence[report.Row], out: Console) -> None:
    table = Table(*heads)
    for line in lines:
        table.add_row(*line)
    out.print(table)


def _void(why: str, say: Console) -> int:
    say.print(f"void: {why}", style="bold red", soft_wrap=True, highlight=False)
    return 1


def main() -> int:
    """Runs it."""
    arguments, say = _arguments(), Console(stderr=True)
    out = Console(width=None if sys.stdout.isatty() else 200)
    try:
        facts = report.all_facts()
        findings = asyncio.run(_run(arguments, say))
    except (BenchError, TimeoutError) as error:
        return _void(str(error) or f"not done after {_MOST_SECONDS:.0f} s", say)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return _void("interrupted", say)
    _print(report.CPU_HEADS, report.cpu_rows(findings), out)
    _print(report.HEADS, report.rows(findings), out)
    for line in report.caption(findings, facts):
        out.print(line, highlight=False)
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / f"peers-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    file.write_bytes(report.as_json(findings, facts, {"quick": arguments.quick}))
    out.print(f"written to {file}", soft_wrap=True, highlight=False)
    if arguments.write_docs:
        page = report.DOCS.read_text()
        report.DOCS.write_text(with_block(page, report.block(findings, facts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
