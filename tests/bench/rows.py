"""The findings as lines of tables."""

from collections.abc import Sequence
from typing import Final

from . import client_cost, overload
from .measure import Kind, Spread, Window
from .payload import BURST, CHAT, EMBED, PACE, PACED
from .run import Findings
from .scenarios import BARE, Result, Side

HEADS: Final = ("", "bare grpc.aio", "Tokenwire", "of it user + system", "ratio, by pairs", "budget")
MIXED_HEADS: Final = (
    *("of the capacity", "server", "calls/s", "of its core", "Chat, ms", "burst, ms"),
    *("paced, first token, ms", "Embed, ms"),
)
_START_BUDGET: Final = 2.0
_IDLE_BUDGET: Final = 120
_LEAST_BUDGET: Final = 0.9
_STREAM_BUDGET: Final = 60

Row = tuple[str, ...]


def rows(findings: Findings) -> list[Row]:
    """The lines of the table of everything but mixed loads."""
    by_name = findings.by_name
    table = [_cpu(result) for result in findings.results if not result.scenario.of]
    table += [_throughput(by_name[name]) for name in ("chat", "burst", "mixed") if name in by_name]
    table += [_coalesced(by_name[name]) for name in ("burst", "paced") if name in by_name]
    if light := by_name.get("light"):
        table += [_added(light, "latency_p50", "p50", 1.5), _added(light, "latency_p99", "p99", 5)]
    if paced := by_name.get("paced"):
        table += [_added(paced, "first_p50", "p50, first token", None)]
        table += [_added(paced, "first_p99", "p99, first token", None)]
    if crowd := by_name.get("crowd"):
        table += _crowd(crowd)
    table += [_overload(found) for found in overload.findings(findings.overload)] if findings.overload else []
    table += [_client(cost) for cost in findings.client]
    start, idle = findings.start, findings.idle_mib
    table.append(
        ("start, s until ready", "", _spread(start, 2), "", "", _within(start.median, _START_BUDGET))
    )
    memory = f"{idle:.0f}, at most {findings.peak_mib:.0f}"
    table.append(("resident memory idle, MiB", "", memory, "", "", _within(idle, _IDLE_BUDGET)))
    return table


def mixed_rows(findings: Findings) -> list[Row]:
    """The lines of the table of mixed loads."""
    levels = [result for result in findings.results if result.scenario.of == "mixed"]
    return [
        (f"{result.scenario.part:.0%}", *_mixed_side(name, side, windows))
        for result in levels
        for name, side, windows in (
            ("bare", result.reference, [pair.reference for pair in result.pairs]),
            ("Tokenwire", result.gateway, [pair.gateway for pair in result.pairs]),
        )
    ]


def _mixed_side(name: str, side: Side, windows: Sequence[Window]) -> Row:
    kinds = ((CHAT, "latency"), (BURST, "latency"), (PACED, "first"), (EMBED, "latency"))
    times = (_kind([window.kinds.get(model) for window in windows], what) for model, what in kinds)
    return (name, f"{side.per_second.median:.0f}", f"{side.share.median:.0%}", *times)


def _kind(found: Sequence[Kind | None], what: str) -> str:
    """p50 / p99, each the median of the runs; empty where a run had no such call."""
    seen = [kind for kind in found if kind and getattr(kind, f"{what}_p99")]
    if not seen:
        return ""
    p50, p99 = (
        Spread.of([getattr(kind, f"{what}_{rank}") * 1000 for kind in seen]) for rank in ("p50", "p99")
    )
    return f"{p50.median:.1f} / {_spread(p99, 1)}"


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
    bare = scenario.against == BARE
    unit = " x" if bare else f" x {scenario.against}"
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


def _crowd(result: Result) -> list[Row]:
    """Whether each of many streams got what is its own."""
    reference, gateway, title = result.reference, result.gateway, result.scenario.title
    least, limit = gateway.least.median, 2 * PACE * 1000
    return [
        (
            f"{title}, least tokens of a stream, of its pace",
            *(f"{side.least.median:.0%} (from {side.least.low:.0%})" for side in (reference, gateway)),
            *("", ""),
            f"≥ {_LEAST_BUDGET:.0%}: {'kept' if least >= _LEAST_BUDGET else 'missed'}",
        ),
        (
            f"{title}, ms p99, mean gap of a stream",
            *(_spread(side.gap_p99, 1) for side in (reference, gateway)),
            *("", ""),
            _within(gateway.gap_p99.median, limit, " ms"),
        ),
        (
            f"{title}, KiB of memory a stream",
            "",
            _spread(memory := gateway.memory_kib.over(result.scenario.slots)),
            *("", ""),
            _within(memory.median, _STREAM_BUDGET, " KiB"),
        ),
    ]


def _overload(found: overload.Finding) -> Row:
    sign, missed = ("≥", "missed") if found.least else ("≤", "exceeded")
    verdict = "kept" if found.kept() else missed
    budget = f"{sign} {found.budget:g}{found.unit}: {verdict}"
    return (f"Overload, {found.title}", "", _spread(found.found, 2), "", "", budget)


def _client(cost: client_cost.Cost) -> Row:
    """The client stands where the gateway does, and the stub where the bare server does."""
    sides = (_spread(Spread.of(side), 1) for side in (cost.stub, cost.client))
    within = f"added {_within(cost.added.median, cost.budget, ' µs')}"
    return (cost.title, *sides, "", f"+ {_spread(cost.added, 1)}", within)
