"""Checks of single values, with the texts and codes of the real API.

Each check takes the value's place in the request and the value, and raises ApiError if it is refused.
"""

import re
from collections.abc import Callable, Sequence

from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.values import Json, is_number

Check = Callable[[str, object], None]

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
    "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you "
    "have trouble figuring out how to fix this, please contact us through our help center at "
    "help.openai.com.)"
)


def invalid(where: str, problem: str, code: str) -> ApiError:
    """The error for a value of the right type that is not allowed."""
    return ApiError(f"Invalid '{where}': {problem}", where, code)


def wrong_type(where: str, expected: str, got: object) -> ApiError:
    return ApiError(
        f"Invalid type for '{where}': expected {expected}, but got {_named(got)} instead.",
        where,
        "invalid_type",
    )


def missing(where: str) -> ApiError:
    return ApiError(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")


def unsupported(where: str) -> ApiError:
    text = f"Unsupported parameter: '{where}' is not supported with this model."
    return ApiError(text, where, "unsupported_parameter")


def not_simulated(where: str, feature: str) -> ApiError:
    """What the real API accepts and the simulator does not."""
    return ApiError(f"The simulator does not simulate {feature}.", where, "not_simulated")


def number(low: float, high: float) -> Check:
    def check(where: str, value: object) -> None:
        if not isinstance(value, int | float) or not is_number(value):
            raise wrong_type(where, "a decimal", value)
        _within(where, value, low, high, "decimal")

    return check


def integer(low: int, high: int | None = None) -> Check:
    def check(where: str, value: object) -> None:
        if not isinstance(value, int) or not is_number(value):
            raise wrong_type(where, "an integer", value)
        _within(where, value, low, high, "integer")

    return check


def boolean(where: str, value: object) -> None:
    if not isinstance(value, bool):
        raise wrong_type(where, "a boolean", value)


def string(longest: int | None = None, pattern: str | None = None) -> Check:
    fits = re.compile(pattern or "")

    def check(where: str, value: object) -> None:
        if not isinstance(value, str):
            raise wrong_type(where, "a string", value)
        if longest is not None and len(value) > longest:
            expected = (
                f"Expected a string with maximum length {longest}, but got a string with length {len(value)}"
            )
            raise invalid(where, f"string too long. {expected} instead.", "string_above_max_length")
        if pattern is not None and not fits.search(value):
            problem = (
                f"string does not match pattern. Expected a string that matches the pattern '{pattern}'."
            )
            raise invalid(where, problem, "invalid_value")

    return check


def one_of(*words: str) -> Check:
    def check(where: str, value: object) -> None:
        if not isinstance(value, str):
            raise wrong_type(where, f"one of {listed(words, 'or')}", value)
        if value not in words:
            text = f"Invalid value: '{value}'. Supported values are: {listed(words, 'and')}."
            raise ApiError(text, where, "invalid_value")

    return check


def an_object(where: str, value: object) -> Json:
    """The value as an object."""
    if not isinstance(value, dict):
        raise wrong_type(where, "an object", value)
    return value


def an_array(where: str, value: object, least: int = 0, most: int | None = None) -> list[object]:
    """The value as an array."""
    if not isinstance(value, list):
        raise wrong_type(where, "an array of objects", value)
    if len(value) < least:
        expected = f"Expected an array with minimum length {least}, but got an empty array instead."
        raise invalid(where, f"empty array. {expected}", "empty_array")
    if most is not None and len(value) > most:
        expected = f"Expected an array with maximum length {most}, but got an array with length {len(value)}"
        raise invalid(where, f"array too long. {expected} instead.", "array_above_max_length")
    return value


def fields(where: str, value: object, checks: dict[str, Check], required: Sequence[str] = ()) -> Json:
    """The value as an object with these fields and no others; null counts as absent."""
    found = an_object(where, value)
    for name in required:
        if found.get(name) is None:
            raise missing(f"{where}.{name}")
    for name, item in found.items():
        if name not in checks:
            raise ApiError(f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", "unknown_parameter")
        if item is not None:
            checks[name](f"{where}.{name}", item)
    return found


def anything(_where: str, _value: object) -> None:
    """Refuses nothing."""


def objects(where: str, value: object) -> None:
    """Refuses what is no object."""
    an_object(where, value)


def _within(where: str, value: float, low: float, high: float | None, kind: str) -> None:
    if value < low:
        problem = f"{kind} below minimum value. Expected a value >= {low}, but got {value} instead."
        raise invalid(where, problem, f"{kind}_below_min_value")
    if high is not None and value > high:
        problem = f"{kind} above maximum value. Expected a value <= {high}, but got {value} instead."
        raise invalid(where, problem, f"{kind}_above_max_value")


def _named(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal number", str: "a string"}
    others = {list: "an array", dict: "an object", type(None): "null"}
    return (names | others)[type(value)]


def listed(words: Sequence[str], last: str) -> str:
    """The words in quotes, with this word before the last of them."""
    quoted = [f"'{word}'" for word in words]
    return f"{', '.join(quoted[:-1])}, {last} {quoted[-1]}" if len(quoted) > 2 else f" {last} ".join(quoted)
