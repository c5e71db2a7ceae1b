"""`make kit`: each language's client, case by case, as a table; exit status 1 where one fails."""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from clients.recipes import RECIPES, ROOT, build, missing
from conformance.kit.cases import load
from conformance.kit.report import Verdicts, failures, table
from conformance.kit.run import on_stages, on_target

PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- kit:begin -->\n", "<!-- kit:end -->"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make kit KIT=…", description=__doc__)
    parser.add_argument("--runner", help="a command of yours, in the place of the languages")
    parser.add_argument("--target", help="host:port of a deployment: only the cases that need no simulator")
    parser.add_argument("--token", default="", help="for the deployment")
    parser.add_argument("--languages", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/clients.md")
    return parser.parse_args()


async def _verdicts(command: str, place: Path, options: argparse.Namespace) -> Verdicts:
    if options.target:
        return await on_target(load(), command, place, options.target, options.token)
    return await on_stages(load(), command, place)


async def _columns(options: argparse.Namespace) -> Mapping[str, Verdicts | str]:
    if options.runner:
        return {"yours": await _verdicts(options.runner, Path.cwd(), options)}
    found: dict[str, Verdicts | str] = {}
    for language in options.languages:
        if missing(language):
            found[language] = "toolchain missing"
        elif not RECIPES[language].kit:
            found[language] = "no runner"
        else:
            found[language] = await _verdicts(build(language).kit, ROOT / "clients" / language, options)
    return found


def main() -> int:
    """The exit status."""
    options = _options()
    columns = asyncio.run(_columns(options))
    cases = [case for case in load() if case.anywhere or not options.target]
    text = table(cases, columns)
    sys.stdout.write(text)
    if options.write_docs:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(before + BEGIN + text + END + rest.split(END)[1])
    failed = failures(columns)
    sys.stderr.writelines(f"{line}\n" for line in failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
