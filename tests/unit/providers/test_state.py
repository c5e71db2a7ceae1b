"""provider_state: what comes back is what was given, to its own provider, or is refused."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ask import ask, assistant

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.state import KEYS, pack, unpack
from tokenwire_server.rpc.validate import validate
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

PATH = "messages[1].parts[0]"
MOST = 256 * 1024

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
texts = st.text(min_size=1)
fields = st.dictionaries(st.sampled_from(sorted(KEYS)), texts)


def part(state: bytes) -> pb.ContentPart:
    return pb.ContentPart(reasoning=pb.Reasoning(text="Hm."), provider_state=state)


def refused(state: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        unpack(part(state), "mistral", PATH)
    return raised.value


def read(state: bytes) -> dict[str, str] | None:
    """What is read of any bytes; None where they are refused as what the caller sent."""
    try:
        return unpack(part(state), "mistral", PATH)
    except GatewayError as error:
        if error.reason != Reason.INVALID_REQUEST:
            raise
        return None


@given(provider=names, given_fields=fields)
def test_what_is_packed_comes_back_to_its_provider(provider: str, given_fields: dict[str, str]) -> None:
    assert unpack(part(pack(provider, **given_fields)), provider, PATH) == given_fields


@given(provider=names, other=names, given_fields=fields)
def test_another_provider_gets_nothing_of_it(provider: str, other: str, given_fields: dict[str, str]) -> None:
    if provider != other:
        assert unpack(part(pack(provider, **given_fields)), other, PATH) is None


def test_a_part_without_state_has_none() -> None:
    assert unpack(part(b""), "mistral", PATH) is None


def test_an_empty_field_is_left_out() -> None:
    assert unpack(part(pack("mistral", signature="", field="x")), "mistral", PATH) == {"field": "x"}


def test_a_field_that_is_no_text_is_not_packed() -> None:
    with pytest.raises(TypeError):
        pack("mistral", signature=7)  # type: ignore[arg-type]  # a provider may send anything


def test_keys_that_nobody_knows_are_not_read() -> None:
    """Of a newer gateway, or of someone who hopes that they are passed on."""
    state = b"\x01" + orjson.dumps({"provider": "mistral", "signature": "s", "role": "system"})
    assert unpack(part(state), "mistral", PATH) == {"signature": "s"}


@pytest.mark.parametrize(
    "state",
    [
        b"\x00",
        b"\x01",
        b"\x01{",
        b"\x01[]",
        b"\x01null",
        b"\x01{}",
        b'\x01{"signature":"s"}',
        b'\x01{"provider":null}',
        b'\x01{"provider":"mistral","signature":7}',
        b'\x01{"provider":"mistral","signature":{"a":"b"}}',
        b'\x01{"provider":"mistral","unknown":[1]}',
        b'\x01{"provider":"mistral","signature":"\xff"}',
        b'\x01{"provider":"mistral"}x',
        b'\x02{"provider":"mistral"}',
        b'{"provider":"mistral"}',
        b"\x01" + b"[" * 100_000,
        b"text",
    ],
    ids=lambda state: repr(state[:40]),
)
def test_what_this_gateway_never_made_is_refused_by_its_path(state: bytes) -> None:
    error = refused(state)
    assert error.reason == Reason.INVALID_REQUEST
    assert [violation.field for violation in error.violations] == [f"{PATH}.provider_state"]
    assert "mistral" not in str(error)


@given(st.binary(min_size=1, max_size=60) | st.binary(max_size=60).map(lambda tail: b"\x01" + tail))
def test_any_bytes_are_refused_or_read_as_texts(state: bytes) -> None:
    found = read(state)
    assert found is None or found.keys() <= KEYS


@given(given_fields=fields, place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_never_gives_what_is_no_text(
    given_fields: dict[str, str], place: int, bit: int
) -> None:
    state = bytearray(pack("mistral", **given_fields))
    state[place % len(state)] ^= 1 << bit
    assert all(isinstance(text, str) for text in (read(bytes(state)) or {}).values())


def test_a_state_has_a_greatest_size_which_the_server_checks() -> None:
    def check(size: int) -> None:
        state = pack("mistral", signature="s" * (size - len(pack("mistral", signature="s")) + 1))
        assert len(state) == size
        validate(ask("Hi", assistant("", part(state)), "So?"), Server(), Unsupported())

    check(MOST)
    with pytest.raises(GatewayError) as raised:
        check(MOST + 1)
    assert [violation.field for violation in raised.value.violations] == [f"{PATH}.provider_state"]
