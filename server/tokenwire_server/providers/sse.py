"""Server-sent events out of network reads (WHATWG HTML, 9.2.6), cut anywhere."""

from typing import Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class SseReader:
    """Gives the data of each complete event.

    Lines end with LF, CRLF or CR. Comments, events without data and all fields but `data` are skipped;
    an event that the stream's end cuts off never comes out. Raises RESPONSE_TOO_LARGE beyond the caps
    of one event and of the stream, in bytes, so memory is bounded by one event and one read.
    """

    def __init__(self, max_event: int, max_stream: int) -> None:
        self._max_event = max_event
        self._left = max_stream
        self._pending = bytearray()
        self._after_cr = False

    def feed(self, read: bytes) -> list[bytes]:
        """The data of the events that this read completes, in order."""
        self._left -= len(read)
        if self._left < 0:
            raise _too_large("The provider's stream is larger than allowed.")
        if self._after_cr or b"\r" in read:
            read = self._with_line_feeds(read)
        pending = self._pending
        if not pending and (events := self._usual(read)):
            return events
        start = max(0, len(pending) - 1)  # the blank line may be cut in two
        pending += read
        end = pending.rfind(b"\n\n", start)
        if end < 0:
            blocks = []
        else:
            blocks = bytes(pending[:end]).split(b"\n\n")
            del pending[: end + 2]
        if len(pending) > self._max_event:
            raise _too_large("An event of the provider's stream is larger than allowed.")
        return self._data(blocks)

    def _usual(self, read: bytes) -> list[bytes] | None:
        """What `_data` gives for a read of whole events of one line of data each, as most are, without a
        step in Python for each of them; None for any other."""
        if not (read.startswith(b"data: ") and read.endswith(b"\n\n")):
            return None
        events = read[6:-2].split(b"\n\ndata: ")
        plain = read.count(b"\n") == 2 * len(events) and max(map(len, events)) <= self._max_event - 6
        return events if plain else None

    def _data(self, blocks: list[bytes]) -> list[bytes]:
        events = []
        for block in blocks:
            if len(block) > self._max_event:
                raise _too_large("An event of the provider's stream is larger than allowed.")
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
            elif (data := _joined(block)) is not None:
                events.append(data)
        return events

    def _with_line_feeds(self, read: bytes) -> bytes:
        """CRLF and CR as LF. A CR that ends the read counts at once; an LF after it is dropped."""
        if self._after_cr and read.startswith(b"\n"):
            read = read[1:]
            self._after_cr = False
        if read:
            self._after_cr = read.endswith(b"\r")
        return read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _joined(block: bytes) -> bytes | None:
    """The data lines of an event, joined; None when it has none."""
    lines = []
    for line in block.lstrip(b"\n").removeprefix(_BYTE_ORDER_MARK).split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines) if lines else None


def _too_large(text: str) -> GatewayError:
    return GatewayError(reason=Reason.RESPONSE_TOO_LARGE, text=text)
