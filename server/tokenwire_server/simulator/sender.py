"""Sends one reply over one connection, and breaks the connection where the script says so."""

import asyncio
import socket
import struct
from collections.abc import Iterator, Sequence

from aiohttp import web

from tokenwire_server.simulator.faults import Step, steps
from tokenwire_server.simulator.records import Received
from tokenwire_server.simulator.reply import Event, Reply
from tokenwire_server.simulator.script import Script

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


class _Cut(Exception):  # noqa: N818 (no error: the script asked for it)
    """The body has reached the byte where the connection breaks."""


class Sender:
    """Sends one reply as a script says, and keeps the record of the request up to date."""

    def __init__(self, request: web.Request, received: Received) -> None:
        self._request = request
        self._received = received
        self._script: Script = received.script

    async def send(self, reply: Reply, ending: Sequence[Event] = ()) -> web.StreamResponse:
        """Send it; the outcome is final on return. Cancellation leaves the outcome to the caller.

        `ending` is what the script's `error_event` stands for.
        """
        response = self._response(reply)
        try:
            await self._send(response, reply, ending)
            self._received.finish("completed")
        except _Cut:
            await self._break(response)
        except ConnectionError:  # a write noticed first that the caller has gone
            self._received.finish("closed by client")
        return response

    async def _send(self, response: web.StreamResponse, reply: Reply, ending: Sequence[Event]) -> None:
        await response.prepare(self._request)
        self._received.status = response.status
        if self._script.cut_at_byte == 0:
            raise _Cut
        for step in steps(reply, self._script, ending):
            if step.wait:
                await asyncio.sleep(step.wait)
            for piece in self._pieces(step):
                await self._write(response, piece)
        if self._script.linger:
            await asyncio.sleep(self._script.linger)
        await response.write_eof()

    def _response(self, reply: Reply) -> web.StreamResponse:
        headers = {"content-type": reply.content_type, **reply.headers}
        for name, value in self._script.headers.items():
            if value is None:
                headers.pop(name, None)
            else:
                headers[name] = value
        response = web.StreamResponse(status=self._script.status or reply.status, headers=headers)
        if reply.events is not None or not self._fixed_length():
            response.enable_chunked_encoding()
        else:
            response.content_length = len(next(steps(reply, self._script, ())).data)
        return response

    def _fixed_length(self) -> bool:
        """A body in pieces is chunked, so that the pieces can be seen on the wire."""
        return self._script.split_bytes is None and not self._script.linger

    def _pieces(self, step: Step) -> Iterator[bytes]:
        size = self._script.split_bytes or max(1, len(step.data))
        return (step.data[at : at + size] for at in range(0, len(step.data), size))

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        cut = self._script.cut_at_byte
        left = len(data) if cut is None else cut - self._received.sent
        await response.write(data[:left])
        self._received.sent += min(left, len(data))
        if self._script.split_bytes is not None:
            await asyncio.sleep(0)  # each piece in a packet of its own, as far as the network lets it
        if cut is not None and left <= len(data):
            raise _Cut

    async def _break(self, response: web.StreamResponse) -> None:
        if self._script.how == "stall":
            await asyncio.Event().wait()
        response.force_close()
        transport = self._request.transport
        self._received.finish("cut by script")
        if transport is None:
            return
        if self._script.how == "rst":
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        else:
            transport.close()
