"""What the client's pages show runs, and prints what stands below it."""

import re
from pathlib import Path

import pytest
from support.example import printed
from support.gateway import Gateway

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "clients" / "python.md"
README = ROOT / "clients" / "python" / "README.md"

_SHOWN = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
GUIDED: list[tuple[str, str]] = _SHOWN.findall(GUIDE.read_text())
FIRST: list[tuple[str, str]] = _SHOWN.findall(README.read_text())


@pytest.mark.parametrize("number", range(len(GUIDED)))
async def test_the_guide_prints_what_it_shows(gateway: Gateway, tmp_path: Path, number: int) -> None:
    code, shown = GUIDED[number]
    assert shown
    assert await printed(code, gateway.address, tmp_path) == shown


@pytest.mark.parametrize("number", range(len(FIRST)))
async def test_the_readme_prints_an_answer(gateway: Gateway, tmp_path: Path, number: int) -> None:
    code, _ = FIRST[number]
    out = await printed(code, gateway.address, tmp_path)
    assert out.startswith("This is the Tokenwire simulator: no model was asked.")
    assert ("The tool answered" in out) == ("ToolRegistry" in code)


def test_five_and_twenty_lines_are_enough() -> None:
    lines = [len([line for line in code.splitlines() if line.strip()]) for code, _ in FIRST]
    assert lines[0] <= 5
    assert max(lines[2:]) <= 20
    assert len(lines) == 4


def test_there_is_a_guide() -> None:
    assert len(GUIDED) > 8


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        assert (README.parent / target).exists(), target
