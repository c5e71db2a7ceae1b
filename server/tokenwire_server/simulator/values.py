"""JSON values of unknown shape, read without trusting them."""

from typing import TypeAlias

import orjson

Json: TypeAlias = dict[str, object]


def as_object(value: object) -> Json:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_int(value: object) -> int | None:
    """The value if it is an integer (true and false are none), else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_number(value: object) -> bool:
    """Whether the value is a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def compact(value: object) -> str:
    """The value as JSON text without spaces; keys keep their order."""
    return orjson.dumps(value).decode()


def canonical(value: object) -> bytes:
    """Equal values give equal bytes, whatever the order of their keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
