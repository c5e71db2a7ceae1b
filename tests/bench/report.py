"""The findings as a table for people, as JSON for programs, and as a block of docs/performance.md."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import orjson

from .measure import Spread
from .payload import OPENAI
from .processes import ROOT
from .run import Findings
from .scenarios import Result

BEGIN: Final = "<!-- bench:begin -->"
END: Final = "<!-- bench:end -->"
DOCS: Final = ROOT / "docs" / "performance.md"
HEADS: Final = ("", "bare grpc.aio", "Tokenwire", "of it user + system", "ratio, by pairs", "budget")
_PACKAGES: Final = ("tokenwire", "grpcio", "protobuf", "httptools", "uvloop", "orjson", "openai", "mistralai")
_START_BUDGET: Final = 2.0
_IDLE_BUDGET: Final = 120

Row = tuple[str, ...]


def rows(findings: Findings) -> list[Row]:
    """The table's lines."""
    table = [_cpu(result) for result in findings.results if not result.scenario.light]
    by_name = {result.scenario.name: result for result in findings.results}
    table += [_throughput(by_name[name]) for name in ("chat", "burst") if name in by_name]
    table += [_coalesced(by_name[name]) for name in ("burst", "paced") if name in by_name]
    if light := by_name.get("light"):
        table += [_added(light, "latency_p50", "p50", 1.5), _added(light, "latency_p99", "p99", 5)]
    if paced := by_name.get("paced"):
        table += [_added(paced, "first_p50", "p50, first token", None)]
        table += [_added(paced, "first_p99", "p99, first token", None)]
    start, idle = findings.start, findings.idle_mib
    table.append(
        ("start, s until ready", "", _spread(start, 2), "", "", _within(start.median, _START_BUDGET))
    )
    memory = f"{idle:.0f}, at most {findings.peak_mib:.0f}"
    table.append(("resident memory idle, MiB", "", memory, "", "", _within(idle, _IDLE_BUDGET)))
    return table


def _spread(spread: Spread, digits: int = 0) -> str:
    if spread.low == spread.high:
        return f"{spread.median:.{digits}f}"
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def _within(value: float, budget: float | None, unit: str = "") -> str:
    if budget is None:
        return ""
    return f"≤ {budget:g}{unit}: {'kept' if value <= budget else 'exceeded'}"


def _cpu(result: Result) -> Row:
    scenario, gateway, reference = result.scenario, result.gateway, result.reference
    digits = 0 if scenario.unit == "call" else 1
    bare = scenario.provider == OPENAI
    unit = " x" if bare else " x OpenAI"
    return (
        f"{scenario.title}, CPU µs a {scenario.unit}",
        _spread(reference.cpu, digits) if bare else "",
        _spread(gateway.cpu, digits),
        f"{gateway.user.median:.{digits}f} + {gateway.system.median:.{digits}f}",
        _spread(result.ratio, 2) + unit,
        _within(result.ratio.median, scenario.budget, unit),
    )


def _throughput(result: Result) -> Row:
    sides = (result.reference.per_second, result.gateway.per_second)
    title = f"{result.scenario.title}, {result.scenario.unit}s/s of one process"
    return (title, *(_spread(side) for side in sides), "", "", "")


def _coalesced(result: Result) -> Row:
    sides = (result.reference.tokens_per_message, result.gateway.tokens_per_message)
    return (f"{result.scenario.title}, tokens a message", *(_spread(side, 1) for side in sides), "", "", "")


def _added(result: Result, field: str, label: str, budget: float | None) -> Row:
    reference: Spread = getattr(result.reference, field)
    gateway: Spread = getattr(result.gateway, field)
    added = result.added_ms(field)
    within = f"added {_within(added.median, budget, ' ms')}" if budget else ""
    title = f"{result.scenario.title}, ms {label}"
    return (title, _spread(reference, 2), _spread(gateway, 2), "", f"+ {_spread(added, 2)}", within)


def markdown(table: Sequence[Row]) -> str:
    """The table as Markdown."""
    lines = [HEADS, tuple("---" for _ in HEADS), *table]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def facts() -> dict[str, object]:
    """Where and of what the figures are."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "machine": f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
        "grpc_experiments": os.environ.get("GRPC_EXPERIMENTS", "the command's own"),
    }


def _git(*arguments: str) -> str:
    """What git says; empty outside a repository."""
    command = (shutil.which("git") or "git", *arguments)
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 (fixed words)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def as_json(findings: Findings, options: dict[str, object]) -> bytes:
    """Everything, down to the single windows."""
    scenarios = {
        result.scenario.name: asdict(result)
        | {"reference": asdict(result.reference), "gateway": asdict(result.gateway)}
        | {"ratio": asdict(result.ratio)}
        for result in findings.results
    }
    document = facts() | {
        "options": options,
        "cores": asdict(findings.cores),
        "scenarios": scenarios,
        "start_seconds": findings.starts,
        "idle_mib": findings.idle_mib,
        "peak_mib": findings.peak_mib,
        "access_lines": findings.access_lines,
        "calls": findings.calls,
        "doubts": findings.doubts,
        "notes": findings.notes,
        "table": [HEADS, *rows(findings)],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def caption(findings: Findings) -> str:
    """What stands under the table."""
    found = facts()
    state = f"commit {found['commit']}{', changed' if found['changed'] else ''}"
    versions = f"Python {found['python']}, grpcio {version('grpcio')}, httptools {version('httptools')}"
    notes = "".join(f" {note}." for note in (*findings.doubts, *findings.notes))
    head = f"{found['time']}, {state}; {found['machine']}; {versions}."
    return f"{head} Median (least to most) of the runs.{notes}"


def with_block(page: str, block: str) -> str:
    """The page with its marked block replaced. Raises ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no {BEGIN} … {END}")
    return f"{before}{begin}\n{block}\n{end}{after}"
