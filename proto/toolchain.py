"""Whether this machine can build a client: `toolchain.py LANGUAGE` prints what is missing, or nothing."""

import re
import shutil
import subprocess
import sys
from typing import Final

_OLDEST: Final = {
    "python": {sys.executable: (3, 11)},
    "go": {"go": (1, 21)},  # which fetches the Go that go.mod asks for
    "java": {"javac": (11, 0), "mvn": (3, 6)},
    "typescript": {"node": (20, 0), "npm": (9, 0)},
    "rust": {"cargo": (1, 88)},
}
"""What each needs, and the oldest version that will do."""


def missing(language: str) -> str:
    """What this machine would need, such as `cargo 1.88`; empty if it has that."""
    needed = _OLDEST[language].items()
    return ", ".join(f"{name} {oldest[0]}.{oldest[1]}" for name, oldest in needed if _version(name) < oldest)


def _version(command: str) -> tuple[int, int]:
    """Zeros if there is no such command."""
    if not (path := shutil.which(command)):
        return (0, 0)
    option = "version" if command == "go" else "--version"
    shown = subprocess.run([path, option], capture_output=True, text=True, check=False).stdout  # noqa: S603 (a command of ours)
    found = re.search(r"(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)


if __name__ == "__main__":
    sys.stdout.write(missing(sys.argv[1]))
