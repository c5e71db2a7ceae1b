"""Python values → fields of a protobuf message, by the message's own description.

What has no place raises TypeError with its path, a value out of range ValueError.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

M = TypeVar("M", bound=Message)

_KINDS: Final[Mapping[int, tuple[type, ...]]] = {
    FieldDescriptor.CPPTYPE_BOOL: (bool,),
    FieldDescriptor.CPPTYPE_DOUBLE: (int, float),
    FieldDescriptor.CPPTYPE_FLOAT: (int, float),
    FieldDescriptor.CPPTYPE_INT32: (int,),
    FieldDescriptor.CPPTYPE_INT64: (int,),
}
_NAMES: Final = {bool: "a bool", int: "an integer", float: "a number", str: "a text", bytes: "bytes"}


def fill(message: M, values: Mapping[str, object], path: str = "") -> M:
    """Sets fields by their names; None leaves a field out."""
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        if name not in fields:
            known = f"{message.DESCRIPTOR.name} has {', '.join(fields)}"
            raise TypeError(f"{_within(path, name)} is unknown: {known}")
        if value is not None:
            _set(message, fields[name], value, _within(path, name))
    return message


def enum_number(enum: EnumDescriptor, value: object, path: str) -> int:
    """The number of a value given by its number, its name, or the part of the name that differs."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
        for name in (value.upper(), prefix + value.upper()):
            if name in enum.values_by_name:
                return enum.values_by_name[name].number
        known = ", ".join(name.removeprefix(prefix).lower() for name in [*enum.values_by_name][1:])
        raise TypeError(f"{path} is one of {known}, not {value!r}")
    raise TypeError(f"{path} is a name, not {type(value).__name__}")


def _set(message: Message, field: Any, value: object, path: str) -> None:  # noqa: ANN401 (of two backends)
    try:
        if not field.is_repeated:
            _set_one(message, field, value, path)
        elif _is_map(field):
            _set_map(getattr(message, field.name), field, value, path)
        else:
            _extend(getattr(message, field.name), field, value, path)
    except (ValueError, OverflowError) as error:
        text = str(error)
        raise ValueError(text if text.startswith(path) else f"{path}: {text}") from None


def _set_one(message: Message, field: FieldDescriptor, value: object, path: str) -> None:
    if field.message_type is None:
        setattr(message, field.name, _scalar(field, value, path))
        return
    inner = getattr(message, field.name)
    inner.SetInParent()
    _merge(inner, value, path)


def _extend(target: Any, field: FieldDescriptor, value: object, path: str) -> None:  # noqa: ANN401 (two kinds)
    if isinstance(value, str) and field.type == FieldDescriptor.TYPE_STRING:
        value = [value]
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{path} is a list, not {type(value).__name__}")
    for index, item in enumerate(value):
        if field.message_type is None:
            target.append(_scalar(field, item, f"{path}[{index}]"))
        else:
            _merge(target.add(), item, f"{path}[{index}]")


def _set_map(target: Any, field: FieldDescriptor, value: object, path: str) -> None:  # noqa: ANN401 (two kinds)
    if not isinstance(value, Mapping):
        raise TypeError(f"{path} is a mapping, not {type(value).__name__}")
    assert field.message_type is not None  # noqa: S101 (a map is a list of entries)
    entry = field.message_type.fields_by_name
    for key, item in value.items():
        target[_scalar(entry["key"], key, path)] = _scalar(entry["value"], item, f"{path}.{key}")


def _merge(message: Message, value: object, path: str) -> None:
    """A message is given as such, as a mapping of its fields, or as what Python has for it."""
    if isinstance(value, type(message)):
        message.CopyFrom(value)
        return
    match message, value:
        case Struct(), Mapping():
            _struct(message, value, path)
        case Duration(), timedelta():
            message.FromTimedelta(value)
        case Duration(), int() | float() if not isinstance(value, bool):
            message.FromTimedelta(timedelta(seconds=value))
        case Timestamp(), datetime():
            if value.tzinfo is None:
                raise ValueError("a time has a time zone")
            message.FromDatetime(value)
        case _, Mapping() if not isinstance(message, Struct | Duration | Timestamp):
            fill(message, value, path)
        case _:
            kind = message.DESCRIPTOR.name
            raise TypeError(f"{path} is a {kind} or its fields, not {type(value).__name__}")


def _struct(message: Struct, value: Mapping[str, object], path: str) -> None:
    try:
        ParseDict(dict(value), message)
    except (ParseError, TypeError, AttributeError) as error:
        raise TypeError(f"{path} is made of JSON values: {error}") from None


def _scalar(field: FieldDescriptor, value: object, path: str) -> object:
    if field.enum_type is not None:
        return enum_number(field.enum_type, value, path)
    text = (bytes,) if field.type == FieldDescriptor.TYPE_BYTES else (str,)
    if field.name.endswith("_json") and not isinstance(value, str):
        return _json(value, path)
    kinds = _KINDS.get(field.cpp_type, text)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{path} is {_NAMES[kinds[-1]]}, not {type(value).__name__}")
    return value


def _json(value: object, path: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{path} is JSON as text, or made of JSON values: {error}") from None


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _within(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
