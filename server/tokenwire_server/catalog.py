"""What is known of each model, as data: catalog.toml, and the rows that settings put before it.

What a row does not say is unknown and left to the provider; so is everything of a model without a row.
docs/models.md is the reader's page.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from tokenwire_server.settings_types import Count, Kind, Plain, Table

__all__ = ["KEYS", "Catalog", "Facts", "Prices", "Row", "check_rows", "load", "shipped"]

SHIPPED: Final = Path(__file__).with_name("catalog.toml")
REMEMBERED: Final = 4096
LONGEST_REMEMBERED: Final = 256

Named = Annotated[str, Field(min_length=1, max_length=256)]
Word = Annotated[str, Field(pattern=r"^[a-z]{1,32}$")]
Price = Annotated[float, Field(ge=0, le=100_000)]
Capability = Literal["chat", "embeddings", "tools", "json_schema", "reasoning", "logprobs", "vision", "audio"]
InputModality = Literal["text", "image", "audio", "file"]

_SNAPSHOT: Final = re.compile(r"-\d{4}(-\d{2}-\d{2})?\Z")
"""What a dated snapshot's name has after the model's: -2024-08-06 (OpenAI), -2407 (Mistral)."""


class Prices(Table):
    """List prices in US dollars for a million tokens; 0 = free."""

    taken: date
    """The day on which their source had them."""
    input_usd: Price | None = None
    cached_input_usd: Price | None = None
    output_usd: Price | None = None
    cache_write_input_usd: Price | None = None
    up_to_input_tokens: Count | None = None
    """Longest request that they hold for."""

    @model_validator(mode="after")
    def _some(self) -> "Prices":
        if self.model_fields_set <= {"taken", "up_to_input_tokens"}:
            raise ValueError("has no price; write one")
        return self


class Facts(Table):
    """What is known of one model, the row's `match` itself, and of its dated snapshots."""

    display_name: Plain = ""
    capabilities: tuple[Capability, ...] | None = None
    input_modalities: tuple[InputModality, ...] | None = None
    context_window: Count | None = None
    """Most tokens of input and output together, or of one input of an embedding model."""
    max_output_tokens: Count | None = None
    max_batch_inputs: Count | None = None
    """Most inputs of one embedding request."""
    max_batch_tokens: Count | None = None
    """Most tokens of one embedding request, over all its inputs."""
    shutdown: date | None = None
    """The first day without the model."""
    replacement: Named | None = None
    """The model that its provider recommends instead."""
    prices: Prices | None = None
    source: Plain = "settings"
    """Where they are from."""

    @model_validator(mode="after")
    def _consistent(self) -> "Facts":
        if self.replacement and not self.shutdown:
            raise ValueError("has a replacement and no shutdown; write both")
        if self.context_window and (self.max_output_tokens or 0) > self.context_window:
            raise ValueError("has max_output_tokens above its context_window; correct one")
        return self


class Row(Table):
    """What holds for all models whose name starts with `match`, or has `contains` in it."""

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
    tokenizer: Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,64}$")] | None = None
    """What its tokens are counted with: the name of a vocabulary."""
    default_max_output_tokens: Count | None = None
    """What is sent where neither the caller nor the settings say."""
    instructions: bool | None = None
    """Whether the Responses API gets the leading system and developer messages as `instructions`."""
    facts: Facts | None = None
    source: Plain = "settings"
    """Where all but the facts is from."""

    @model_validator(mode="after")
    def _consistent(self) -> "Row":
        if (self.match is None) == (self.contains is None):
            raise ValueError("needs match or contains, and not both; write one")
        if self.efforts is not None and self.default_effort not in (None, *self.efforts):
            raise ValueError("has a default_effort that is not among its efforts; add it there")
        if self.facts and not self.match:
            raise ValueError("has facts, which are of one model; write match in the place of contains")
        return self

    @property
    def only_facts(self) -> bool:
        """Whether the row that counts without this one still says how the model is called."""
        return self.facts is not None and self.model_fields_set <= {"kind", "match", "facts", "source"}

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


KEYS: Final = (
    *Row.model_fields,
    *(f"facts.{name}" for name in Facts.model_fields),
    *(f"facts.prices.{name}" for name in Prices.model_fields),
)
"""What may be written in a row."""


class Catalog:
    """Rows by kind and model. Of rows with the same rule the last one counts."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows: Final = tuple({row.rule: row for row in rows}.values())
        self._prefixes: Final[Mapping[tuple[str, str], Row]] = {
            (row.kind, row.match): row for row in self.rows if row.match and not row.only_facts
        }
        self._facts: Final[Mapping[tuple[str, str], Facts]] = {
            (row.kind, row.match): row.facts for row in self.rows if row.match and row.facts
        }
        self._parts: Final = sorted(
            ((row.contains, row) for row in self.rows if row.contains),
            key=lambda part: len(part[0]),
            reverse=True,
        )
        self._longest: Final = max((len(prefix) for _, prefix in self._prefixes), default=0)
        self._found: Final[dict[tuple[str, str], Row | None]] = {}

    def find(self, kind: str, model: str) -> Row | None:
        """How a model is called: the row with the longest `match`, else that with the longest `contains`."""
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

    def facts(self, kind: str, model: str) -> Facts | None:
        """What is known of exactly this model, else of the model that it is a dated snapshot of."""
        own = self._facts.get((kind, model))
        return own or self._facts.get((kind, _SNAPSHOT.sub("", model)))

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
    for key, part in (("facts.source", row.facts), ("source", None if row.only_facts else row)):
        if part and "source" not in part.model_fields_set:
            raise ValueError(f"catalog.toml: catalog[{number}] ({row.rule[2]}): {key}: Field required")
    return row
