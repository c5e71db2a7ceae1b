"""Every Python example in README and docs runs, against a server in front of the simulator."""

import asyncio
import sys
from pathlib import Path

import pytest
from docs.pages import Block, blocks
from support.gateway import gateway_for, settings_for

from tokenwire_server.simulator import serving

SECONDS = 60.0
PRINTED = {"docs/embeddings.md": "How to reset a password\n"}
EXAMPLES = [block for block in blocks() if block.info == "python"]


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
async def test_documented_example_prints_what_it_should(block: Block, tmp_path: Path) -> None:
    async with serving() as simulator, gateway_for(simulator, settings_for(simulator.url)) as gateway:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-c",
            block.text.replace("127.0.0.1:50051", gateway.address),
            cwd=tmp_path,
            env={"PYTHONPATH": ":".join(sys.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert (process.returncode, out.decode(), err.decode()) == (0, PRINTED[block.page], "")


def test_there_are_examples() -> None:
    assert {block.page for block in EXAMPLES} == set(PRINTED)
