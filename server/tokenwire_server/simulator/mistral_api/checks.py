"""Checks of single values, with the details of the real API's 422.

A check takes a value's place and the value, and gives the details of all that is wrong with it: none, if it
is accepted. The types and messages are those of the validation library that the API's errors name. Numbers
and booleans given as strings are refused, which the real API may be more patient about.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from tokenwire_server.simulator.values import Json, as_object, as_text, is_number

Place = tuple[str | int, ...]
Check = Callable[[Place, object], list[Json]]


def detail(kind: str, place: Place, text: str, value: object, **context: object) -> Json:
    """One entry of a 422."""
    found: Json = {"type": kind, "loc": list(place), "msg": text, "input": value}
    return {**found, "ctx": context} if context else found


def string(pattern: str | None = None) -> Check:
    def check(place: Place, value: object) -> list[Json]:
        if not isinstance(value, str):
            return [detail("string_type", place, "Input should be a valid string", value)]
        if pattern is not None and not re.search(pattern, value):
            text = f"String should match pattern '{pattern}'"
            return [detail("string_pattern_mismatch", place, text, value, pattern=pattern)]
        return []

    return check


def integer(low: float | None = None, high: float | None = None) -> Check:
    def check(place: Place, value: object) -> list[Json]:
        if not isinstance(value, int | float) or not is_number(value):
            return [detail("int_type", place, "Input should be a valid integer", value)]
        if isinstance(value, float) and not value.is_integer():
            text = "Input should be a valid integer, got a number with a fractional part"
            return [detail("int_from_float", place, text, value)]
        return _within(place, value, low, high)

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    def check(place: Place, value: object) -> list[Json]:
        if not isinstance(value, int | float) or not is_number(value):
            return [detail("float_type", place, "Input should be a valid number", value)]
        return _within(place, value, low, high)

    return check


def _within(place: Place, value: float, low: float | None, high: float | None) -> list[Json]:
    if low is not None and value < low:
        text = f"Input should be greater than or equal to {low:g}"
        return [detail("greater_than_equal", place, text, value, ge=low)]
    if high is not None and value > high:
        text = f"Input should be less than or equal to {high:g}"
        return [detail("less_than_equal", place, text, value, le=high)]
    return []


def boolean(place: Place, value: object) -> list[Json]:
    if isinstance(value, bool):
        return []
    return [detail("bool_type", place, "Input should be a valid boolean", value)]


def one_of(*words: str) -> Check:
    def check(place: Place, value: object) -> list[Json]:
        if value in words:
            return []
        expected = _listed(words)
        return [detail("enum", place, f"Input should be {expected}", value, expected=expected)]

    return check


def objects(place: Place, value: object) -> list[Json]:
    """Refuses what is no object."""
    if isinstance(value, dict):
        return []
    return [detail("dict_type", place, "Input should be a valid dictionary", value)]


def anything(_place: Place, _value: object) -> list[Json]:
    """Refuses nothing."""
    return []


def null_or(check: Check) -> Check:
    return lambda place, value: [] if value is None else check(place, value)


def array(check: Check, least: int = 0) -> Check:
    def check_all(place: Place, value: object) -> list[Json]:
        if not isinstance(value, list):
            return [detail("list_type", place, "Input should be a valid list", value)]
        if len(value) < least:
            text = f"List should have at least {least} item after validation, not {len(value)}"
            limits = {"field_type": "List", "min_length": least, "actual_length": len(value)}
            return [detail("too_short", place, text, value, **limits)]
        return [found for index, item in enumerate(value) for found in check((*place, index), item)]

    return check_all


def text_or(check: Check, other: str) -> Check:
    """A string, or what the check accepts; `other` is what the API calls that."""

    def check_either(place: Place, value: object) -> list[Json]:
        if isinstance(value, str):
            return []
        wrong = check((*place, other), value)
        return [*string()((*place, "str"), value), *wrong] if wrong else []

    return check_either


def fields(rows: Mapping[str, Check], required: Sequence[str] = ()) -> Check:
    """An object with these fields and no others."""

    def check(place: Place, value: object) -> list[Json]:
        if not isinstance(value, dict):
            text = "Input should be a valid dictionary or object to extract fields from"
            return [detail("model_attributes_type", place, text, value)]
        wrong = [
            detail("missing", (*place, name), "Field required", value)
            for name in required
            if name not in value
        ]
        for name, item in value.items():
            if name in rows:
                wrong += rows[name]((*place, name), item)
            else:
                text = "Extra inputs are not permitted"
                wrong.append(detail("extra_forbidden", (*place, name), text, item))
        return wrong

    return check


def tagged(field: str, checks: Mapping[str, Check]) -> Check:
    """An object whose field says which check it has to pass; the tag becomes part of the place."""

    def check(place: Place, value: object) -> list[Json]:
        if not isinstance(value, dict):
            return fields({})(place, value)
        if field not in value:
            text = f"Unable to extract tag using discriminator '{field}'"
            return [detail("union_tag_not_found", place, text, value, discriminator=f"'{field}'")]
        tag = as_text(as_object(value)[field])
        if tag not in checks:
            expected = ", ".join(f"'{word}'" for word in checks)
            text = (
                f"Input tag '{value[field]}' found using '{field}' does not match any of the expected "
                f"tags: {expected}"
            )
            named = {"discriminator": f"'{field}'", "tag": str(value[field]), "expected_tags": expected}
            return [detail("union_tag_invalid", place, text, value, **named)]
        return checks[tag]((*place, tag), value)

    return check


def _listed(words: Sequence[str]) -> str:
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
