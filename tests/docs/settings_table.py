"""The tables of docs/settings.md, made from what the settings say of themselves."""

import json
from collections.abc import Iterable

from pydantic.fields import FieldInfo

from tokenwire_server.environment import PLAIN, PLAIN_PROVIDERS
from tokenwire_server.settings import KEYS, PROVIDER_KEYS

Row = tuple[str, str, str]


def keys() -> str:
    """Every key, but those of providers that differ between kinds."""
    differing = {row for row, kinds in _provider_rows().items() if len(kinds) < len(PROVIDER_KEYS)}
    rows = [_row(key, info) for key, info in KEYS.items()]
    return _table(("key", "default", "meaning"), [row for row in rows if row not in differing])


def keys_of_kinds() -> str:
    """The others, each with the kinds that have it so."""
    rows = [
        (name, ", ".join(f"`{kind}`" for kind in kinds), default, meaning)
        for key in KEYS
        for (name, default, meaning), kinds in _provider_rows().items()
        if name == f"`{key}`" and len(kinds) < len(PROVIDER_KEYS)
    ]
    return _table(("key", "kind", "default", "meaning"), rows)


def plain_variables() -> str:
    """Variables that fill a key, and the key."""
    filled = {
        f"providers.{kind}.{key}": names
        for kind, fields in PLAIN_PROVIDERS.items()
        for key, names in fields.items()
    }
    filled |= PLAIN
    rows = [(", ".join(f"`{name}`" for name in names), f"`{key}`") for key, names in filled.items()]
    return _table(("variables, the first that is set wins", "key"), rows)


def _provider_rows() -> dict[Row, list[str]]:
    """Row → the kinds of provider of which it is true."""
    found: dict[Row, list[str]] = {}
    for kind, fields in PROVIDER_KEYS.items():
        for key, info in fields.items():
            found.setdefault(_row(key, info), []).append(kind)
    return found


def _row(key: str, info: FieldInfo) -> Row:
    return f"`{key}`", _default(info), info.description or ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value: object = info.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}):
        return "not set"
    match value:
        case str():
            return f"`{value}`"
        case float():
            return f"{value:g}"
        case tuple():
            return f"`{json.dumps(value)}`"
        case _:
            return json.dumps(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "".join(f"{line}\n" for line in lines)
