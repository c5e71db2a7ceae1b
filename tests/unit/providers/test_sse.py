"""SseReader: the data of server-sent events, however the network cuts them."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers import sse
from tokenwire_server.providers.sse import SseReader

MANY = 2**30


def read(pieces: Iterable[bytes], max_event: int = MANY, max_stream: int = MANY) -> list[bytes]:
    reader = SseReader(max_event, max_stream)
    return [data for piece in pieces for data in reader.feed(piece)]


def cut(body: bytes, at: Iterable[int]) -> Iterator[bytes]:
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in at)})
    for start, end in pairwise(edges):
        yield body[start:end]


lines = st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))
fields = st.one_of(
    lines.map(lambda line: (b"data:" + line, line.removeprefix(b" "))),
    lines.map(lambda line: (b"data: " + line, line)),
    st.just((b"data", b"")),
    lines.map(lambda line: (b":" + line, None)),
    st.sampled_from([b"event: ping", b"id: 7", b"retry: 1", b"database: x", b"Data: x", b" data: x"]).map(
        lambda line: (line, None)
    ),
)
"""Lines of an event, each with what it adds to the event's data."""

events = st.lists(st.lists(fields, min_size=1, max_size=4), max_size=6)


def expected_data(written: list[list[tuple[bytes, bytes | None]]]) -> list[bytes]:
    given_data = [[data for _, data in event if data is not None] for event in written]
    return [b"\n".join(data) for data in given_data if data]


@given(
    written=events,
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    at=st.lists(st.integers(min_value=0), max_size=8),
    blank=st.integers(min_value=1, max_value=3),
    bom=st.booleans(),
)
def test_the_same_events_come_out_however_they_are_written_and_cut(
    written: list[list[tuple[bytes, bytes | None]]], end: bytes, at: list[int], blank: int, *, bom: bool
) -> None:
    body = b"".join(b"".join(line + end for line, _ in event) + end * blank for event in written)
    if bom and not body.startswith(b"\xef\xbb\xbf"):
        body = b"\xef\xbb\xbf" + body
    assert read(cut(body, at)) == expected_data(written)
    assert read(bytes([byte]) for byte in body) == expected_data(written)


@given(body=st.binary(max_size=60), at=st.lists(st.integers(min_value=0), max_size=8))
def test_any_bytes_give_the_same_data_cut_and_whole(body: bytes, at: list[int]) -> None:
    assert read(cut(body, at)) == read([body])


@given(
    body=st.text(alphabet="da:\n\r x\ufeff", max_size=40), at=st.lists(st.integers(min_value=0), max_size=8)
)
def test_nearly_events_give_the_same_data_cut_and_whole(body: str, at: list[int]) -> None:
    assert read(cut(body.encode(), at)) == read([body.encode()])


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\ndata\ndata:\n\n", [b"a\n\n"]),
        (b"event: x\ndata: a\nid: 1\n\n", [b"a"]),
        (b": comment\n\ndata: a\n\n:\n\n", [b"a"]),
        (b": comment\ndata: a\n\n", [b"a"]),
        (b"event: ping\n\n", []),
        (b"data: a: b\n\n", [b"a: b"]),
        (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [b"a", b"b", b"c"]),
        (b"data: \xff\n\n", [b"\xff"]),
        (b"", []),
    ],
)
def test_what_is_data_and_what_is_not(body: bytes, data: list[bytes]) -> None:
    assert read([body]) == data


@given(tail=st.binary(max_size=20), at=st.lists(st.integers(min_value=0), max_size=4))
def test_an_event_that_the_end_cuts_off_never_comes_out(tail: bytes, at: list[int]) -> None:
    tail = tail.replace(b"\n", b"").replace(b"\r", b"")
    for end in (b"", b"\n", b"\r\n", b"\r"):
        assert read(cut(b"data: a\n\ndata: b" + tail + end, at)) == [b"a"]


def test_crlf_cut_in_two_is_one_line_end() -> None:
    assert read([b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n"]) == [b"a\nb"]
    assert read([b"data: a\r", b"\r"]) == [b"a"]


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_an_event_over_its_cap_is_refused_before_it_ends(pieces: int) -> None:
    endless = b"data: " + b"x" * 2000
    with pytest.raises(GatewayError) as raised:
        read(cut(endless, range(0, 2000, 2000 // pieces)), max_event=1000)
    assert raised.value.reason == Reason.RESPONSE_TOO_LARGE


def test_a_whole_event_over_its_cap_is_refused_too() -> None:
    with pytest.raises(GatewayError) as raised:
        read([b"data: " + b"x" * 2000 + b"\n\n"], max_event=1000)
    assert raised.value.reason == Reason.RESPONSE_TOO_LARGE


def test_many_events_within_the_cap_pass_in_one_read() -> None:
    body = (b"data: " + b"x" * 90 + b"\n\n") * 1000
    assert read([body], max_event=100) == [b"x" * 90] * 1000


def test_a_stream_over_its_cap_is_refused_and_one_at_it_is_not() -> None:
    body = b"data: a\n\n" * 10
    assert read([body[:50], body[50:]], max_stream=90) == [b"a"] * 10
    with pytest.raises(GatewayError) as raised:
        read([body, b"\n"], max_stream=90)
    assert raised.value.reason == Reason.RESPONSE_TOO_LARGE


class Counting(bytearray):
    """Counts the bytes that are looked at, copied or moved."""

    touched = 0

    def rfind(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        Counting.touched += len(self) - start
        return super().rfind(sub, start, end)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        Counting.touched += len(found)
        return found

    def __delitem__(self, key: Any) -> None:
        Counting.touched += len(self)
        super().__delitem__(key)


@pytest.mark.parametrize("size", [1, 100])
def test_work_grows_with_the_bytes_and_not_with_their_square(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(sse, "bytearray", Counting, raising=False)
    Counting.touched = 0
    length = 40_000
    body = b"data: " + b"x" * length + b"\n\n"
    assert read(body[start : start + size] for start in range(0, len(body), size)) == [b"x" * length]
    assert length < Counting.touched < 6 * length
