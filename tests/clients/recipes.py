"""How each language's example is built, as its README says, and run, in the client's folder."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from support.example import ended

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 1_800
"""For one build, the first of which fetches and compiles all that the language needs."""
SECONDS = 300.0
"""For one run."""


@dataclass(frozen=True)
class Recipe:
    """Shell commands; `tour` and `kit` run what `build` made."""

    build: tuple[str, ...]
    tour: str
    kit: str = ""
    """The runner of the conformance kit."""


_CARGO = "--quiet --locked --target-dir ../../.tools/proto-rust"
_CLASSES = "target/classes:target/test-classes:$(cat target/classpath)"
_NPM_CI = (
    "cmp -s package-lock.json node_modules/.locked || "
    "{ npm ci --ignore-scripts && cp package-lock.json node_modules/.locked; }"
)

RECIPES: Mapping[str, Recipe] = {
    "python": Recipe(
        (),
        f"{sys.executable} -W error examples/tour.py",
        f"{sys.executable} -W error examples/kit.py",
    ),
    "go": Recipe(
        ("go build -o ../../build/clients/ ./examples/...",),
        "../../build/clients/tour",
        "../../build/clients/kit",
    ),
    "java": Recipe(
        ("mvn -q -B test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath",),
        f"java -XX:TieredStopAtLevel=1 -cp {_CLASSES} dev.tokenwire.Tour",
        f"java -XX:TieredStopAtLevel=1 -cp {_CLASSES} dev.tokenwire.Kit",
    ),
    "typescript": Recipe(
        (_NPM_CI, "npm run build"),
        "node dist/examples/tour.js",
        "node dist/examples/kit.js",
    ),
    "rust": Recipe(
        (f"cargo build {_CARGO} --examples",),
        "../../.tools/proto-rust/debug/examples/tour",
        "../../.tools/proto-rust/debug/examples/kit",
    ),
}


def languages(*names: str) -> list[object]:
    """For `parametrize`; all of them by default. Those that must be compiled are of the long forms."""
    return [
        name if name == "python" else pytest.param(name, marks=pytest.mark.whole) for name in names or RECIPES
    ]


@cache
def missing(language: str) -> str:
    """What this machine lacks to build it; empty if nothing."""
    command = (sys.executable, ROOT / "proto" / "toolchain.py", language)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 (a command of ours)


def built(language: str) -> Recipe:
    """The recipe, once it is built; skips the test where the toolchain is missing."""
    if needed := missing(language):
        pytest.skip(f"{language}: there is no {needed} on this machine")
    return build(language)


@cache
def build(language: str) -> Recipe:
    """The recipe, once it is built; AssertionError where that fails."""
    recipe = RECIPES[language]
    for command in recipe.build:
        done = subprocess.run(  # noqa: S602 - as the README's reader types it
            command,
            shell=True,
            cwd=ROOT / "clients" / language,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return recipe


async def tour(language: str, environ: Mapping[str, str]) -> tuple[int | None, list[str]]:
    """Exit status and lines of an example, which may say nothing on standard error."""
    process = await asyncio.create_subprocess_shell(
        f"exec {built(language).tour}",
        cwd=ROOT / "clients" / language,
        env={**os.environ, "PYTHONPATH": "", **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    status, out = await ended(process, SECONDS)
    return status, out.splitlines()
