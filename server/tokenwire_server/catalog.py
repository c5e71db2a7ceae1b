"""What is known of each model, as data: catalog.toml, and the rows that settings put before it.

What a row does not say is unknown and left to the provider; so is everything of a model without a row.
docs/models.md is the reader's page.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from tokenwire_server.settings_types import Kind, Plain, Table

__all__ = ["Catalog", "Row", "check_rows", "load", "shipped"]

SHIPPED: Final = Path(__file__).with_name("catalog.toml")
REMEMBERED: Final = 4096
LONGEST_REMEMBERED: Final = 256

Named = Annotated[str, Field(min_length=1, max_length=256)]
Word = Annotated[str, Field(pattern=r"^[a-z]{1,32}$")]


class Row(Table):
    """What is known of the models whose name starts with `match`, or has `contains` in it."""

    kind: Kind
    """The kind of provider for which it is true."""
    match: Named | None = None
    contains: Named | None = None
    endpoint: Literal["chat", "responses"] | None = None
    """Which one serves the model best."""
    sampling: Literal["always", "never", "effort_none"] | None = None
    """When temperature and top_p are taken; `effort_none`: while the model does not reason."""
    efforts: tuple[Word, ...] | None = None
    """Reasoning efforts that are taken; empty = the model takes none."""
    default_effort: Word | None = None
    """What it is when the caller sets none."""
    tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """What Chat Completions calls the limit of tokens."""
    source: Plain = "settings"
    """Where the facts are from."""

    @model_validator(mode="after")
    def _consistent(self) -> "Row":
        if (self.match is None) == (self.contains is None):
            raise ValueError("needs match or contains, and not both; write one")
        if self.efforts is not None and self.default_effort not in (None, *self.efforts):
            raise ValueError("has a default_effort that is not among its efforts; add it there")
        return self

    @property
    def rule(self) -> tuple[str, str, str]:
        """What no two rows share: the kind, how it matches, and what."""
        return self.kind, "contains" if self.match is None else "match", self.match or self.contains or ""

    def takes_effort(self, effort: str) -> bool:
        """Whether the model takes a reasoning effort, as far as is known."""
        return self.efforts is None or effort in self.efforts

    def takes_sampling(self, effort: str) -> bool:
        """Whether the model takes temperature and top_p beside an effort ("" = unset), as far as is known."""
        if self.sampling == "effort_none":
            return (effort or self.default_effort) == "none"
        return self.sampling != "never"


class Catalog:
    """Rows by kind and model. Of rows with the same rule the last one counts."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows: Final = tuple({row.rule: row for row in rows}.values())
        self._prefixes: Final[Mapping[tuple[str, str], Row]] = {
            (row.kind, row.match): row for row in self.rows if row.match
        }
        self._parts: Final = sorted(
            ((row.contains, row) for row in self.rows if row.contains),
            key=lambda part: len(part[0]),
            reverse=True,
        )
        self._longest: Final = max((len(prefix) for _, prefix in self._prefixes), default=0)
        self._found: Final[dict[tuple[str, str], Row | None]] = {}

    def find(self, kind: str, model: str) -> Row | None:
        """The row of a model: that with the longest `match`, else that with the longest `contains`."""
        key = kind, model
        try:
            return self._found[key]
        except KeyError:
            row = self._prefix(kind, model) or self._part(kind, model)
        if len(model) <= LONGEST_REMEMBERED:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[key] = row
        return row

    def _prefix(self, kind: str, model: str) -> Row | None:
        for end in range(min(len(model), self._longest), 0, -1):
            # No number is cut in two: gpt-5.1 says nothing of gpt-5.10.
            if not (model[end - 1].isdigit() and model[end : end + 1].isdigit()):
                row = self._prefixes.get((kind, model[:end]))
                if row:
                    return row
        return None

    def _part(self, kind: str, model: str) -> Row | None:
        return next((row for part, row in self._parts if row.kind == kind and part in model), None)


def check_rows(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows; ValueError when two have the same rule."""
    seen: set[tuple[str, str, str]] = set()
    for row in rows:
        if row.rule in seen:
            raise ValueError("has {} {} = {!r} twice; remove one".format(*row.rule))
        seen.add(row.rule)
    return rows


def load(overrides: Iterable[Row] = ()) -> Catalog:
    """The catalog as it is shipped, with `overrides` in the place of rows with the same rule."""
    return Catalog([*shipped(), *overrides])


def shipped(text: str | None = None) -> tuple[Row, ...]:
    """The rows of catalog.toml, or of a text like it; ValueError that names row and key when one is wrong."""
    tables = tomllib.loads(SHIPPED.read_text(encoding="utf-8") if text is None else text)
    if tables.keys() != {"catalog"}:
        raise ValueError("catalog.toml: has other tables than [[catalog]]")
    return check_rows(tuple(_row(number, table) for number, table in enumerate(tables["catalog"])))


_ROW: Final = TypeAdapter(Row)


def _row(number: int, table: Mapping[str, object]) -> Row:
    try:
        row = _ROW.validate_python(table)
    except ValidationError as error:
        name = table.get("match") or table.get("contains") or "?"
        mistakes = [
            f"{'.'.join(map(str, detail['loc'])) or 'row'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        ]
        raise ValueError(f"catalog.toml: catalog[{number}] ({name}): {'; '.join(mistakes)}") from None
    if "source" not in row.model_fields_set:
        raise ValueError(f"catalog.toml: catalog[{number}] ({row.rule[2]}): source: Field required")
    return row
