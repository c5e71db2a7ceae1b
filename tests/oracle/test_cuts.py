"""A recorded stream gives the same events wherever the network cuts it."""

import random
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from oracle.replies import Recorded, recordings
from unit.providers.stream_rules import check_stream, merged

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.assembler import Assembler, completed
from tokenwire_server.providers.openai_chat import CODEC
from tokenwire_server.providers.sse import SseReader

SHORT = 4 * 1024
CUT_OF_LONG = 2 * 1024
CHANGING = re.compile(rb'"(id|system_fingerprint|obfuscation)":"[^"]*"|"created":\d+')


def kinds(replies: Iterable[Recorded]) -> list[Recorded]:
    """One recording of each length and shape: those that differ only in ids are the same to a cut."""
    found: dict[bytes, Recorded] = {}
    for reply in replies:
        if reply.status == 200 and reply.streams:
            found.setdefault(CHANGING.sub(b"", reply.body), reply)
    return list(found.values())


STREAMS = kinds(recordings("openai-chat.jsonl"))

every_stream = pytest.mark.parametrize("reply", STREAMS, ids=lambda reply: reply.name)


def events_of(pieces: Iterable[bytes]) -> list[pb.ChatStreamResponse]:
    """What comes of a body that arrives in pieces."""
    assembler = Assembler("openai")
    decoder = CODEC.stream_decoder(assembler)
    reader = SseReader(2**20, 2**20)
    events: list[pb.ChatStreamResponse] = []
    for piece in pieces:
        for data in reader.feed(piece):
            decoder.feed(data)
        events += assembler.take()
    assert decoder.done
    assert assembler.finished()
    return [*events, *assembler.start(), completed(assembler.whole(), pb.StreamOptions())]


def two_pieces(body: bytes, end: int) -> Iterator[list[bytes]]:
    for cut in range(1, end):
        yield [body[:cut], body[cut:]]


def many_pieces(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(set(cuts)), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def test_there_are_short_and_long_streams() -> None:
    lengths = [len(reply.body) for reply in STREAMS]
    assert min(lengths) <= SHORT < max(lengths)
    assert len(STREAMS) >= 5


@every_stream
def test_two_pieces_give_the_same_events(reply: Recorded) -> None:
    whole = events_of([reply.body])
    check_stream(whole)
    expected = merged(whole)
    end = len(reply.body) if len(reply.body) <= SHORT else CUT_OF_LONG
    for pieces in two_pieces(reply.body, end):
        events = events_of(pieces)
        assert events[-1] == whole[-1]
        assert merged(events) == expected, pieces[0][-40:]


@every_stream
def test_many_pieces_give_the_same_events(reply: Recorded) -> None:
    expected = merged(events_of([reply.body]))
    chance = random.Random(20260822)  # noqa: S311 (repeatable, not secret)
    for _ in range(20):
        cuts = chance.sample(range(1, len(reply.body)), chance.choice([3, 30, 300]))
        events = events_of(many_pieces(reply.body, cuts))
        check_stream(events)
        assert merged(events) == expected


@every_stream
@pytest.mark.parametrize("ends", [b"\r\n", b"\r"], ids=["crlf", "cr"])
def test_byte_by_byte_and_with_other_line_ends_it_is_the_same(reply: Recorded, ends: bytes) -> None:
    expected = merged(events_of([reply.body]))
    assert merged(events_of(bytes([byte]) for byte in reply.body)) == expected
    other = reply.body.replace(b"\n", ends)
    assert merged(events_of(bytes([byte]) for byte in other)) == expected


@every_stream
def test_any_other_end_of_the_stream_is_not_complete(reply: Recorded) -> None:
    """Before the finish reason has come, no cut leaves a complete stream."""
    finish = reply.body.index(b'"finish_reason":"')
    for end in [0, *range(1, finish, 97), finish]:
        assembler = Assembler("openai")
        decoder = CODEC.stream_decoder(assembler)
        for data in SseReader(2**20, 2**20).feed(reply.body[:end]):
            decoder.feed(data)
        assert not assembler.finished()
        assert not decoder.done
