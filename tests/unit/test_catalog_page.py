"""docs/models.md shows what catalog.toml says, and every key that a row may have."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tokenwire_server.catalog import KEYS, Facts, Prices, Row, shipped

PAGE = Path(__file__).parents[2] / "docs/models.md"
SAMPLING = {"always": "yes", "never": "no", "effort_none": "with effort none", None: "?"}


def rules() -> Iterator[tuple[str, ...]]:
    """The table of how models are called."""
    yield (
        "kind",
        "model",
        "endpoint",
        "temperature, top_p",
        "efforts",
        "default limit",
        "instructions",
        "tokenizer",
    )
    for row in shipped():
        if not row.only_facts:
            yield (
                row.kind,
                f"`{row.match}…`" if row.match else f"`…{row.contains}…`",
                row.endpoint or "?",
                SAMPLING[row.sampling],
                efforts(row),
                count(row.default_max_output_tokens),
                "yes" if row.instructions else "",
                row.tokenizer or "",
            )


def efforts(row: Row) -> str:
    if row.efforts is None:
        return "?"
    return ", ".join(f"**{e}**" if e == row.default_effort else e for e in row.efforts) or "none taken"


def facts() -> Iterator[tuple[str, ...]]:
    """The table of what is known of single models."""
    yield (
        "model",
        "context",
        "output",
        "capabilities",
        "US dollars a million",
        "as of",
        "shutdown",
        "replacement",
    )
    for row in shipped():
        if row.facts:
            yield (
                f"`{row.match}`",
                count(row.facts.context_window),
                count(row.facts.max_output_tokens),
                ", ".join(row.facts.capabilities or ()),
                dollars(row.facts.prices),
                *ends(row.facts),
            )


def ends(known: Facts) -> tuple[str, str, str]:
    taken = str(known.prices.taken) if known.prices else ""
    return taken, str(known.shutdown or ""), f"`{known.replacement}`" if known.replacement else ""


def count(number: int | None) -> str:
    return f"{number:,}" if number else ""


def dollars(prices: Prices | None) -> str:
    if prices is None:
        return ""
    named = {"in": prices.input_usd, "cached": prices.cached_input_usd, "out": prices.output_usd}
    return ", ".join(f"{value:g} {name}" for name, value in named.items() if value is not None)


@pytest.mark.parametrize(("name", "rows"), [("catalog", rules), ("facts", facts)])
def test_the_page_shows_the_catalog(name: str, rows: Callable[[], Iterator[tuple[str, ...]]]) -> None:
    head, *rest = rows()
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rest)]
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    shown = PAGE.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    assert shown.splitlines() == lines


def test_the_page_explains_every_key() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [key for key in KEYS if not re.search(rf"^\| `{key}` \|", page, re.MULTILINE)] == []
