"""What is published works by itself: the wheel, in environments that have nothing but what it declares."""

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from docs.pages import blocks
from python_client.test_pages import GUIDED
from support.gateway import Gateway

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED: list[str] = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["tools"]]
OLDEST = [requirement.replace(">=", "==") for requirement in DECLARED]
FIVE_LINES = next(block.text for block in blocks() if (block.page, block.info) == ("README.md", "python"))

pytestmark = pytest.mark.whole  # half a minute, most of it for what PyPI sends


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 (a command of ours)
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(place: Path, *requirements: str | Path) -> Path:
    """The interpreter of an environment that has these and what they need."""
    _run(sys.executable, "-m", "venv", "--without-pip", place)
    python = place / "bin" / "python"
    options = ("-q", "--disable-pip-version-check", "--only-binary", ":all:")
    _run(sys.executable, "-m", "pip", "--python", python, "install", *options, *requirements)
    return python


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    pinned = ROOT / "requirements" / "build.lock"
    python = environment(place / "build", "--require-hashes", "-r", pinned)
    _run(python, "-m", "hatchling", "build", "-t", "wheel", "-d", place)
    (built,) = place.glob("*.whl")
    return built


async def printed(python: Path, code: str, gateway: Gateway) -> str:
    """What code prints there, without a warning, and without a look at this environment."""
    here = code.replace("127.0.0.1:50051", gateway.address)
    return await asyncio.to_thread(_run, python, "-I", "-W", "error", "-c", here)


async def test_five_lines_need_what_is_declared(wheel: Path, gateway: Gateway, tmp_path: Path) -> None:
    python = await asyncio.to_thread(environment, tmp_path / "new", wheel)
    assert (await printed(python, FIVE_LINES, gateway)).startswith("This is the Tokenwire simulator")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="pydantic 2.10 has no wheels for this Python")
async def test_the_guide_holds_for_the_oldest_versions(wheel: Path, gateway: Gateway, tmp_path: Path) -> None:
    python = await asyncio.to_thread(environment, tmp_path / "old", f"{wheel}[tools]", *OLDEST)
    for code, shown in GUIDED:
        assert await printed(python, code, gateway) == shown
