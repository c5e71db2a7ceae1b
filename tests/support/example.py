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
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    status, out = await ended(process, SECONDS)
    assert status == 0
    return out


async def ended(
    process: asyncio.subprocess.Process, seconds: float, typed: str = ""
) -> tuple[int | None, str]:
    """Exit status and output of a process that says nothing on standard error, and ends within so many
    seconds."""
    try:
        out, err = await asyncio.wait_for(process.communicate(typed.encode()), seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert err.decode() == ""
    return process.returncode, out.decode()
