"""Load: from how busy a loop on streams hold their content."""

from pathlib import Path
from time import thread_time

import pytest

from tokenwire_server.providers import load
from tokenwire_server.providers.load import Load, busy_seconds


@pytest.mark.parametrize(
    ("share", "held"), [(0.0, 0.0), (0.5, 0.0), (0.7, 1.0), (0.9, 2.0), (1.6, 2.0)], ids=str
)
def test_what_is_held_grows_with_the_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, share: float, held: float
) -> None:
    clock, spent = 100.0, 7.0
    monkeypatch.setattr(load, "now", lambda: clock)
    monkeypatch.setattr(load, "busy_seconds", lambda: spent)
    found = Load()
    assert found.hold(2.0) == 0
    clock, spent = clock + 10, spent + 10 * share
    assert found.hold(2.0) == pytest.approx(held)
    clock, spent = clock + 0.1, spent + 9
    assert found.hold(2.0) == pytest.approx(held), "looked again at once"
    clock += 10
    assert found.hold(2.0) == pytest.approx(2 * min(1, max(0, 9 / 10.1 - 0.5) / 0.4))
    clock += 10
    assert found.hold(2.0) == 0


@pytest.mark.parametrize(
    ("told", "at_least"),
    [("90000000000 5000000000 7\n", 95.0), ("0 0 0\n", 0.0), ("unknown", 0.0), (None, 0.0)],
    ids=["told", "not counted", "of another form", "not told"],
)
def test_waiting_for_a_core_is_busy_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str | None, at_least: float
) -> None:
    file = tmp_path / "schedstat"
    if told is not None:
        file.write_text(told)
    monkeypatch.setattr(load, "_SCHEDULED", file)
    assert max(at_least, thread_time()) <= busy_seconds() <= max(at_least, thread_time() + 1)
