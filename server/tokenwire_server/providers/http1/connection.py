"""One connection to a provider: a request, then its reply, and again."""

import asyncio
from typing import Final, cast

import httptools

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import now
from tokenwire_server.errors import GatewayError

_PIECE: Final = 256 * 1024
"""Bytes that are written at once; more of them in pieces, so that others have their turn."""
_UNREAD: Final = 64 * 1024
"""Bytes of a body that may wait for their reader, and one network read more, before the network has to."""
_HEAD: Final = 64 * 1024
"""Bytes of headers and trailers, and of what comes between two pieces of a body."""
_BODILESS: Final = (204, 304)
"""Statuses whose reply ends with its head (RFC 9110, 15.3.5 and 15.4.5), as that of an interim one does."""
_OVERHEAD: Final = len(": \r\n")


class Connection(asyncio.Protocol):
    """Of one exchange at a time, with one coroutine that waits. Whoever got it from the pool puts it back."""

    def __init__(self) -> None:
        self.status = 0
        """Of the reply; 0 until its head has come."""
        self.headers: dict[str, str] = {}
        """Names are in lower case; of those that come twice the first one counts."""
        self.ended = True
        """Whether the reply's body has come whole."""
        self.idle_since = 0.0
        self._loop: Final = asyncio.get_running_loop()
        self.lost: Final = self._loop.create_future()
        """Done once the socket is closed."""
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(  # what browsers forgive as well
            lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._waiter: asyncio.Future[None] | None = None
        self._full = False
        self._holding = False
        self._broken = False
        self._garbled = False
        self._begin()

    def _begin(self) -> None:
        self.status = 0
        self.headers = {}
        self._head_bytes = 0
        self._empty_bytes = 0
        self._pieces: list[bytes] = []
        self._unread = 0
        self._held_until = 0.0
        self._keep = False
        self._until_close = False

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow the last one."""
        return self.ended and self._keep and not self._broken and not self._transport.is_closing()

    async def send(self, head: bytes, body: bytes) -> None:
        """Sends a request; returns once the head of its reply has come.

        Raises PROVIDER_UNAVAILABLE when the connection is lost before, PROVIDER_BAD_RESPONSE for what is
        not HTTP.
        """
        self._begin()
        self.ended = False
        if len(body) <= _PIECE:
            self._transport.write(head + body)
        else:
            await self._write_in_pieces(head, memoryview(body))
        while not self.status:
            if self._broken:
                raise self._no_reply()
            await self._change()

    async def _write_in_pieces(self, head: bytes, body: memoryview) -> None:
        """A provider that answers before it has read everything does not want the rest."""
        self._transport.write(head)
        for start in range(0, len(body), _PIECE):
            while self._full and not self.status and not self._broken:
                await self._change()
            if self.status or self._broken:
                self._keep = False
                return
            self._transport.write(body[start : start + _PIECE])
            await asyncio.sleep(0)

    def _no_reply(self) -> GatewayError:
        if self._garbled:
            text = "The provider's reply is not HTTP as it should be."
            return GatewayError(reason=Reason.PROVIDER_BAD_RESPONSE, text=text)
        return GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text="The provider could not be reached.")

    async def read(self) -> bytes:
        """All that has arrived of the body, waiting for some; b"" at the end.

        Raises STREAM_TRUNCATED when the connection is lost within it.
        """
        while not self._pieces:
            if self.ended:
                return b""
            if self._broken:
                raise truncated()
            await self._change()
        if self._held_until:
            await self._gather()
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._unread > _UNREAD and not self._transport.is_closing():
            self._transport.resume_reading()
        self._unread = 0
        return body

    def hold(self, until: float) -> None:
        """The next read gives nothing before this moment, unless the body ends or as much waits as may. What
        comes later is not held, and has cost nothing."""
        self._held_until = until

    async def _gather(self) -> None:
        seconds, self._held_until = self._held_until - now(), 0.0
        if seconds <= 0 or self._enough():
            return
        timer = self._loop.call_later(seconds, self._wake)
        self._holding = True
        try:
            await self._change()
        finally:
            self._holding = False
            timer.cancel()

    def _enough(self) -> bool:
        return self.ended or self._broken or self._unread > _UNREAD

    def abort(self) -> None:
        """Closes the socket at once."""
        self._broken = True
        self._transport.abort()

    def _change(self) -> asyncio.Future[None]:
        """Done when something happens. No coroutine: each token would pay for its frame."""
        self._waiter = self._loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Parses it."""
        if self.ended:  # nobody asked for it
            self.abort()
            return
        unread = self._unread
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break()
        if self._unread == unread and not self.ended:
            self._without_body(len(data))
        else:
            self._empty_bytes = 0
        if self._unread > _UNREAD and not self.ended and not self._transport.is_closing():
            self._transport.pause_reading()  # nobody reads
        if not self._holding or self._enough():
            self._wake()

    def _without_body(self, received: int) -> None:
        """Ends what never comes to the point."""
        self._empty_bytes += received
        if self._empty_bytes > _HEAD:
            self._break()

    def _break(self) -> None:
        """What was read whole stays good, whatever follows it."""
        self._garbled = True
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ends a body that has no other end."""
        if exc is None and self._until_close and not self._broken:
            self.ended = True
        self._broken = True
        self.lost.set_result(None)
        self._wake()

    def pause_writing(self) -> None:
        """The network is slower than we are."""
        self._full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._full = False
        self._wake()

    # What the parser calls, within data_received. An exception makes the reply one that is not HTTP.

    def on_message_begin(self) -> None:
        """Refuses a second reply to one request."""
        if self.ended:
            raise ValueError("a reply that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or after the body a trailer, which means nothing here."""
        self._head_bytes += len(name) + len(value) + _OVERHEAD
        if self._head_bytes > _HEAD:
            raise ValueError("headers larger than allowed")
        if not self.status:
            self.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t"))

    def on_headers_complete(self) -> None:
        """The head has come, if it is not of an interim reply."""
        status = self._parser.get_status_code()
        if status < 100:
            raise ValueError("a status that is none")
        coding, length = self.headers.get("transfer-encoding"), self.headers.get("content-length")
        if (status < 200 or status in _BODILESS) and (coding is not None or (length or "").strip("0")):
            raise ValueError("a body where none may be")  # the parser would read one
        if status < 200:
            self.headers.clear()
            return
        self.status = status
        self._keep = self._parser.should_keep_alive()
        sized = length is not None if coding is None else "chunked" in coding.lower()
        self._until_close = not sized

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._pieces.append(body)
        self._unread += len(body)

    def on_message_complete(self) -> None:
        """The reply has come whole, or an interim one before it."""
        if self.status:
            self.ended = True
            self._keep = self._keep and self._parser.should_keep_alive()  # a trailer may have a say


def truncated() -> GatewayError:
    """STREAM_TRUNCATED."""
    return GatewayError(
        reason=Reason.STREAM_TRUNCATED, text="The connection to the provider was lost within its answer."
    )
