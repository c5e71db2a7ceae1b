"""Each fault for each RPC and API: its status, its upstream calls, and that nothing is left behind."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.matrix.cells import play
from faults.matrix.rows import ROWS, Cell
from faults.matrix.table import ELSEWHERE

from tokenwire_server.policy import attempts
from tokenwire_server.simulator import Simulator


def _cells() -> Iterator[object]:
    """All of them. One of each row, another RPC and API each time, is in the short form of the suite."""
    for number, row in enumerate(ROWS):
        cells = list(row.cells())
        short = cells[number % len(cells)]
        for cell in cells:
            yield pytest.param(cell, id=str(cell), marks=() if cell is short else pytest.mark.whole)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts, as far as the gateway chooses them: they say nothing here, and there are many."""
    monkeypatch.setattr(attempts, "_BACKOFF", 0.02)


@pytest.mark.parametrize("cell", list(_cells()))
async def test_a_fault(simulator: Simulator, cell: Cell) -> None:
    await play(simulator, cell)


@pytest.mark.parametrize("test", [row[-1] for row in ELSEWHERE])
def test_what_is_tested_elsewhere_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((Path(__file__).parents[2] / file).read_text())
    assert name in {getattr(node, "name", "") for node in tree.body}


def test_no_two_cells_are_the_same() -> None:
    cells = [str(cell) for row in ROWS for cell in row.cells()]
    assert len(cells) == len(set(cells)) >= 150
