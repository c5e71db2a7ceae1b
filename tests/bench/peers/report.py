"""The findings as tables for people, as JSON for programs, and as a block of docs/peers.md."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import orjson

from bench.measure import Spread
from bench.processes import ROOT
from bench.report import Facts, facts

from .gateways import NOT_INSTALLABLE, PEERS, TOKENWIRE
from .run import Findings
from .servers import runtime
from .work import Found

DOCS: Final = ROOT / "docs" / "peers.md"
CPU_HEADS: Final = ("", "gateway", "CPU µs", "Tokenwire's CPU, times", "budget", "a second")
HEADS: Final = (
    *("gateway", "Chat at 30 % load: calls/s", "added ms p50", "added ms p99"),
    *("50 streams: first token, added ms p50", "p99", "MiB idle", "MiB at most"),
)

Row = tuple[str, ...]


def cpu_rows(findings: Findings) -> list[Row]:
    """CPU, its ratios and what became of their budgets."""
    return [
        _cpu(found, name, findings.titles[name])
        for found in findings.works.values()
        if not found.work.of
        for name in found.windows
    ]


def _cpu(found: Found, name: str, title: str) -> Row:
    digits = 0 if found.work.unit == "call" else 1
    ratio, least = found.ratio(name), found.at_least(name)
    budget = f"≥ {least:g} x: {'kept' if ratio.median >= least else 'missed'}" if least else ""
    ours = name == TOKENWIRE
    return (
        f"{found.work.title}, a {found.work.unit}" if ours else "",
        title,
        _spread(found.cpu(name), digits),
        "" if ours else f"{_spread(ratio, 1)} x",
        budget,
        f"{found.per_second(name).median:.0f}",
    )


def rows(findings: Findings) -> list[Row]:
    """Latency and memory, one line for each gateway."""
    light, paced = findings.works.get("light"), findings.works.get("paced")
    return [
        (
            title,
            f"{light.per_second(name).median:.0f}" if light and name in light.windows else "",
            *_added(light, name),
            *_added(paced, name),
            f"{findings.idle_mib[name]:.0f}",
            f"{findings.peak_mib[name]:.0f}",
        )
        for name, title in findings.titles.items()
    ]


def _added(found: Found | None, name: str) -> Row:
    if not found or name not in found.windows:
        return ("", "")
    return tuple(_spread(found.added_ms(name, percentile), 1) for percentile in ("p50", "p99"))


def _spread(spread: Spread, digits: int) -> str:
    if spread.low == spread.high:
        return f"{spread.median:.{digits}f}"
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def all_facts() -> Facts:
    """Where and of what the figures are, the gateways with their versions and settings."""
    peers = {
        peer.title: {"version": peer.version(), "runtime": runtime(peer), "settings": peer.settings}
        for peer in PEERS
    }
    return facts(sys.executable) | {"peers": peers, "not_installable": NOT_INSTALLABLE}


def caption(findings: Findings, found: Facts) -> list[str]:
    """What stands under the tables, a paragraph each."""
    state = f"commit {found['commit']}{', changed' if found['changed'] else ''}"
    head = f"{found['time']}, {found['machine']}. Tokenwire: {state}, Python {found['python']}."
    peers = [
        f"{title} {peer['version']} on {peer['runtime']}: {peer['settings']}."
        for title, peer in found["peers"].items()
    ]
    missing = [
        f"Not measured: {title}, as {why}."
        for title, why in NOT_INSTALLABLE.items()
        if title.lower() not in findings.titles
    ]
    notes = [f"{note}." for note in findings.notes]
    return [f"{head} Median (least to most) of the rounds.", *peers, *missing, *notes]


def block(findings: Findings, found: Facts) -> str:
    """What the page shows."""
    tables = [_markdown(CPU_HEADS, cpu_rows(findings)), _markdown(HEADS, rows(findings))]
    return "\n\n".join([*tables, "\n".join(f"- {line}" for line in caption(findings, found))])


def _markdown(heads: Row, table: Sequence[Row]) -> str:
    lines = [heads, tuple("---" for _ in heads), *table]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_json(findings: Findings, found: Facts, options: dict[str, object]) -> bytes:
    """Everything, down to the single windows."""
    works = {
        name: asdict(one)
        | {"ratio": {other: asdict(one.ratio(other)) for other in one.windows}}
        | {"at_least": {other: one.at_least(other) for other in one.windows}}
        for name, one in findings.works.items()
    }
    document = found | {
        "options": options,
        "cores": asdict(findings.cores),
        "gateways": findings.titles,
        "works": works,
        "idle_mib": findings.idle_mib,
        "peak_mib": findings.peak_mib,
        "notes": findings.notes,
        "tables": [[CPU_HEADS, *cpu_rows(findings)], [HEADS, *rows(findings)]],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)
