"""The documentation says what is true: parts made from code are current, links lead somewhere."""

import re
import tomllib
from pathlib import Path

import pytest

from docs import pages
from tokenwire_server.settings import load


@pytest.mark.parametrize("name", pages.made_from_code())
def test_what_is_made_from_code_is_current(name: str) -> None:
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    holding = [page for page in pages.PAGES if begin in page.read_text()]
    assert len(holding) == 1
    shown = holding[0].read_text().partition(begin)[2].partition(end)[0]
    assert shown == pages.made_from_code()[name]


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_toml_in_the_docs_is_valid(tmp_path: Path) -> None:
    shown = [block for block in pages.blocks() if block.info == "toml"]
    assert shown
    for number, block in enumerate(shown):
        tomllib.loads(block.text)
        file = tmp_path / f"{number}.toml"
        file.write_text(block.text)
        load(file, pages.variables(block.text), tmp_path)


def test_readme_is_one_screen() -> None:
    assert len((pages.ROOT / "README.md").read_text().splitlines()) <= 60


def test_every_shell_block_is_known() -> None:
    kinds = {"sh", "sh fails", "sh serves", "sh container", "python", "text", "toml", "json", ""}
    assert {block.info for block in pages.blocks()} <= kinds
