"""The findings as a table for people, as JSON for programs, and as a block of docs/performance.md."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from .processes import ROOT, BenchError
from .rows import HEADS, MIXED_HEADS, Row, mixed_rows, rows
from .run import Findings

BEGIN: Final = "<!-- bench:begin -->"
END: Final = "<!-- bench:end -->"
DOCS: Final = ROOT / "docs" / "performance.md"
_PACKAGES: Final = ("tokenwire", "grpcio", "protobuf", "httptools", "uvloop", "orjson", "openai", "mistralai")
_INTERPRETER: Final = """\
import json, platform
from importlib.metadata import version
print(json.dumps({
    "python": platform.python_version(),
    "compiler": platform.python_compiler(),
    "versions": {name: version(name) for name in %r},
}))
"""
"""What the servers' own interpreter says of itself."""


Facts = dict[str, Any]


def block(findings: Findings, found: Facts) -> str:
    """What the page shows: the tables as Markdown and where they are from."""
    tables = [_markdown(HEADS, rows(findings)), _markdown(MIXED_HEADS, mixed_rows(findings))]
    return "\n\n".join([*tables, caption(findings, found)])


def _markdown(heads: Row, table: Sequence[Row]) -> str:
    lines = [heads, tuple("---" for _ in heads), *table]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def facts(python: str) -> Facts:
    """Where and of what the figures are. Raises BenchError when the interpreter has no Tokenwire."""
    command = (python, "-c", _INTERPRETER % (_PACKAGES,))
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 (as the command was told)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"{python} is no interpreter of an environment with Tokenwire") from error
    found: Facts = orjson.loads(done.stdout)
    return found | {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "machine": f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
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


def as_json(findings: Findings, found: Facts, options: dict[str, object]) -> bytes:
    """Everything, down to the single windows."""
    scenarios = {
        result.scenario.name: asdict(result)
        | {"reference": asdict(result.reference), "gateway": asdict(result.gateway)}
        | {"ratio": asdict(result.ratio)}
        for result in findings.results
    }
    document = found | {
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
        "overload": [asdict(each) for each in findings.overload],
        "client": [asdict(cost) for cost in findings.client],
        "table": [HEADS, *rows(findings)],
        "mixed": [MIXED_HEADS, *mixed_rows(findings)],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def caption(findings: Findings, found: Facts) -> str:
    """What stands under the table."""
    state = f"commit {found['commit']}{', changed' if found['changed'] else ''}"
    packages = [f"{name} {found['versions'][name]}" for name in ("grpcio", "httptools")]
    versions = ", ".join([f"Python {found['python']}", *packages])
    notes = "".join(f" {note}." for note in (*findings.doubts, *findings.notes))
    head = f"{found['time']}, {state}; {found['machine']}; {versions}."
    return f"{head} Median (least to most) of the runs.{notes}"


def ratios(findings: Findings) -> dict[str, float]:
    """Of each scenario that costs CPU, to what it is compared with."""
    return {
        result.scenario.name: round(result.ratio.median, 2)
        for result in findings.results
        if not result.scenario.of
    }


def with_block(page: str, block: str) -> str:
    """The page with its marked block replaced. Raises ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no {BEGIN} … {END}")
    return f"{before}{begin}\n{block}\n{end}{after}"
