"""What a machine lacks is named, so that nothing else is asked of it."""

import subprocess
import sys
from pathlib import Path

import pytest
from clients.recipes import RECIPES, ROOT


def _missing(language: str, path: Path) -> str:
    command = (sys.executable, ROOT / "proto" / "toolchain.py", language)
    done = subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=True)  # noqa: S603 (a command of ours)
    return done.stdout


def _installed(place: Path, command: str, shown: str) -> None:
    script = place / command
    script.write_text(f"#!/bin/sh\necho '{shown}'\n")
    script.chmod(0o755)


@pytest.mark.parametrize("language", RECIPES)
def test_a_machine_with_python_alone_lacks_the_others(language: str, tmp_path: Path) -> None:
    assert bool(_missing(language, tmp_path)) == (language != "python")


def test_all_that_is_missing_is_named(tmp_path: Path) -> None:
    assert _missing("java", tmp_path) == "javac 11.0, mvn 3.6"


@pytest.mark.parametrize(
    ("shown", "missing"), [("cargo 1.63.0", "cargo 1.88"), ("cargo 1.88.0 (873a06493 2025-05-10)", "")]
)
def test_what_is_too_old_will_not_do(shown: str, missing: str, tmp_path: Path) -> None:
    _installed(tmp_path, "cargo", shown)
    assert _missing("rust", tmp_path) == missing


def test_go_tells_its_version_in_its_own_way(tmp_path: Path) -> None:
    _installed(tmp_path, "go", "go version go1.21.3 linux/amd64")
    assert _missing("go", tmp_path) == ""
