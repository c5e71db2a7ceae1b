"""Writes the stubs of every .proto beside this file, in each language whose toolchain this machine has.

`generate.py` replaces those under clients/; `generate.py --check` compares, and fails when they differ.
Python's generator, and the protoc that serves most languages, is the oldest supported one, in the
environment of requirements/proto.lock: so its stubs import under every supported protobuf and grpcio.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from languages import CLIENTS, LANGUAGES, PROTOS
from toolchain import missing

_NEW: Final = PROTOS.parent / "build" / "stubs"


def _written() -> Iterator[tuple[Path, Path]]:
    """For each language that this machine can write: its new stubs, and where the committed ones are."""
    shutil.rmtree(_NEW, ignore_errors=True)
    for name, language in LANGUAGES.items():
        if needed := missing(name):
            sys.stderr.write(f"{name}: stubs not written and not checked, as there is no {needed}\n")
            continue
        new = _NEW / name
        new.mkdir(parents=True)
        language.write(new)
        yield new / language.owned, CLIENTS / language.root / language.owned


def _replace(new: Path, committed: Path) -> bool:
    shutil.rmtree(committed, ignore_errors=True)
    shutil.copytree(new, committed)
    return True


def _equal(new: Path, committed: Path) -> bool:
    compare = ("diff", "-r", "--exclude=__pycache__", committed, new)
    return subprocess.run(compare, check=False).returncode == 0  # noqa: S603 (a command of ours)


def main() -> None:
    """Ends with status 1 when a check finds a difference, after all were compared."""
    take = _equal if "--check" in sys.argv else _replace
    results = [take(new, committed) for new, committed in _written()]
    sys.exit(0 if all(results) else 1)


main()
