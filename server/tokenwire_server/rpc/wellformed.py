"""What holds for every request message: no unknown enum values, no NaN or infinity; unknown fields named.

The descriptors say what to look at, once per message type. Nearly all requests are clean: a first walk over
what is set tells that without naming any path, and only what is not clean is walked over again.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from tokenwire_server.errors import Violation

_Value: TypeAlias = Any
"""What a field holds: its type is what the descriptor says at run time."""


class Findings:
    """What a walk found: values that are wrong, and paths of fields that this contract does not have."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.unknown: list[str] = []


_Test: TypeAlias = Callable[[_Value], bool]
"""Whether a value is clean."""
_Look: TypeAlias = Callable[[_Value, str, Findings], None]
"""Looks at one value at a path."""


def is_clean(message: Message) -> bool:
    """Whether `examine` would find nothing in a message and in those below it."""
    if len(UnknownFieldSet(message)):
        return False
    tests = _tests(message.DESCRIPTOR)
    for field, value in message.ListFields():
        if (test := tests.get(field.number)) and not test(value):
            return False
    return True


@cache
def _tests(descriptor: Descriptor) -> Mapping[int, _Test]:
    """How to test each field that needs it, by number."""
    found = ((field.number, _test(field)) for field in descriptor.fields)
    return {number: test for number, test in found if test}


def _test(field: FieldDescriptor) -> _Test | None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        test = _test_of_one(entry.fields_by_name["value"])
        return test and _test_values(test)
    test = _test_of_one(field)
    if test and field.is_repeated:
        return lambda held: all(map(test, held))
    return test


def _test_values(test: _Test) -> _Test:
    return lambda held: all(test(held[key]) for key in held)


def _test_of_one(field: FieldDescriptor) -> _Test | None:
    if field.message_type is not None:
        return is_clean
    if field.enum_type is not None:
        return frozenset(field.enum_type.values_by_number).__contains__
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return math.isfinite
    return None


def examine(message: Message, findings: Findings, path: str = "") -> None:
    """Adds what is found in a message and in those below it; `path` ends with its dot."""
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        findings.unknown.append(f"{path}{unknown[index].field_number}")
    looks = _looks(message.DESCRIPTOR)
    for field, value in message.ListFields():
        if look := looks.get(field.number):
            look(value, path + field.name, findings)


@cache
def _looks(descriptor: Descriptor) -> Mapping[int, _Look]:
    """How to look at each field that needs it, by number."""
    found = ((field.number, _look(field)) for field in descriptor.fields)
    return {number: look for number, look in found if look}


def _look(field: FieldDescriptor) -> _Look | None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        look = _look_at_one(entry.fields_by_name["value"])
        return look and _each(look, lambda held: ((f".{key}", held[key]) for key in held))
    look = _look_at_one(field)
    if look and field.is_repeated:
        return _each(look, lambda held: ((f"[{index}]", item) for index, item in enumerate(held)))
    return look


def _look_at_one(field: FieldDescriptor) -> _Look | None:
    if field.message_type is not None:
        return _message
    if field.enum_type is not None:
        return _enum(frozenset(field.enum_type.values_by_number))
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return _finite
    return None


def _each(look: _Look, items: Callable[[_Value], Iterable[tuple[str, _Value]]]) -> _Look:
    def each(held: _Value, path: str, findings: Findings) -> None:
        for key, item in items(held):
            look(item, path + key, findings)

    return each


def _message(message: Message, path: str, findings: Findings) -> None:
    examine(message, findings, path + ".")


def _enum(known: frozenset[int]) -> _Look:
    def enum(number: int, path: str, findings: Findings) -> None:
        if number not in known:
            findings.violations.append(Violation(path, "The value is not one of the enum's."))

    return enum


def _finite(number: float, path: str, findings: Findings) -> None:
    if not math.isfinite(number):
        findings.violations.append(Violation(path, "The number must be finite."))
