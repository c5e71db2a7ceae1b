"""Fuzzes one target until an input breaks it or the time is over: its name, then libFuzzer's arguments."""

import sys

import atheris  # type: ignore[import-untyped]  # in an environment of its own

with atheris.instrument_imports(include=["tokenwire_server", "json"]):
    from fuzz.targets import TARGETS

if __name__ == "__main__":
    program, name, *arguments = sys.argv
    atheris.Setup([program, *arguments], TARGETS[name])
    atheris.Fuzz()
