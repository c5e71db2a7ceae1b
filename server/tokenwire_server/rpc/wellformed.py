"""What holds for every request message: no unknown enum values, no NaN or infinity; unknown fields named.

One walk over what is set. The descriptors say what to look at, once per message type.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from tokenwire_server.errors import Violation

_Value: TypeAlias = Any
"""What a field holds: its type is what the descriptor says at run time."""

_Look = Callable[[_Value, str], Iterator[Violation]]
"""Looks at a field's value at a path."""


def violations(message: Message, path: str = "") -> Iterator[Violation]:
    """What is wrong with the values of a message and of those below it."""
    looks = _looks(message.DESCRIPTOR)
    for field, value in message.ListFields():
        if look := looks.get(field.number):
            yield from look(value, f"{path}.{field.name}" if path else field.name)


def unknown_fields(message: Message, path: str = "") -> Iterator[str]:
    """Paths of the fields that this server's contract does not have, such as `messages[3].57`."""
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        yield f"{path}{unknown[index].field_number}"
    children = _children(message.DESCRIPTOR)
    for field, value in message.ListFields():
        if field.number in children:
            name = f"{path}{field.name}"
            for key, child in _each(field, value):
                yield from unknown_fields(child, f"{name}{key}.")


@cache
def _looks(descriptor: Descriptor) -> Mapping[int, _Look]:
    found = ((field.number, _look(field)) for field in descriptor.fields)
    return {number: look for number, look in found if look}


def _look(field: FieldDescriptor) -> _Look | None:
    value = _map_value(field) or field
    if value.message_type is not None:
        return lambda held, path: _below(field, held, path)
    if value.enum_type is not None:
        known = frozenset(value.enum_type.values_by_number)
        return lambda number, path: _enum(known, number, path)
    if value.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return lambda held, path: _finite(field, held, path)
    return None


@cache
def _children(descriptor: Descriptor) -> frozenset[int]:
    """Numbers of the fields that hold messages."""
    return frozenset(
        field.number for field in descriptor.fields if (_map_value(field) or field).message_type is not None
    )


def _map_value(field: FieldDescriptor) -> FieldDescriptor | None:
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["value"]


def _each(field: FieldDescriptor, value: _Value) -> Iterator[tuple[str, _Value]]:
    """The values that a field holds, each with what its path has behind the field's name."""
    if _map_value(field):
        for key in value:
            yield f".{key}", value[key]
    elif field.is_repeated:
        for index, item in enumerate(value):
            yield f"[{index}]", item
    else:
        yield "", value


def _below(field: FieldDescriptor, value: _Value, path: str) -> Iterator[Violation]:
    for key, child in _each(field, value):
        yield from violations(child, path + key)


def _enum(known: frozenset[int], number: int, path: str) -> Iterator[Violation]:
    if number not in known:
        yield Violation(path, "The value is not one of the enum's.")


def _finite(field: FieldDescriptor, value: _Value, path: str) -> Iterator[Violation]:
    for key, number in _each(field, value):
        if not math.isfinite(number):
            yield Violation(path + key, "The number must be finite.")
