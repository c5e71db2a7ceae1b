"""A recorded stream gives the same events wherever the network cuts it."""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from oracle.replies import Recorded, recordings
from unit.providers.stream_rules import check_stream, merged

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers import mistral, openai_chat, openai_responses
from tokenwire_server.providers.assembler import Assembler, completed
from tokenwire_server.providers.codec import Codec
from tokenwire_server.providers.sse import SseReader

SHORT = 4 * 1024
CUT_OF_LONG = 2 * 1024
LONG = 32 * 1024
CHANGING = re.compile(rb'"(id|system_fingerprint|obfuscation)":"[^"]*"|"created":\d+')


CODECS = {
    "openai-chat": openai_chat.CODEC,
    "mistral-chat": mistral.CODEC,
    "deepseek-chat": openai_chat.COMPATIBLE,
    "groq-chat": openai_chat.COMPATIBLE,
    "huggingface-chat": openai_chat.COMPATIBLE,
    "openrouter-chat": openai_chat.COMPATIBLE,
    "openai-responses": openai_responses.CODEC,
    "deepseek-responses": openai_responses.COMPATIBLE,
    "openrouter-responses": openai_responses.COMPATIBLE,
}


@dataclass(frozen=True, slots=True)
class Stream:
    """A recorded stream, and how it is read."""

    name: str
    body: bytes
    codec: Codec


def kinds(replies: Iterable[Recorded]) -> list[Recorded]:
    """One recording of each length and shape: those that differ only in ids are the same to a cut."""
    found: dict[bytes, Recorded] = {}
    for reply in replies:
        if reply.status == 200 and reply.streams:
            found.setdefault(CHANGING.sub(b"", reply.body), reply)
    return list(found.values())


ALL = [
    Stream(reply.name, reply.body, codec)
    for file, codec in CODECS.items()
    for reply in kinds(recordings(f"{file}.jsonl"))
]
FAILING = [stream for stream in ALL if re.search(rb'"error": ?[{]', stream.body)]
STREAMS = [stream for stream in ALL if stream not in FAILING]

every_stream = pytest.mark.parametrize("reply", STREAMS, ids=lambda reply: reply.name)


def events_of(reply: Stream, pieces: Iterable[bytes]) -> list[pb.ChatStreamResponse]:
    """What comes of a body that arrives in pieces."""
    assembler = Assembler("openai")
    decoder = reply.codec.stream_decoder(assembler)
    reader = SseReader(2**20, 2**20)
    events: list[pb.ChatStreamResponse] = []
    for piece in pieces:
        for data in reader.feed(piece):
            decoder.feed(data)
        events += assembler.take()
    assert decoder.done
    assert assembler.finished()
    return [*events, *assembler.start(), completed(assembler.whole(), pb.StreamOptions())]


def first_cuts(body: bytes) -> Iterable[int]:
    """Where to cut in two: everywhere, or within the start, or here and there where all of it takes long."""
    if len(body) > LONG:
        return random.Random(len(body)).sample(range(1, len(body)), 100)  # noqa: S311 (repeatable)
    return range(1, len(body) if len(body) <= SHORT else CUT_OF_LONG)


def two_pieces(body: bytes, cuts: Iterable[int]) -> Iterator[list[bytes]]:
    for cut in cuts:
        yield [body[:cut], body[cut:]]


def single_bytes(body: bytes) -> Iterator[bytes]:
    """Byte by byte, or by seven where there are many."""
    size = 1 if len(body) <= LONG else 7
    for start in range(0, len(body), size):
        yield body[start : start + size]


def many_pieces(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(set(cuts)), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def test_there_are_short_and_long_streams() -> None:
    lengths = [len(reply.body) for reply in STREAMS]
    assert min(lengths) <= SHORT < max(lengths)
    assert len(STREAMS) >= 15
    assert len(FAILING) == 2


@every_stream
def test_two_pieces_give_the_same_events(reply: Stream) -> None:
    whole = events_of(reply, [reply.body])
    check_stream(whole)
    expected = merged(whole)
    for pieces in two_pieces(reply.body, first_cuts(reply.body)):
        events = events_of(reply, pieces)
        assert events[-1] == whole[-1]
        assert merged(events) == expected, pieces[0][-40:]


@every_stream
def test_many_pieces_give_the_same_events(reply: Stream) -> None:
    expected = merged(events_of(reply, [reply.body]))
    chance = random.Random(20260822)  # noqa: S311 (repeatable, not secret)
    for _ in range(20):
        cuts = chance.sample(range(1, len(reply.body)), chance.choice([3, 30, 300]))
        events = events_of(reply, many_pieces(reply.body, cuts))
        check_stream(events)
        assert merged(events) == expected


@every_stream
@pytest.mark.parametrize("ends", [b"\r\n", b"\r"], ids=["crlf", "cr"])
def test_byte_by_byte_and_with_other_line_ends_it_is_the_same(reply: Stream, ends: bytes) -> None:
    expected = merged(events_of(reply, [reply.body]))
    assert merged(events_of(reply, single_bytes(reply.body))) == expected
    other = reply.body.replace(b"\n", ends)
    assert merged(events_of(reply, single_bytes(other))) == expected


@every_stream
def test_any_other_end_of_the_stream_is_not_complete(reply: Stream) -> None:
    """Before the finish reason or the last event has come, no cut leaves a complete stream."""
    finish = re.search(rb'"finish_reason": ?"|"type": ?"response.completed"', reply.body)
    assert finish
    end_of_content = finish.start()
    for end in [0, *range(1, end_of_content, max(97, end_of_content // 200)), end_of_content]:
        assembler = Assembler("openai")
        decoder = reply.codec.stream_decoder(assembler)
        for data in SseReader(2**20, 2**20).feed(reply.body[:end]):
            decoder.feed(data)
        assert not assembler.finished()
        assert not decoder.done


@pytest.mark.parametrize("reply", FAILING, ids=lambda reply: reply.name)
def test_an_error_within_a_stream_is_the_same_however_it_is_cut(reply: Stream) -> None:
    def failure(pieces: Iterable[bytes]) -> tuple[str, object]:
        assembler = Assembler("openai")
        decoder = reply.codec.stream_decoder(assembler)
        reader = SseReader(2**20, 2**20)
        events: list[pb.ChatStreamResponse] = []
        try:
            for piece in pieces:
                for data in reader.feed(piece):
                    decoder.feed(data)
                    events += assembler.take()
        except GatewayError as error:
            return repr(error), merged(events)
        raise AssertionError("no error came")

    whole = failure([reply.body])
    for pieces in two_pieces(reply.body, first_cuts(reply.body)):
        assert failure(pieces) == whole
    assert failure(single_bytes(reply.body)) == whole
