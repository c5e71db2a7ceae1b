"""Whether JSON is as a case wants it."""

from collections.abc import Iterator
from typing import Any


def differences(wanted: Any, found: Any, path: str = "reply") -> Iterator[str]:
    """In words. Of an object, only the keys that are wanted count, and of a list, all its items.

    `"*"` stands for any value but none, 0 and "", `"Hello…"` for a text that begins so, and a key
    `name#` for the length of `name`.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            name = key.removesuffix("#")
            inner = found.get(name)
            yield from differences(value, len(inner or ()) if key != name else inner, f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif not _matches(wanted, found):
        yield f"{path} is {str(found)[:120]!r}, not {wanted!r}"


def _matches(wanted: Any, found: Any) -> bool:
    if wanted == "*":
        return bool(found)
    if isinstance(wanted, str) and wanted.endswith("…"):
        return str(found).startswith(wanted[:-1])
    return bool(wanted == found)
