"""What the kit found, as a table of cases by languages."""

from collections.abc import Mapping, Sequence

from conformance.kit.cases import Case

PASS = "pass"
FAIL = "fail"

Verdicts = Mapping[str, str]
"""Name of a case → `pass`, `n/a: why` or `fail: what`; for a language that cannot be run, no name at all."""


def table(cases: Sequence[Case], columns: Mapping[str, Verdicts | str]) -> str:
    """In Markdown; a text in the place of verdicts says why there are none, and notes follow the table."""
    notes: list[str] = []

    def cell(verdicts: Verdicts | str, case: Case) -> str:
        verdict = verdicts if isinstance(verdicts, str) else verdicts[case.name]
        short, _, note = verdict.partition(": ")
        if short == "n/a" and note not in notes:
            notes.append(note)
        return f"n/a {notes.index(note) + 1}" if short == "n/a" else short

    rows = [f"| case | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    rows += [
        f"| {case.name} | {' | '.join(cell(verdicts, case) for verdicts in columns.values())} |"
        for case in cases
    ]
    return (
        "\n".join([*rows, *([""] if notes else []), *(f"n/a {i}: {n}." for i, n in enumerate(notes, 1))])
        + "\n"
    )


def failures(columns: Mapping[str, Verdicts | str]) -> list[str]:
    """A line for each case that failed, with what was wrong."""
    return [
        f"{language}: {name}: {verdict.partition(': ')[2]}"
        for language, verdicts in columns.items()
        if not isinstance(verdicts, str)
        for name, verdict in verdicts.items()
        if verdict.startswith(FAIL)
    ]
