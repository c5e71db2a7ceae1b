"""Fuzzes every target in turn, each for so many seconds. What breaks one is kept, and is the exit status.

New inputs that reach new code are kept in build/fuzz, where the next run finds them.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"
FOUND: Final = Path(__file__).parents[2] / "build" / "fuzz"
_MAX_BYTES: Final = 4096
_TIMEOUT: Final = 10
"""Seconds that one input may take."""
_WORDS: Final = re.compile(rb"[A-Za-z_.\-]{3,40}")
_UNITS: Final = re.compile(r"stat::number_of_executed_units: *(\d+)")
_COVERED: Final = re.compile(r"cov: (\d+)")


def _dictionary(target: str) -> Path:
    """The words of the corpus, which a fuzzer would take days to guess."""
    found = {word for file in (CORPUS / target).iterdir() for word in _WORDS.findall(file.read_bytes())}
    path = FOUND / f"{target}.dict"
    path.write_text("".join(f'"{word.decode()}"\n' for word in sorted(found)))
    return path


def _fuzz(target: str, seconds: int, seed: int) -> bool:
    """Whether nothing was found."""
    kept = FOUND / target
    kept.mkdir(parents=True, exist_ok=True)
    libfuzzer = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": _MAX_BYTES,
        "timeout": _TIMEOUT,
        "print_final_stats": 1,
        "artifact_prefix": f"{FOUND / target}-",
        "dict": _dictionary(target),
    }
    arguments = [f"-{name}={value}" for name, value in libfuzzer.items()]
    done = subprocess.run(  # noqa: S603 (ourselves)
        [sys.executable, "-m", "fuzz.one", target, *arguments, kept, CORPUS / target],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    units, covered = _UNITS.search(done.stderr), _COVERED.findall(done.stderr)
    if done.returncode or not units or not covered:
        sys.stdout.write(f"{done.stderr[-4000:]}\n{target}: FAILED\n")
        return False
    sys.stdout.write(f"{target:24}{int(units[1]):>12,} inputs {covered[-1]:>8} edges\n")
    sys.stdout.flush()
    return True


def main() -> int:
    """Runs all of them."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("seconds", type=int, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="where to begin; 0 = somewhere else each time")
    asked = parser.parse_args()
    targets = sorted(folder.name for folder in CORPUS.iterdir())
    results = [_fuzz(target, asked.seconds, asked.seed) for target in targets]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
