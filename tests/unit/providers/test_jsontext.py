"""JSON from and to providers."""

import contextlib
import json
import struct
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from tokenwire_server.providers.jsontext import from_struct, loads, number

BAD = "\ufffd"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb'"\ud800"', BAD),
        (rb'"a\udfffb"', f"a{BAD}b"),
        (rb'"\udc00\ud800"', BAD * 2),
        (rb'"\ud83e\udd80"', "🦀"),
        (rb'{"\ud800": [1.5, true, null, "\ud83e\udd80"]}', {BAD: [1.5, True, None, "🦀"]}),
        (b'"a\xffb"', f"a{BAD}b"),
        (b'{"a": "\xe2\x82", "b": 12345678901234567890123}', {"a": BAD, "b": 12345678901234567890123}),
        (b'"\xed\xa0\x80"', BAD * 3),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b" [ ] ", []),
    ],
)
def test_what_no_proto_string_can_hold_is_replaced(data: bytes, value: object) -> None:
    assert loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"NaN",
        b"[Infinity]",
        b'{"a": -Infinity}',
        rb'["\ud800", NaN]',
        b"{",
        b"{'a': 1}",
        b"[1,]",
        b"<html>",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[DONE]",
        b'"\n"',
        b"[" * 2_000 + b"]" * 2_000,
        b"[" * 200_000,
        b'{"a":' * 200_000,
        rb'["\ud800",' + b"[" * 100_000 + b"]" * 100_000 + b"]",
        b"9" * 5_000 + b"x",
        rb'["\ud800", ' + b"9" * 5_000 + b"]",
    ],
    ids=range(20),
)
def test_what_is_not_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (of any text)
        loads(data)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
json_values = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(
    text=st.text(alphabet=st.characters(codec=None, categories=["Cs", "L", "N"])), spoil=st.binary(max_size=4)
)
def test_every_text_that_comes_out_can_be_sent(text: str, spoil: bytes) -> None:
    data = json.dumps({text: [text]}).encode()[:-2] + b"]}"
    (item,) = loads(data).items()  # type: ignore[attr-defined]  # an object, by the text
    assert item[0].encode() == item[1][0].encode()
    found = loads(b'"a' + bytes(byte | 0x80 for byte in spoil) + b'"')
    assert isinstance(found, str)
    assert found.encode()


@given(st.binary(max_size=50) | st.text(alphabet='[]{}":,\\ud8012e+-.NaIn \ud800').map(_bytes))
def test_any_bytes_parse_or_are_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        json.dumps(loads(data), ensure_ascii=False).encode()


def as_struct(value: dict[str, Any]) -> Struct:
    return ParseDict(value, Struct())


def test_a_struct_becomes_json_with_integers() -> None:
    value = {
        "integer": 7,
        "zero": 0,
        "negative": -3,
        "fraction": 0.5,
        "text": "1",
        "yes": True,
        "no": False,
        "nothing": None,
        "list": [1, [2, {"a": 3}], []],
        "object": {"b": {}, "c": 4},
    }
    found = from_struct(as_struct(value))
    assert found == value
    assert orjson.dumps(found, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        value, option=orjson.OPT_SORT_KEYS
    )


def test_a_value_without_a_kind_is_null() -> None:
    empty = Struct()
    empty.fields["a"].SetInParent()
    assert from_struct(empty) == {"a": None}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_and_is_an_integer_where_that_is_exact(value: float) -> None:
    found = number(value)
    assert found == value
    assert isinstance(found, int) == (value.is_integer() and abs(value) < 2**53)


def test_beyond_exact_integers_a_double_stays_a_double() -> None:
    assert orjson.dumps([number(2.0**53 - 1), number(2.0**53), number(1e300)]) == (
        b"[9007199254740991,9007199254740992.0,1e+300]"
    )
    assert struct.pack("d", number(-0.0)) == struct.pack("d", 0)
