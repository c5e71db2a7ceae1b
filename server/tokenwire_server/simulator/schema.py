"""Makes a JSON value that satisfies a JSON schema.

Met: type (also as a list), properties, required, additionalProperties, items, prefixItems, minItems,
maxItems, uniqueItems, enum, const, anyOf, oneOf, allOf, $ref into the same schema, minimum, maximum and
their exclusive forms, multipleOf, minLength, maxLength, minProperties and the formats of FORMATS. `pattern`
is met if one of a few plain texts matches it. Recursive schemas end at the first turn that they allow.
"""

import math
import re
from dataclasses import dataclass, replace

from tokenwire_server.simulator.values import Json, as_int, as_list, as_object, as_text, is_number

FORMATS = {
    "date-time": "2025-01-01T12:00:00Z",
    "date": "2025-01-01",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "uri": "https://example.com/",
}

_PLAIN_TEXTS = (
    *("", "a", "A", "1", "ab", "AB", "12", "abc", "ABC", "123", "1234", "12345", "123456", "Example"),
    *("+15550100", "1.0", "1.0.0", "#a1b2c3", "ABC-123", "@example", "a_b", "12:00", "/a", "#/a"),
    *FORMATS.values(),
)

_ENOUGH_TURNS = 2  # through $ref: shows the nesting, and stays small
_DEEPEST = 24  # schemas that demand endless values are cut here

_TELLING = (
    ("object", ("properties", "additionalProperties", "required")),
    ("array", ("items", "prefixItems", "minItems", "maxItems")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the value we are."""

    root: object
    name: str = "value"
    variant: int = 0  # of an array's items: makes them differ
    turns: int = 0
    depth: int = 0

    @property
    def brief(self) -> bool:
        """Whether to leave out all that may be left out."""
        return self.turns >= _ENOUGH_TURNS or self.depth >= _DEEPEST

    def into(self, name: str, variant: int | None = None) -> "_Place":
        kept = self.variant if variant is None else variant
        return replace(self, name=name, variant=kept, depth=self.depth + 1)


def example(schema: object, variant: int = 0) -> object:
    """A value that satisfies the schema; equal schemas and variants give equal values."""
    return _value(schema, _Place(schema, variant=variant))


def _value(schema: object, place: _Place) -> object:
    if not isinstance(schema, dict):
        return _text({}, place)
    if place.depth > 2 * _DEEPEST:
        return None
    if "const" in schema:
        return schema["const"]
    if options := as_list(schema.get("enum")):
        return options[place.variant % len(options)]
    if "$ref" in schema:
        target = _target(as_text(schema["$ref"]), place.root)
        return _value(target, replace(place, turns=place.turns + 1, depth=place.depth + 1))
    if schema.get("allOf"):
        return _value(_merged(schema), place)
    if choices := as_list(schema.get("anyOf")) or as_list(schema.get("oneOf")):
        return _value(_chosen(choices, schema, place), place)
    return _typed(schema, place)


def _typed(schema: Json, place: _Place) -> object:
    kind = _kind(schema, place)
    if kind == "object":
        return _object(schema, place)
    if kind == "array":
        return _array(schema, place)
    if kind in {"integer", "number"}:
        return _number(schema, place, whole=kind == "integer")
    if kind == "boolean":
        return place.variant % 2 == 0
    return None if kind == "null" else _text(schema, place)


def _kind(schema: Json, place: _Place) -> str:
    given = schema.get("type")
    if isinstance(given, list):
        kinds = [kind for kind in given if isinstance(kind, str)]
        if "null" in kinds and place.brief:
            return "null"
        return next((kind for kind in kinds if kind != "null"), "null")
    if isinstance(given, str):
        return given
    return next((kind for kind, keys in _TELLING if any(key in schema for key in keys)), "string")


def _target(pointer: str, root: object) -> object:
    """What a JSON pointer within the schema names."""
    found = root
    for step in pointer.removeprefix("#").split("/")[1:]:
        found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"), {})
    return found


def _merged(schema: Json) -> Json:
    """allOf as one schema: properties and required add up, the last of other keywords wins."""
    merged: Json = {key: value for key, value in schema.items() if key != "allOf"}
    for part in map(as_object, as_list(schema["allOf"])):
        joined = {"properties": {**as_object(merged.get("properties")), **as_object(part.get("properties"))}}
        required = [*as_list(merged.get("required")), *as_list(part.get("required"))]
        merged |= (
            part | (joined if joined["properties"] else {}) | ({"required": required} if required else {})
        )
    return merged


def _chosen(choices: list[object], schema: Json, place: _Place) -> object:
    """The first alternative; where it is time to end, the plainest: null, then one without a $ref."""
    if place.brief:
        ranked = sorted(choices, key=lambda choice: _weight(as_object(choice)))
        choices = ranked
    beside = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "description"}}
    chosen = choices[0]
    return {**beside, **chosen} if isinstance(chosen, dict) else chosen


def _weight(choice: Json) -> int:
    if choice.get("type") == "null":
        return 0
    return 2 if "$ref" in choice or choice.get("type") in {"object", "array"} else 1


def _object(schema: Json, place: _Place) -> Json:
    properties = as_object(schema.get("properties"))
    required = [as_text(name) for name in as_list(schema.get("required"))]
    others = schema.get("additionalProperties", {})
    names = [name for name in properties if name in required or not place.brief]
    names += [name for name in required if name not in properties]
    wanted = as_int(schema.get("minProperties")) or (
        isinstance(others, dict) and bool(others) and not place.brief
    )
    spare = (f"key{index}" for index in range(1, 100))
    while len(names) < int(wanted) and others is not False:
        names.append(next(spare))
    return {name: _value(properties.get(name, others), place.into(name)) for name in names}


def _array(schema: Json, place: _Place) -> list[object]:
    first = as_list(schema.get("prefixItems"))
    least = as_int(schema.get("minItems")) or 0
    most = as_int(schema.get("maxItems"))
    size = max(least, 0 if place.brief else max(1, len(first)))
    if schema.get("items") is False:
        size = min(size, len(first))
    size = size if most is None else min(size, max(most, least))
    rest = schema.get("items", {})
    kinds = [*first[:size], *[rest] * (size - len(first))]
    return [_value(kind, place.into(place.name, place.variant + index)) for index, kind in enumerate(kinds)]


def _number(schema: Json, place: _Place, *, whole: bool) -> int | float:
    """The number nearest to 1 (2, 3… for later items of an array) within the bounds."""
    step = _bound(schema, "multipleOf") or (1 if whole else None)
    low, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    high, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    wanted: int | float = 1 + place.variant
    if step is not None:
        return _stepped(step, wanted, (low, above, high, below), whole=whole)
    if above is not None and wanted <= above:
        wanted = (above + min(x for x in (high, below, above + 2) if x is not None)) / 2
    if low is not None:
        wanted = max(wanted, low)
    if high is not None:
        wanted = min(wanted, high)
    if below is not None and wanted >= below:
        floor = max((x for x in (low, above) if x is not None), default=below - 2)
        wanted = (floor + below) / 2
    return wanted


def _stepped(
    step: float, wanted: float, bounds: tuple[int | float | None, ...], *, whole: bool
) -> int | float:
    low, above, high, below = bounds
    at = math.ceil(wanted / step)
    if low is not None:
        at = max(at, math.ceil(low / step))
    if above is not None:
        at = max(at, math.floor(above / step) + 1)
    if high is not None:
        at = min(at, math.floor(high / step))
    if below is not None:
        at = min(at, math.ceil(below / step) - 1)
    return int(at * step) if whole else at * step


def _bound(schema: Json, key: str) -> int | float | None:
    value = schema.get(key)
    return value if isinstance(value, int | float) and is_number(value) else None


def _text(schema: Json, place: _Place) -> str:
    if form := FORMATS.get(as_text(schema.get("format"))):
        return form
    suffix = f" {place.variant + 1}" if place.variant else ""
    text = f"example {place.name}{suffix}"
    least = as_int(schema.get("minLength")) or 0
    most = as_int(schema.get("maxLength"))
    if pattern := as_text(schema.get("pattern")):
        return _matching(pattern, text, least, most)
    text = text.ljust(least, ".")
    return text if most is None else text[:most]


def _matching(pattern: str, text: str, least: int, most: int | None) -> str:
    try:
        fits = re.compile(pattern).search
    except re.error:  # JSON schema's dialect is not Python's
        return text
    candidates = (*_PLAIN_TEXTS, "a" * least, "1" * least, "A" * least, text)
    good = (c for c in candidates if fits(c) and len(c) >= least and (most is None or len(c) <= most))
    return next(good, text)
