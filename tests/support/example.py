"""A documented Python example, run as its reader would."""

import asyncio
import sys
from pathlib import Path

SECONDS = 60.0


async def printed(code: str, address: str, place: Path) -> str:
    """What it prints before a gateway at this address; it must do so without a warning or an error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        code.replace("127.0.0.1:50051", address),
        cwd=place,
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
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()
