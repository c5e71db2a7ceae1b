"""Every Python example in README and docs runs, against a server in front of the simulator."""

from pathlib import Path

import pytest
from docs.pages import Block, blocks
from support.example import printed
from support.gateway import gateway_for, settings_for

from tokenwire_server.simulator import serving

PRINTED = {
    "docs/embeddings.md": "How to reset a password\n",
    "docs/reasoning.md": '{"title":"example title","node":{"speaker":"example speaker",'
    '"line":"example line","choices":[{"text":"example text","test":"example test",'
    '"condition":"example condition"}]}}\n'
    "example title: example speaker, 1 choix\n"
    "effort medium: The user wrote “<scene> <lieu>Une auberge, tard le soir</lieu\n"
    "left out: ['config.top_p']\n",
    **dict.fromkeys(
        ("README.md", "docs/quickstart.md"),
        "This is the Tokenwire simulator: no model was asked. You wrote: “Explique la photosynthèse”.",
    ),
}
"""How what an example prints begins."""
CLIENTS = "docs/clients/"
"""The client's own pages show what each example prints, and are run in tests/python_client."""
EXAMPLES = [block for block in blocks() if block.info == "python" and not block.page.startswith(CLIENTS)]


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
async def test_documented_example_prints_what_it_should(block: Block, tmp_path: Path) -> None:
    async with serving() as simulator, gateway_for(simulator, settings_for(simulator.url)) as gateway:
        out = await printed(block.text, gateway.address, tmp_path)
    assert out.startswith(PRINTED[block.page])


def test_there_are_examples() -> None:
    assert {block.page for block in EXAMPLES} == set(PRINTED)
