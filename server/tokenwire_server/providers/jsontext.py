"""JSON between the gateway and providers."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, TypeAlias

import orjson
from google.protobuf.struct_pb2 import Struct, Value

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | float | int | bool | orjson.Fragment | None"
"""What can be sent."""
JsonObject: TypeAlias = dict[str, Json]

_EXACT: Final = 2.0**53
"""Beyond it a double no longer tells neighbouring integers apart, so it stays a double."""


def loads(data: bytes) -> object:
    """Parses what a provider sent; raises ValueError when it is not JSON.

    Bytes that are not UTF-8 and lone surrogates become U+FFFD, because a proto string can hold neither.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _forgiving(data)


def _forgiving(data: bytes) -> object:
    try:
        parsed: object = json.loads(data.decode("utf-8", "replace"), parse_constant=_refuse)
        text = json.dumps(parsed, ensure_ascii=False)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return json.loads(whole)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and infinities are not JSON, though Python reads them


def from_struct(struct: Struct) -> JsonObject:
    """A Struct as JSON, with integral numbers as integers."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def number(value: float) -> float:
    """A double as JSON: as an integer where it is integral, which is what providers expect."""
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _from_value(value: Value) -> Json:
    match value.WhichOneof("kind"):
        case "number_value":
            return number(value.number_value)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "null_value" | None:
            return None
