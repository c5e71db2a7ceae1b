"""JSON values against a JSON Schema that somebody wrote by hand: the keywords that schemas of functions use.

Keywords that are not here (`pattern`, `format`, `$ref`, …) are the provider's and the function's to check.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_BOUNDS: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "minimum": (lambda value, bound: value >= bound, "at least"),
    "maximum": (lambda value, bound: value <= bound, "at most"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "above"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "below"),
}
_LENGTHS: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "minLength": (lambda value, bound: len(value) >= bound, "no shorter than"),
    "maxLength": (lambda value, bound: len(value) <= bound, "no longer than"),
    "minItems": (lambda value, bound: len(value) >= bound, "no shorter than"),
    "maxItems": (lambda value, bound: len(value) <= bound, "no longer than"),
}


def mistakes(schema: Schema, value: object, path: str = "") -> Iterator[str]:
    """What is wrong, each with its path."""
    if not _is_of(schema.get("type"), value):
        yield _at(path, f"must be of type {schema['type']}")
        return
    if "enum" in schema and value not in schema["enum"]:
        yield _at(path, f"must be one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        yield _at(path, f"must be {schema['const']!r}")
    if (choices := schema.get("anyOf")) and all(any(mistakes(choice, value)) for choice in choices):
        yield _at(path, "fits none of the allowed forms")
    match value:
        case dict():
            yield from _of_object(schema, value, path)
        case list():
            yield from _limited(_LENGTHS, schema, value, path)
            for index, item in enumerate(value):
                yield from mistakes(schema.get("items", {}), item, f"{path}[{index}]")
        case str():
            yield from _limited(_LENGTHS, schema, value, path)
        case int() | float() if not isinstance(value, bool):
            yield from _limited(_BOUNDS, schema, value, path)
        case _:
            pass


def _of_object(schema: Schema, value: Mapping[str, object], path: str) -> Iterator[str]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    more = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield _at(_in(path, name), "is required")
    for name, item in value.items():
        if name in properties:
            yield from mistakes(properties[name], item, _in(path, name))
        elif more is False:
            yield _at(_in(path, name), "is not allowed")
        elif isinstance(more, Mapping):
            yield from mistakes(more, item, _in(path, name))


def _limited(
    limits: Mapping[str, tuple[Callable[[Any, Any], bool], str]], schema: Schema, value: object, path: str
) -> Iterator[str]:
    for keyword, (holds, words) in limits.items():
        if keyword in schema and not holds(value, schema[keyword]):
            yield _at(path, f"must be {words} {schema[keyword]}")


def _is_of(kinds: object, value: object) -> bool:
    """JSON knows one kind of number: 1.0 is an integer, and true is none."""
    names = kinds if isinstance(kinds, list) else [kinds]
    if kinds is None or (isinstance(value, float) and value.is_integer() and "integer" in names):
        return True
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _TYPES.get(str(name), (object,))) for name in names)


def _at(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text


def _in(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
